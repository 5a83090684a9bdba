"""A digest becomes a message that mailboxes accept and people can read."""

import email
import email.policy
import logging
import quopri
import re
from dataclasses import replace
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any

import pytest

from newsletter.core.errors import RenderError, SettingsError
from newsletter.core.models import DigestLength, Occasion
from newsletter.messages import mime, wording
from newsletter.messages.digest import Digest, DigestSection
from newsletter.messages.renderer import Renderer
from newsletter.messages.wording import day_in_words
from tests.support import digests as mails
from tests.support import reference_message


def parsed(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def decoded(part: Message) -> str:
    raw = part.get_payload(decode=True)
    assert isinstance(raw, bytes)
    return raw.decode().replace("\r\n", "\n")


def bodies(data: bytes) -> tuple[str, str]:
    """HTML and text as a mailbox decodes them."""
    text, html = parsed(data).iter_parts()
    return decoded(html), decoded(text)


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(mails.settings(), mails.signer())


DIGESTS: dict[str, dict[str, Any]] = {
    "one paper": {"papers": 1},
    "ordinary": {"papers": 6},
    "no name": {"papers": 3, "to_name": ""},
    "no coverage": {"papers": 3, "coverage": ""},
    "compact": {"papers": 9, "length": DigestLength.COMPACT},
    "full": {"papers": 9, "length": DigestLength.FULL},
    "too long": {"papers": 50, "length": DigestLength.FULL},
    "welcome": {"papers": 5, "occasion": Occasion.WELCOME},
    "best of": {"papers": 5, "occasion": Occasion.BEST_OF},
    "nothing": {
        "papers": 0,
        "occasion": Occasion.NOTHING,
        "reason": "12 papers were announced, none above your least score of 60.",
        "sections": (),
    },
}


@pytest.mark.parametrize("case", DIGESTS, ids=str)
def test_the_fast_way_says_the_same_as_the_plain_way(renderer: Renderer, case: str) -> None:
    digest = mails.digest(**DIGESTS[case])
    html, text = renderer.parts(digest)
    assert bodies(renderer.digest(digest).data) == (html, text)


@pytest.mark.parametrize("case", ["ordinary", "no name", "full"])
def test_headers_and_bodies_equal_the_standard_librarys(renderer: Renderer, case: str) -> None:
    settings, signer = mails.settings(), mails.signer()
    digest = mails.digest(**DIGESTS[case])
    reference = parsed(reference_message.build(settings, signer, renderer, digest).as_bytes())
    message = parsed(renderer.digest(digest).data)
    assert {name: str(value) for name, value in message.items() if name != "Content-Type"} == {
        name: str(value) for name, value in reference.items() if name != "Content-Type"
    }
    for ours, theirs in zip(message.iter_parts(), reference.iter_parts(), strict=True):
        assert ours.get_content_type() == theirs.get_content_type()
        assert ours.get_content().rstrip() == theirs.get_content().rstrip()


def test_an_explanation_of_one_reader_does_not_reach_the_next(renderer: Renderer) -> None:
    def explained(why: str) -> Digest:
        return mails.digest(
            sections=(DigestSection("Topic", (mails.paper(1, explanation=why),)),), delivery_id=1
        )

    first = bodies(renderer.digest(explained("because you liked bees & wasps")).data)
    second = bodies(renderer.digest(replace(explained("because of ants"), delivery_id=2)).data)
    assert "bees &amp; wasps" in first[0]
    assert "bees & wasps" in first[1]
    assert "wasps" not in second[0] + second[1]
    assert "/feedback/1." in first[0]
    assert "/feedback/1." not in second[0]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    settings = mails.signing_settings(tmp_path)
    first = Renderer(settings, mails.signer())
    assert first.digest(mails.digest()) == first.digest(mails.digest())
    assert first.digest(mails.digest()) == Renderer(settings, mails.signer()).digest(mails.digest())
    again = mails.note_to()
    assert first.confirmation(**again) == first.confirmation(**again)
    assert first.account_link(**again) == first.account_link(**again)


@pytest.mark.parametrize(
    ("length", "shown", "hidden"),
    [
        (DigestLength.COMPACT, "Half the tests", "symbolic executor"),
        (DigestLength.NORMAL, "symbolic executor", "verdicts of two reviewers"),
        (DigestLength.FULL, "verdicts of two reviewers", " …<"),
    ],
)
def test_three_lengths(renderer: Renderer, length: DigestLength, shown: str, hidden: str) -> None:
    html, text = renderer.parts(mails.digest(3, length=length))
    assert shown in html
    assert hidden not in html
    assert shown in " ".join(text.split())


def test_highlights_are_bold(renderer: Renderer) -> None:
    html, text = renderer.parts(mails.digest(1, length=DigestLength.FULL))
    [bold] = re.findall(r'<p class="text".*?<b[^>]*>(.*?)</b>', html, re.DOTALL)
    assert bold.startswith("On 214 faults")
    assert bold.endswith("two seconds each.")
    assert "*On 214 faults in 12" in " ".join(text.split())


def test_the_sentence_in_short_does_not_stand_again_in_the_excerpt_below(
    renderer: Renderer,
) -> None:
    html, text = renderer.parts(mails.digest(1))
    [excerpt] = re.findall(r'<p class="text"[^>]*>(.*?)</p>', html, re.DOTALL)
    assert excerpt.startswith("Patches written by a language model")
    assert ">The hints cost two seconds each.</b>" in excerpt
    assert html.count("On 214 faults") == 1
    assert " ".join(text.split()).count("On 214 faults") == 1


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("One.", "… Two two. Three."),
        ("Two two.", "One. … Three."),
        ("Three.", "One. Two two. …"),
        ("One. Two two. Three.", ""),
    ],
)
def test_an_excerpt_leaves_out_what_was_said(said: str, left: str) -> None:
    abstract = "One. Two two. Three."
    start = abstract.index(said)
    pieces = wording.passages(abstract, (), DigestLength.NORMAL, ((start, start + len(said)),))
    assert "".join(text for text, _ in pieces) == left


