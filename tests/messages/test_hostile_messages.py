"""Whatever names, subjects, addresses, titles and links hold, a message says what was meant.

Every example is sent through three parsers: the standard library's, mail-parser, and one that
shares no code with either (fast-mail-parser, in Rust). `make check-mail` runs 10,000 examples.
"""

import email
import email.policy
import os
import re
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr
from html.parser import HTMLParser
from typing import Any, cast
from unicodedata import normalize

import mailparser
from fast_mail_parser import parse_email
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from newsletter.core.errors import RenderError
from newsletter.core.models import DigestLength, Label
from newsletter.messages.digest import Digest, DigestSection
from newsletter.messages.envelope import Envelope
from newsletter.messages.renderer import Renderer
from newsletter.messages.wording import one_line
from tests.support import digests as mails

EXAMPLES = int(os.environ.get("NEWSLETTER_HOSTILE_EXAMPLES", "150"))
HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "Content-Type", "List-Id",
    "List-Help", "List-Owner", "List-Post", "List-Unsubscribe-Post", "Auto-Submitted",
    "X-Auto-Response-Suppress", "MIME-Version", "X-Newsletter-Delivery",
]  # fmt: skip
RENDERER = Renderer(mails.settings(), mails.signer())

NASTY = st.sampled_from(
    [
        *(
            "\r\nBcc: victim@reader.example\r\n",
            "\n",
            "\r",
            "\0",
            "\x0b",
            "\x85",
            "\u2028",
            "\ud800",
        ),
        *(
            "=?utf-8?q?Bcc=3A?=",
            "=?",
            "?=",
            "=0D=0A",
            "=\r\n",
            "=20",
            "\r\n.\r\n",
            "--=_",
            ".",
            "..",
            "...",
            "\n..\n",
            "\n.\n.",
        ),
        *('"', "\\", "<", ">", ",", ";", ":", "@", "(", ")", "'", "`", "*/", " ", "  ", "\t"),
        *("<script>alert(1)</script>", "&lt;", "]]>", "-->", "<!--", "\n\n<b>body", "javascript:"),
        *(
            "{{ 7*7 }}",
            "{% raw %}",
            "<!--% block x %-->",
            "%(token)b",
            "%",
            "\x02token\x03",
            "\x04",
        ),
        *(
            "\u202e",
            "\ufeff",
            "\xa0",
            "证明",
            "מאמר",
            "ü",
            "e\u0301",
            "\u200d",
            "𝓑",
            "x" * 120,
            "语" * 60,
        ),
    ]
)
TEXT = st.lists(NASTY | st.text(max_size=30) | st.characters(), max_size=8).map("".join)
# Half of what comes in is meant well; else nearly every message would be refused at its subject.
CALM = st.lists(
    st.sampled_from(
        ["Ada", "O'Neil", "王", "Ünïcode", "a,b", '"Q"', "=?x?=", "é" * 30, "word " * 20]
    )
    | st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40),
    min_size=1,
    max_size=6,
).map(" ".join)
LOCAL = st.sampled_from(["ada", "a.b+c", '"a b"', "ü", "a..b", "", "x" * 64, "a\r\nb", "=?x?="])
DOMAIN = st.sampled_from(
    [
        "reader.example",
        "bücher.example",
        "例え.example",
        "-x.example",
        "x",
        "a.b\r\nCc: c",
        "[1.2.3.4]",
    ]
)
ADDRESS = st.just("ada@reader.example") | st.tuples(LOCAL, DOMAIN).map("@".join) | TEXT
URL = (
    st.just("https://arxiv.org/abs/2611.00001?a=1&b=2")
    | TEXT
    | TEXT.map("https://x.example/".__add__)
)
OFFSETS = st.tuples(st.integers(-5, 80), st.integers(-5, 80))

HOSTILE = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES <= 150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def said(raw: object) -> str:
    """A header as a person reads it."""
    return str(make_header(decode_header(str(raw).replace("\r\n", "").replace("\n", ""))))


def unfolded(value: str) -> str:
    """RFC 5322 §2.2.3, which the last two parsers leave to their callers."""
    return re.sub(r"\r?\n(?=[ \t])", "", value)


def check_form(data: bytes) -> None:
    """Bulk-mail rules 9, 11 and 12."""
    assert b"\0" not in data
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", data)
    assert not re.search(rb"(?m)^[.]", data), "a transport would not double the dot"
    assert max(map(len, data.split(b"\r\n"))) <= 998
    head = data.partition(b"\r\n\r\n")[0]
    for line in head.split(b"\r\n"):
        assert line.strip(), "a header line of white space only"
        if b"=?" in line:
            assert len(line) <= 76
    assert all(len(word) <= 75 for word in re.findall(rb"=\?\S*?\?=", head))
    values = re.sub(rb"\r\n ", b" ", head)
    for name in (b"List-Unsubscribe", b"List-Help", b"List-Owner", b"List-Unsubscribe-Post"):
        [value] = re.findall(rb"(?m)^" + name + rb": (.*?)\r?$", values)
        assert b"=?" not in value


def decoded(part: Message) -> str:
    raw = part.get_payload(decode=True)
    assert isinstance(raw, bytes)
    return raw.decode().replace("\r\n", "\n")


