"""A digest to the signed bytes of a message: the same rows give the same bytes."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa

from newsletter import dkim, markup, mime, wording
from newsletter.config import Settings
from newsletter.digest import Digest, DigestPaper
from newsletter.models import Signal
from newsletter.tokens import Purpose, Signer
from newsletter.transports import Envelope

logger = logging.getLogger(__name__)

# An address not confirmed after three days was a typing mistake, or somebody else's.
CONFIRM_SECONDS = 3 * 24 * 3600
ACCOUNT_SECONDS = 3600
ACTIONS = (
    ("Relevant", Signal.RELEVANT),
    ("Not relevant", Signal.NOT_RELEVANT),
    ("Save", Signal.SAVED),
)
SOURCE_NAMES = {
    "arxiv": "arXiv",
    "hf": "Hugging Face",
    "hf_daily_papers": "Hugging Face",
    "biorxiv": "bioRxiv",
    "medrxiv": "medRxiv",
    "openreview": "OpenReview",
    "pubmed": "PubMed",
    "semantic_scholar": "Semantic Scholar",
    "openalex": "OpenAlex",
    "crossref": "Crossref",
}


class Parts(NamedTuple):
    """The two bodies of a message."""

    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Card:
    """One paper as the templates see it; every text is clean, every link safe."""

    title: str
    short_title: str
    url: str | None
    authors: str
    origin: str
    fit: str
    explanation: str
    abstract: tuple[wording.Passage, ...]
    links: tuple[tuple[str, str], ...]
    actions: tuple[tuple[str, str], ...]


class Renderer:
    """Makes messages. Reads keys and templates once; afterwards nothing is read or written."""

    def __init__(self, settings: Settings, signer: Signer) -> None:
        """Check what every message needs.

        Raises:
            SettingsError: the From address is missing, or a DKIM key cannot be used.
        """
        settings.require("from_address")
        self._settings = settings
        self._signer = signer
        self._from = str(settings.from_address)
        domain = self._from.rpartition("@")[2]
        self._bounce_domain = settings.bounce_domain or domain
        self._list_domain = settings.dkim_domain or domain
        self._signatures = _signatures(settings, domain)

    def digest(self, digest: Digest) -> Envelope:
        """The message of a digest, signed when there is a key.

        Raises:
            RenderError: something in this digest cannot be sent; the reason names it.
        """
        parts = self.parts(digest)
        return self._envelope(
            parts,
            delivery_id=digest.delivery_id,
            to_address=digest.to_address,
            to_name=digest.to_name,
            message_id=digest.message_id,
            subject=digest.subject,
            created_at=digest.created_at,
            public_id=digest.subscriber_public_id,
        )

    def confirmation(
        self,
        *,
        delivery_id: int,
        to_address: str,
        message_id: str,
        created_at: datetime,
        public_id: str,
    ) -> Envelope:
        """Asks whether the address wants digests; holds no text that a stranger typed (law 29)."""
        token = self._signer.sign(
            Purpose.CONFIRM, public_id, lifetime=CONFIRM_SECONDS, since=created_at
        )
        site = self._settings.site_name
        parts = self._note(
            subject=f"Please confirm: {site}",
            heading="Is this you?",
            paragraphs=(
                f"Somebody, we hope you, asked {site} to send research papers to this address. "
                "Press the button and the next digest comes to you.",
            ),
            button=("Confirm my subscription", f"{self._settings.base_url}/confirm/{token}"),
            small="The button works for three days. If this was not you, do nothing: without "
            "confirmation nothing else is sent.",
            reason=f"{to_address} was entered on the sign-up page of {site}.",
            public_id=public_id,
        )
        return self._envelope(
            parts,
            delivery_id=delivery_id,
            to_address=to_address,
            to_name="",
            message_id=message_id,
            subject=f"Please confirm: {site}",
            created_at=created_at,
            public_id=public_id,
        )

    def account_link(
        self,
        *,
        delivery_id: int,
        to_address: str,
        message_id: str,
        created_at: datetime,
        public_id: str,
    ) -> Envelope:
        """A fresh link to export or erase: a forwarded digest must not be enough (law 28)."""
        token = self._signer.sign(
            Purpose.ERASE, public_id, lifetime=ACCOUNT_SECONDS, since=created_at
        )
        site = self._settings.site_name
        parts = self._note(
            subject=f"Your data at {site}",
            heading="Your data, on request",
            paragraphs=(
                "This link opens the page where you can take your data with you or have it erased.",
            ),
            button=("Open my data", f"{self._settings.base_url}/account/{token}"),
            small="The link works for one hour, and only for this address. If you did not ask "
            "for it, do nothing: nothing changes.",
            reason=f"somebody asked on your preferences page at {site}.",
            public_id=public_id,
        )
        return self._envelope(
            parts,
            delivery_id=delivery_id,
            to_address=to_address,
            to_name="",
            message_id=message_id,
            subject=f"Your data at {site}",
            created_at=created_at,
            public_id=public_id,
        )

    def _note(
        self,
        *,
        subject: str,
        heading: str,
        paragraphs: Sequence[str],
        button: tuple[str, str],
        small: str,
        reason: str,
        public_id: str,
    ) -> Parts:
        values: dict[str, Any] = {
            "subject": subject,
            "preheader": paragraphs[0],
            "heading": heading,
            "paragraphs": paragraphs,
            "button": {"name": button[0], "url": button[1]},
            "small": small,
            "reason": f"You get this because {reason}",
            "links": {
                "view": "",
                "preferences": "",
                "unsubscribe": self._link(Purpose.UNSUBSCRIBE, public_id),
            },
            "site_name": self._settings.site_name,
            "postal_address": self._settings.postal_address or "",
        }
        html, text = markup.compiled("note")
        return Parts(markup.render(html, values), markup.render(text, values))

    def parts(self, digest: Digest) -> Parts:
        """The HTML and text of a digest."""
        count = wording.count_in_words(len(digest.papers), "paper")
        name = wording.one_line(digest.to_name)
        values: dict[str, Any] = {
            "subject": wording.one_line(digest.subject),
            "preheader": wording.one_line(digest.preheader),
            "heading": wording.day_in_words(digest.issue_date),
            "lead": f"{f'{name}, here' if name else 'Here'} are {count} chosen for you.",
            "coverage": wording.one_line(digest.coverage),
            "sections": [
                {
                    "name": wording.one_line(section.name),
                    "note": "",
                    "papers": [self._card(digest, paper) for paper in section.papers],
                }
                for section in digest.sections
            ],
        } | self._foot(digest)
        html, text = markup.compiled("digest")
        return Parts(markup.render(html, values), markup.render(text, values))

    def _card(self, digest: Digest, paper: DigestPaper) -> Card:
        title = wording.one_line(paper.title) or "Untitled"
        links = (("Code", paper.code_url), ("Project page", paper.project_url))
        token = self._signer.sign(Purpose.FEEDBACK, str(digest.delivery_id))
        base = f"{self._settings.base_url}/feedback/{token}/{paper.paper_id}"
        return Card(
            title=title,
            short_title=wording.shortened(title, 48),
            url=_safe(paper.url, paper),
            authors=wording.authors_in_words(paper.authors),
            origin=_origin(paper),
            fit=wording.score_in_words(paper.score),
            explanation=wording.one_line(paper.explanation),
            abstract=wording.passages(paper.abstract, paper.highlights, digest.length),
            links=tuple((name, safe) for name, url in links if url and (safe := _safe(url, paper))),
            actions=tuple((name, f"{base}/{signal}") for name, signal in ACTIONS),
        )

    def _foot(self, digest: Digest) -> dict[str, Any]:
        return {
            "site_name": self._settings.site_name,
            "postal_address": self._settings.postal_address or "",
            "reason": f"You get this because you confirmed {digest.to_address} "
            f"for {self._settings.site_name}.",
            "links": {
                "view": self._link(Purpose.VIEW, str(digest.delivery_id)),
                "preferences": self._link(Purpose.PREFERENCES, digest.subscriber_public_id),
                "unsubscribe": self._link(Purpose.UNSUBSCRIBE, digest.subscriber_public_id),
            },
        }

    def _link(self, purpose: Purpose, value: str) -> str:
        return f"{self._settings.base_url}/{purpose}/{self._signer.sign(purpose, value)}"

    def _envelope(
        self,
        parts: Parts,
        *,
        delivery_id: int,
        to_address: str,
        to_name: str,
        message_id: str,
        subject: str,
        created_at: datetime,
        public_id: str,
    ) -> Envelope:
        recipient = mime.address(to_address, "the recipient")
        boundary = mime.boundary_for(message_id)
        unsubscribe = self._signer.sign(Purpose.UNSUBSCRIBE, public_id)
        name = self._settings.site_name
        headers = [
            ("From", mime.mailbox("From", name, self._from)),
            ("To", mime.mailbox("To", to_name, recipient)),
            ("Subject", mime.unstructured("Subject", subject)),
            ("Date", mime.moment(created_at)),
            ("Message-ID", mime.message_id(message_id)),
            ("List-Id", mime.mailbox("List-Id", name, f"newsletter.{self._list_domain}")),
            (
                "List-Unsubscribe",
                mime.uris(
                    f"{self._settings.base_url}/unsubscribe/{unsubscribe}",
                    f"mailto:unsubscribe+{unsubscribe}@{self._bounce_domain}",
                ),
            ),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ("List-Help", mime.uris(f"{self._settings.base_url}/")),
            ("List-Owner", mime.uris(f"mailto:{self._from}")),
            ("List-Post", "NO"),
            ("Auto-Submitted", "auto-generated"),
            ("X-Auto-Response-Suppress", "DR, RN, NRN, OOF, AutoReply"),
            ("MIME-Version", "1.0"),
            ("Content-Type", f'multipart/alternative;\r\n boundary="{boundary}"'),
        ]
        body = mime.multipart_alternative(
            boundary, mime.quoted_printable(parts.text), mime.quoted_printable(parts.html)
        )
        head = mime.header_lines(headers)
        canonical = dkim.relaxed_headers(headers)
        digest_of_body = dkim.body_hash(body)
        signed = "".join(
            signature.header(canonical, digest_of_body, int(created_at.timestamp()))
            for signature in self._signatures
        )
        return Envelope(
            delivery_id=delivery_id,
            sender=self._signer.verp_address(delivery_id, self._bounce_domain),
            recipient=recipient,
            data=signed.encode() + head + b"\r\n" + body,
        )


def _signatures(settings: Settings, domain: str) -> tuple[dkim.Signature, ...]:
    if settings.dkim_key_file is None:
        return ()
    key = dkim.load_key(settings.dkim_key_file, rsa.RSAPrivateKey)
    return (dkim.Signature(settings.dkim_domain or domain, settings.dkim_selector, key),)


def _safe(url: str, paper: DigestPaper) -> str | None:
    safe = wording.safe_url(url)
    if safe is None:
        logger.warning(
            "paper %d: its link is not plain http or https and is left out (%r)",
            paper.paper_id,
            url[:80],
        )
    return safe


def _origin(paper: DigestPaper) -> str:
    """Source, categories, upvotes: ``arXiv · cs.CL, cs.LG · 21 upvotes``."""
    source = SOURCE_NAMES.get(paper.source, paper.source)
    pieces = [wording.one_line(source), ", ".join(map(wording.one_line, paper.categories[:4]))]
    if paper.upvotes:
        pieces.append(wording.count_in_words(paper.upvotes, "upvote"))
    return " · ".join(piece for piece in pieces if piece)