@pytest.mark.parametrize("length", list(DigestLength))
def test_what_was_found_stands_in_bold_under_the_title(
    renderer: Renderer, length: DigestLength
) -> None:
    digest = mails.digest(6, length=length)
    html, text = renderer.parts(digest)
    short = re.findall(r'<p class="short"[^>]*>\s*<b>(.*?)</b>\s*</p>', html, re.DOTALL)
    assert len(short) == 4  # one paper has none, another no abstract
    assert all(said.startswith("On 214 faults in 12 open programs") for said in short)
    lines = text.splitlines()
    for paper in digest.papers:
        after = lines[lines.index(paper.title) + 1]
        assert after.startswith("In short: On 214 faults") is bool(paper.in_short)
    assert html.index(mails.TITLES[0][:40]) < html.index("On 214 faults in 12 open programs")


def test_a_hostile_sentence_in_short_stays_one_short_line_of_text(renderer: Renderer) -> None:
    abstract = "<script>alert(1)</script>\x07\nStrong match\n" + "word " * 2_000
    paper = mails.paper(1, abstract=abstract, in_short=((0, len(abstract)),))
    section = DigestSection("Program repair", (paper,))
    html, text = renderer.parts(mails.digest(1, sections=(section,)))
    assert "<script>" not in html
    [line] = [line for line in text.splitlines() if line.startswith("In short:")]
    assert "Strong match word" in line
    assert len(line) < 420


def test_twenty_papers_at_normal_length_stay_under_80_kb(renderer: Renderer) -> None:
    html, _ = renderer.parts(mails.digest(20))
    assert len(html.encode()) < 80_000


@pytest.mark.parametrize("length", list(DigestLength))
def test_a_digest_over_95_kb_shortens_itself_and_keeps_its_foot(
    renderer: Renderer, length: DigestLength
) -> None:
    digest = mails.digest(50, length=length)
    html, text = renderer.parts(digest)
    assert 60_000 < len(html.encode()) <= 95_000
    assert "/unsubscribe/" in html
    assert "Example Institute" in html
    assert "Mailboxes cut long mails off" in html
    shown = html.count("/relevant")
    assert 20 < shown < 50
    assert text.count("/relevant") == shown
    assert f"{50 - shown} more papers are only in the browser" in html
    whole, _ = renderer.parts(digest, whole=True)
    assert whole.count("/relevant") == 50
    assert "Mailboxes cut" not in whole
    assert "/view/" not in whole


def test_the_first_papers_keep_their_abstracts_when_the_last_lose_them(
    renderer: Renderer,
) -> None:
    papers = tuple(mails.paper(n, abstract=f"{mails.ABSTRACT * 3} The end.") for n in range(1, 31))
    digest = mails.digest(sections=(DigestSection("T", papers),), length=DigestLength.FULL)
    html, _ = renderer.parts(digest)
    assert 90_000 < len(html.encode()) <= 95_000
    assert html.count("/relevant") == 30
    whole = ["The end." in card for card in html.split('class="title"')[1:]]
    assert whole[0]
    assert not whole[-1]
    assert whole == sorted(whole, reverse=True)
    assert f"the last {whole.count(False)} papers are shown in brief" in html