def sent_or_refused(digest: Digest) -> Envelope | None:
    """The message; None when it was refused with a reason of one line."""
    try:
        return RENDERER.digest(digest)
    except RenderError as error:
        reason = str(error)
    assert reason.isprintable()
    assert len(reason) < 300
    return None


def check_message(digest: Digest) -> None:
    """What is sent parses back, by three parsers, to exactly what was meant."""
    envelope = sent_or_refused(digest)
    if envelope is None:
        return
    data = envelope.data
    check_form(data)
    name, subject = " ".join(digest.to_name.split()), " ".join(digest.subject.split())

    message = email.message_from_bytes(data)
    assert message.keys() == HEADERS
    assert said(message["Subject"]) == subject
    display, address = parseaddr(str(message["To"]).replace("\r\n", ""))
    assert said(display) == name
    assert address == envelope.recipient or not envelope.recipient.isascii()
    text, html = cast(list[Message], message.get_payload())
    expected = RENDERER.parts(digest)
    assert decoded(text) == squeezed(expected.text)
    assert decoded(html) == squeezed(expected.html)

    strict = email.message_from_bytes(data, policy=email.policy.default)
    assert not strict.defects
    assert strict["Subject"] == subject

    second = mailparser.parse_from_bytes(data)
    assert set(second.headers) == set(HEADERS)
    assert unfolded(second.subject) == normalize("NFC", subject)
    assert len(second.text_plain) == len(second.text_html) == 1
    # This one composes characters (NFC).
    assert normalize("NFC", second.text_html[0]).replace("\r\n", "\n").strip() == normalize(
        "NFC", squeezed(expected.html).strip()
    )

    third = parse_email(data)
    assert set(third.headers) == set(HEADERS)
    assert all(len(values) == 1 for values in third.headers.values())
    assert unfolded(third.subject) == subject
    assert third.text_plain[0].replace("\r\n", "\n").strip() == squeezed(expected.text).strip()
    assert third.text_html[0].replace("\r\n", "\n").strip() == squeezed(expected.html).strip()
    check_content(digest, expected.html, expected.text)


def squeezed(text: str) -> str:
    """What encoding leaves of white space, so that DKIM's relaxed body is the body itself."""
    return re.sub("[ \t]+", " ", text)


class Page(HTMLParser):
    """The tags and link targets of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.targets += [value or "" for name, value in attrs if name == "href"]


ALLOWED_TAGS = {
    "html", "head", "title", "meta", "style", "body", "div", "table", "tbody", "tr", "td",
    "p", "h1", "h2", "h3", "a", "b",
}  # fmt: skip


def check_content(digest: Digest, html: str, text: str) -> None:
    page = Page()
    page.feed(html)
    assert page.tags <= ALLOWED_TAGS
    assert not {name for name in page.attributes if name.startswith("on")}
    assert all(re.match(r"https?://[^\s<>\"]+$", target) for target in page.targets)
    in_text = re.findall(r"(?m)(?:^|: )(https?://\S+)$", text)
    assert set(page.targets) <= set(in_text)
    assert sum("/feedback/" in target for target in page.targets) == len(digest.papers)
    # One unsubscribe link per body, whatever the papers say.
    assert sum("papers.example.org/unsubscribe/" in target for target in page.targets) == 1
    for paper in digest.papers:
        assert (one_line(paper.title) or "Untitled")[:380] in " ".join(text.split()) or len(
            paper.title
        ) > 380


@HOSTILE
@example(name="", subject="x", address="ada@reader.example")
@example(name="a" * 300, subject="b" * 2000, address="ada@reader.example")
@example(name="王" * 300, subject="=?utf-8?q?x?= " * 30, address="ü@bücher.example")
@example(name='"', subject="trailing backslash \\", address='"a b"@reader.example')
@given(name=CALM | TEXT, subject=CALM | TEXT, address=ADDRESS)
def test_no_name_subject_or_address_breaks_a_message(name: str, subject: str, address: str) -> None:
    check_message(mails.digest(1, to_name=name, subject=subject, to_address=address))


PAPER = st.fixed_dictionaries(
    {
        "title": TEXT,
        "url": URL,
        "abstract": TEXT,
        "explanation": TEXT,
        "source": TEXT,
        "authors": st.lists(TEXT, max_size=8).map(tuple),
        "categories": st.lists(TEXT, max_size=5).map(tuple),
        "code_url": st.none() | URL,
        "project_url": st.none() | URL,
        "highlights": st.lists(OFFSETS, max_size=4).map(tuple),
        "label": st.sampled_from(list(Label)),
        "upvotes": st.integers(0, 10**9),
    }
)


@HOSTILE
@given(
    papers=st.lists(PAPER, min_size=1, max_size=4),
    section=TEXT,
    coverage=TEXT,
    preheader=TEXT,
    length=st.sampled_from(list(DigestLength)),
)
def test_no_paper_breaks_a_message(
    papers: list[dict[str, Any]], section: str, coverage: str, preheader: str, length: DigestLength
) -> None:
    made = tuple(mails.paper(number, **fields) for number, fields in enumerate(papers, 1))
    check_message(
        mails.digest(
            sections=(DigestSection(section, made),),
            coverage=coverage,
            preheader=preheader,
            length=length,
        )
    )
