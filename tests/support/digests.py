"""Digests for tests, in the shapes that rows give them; all titles and texts are made up."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from newsletter.core.config import Settings
from newsletter.core.models import DigestLength, Label, Occasion
from newsletter.core.tokens import Signer
from newsletter.messages import dkim
from newsletter.messages.digest import Digest, DigestPaper, DigestSection, FrozenPaper
from newsletter.messages.envelope import Envelope
from newsletter.messages.renderer import Renderer

SECRET = "a key for tests that is long enough to pass"
RSA_KEY = dkim.new_key(rsa.RSAPrivateKey)
ED25519_KEY = dkim.new_key(ed25519.Ed25519PrivateKey)
CREATED = datetime(2026, 11, 20, 6, 30, 5, tzinfo=UTC)

TITLES = (
    "Repairing programs before they are run: symbolic hints for neural patches",
    "Half the tests, all the faults",
    "What a proof assistant hears when people think aloud, and how a very long title that goes on "
    "past every reasonable measure still has to sit well on a narrow telephone screen",
    "在稀疏奖励下学习形式化证明:一种分层方法",
    "تعلم إصلاح البرامج من تعليقات المراجعين",
    "𝓑-Coder: bounds of O(n log n) for α-approximate search with ε → 0",
)
ABSTRACT = (
    "Patches written by a language model often compile and still miss the fault. We let a "
    "symbolic executor name the branch that must change, and give the model that one line of "
    "advice. On 214 faults in 12 open programs this repairs 61 more than advice-free prompting, "
    "at a third of the samples. The hints cost two seconds each. Wrong hints hurt less than "
    "expected: the model ignores about half of them. We release the hints, the patches and the "
    "verdicts of two reviewers who did not know which system wrote which patch."
)


def settings(**overrides: Any) -> Settings:
    values: dict[str, Any] = {
        "from_address": "papers@digest.example.org",
        "site_name": "Morning Papers",
        "base_url": "https://papers.example.org",
        "postal_address": "Example Institute, 1 Library Square, 12345 Anytown",
        "secret_keys": SECRET,
        "smtp_url": "smtp://127.0.0.1:25",
    }
    return Settings(**(values | overrides))


def signer() -> Signer:
    return Signer((SECRET,))


def signing_settings(folder: Path, **overrides: Any) -> Settings:
    """Settings with both DKIM keys; the files are written to ``folder``."""
    (folder / "rsa.pem").write_bytes(dkim.pem(RSA_KEY))
    (folder / "ed25519.pem").write_bytes(dkim.pem(ED25519_KEY))
    keys = {
        "dkim_key_file": folder / "rsa.pem",
        "dkim_ed25519_key_file": folder / "ed25519.pem",
    }
    return settings(**(keys | overrides))


def dns_records(domain: str = "digest.example.org") -> dict[str, str]:
    """The TXT records that a receiver of signed mail looks up, by name without a final dot."""
    return {
        f"newsletter._domainkey.{domain}": dkim.dns_value(RSA_KEY),
        f"newsletter-ed25519._domainkey.{domain}": dkim.dns_value(ED25519_KEY),
    }


def note_to(**fields: Any) -> Any:
    """Who a short mail goes to."""
    values = {
        "delivery_id": 4712,
        "to_address": "ada@reader.example",
        "message_id": "0a1b2c3d@digest.example.org",
        "created_at": CREATED,
        "public_id": "0123456789abcdef",
    }
    return values | fields


def paper(number: int = 1, **fields: Any) -> DigestPaper:
    values: dict[str, Any] = {
        "paper_id": 1000 + number,
        "position": number,
        "title": TITLES[(number - 1) % len(TITLES)],
        "url": f"https://arxiv.org/abs/2611.{number:05}",
        "authors": ("Ada Lovelace", "Émilie du Châtelet", "Grace Hopper"),
        "source": "arxiv",
        "categories": ("cs.SE", "cs.LG"),
        "abstract": ABSTRACT,
        "date": "20 November",
        "label": (Label.STRONG, Label.GOOD, Label.WORTH)[number // 4 % 3],
        "explanation": "because you follow “program repair” and liked “Half the tests”",
        "upvotes": 3 * number,
    }
    values |= fields
    own = {name: values.pop(name) for name in DigestPaper._fields if name in values}
    return DigestPaper(frozen=FrozenPaper(**values), **own)


def digest(papers: int = 6, **fields: Any) -> Digest:
    made = [
        paper(
            number,
            code_url=f"https://github.com/example/repair-{number}" if number % 2 else None,
            project_url="https://example.org/hints" if number % 3 == 1 else None,
            authors=tuple(f"Author Number{n}" for n in range(40)) if number == 2 else AUTHORS,
            abstract="" if number == 5 else ABSTRACT,
            highlights=(LIT,) if number == 1 else (),
            in_short=() if number in {3, 5} else (FOUND,),
        )
        for number in range(1, papers + 1)
    ]
    cut = max(1, papers * 2 // 3)
    sections = [DigestSection("Program repair", tuple(made[:cut]))]
    if made[cut:-1]:
        sections.append(DigestSection("Proof assistants", tuple(made[cut:-1])))
    if made[cut:]:
        sections.append(DigestSection("Outside your usual", tuple(made[-1:])))
    values: dict[str, Any] = {
        "delivery_id": 4711,
        "subscriber_public_id": "0123456789abcdef",
        "to_address": "ada@reader.example",
        "to_name": "Ada Lovelace",
        "message_id": "5f2b9c0d1e3a4f5b8c7d6e5f4a3b2c1d@digest.example.org",
        "subject": f"{TITLES[0][:60]}… + {papers - 1} more papers",
        "preheader": " · ".join(TITLES[1:3]),
        "issue_date": date(2026, 11, 20),
        "created_at": CREATED,
        "sections": tuple(sections),
        "coverage": "94 papers announced since yesterday were read: 61 on arXiv, 33 on "
        "Hugging Face.",
    }
    return Digest(**(values | fields))


LIT = (ABSTRACT.index("On 214"), ABSTRACT.index(" Wrong hints"))
FOUND = (ABSTRACT.index("On 214"), ABSTRACT.index(" The hints"))
AUTHORS = ("Ada Lovelace", "Émilie du Châtelet", "Grace Hopper")

EMPTY: dict[str, Any] = {"papers": 0, "sections": (), "reason": "nothing was announced"}
# Every kind of mail, as the tests of the bulk-mail rules and `make check-mail` take them.
KINDS: dict[str, Callable[[Renderer], Envelope]] = {
    "digest": lambda r: r.digest(digest(15)),
    "compact": lambda r: r.digest(digest(5, length=DigestLength.COMPACT)),
    "full": lambda r: r.digest(digest(5, length=DigestLength.FULL)),
    "shortened": lambda r: r.digest(digest(50, length=DigestLength.FULL)),
    "welcome": lambda r: r.digest(digest(5, occasion=Occasion.WELCOME)),
    "best_of": lambda r: r.digest(digest(5, occasion=Occasion.BEST_OF)),
    "nothing": lambda r: r.digest(digest(occasion=Occasion.NOTHING, **EMPTY)),
    "confirmation": lambda r: r.confirmation(**note_to()),
    "account_link": lambda r: r.account_link(**note_to()),
}