def test_a_hostile_paper_cannot_fill_a_message(renderer: Renderer) -> None:
    paper = mails.paper(
        title='"&<' * 90_000,
        abstract="&" * 900_000,
        authors=("<" * 5000,) * 900,
        categories=("x" * 5000,) * 50,
        explanation="'" * 90_000,
        url="https://example.org/?" + "&" * 3000,
    )
    digest = mails.digest(sections=(DigestSection("&" * 9000, (paper,)),), to_name="&" * 9000)
    html, _ = renderer.parts(digest)
    assert html.count("/relevant") == 1
    assert len(html.encode()) <= 95_000
    assert "/unsubscribe/" in html


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        " JavaScript:alert(1)",
        "data:text/html,<b>x</b>",
        "//example.org/x",
        "https://arxiv.org@evil.example/",
        "https://",
        "http://[::1",
        "ftp://example.org/paper.pdf",
        "https://exa mple.org/",
        "https://example.org:99999/",
    ],
)
def test_a_paper_with_a_bad_link_is_shown_without_it_and_told_in_one_line(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    renderer = Renderer(mails.settings(), mails.signer())
    good, bad = mails.paper(1), mails.paper(2, url=url, code_url=url or None)
    digest = mails.digest(sections=(DigestSection("Topic", (good, bad)),))
    with caplog.at_level(logging.WARNING):
        html, text = bodies(renderer.digest(digest).data)
    assert mails.TITLES[1] in html
    assert good.url in html
    targets = re.findall(r'href="([^"]*)"', html)
    assert all(target.startswith("https://") for target in targets)
    assert not any("evil" in target or "script" in target for target in targets)
    assert len(url) < 10 or url not in text
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("paper 1002: a link that is not plain http or https")
    assert "\n" not in lines[0]


def test_links_are_percent_encoded_rather_than_lost(renderer: Renderer) -> None:
    paper = mails.paper(url='https://bücher.example/a b/"é?q=<1>&r=2#x')
    html, text = renderer.parts(mails.digest(sections=(DigestSection("T", (paper,)),)))
    link = "https://xn--bcher-kva.example/a%20b/%22%C3%A9?q=%3C1%3E&r=2#x"
    assert link in text
    assert link.replace("&", "&amp;") in html


HOPELESS: list[tuple[dict[str, Any], str]] = [
    ({"to_address": "nobody"}, "the recipient is not an address"),
    ({"to_address": "a@b.example\r\nBcc: c@d.example"}, "the recipient is not an address"),
    ({"to_name": "Ada\nBcc: x@y.example"}, "the name in To contains the control character U+000A"),
    ({"subject": "Papers\0"}, "Subject contains the control character U+0000"),
    ({"subject": " "}, "Subject is empty"),
    ({"message_id": "no at sign"}, "not a Message-ID: no at sign"),
]


@pytest.mark.parametrize(("fields", "said"), HOPELESS, ids=[said for _, said in HOPELESS])
def test_what_cannot_be_sent_is_refused_in_one_line(
    renderer: Renderer, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(RenderError) as caught:
        renderer.digest(mails.digest(**fields))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_without_a_from_address_are_refused() -> None:
    with pytest.raises(SettingsError, match="NEWSLETTER_FROM"):
        Renderer(mails.settings(from_address=None), mails.signer())


def test_a_greeting_uses_the_name_and_says_what_the_occasion_is(renderer: Renderer) -> None:
    def lead(**fields: Any) -> str:
        return renderer.parts(mails.digest(**fields)).text

    assert "Ada Lovelace, here are 6 papers chosen for you." in lead(papers=6)
    assert "\nHere is 1 paper chosen for you." in lead(papers=1, to_name="")
    assert "this is your first digest from Morning Papers" in lead(occasion=Occasion.WELCOME)
    assert "announced during your vacation" in lead(occasion=Occasion.BEST_OF)
    nothing = lead(papers=0, sections=(), occasion=Occasion.NOTHING, reason="nothing was announced")
    assert "Ada Lovelace, there are no papers for you today: nothing was announced." in nothing
    assert "/unsubscribe/" in nothing
    assert day_in_words(mails.digest().issue_date) == "Friday, 20 November 2026"


@pytest.mark.parametrize("text", [".", "..", "a\n..\nb", "...\n.\n", "x" * 74 + " ..", "." * 200])
def test_no_line_of_a_body_begins_with_a_dot(text: str) -> None:
    lines = mime.quoted_printable(text)
    assert not re.search(rb"(?m)^\.", lines)
    assert max(map(len, lines.split(b"\r\n"))) <= 76
    assert quopri.decodestring(lines).decode().replace("\r\n", "\n") == text
