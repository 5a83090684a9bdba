"""The fast way to a message equals the plain one, whatever stands in a digest, and whose it is."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from email import message_from_bytes, policy
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from newsletter.core import language
from newsletter.core.config import bundled
from newsletter.core.errors import RenderError
from newsletter.core.models import DigestLength, Label, Occasion
from newsletter.messages import fragments, size_limit, templates
from newsletter.messages.digest import Digest, DigestPaper, DigestSection, sections_of
from newsletter.messages.figures import Thumbnail
from newsletter.messages.news import NewsItem
from newsletter.messages.other_words import InWords
from newsletter.messages.reasons import lines_of, reasons_of
from newsletter.messages.renderer import Renderer
from newsletter.sending.transports.line_check import SAFE, look_at
from tests.support import digests as mails

RTL = "he"
OwnTemplate = Callable[[str, str, str], Renderer]
HOSTILE = "a\r\n.\r\nMAIL FROM:<x@evil.example>\r\n\x00\x02token\x03\x04 \u2028.b &<b>\"'= =C3\t."


@pytest.fixture(scope="module", autouse=True)
def languages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """English, German as the product has it, and some Hebrew."""
    folder = tmp_path_factory.mktemp("locale")
    (folder / "de").symlink_to(language.FOLDER / "de")
    (folder / RTL).symlink_to(Path(__file__).parents[1] / "support/locale" / RTL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language, "FOLDER", folder)
        language.languages.cache_clear()
        yield
    language.languages.cache_clear()


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    everything = {"figures": "html", "rephrase_url": "http://model.example/v1"}
    return Renderer(mails.settings(count_clicks=True, **everything), mails.signer())


def papers(number: int, change: Callable[[int], dict[str, Any]]) -> tuple[DigestPaper, ...]:
    return tuple(mails.paper(each, **change(each)) for each in range(1, number + 1))


def in_topics(number: int, change: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    """Papers under three headings, as rows have them."""
    names = ("Program repair", "Zoë's <topic>", "." * 30)
    made = papers(number, change)
    return {"sections": sections_of([(names[n % 3], paper) for n, paper in enumerate(made)])}


def reasons(number: int) -> dict[str, Any]:
    """None, one or two of one's own, with and without a bar, and one that others have too."""
    own = [f"Mentions “word {number}”, one of your keywords.", "Close to what you liked & rated."]
    return {
        "explanation": "\n".join(["In cs.SE, a category you follow.", *own[: number % 3]]),
        "bars": "\n".join(["category-1-x", f"keyword-{number}-y"][: number % 4]),
    }


CASES: dict[str, dict[str, Any]] = {
    "reasons with links": in_topics(9, reasons),
    "the same reason everywhere": in_topics(
        6, lambda _: {"explanation": "Mentions “repair”.", "bars": "keyword-1-y"}
    ),
    "all labels": in_topics(8, lambda n: {"label": list(Label)[n % 4]}),
    "no labels": in_topics(5, lambda _: {"label": Label.NONE, "explanation": ""}),
    "figures and other words": in_topics(
        6,
        lambda n: {
            "figure": Thumbnail(480, 320, "Figure 1: “How it looks”.") if n % 2 else None,
            "words": tuple(InWords(each, f"Sentence in {each}.", "Title") for each in ("en", "de")),
        },
    ),
    "long lines": in_topics(
        4, lambda n: {"title": f"{'Wort' * 90}{n}", "abstract": "x" * 3000, "in_short": ()}
    ),
    "hostile": {
        **in_topics(
            4, lambda n: {"title": HOSTILE, "explanation": HOSTILE, "bars": "a", "source": HOSTILE}
        ),
        "to_name": "..A. B.",
        "preheader": HOSTILE,
        "coverage": ".hidden\n.dots",
    },
    "news alone": {
        "occasion": Occasion.NOTHING,
        "reason": ".nothing was announced",
        "sections": (),
        "news": (NewsItem(7, "Retracted: x", ".It was retracted."), NewsItem(8, HOSTILE, "y")),
    },
    "a week, read here": {
        **in_topics(7, reasons),
        "covers_from": date(2026, 11, 14),
        "read_here": True,
        "news": (NewsItem(7, "Published", "In a journal.", "https://doi.example/7"),),
        "notice": "You asked for fewer.",
    },
    "too long": {**in_topics(60, reasons), "length": DigestLength.FULL},
}


def decoded(part: Message) -> str:
    raw = part.get_payload(decode=True)
    assert isinstance(raw, bytes)
    return raw.decode().replace("\r\n", "\n")


def bodies(data: bytes) -> tuple[str, str]:
    """HTML and text as a mailbox decodes them."""
    text, html = message_from_bytes(data, policy=policy.default).iter_parts()
    return decoded(html), decoded(text)


@pytest.mark.parametrize("spoken", ["en", "de", RTL])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_fast_and_plain_way_give_the_same_bodies(
    renderer: Renderer, case: str, spoken: str
) -> None:
    digest = mails.digest(**CASES[case], language=spoken)
    html, text = renderer.parts(digest)
    envelope = renderer.digest(digest)
    assert bodies(envelope.data) == (html, text)
    assert f'lang="{spoken}"' in html
    # The transport relies on that, and does not look again.
    assert envelope.has_safe_lines
    assert look_at(envelope.data) == SAFE
    # Nothing is kept that another reader would find in the mail.
    other = replace(digest, delivery_id=9, subscriber_public_id="fedcba98", to_name="Bob")
    assert bodies(renderer.digest(other).data) == tuple(renderer.parts(other))
    assert renderer.digest(digest) == envelope


@pytest.mark.parametrize("kind", mails.KINDS)
def test_no_kind_of_mail_has_a_line_that_a_relay_could_take_for_an_end(
    renderer: Renderer, kind: str
) -> None:
    envelope = mails.KINDS[kind](renderer)
    assert look_at(envelope.data) == SAFE


def test_readers_whose_matches_differ_share_a_card(renderer: Renderer) -> None:
    def matched(label: Label, explanation: str) -> Digest:
        one = mails.paper(1, label=label, explanation=explanation, title="Shared by all")
        return mails.digest(sections=(DigestSection("Topic", (one,)),))

    cards = [
        renderer._cards(digest, size_limit.unshortened(digest))[0][1][0]
        for digest in (
            matched(Label.STRONG, "Mentions “a”."),
            matched(Label.WORTH, "Mentions “b & c” twice."),
            matched(Label.NONE, ""),
        )
    ]
    strong, worth, unlabelled = cards
    assert strong[0] is worth[0]
    assert strong[0] is not unlabelled[0]
    assert (strong[2].html, worth[2].text) == (b"Strong match=\r\n", b"Worth a look=\r\n")
    assert worth[1].html == {"why": b"Mentions =E2=80=9Cb &amp; c=E2=80=9D twice.=\r\n", "bar": b""}
    assert worth[1].words == 5


@pytest.mark.parametrize(
    "text", ["", "no slot", "\x02a\x03", "x\x02a\x03\x02b\x03y", "\x02a\x03.\n."]
)
def test_a_fragment_is_filled_as_its_text_would_be(text: str) -> None:
    values = {"a": "one\n", "b": "zwölf & mehr"}
    said = text
    for name, value in values.items():
        said = said.replace(fragments.slot(name), value)
    pieces: list[bytes] = []
    fragment = fragments._fragment(text)
    fragment.fill(pieces, {name: fragments.encoded(value) for name, value in values.items()})
    head = b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    assert decoded(message_from_bytes(head + b"".join(pieces))) == said
    sizes = {name: len(value.encode()) for name, value in values.items()}
    assert fragment.filled_size(sizes) == len(said.encode())


@pytest.fixture
def own_template(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[OwnTemplate]:
    """Gives a renderer of a site whose operator changed a template."""

    def change(name: str, old: str, new: str) -> Renderer:
        shutil.copytree(bundled("templates"), tmp_path / "templates")
        file = tmp_path / "templates" / name
        text = file.read_text("utf-8")
        file.write_text(text.replace(old, new), "utf-8")
        assert file.read_text("utf-8") != text
        monkeypatch.setattr(templates, "bundled", tmp_path.joinpath)
        templates._compiled.cache_clear()
        return Renderer(mails.settings(), mails.signer())

    yield change
    templates._compiled.cache_clear()


def test_a_template_of_ones_own_may_number_the_papers_in_html(own_template: OwnTemplate) -> None:
    renderer = own_template("digest.mjml", "{{ paper.title }}", "№ {{ paper.number }}")
    # With so many in full, some are shortened: their sizes are asked for too.
    many = mails.digest(papers=40, length=DigestLength.FULL)
    for digest in (mails.digest(papers=3), many):
        html, _ = bodies(renderer.digest(digest).data)
        assert html == renderer.parts(digest).html
        assert "№ 1" in html
        assert "№ 3" in html


@pytest.mark.parametrize(
    ("name", "old", "new", "what"),
    [
        ("digest.txt", "{{ lead }}", "{{ lead | upper }}", "'LEAD'"),
        ("digest.txt", "{{ paper.title }}", "{{ paper.fit | upper }}", "'FIT'"),
        ("digest.txt", "{{ paper.title }}", "{{ paper.explanation | replace('w', 'v') }}", "'vhy'"),
        ("digest.mjml", "{{ lead }}", "{{ footnotes }}", "'footnotes'"),
    ],
)
def test_a_template_that_changes_what_differs_between_readers_is_refused(
    own_template: OwnTemplate, name: str, old: str, new: str, what: str
) -> None:
    with pytest.raises(RenderError, match=f"{what} differs from reader to reader"):
        own_template(name, old, new).digest(mails.digest())


@pytest.mark.parametrize(
    ("explanation", "bars"), [("", ""), ("one", ""), ("one\ntwo", "a\n"), ("one\ntwo", "\nb")]
)
def test_reasons_go_back_into_lines(explanation: str, bars: str) -> None:
    said = reasons_of(explanation, bars)
    assert reasons_of(*lines_of(said)) == said
    assert lines_of(said)[0] == explanation
