"""The bulk-mail rules, one by one, for everything a message can show.

The numbers are those of docs/reference/bulk-mail-rules.md. Rules about pages, SMTP and people's
data are tested where they live.
"""

import base64
import email
import email.policy
import re
from email.header import decode_header
from email.message import EmailMessage
from html.parser import HTMLParser

import dkim as dkimpy
import pytest

from newsletter.core.errors import RenderError, TokenError
from newsletter.core.tokens import Purpose, Signer
from newsletter.messages.envelope import Envelope
from newsletter.messages.renderer import Renderer
from tests.support import digests as mails

KINDS = mails.KINDS
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    return Renderer(mails.signing_settings(tmp_path_factory.mktemp("keys")), mails.signer())


def parsed(envelope: Envelope) -> EmailMessage:
    message = email.message_from_bytes(envelope.data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def body(envelope: Envelope, kind: str) -> str:
    part = parsed(envelope).get_body((kind,))
    assert part is not None
    return str(part.get_content())


def raw_headers(envelope: Envelope) -> dict[str, str]:
    """Header values unfolded, not decoded."""
    head = envelope.data.partition(b"\r\n\r\n")[0].decode()
    lines = re.sub(r"\r\n[ \t]", " ", head).split("\r\n")
    return dict(line.split(": ", 1) for line in lines)


def https_links(envelope: Envelope) -> list[str]:
    return re.findall(r"<(https://[^>]+)>", raw_headers(envelope)["List-Unsubscribe"])


@every_kind
def test_no_mail_shows_the_marks_of_its_template(renderer: Renderer, kind: str) -> None:
    for part in ("plain", "html"):
        assert not re.search(r"\{[%{#]|[%}#]\}|<!--[%#]", body(KINDS[kind](renderer), part))


@every_kind
def test_rule_01_unsubscribe_headers_are_those_of_rfc_8058(renderer: Renderer, kind: str) -> None:
    headers = raw_headers(KINDS[kind](renderer))
    value = headers["List-Unsubscribe"]
    assert re.fullmatch(r"<https://[^<>\s]+>, <mailto:[^<>\s]+>", value)
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@every_kind
def test_rule_02_both_are_in_h_of_valid_signatures(renderer: Renderer, kind: str) -> None:
    data = KINDS[kind](renderer).data
    records = {f"{name}.": text.encode() for name, text in mails.dns_records().items()}
    message = dkimpy.DKIM(data)
    for index in range(2):
        assert message.verify(idx=index, dnsfunc=lambda name, timeout=5: records[name.decode()])
        assert {b"list-unsubscribe", b"list-unsubscribe-post"} <= set(message.include_headers)


@every_kind
def test_rule_03_the_uri_alone_names_the_subscriber_unforgeably(
    renderer: Renderer, kind: str
) -> None:
    [link] = https_links(KINDS[kind](renderer))
    token = link.rpartition("/")[2]
    assert mails.signer().verify(Purpose.UNSUBSCRIBE, token) == "0123456789abcdef"
    assert "?" not in link
    flipped = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    for forged in (flipped, token.replace("0123", "0124"), token.partition(".")[0] + "."):
        with pytest.raises(TokenError):
            mails.signer().verify(Purpose.UNSUBSCRIBE, forged)


@every_kind
def test_rule_06_a_visible_unsubscribe_link_stands_in_both_bodies(
    renderer: Renderer, kind: str
) -> None:
    envelope = KINDS[kind](renderer)
    [link] = https_links(envelope)
    assert re.search(rf'<a href="{re.escape(link)}"[^>]*>Unsubscribe</a>', body(envelope, "html"))
    assert f"Unsubscribe: {link}" in body(envelope, "plain")


def test_rule_07_the_link_never_expires_and_survives_a_key_rotation(renderer: Renderer) -> None:
    [link] = https_links(renderer.digest(mails.digest()))
    token = link.rpartition("/")[2]
    assert "~" not in token  # the mark of a lifetime
    rotated = Signer(("another key, newer than the first one", mails.SECRET))
    assert rotated.verify(Purpose.UNSUBSCRIBE, token) == "0123456789abcdef"


@every_kind
def test_rule_09_structured_values_are_neither_encoded_nor_broken(
    renderer: Renderer, kind: str
) -> None:
    envelope = KINDS[kind](renderer)
    head = envelope.data.partition(b"\r\n\r\n")[0]
    for name in ("List-Unsubscribe", "List-Help", "List-Owner"):
        value = raw_headers(envelope)[name]
        assert "=?" not in value
        for uri in re.findall(r"<([^>]+)>", value):
            assert uri.encode() in head, f"{name} breaks {uri} across lines"
    assert max(map(len, envelope.data.split(b"\r\n"))) <= 998


def test_rule_09_holds_for_the_longest_base_url() -> None:
    base_url = "https://papers.example.org/" + "x" * 600
    renderer = Renderer(mails.settings(base_url=base_url), mails.signer())
    envelope = renderer.digest(mails.digest(1))
    [link] = https_links(envelope)
    assert link.startswith(base_url)
    assert f"<{link}>".encode() in envelope.data
    with pytest.raises(RenderError, match="not a URI for a header"):
        Renderer(mails.settings(base_url=base_url + "x" * 400), mails.signer())


@every_kind
def test_rule_11_each_header_once_crlf_and_short_lines(renderer: Renderer, kind: str) -> None:
    envelope = KINDS[kind](renderer)
    message = parsed(envelope)
    for name in ("From", "To", "Subject", "Date", "Message-ID"):
        assert len(message.get_all(name, [])) == 1
    assert re.fullmatch(r"<[0-9a-f]+@digest\.example\.org>", message["Message-ID"])
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", envelope.data)
    assert max(map(len, envelope.data.split(b"\r\n"))) <= 998
    assert not message.defects


def test_rule_12_encoded_words_are_short_and_never_in_an_address(renderer: Renderer) -> None:
    digest = mails.digest(
        1,
        to_name="Ünïcödé " * 30 + "王" * 60,
        subject="証明 und Beweis, " * 30,
        to_address="ada@bücher.example",
    )
    envelope = renderer.digest(digest)
    head = envelope.data.partition(b"\r\n\r\n")[0].decode()
    words = re.findall(r"=\?utf-8\?[bq]\?[^?]*\?=", head)
    assert len(words) > 20
    assert all(len(word) <= 75 for word in words)
    assert all(len(line) <= 76 for line in head.split("\r\n") if "=?" in line)
    for word in words:  # each holds whole characters
        [(raw, charset)] = decode_header(word)
        assert raw.decode(charset or "utf-8")
    assert "<ada@xn--bcher-kva.example>" in head


@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\r\n"])
@pytest.mark.parametrize("field", ["to_name", "subject", "to_address", "message_id"])
def test_rule_13_cr_lf_and_nul_are_refused(renderer: Renderer, field: str, character: str) -> None:
    calm = getattr(mails.digest(1), field)
    with pytest.raises(RenderError):
        renderer.digest(mails.digest(1, **{field: f"a{character}b{calm}"}))


def test_rule_14_an_idn_domain_is_an_a_label_and_a_non_ascii_local_part_stays(
    renderer: Renderer,
) -> None:
    envelope = renderer.digest(mails.digest(1, to_address="ada@例え.example"))
    assert envelope.recipient == "ada@xn--r8jz45g.example"
    smtputf8 = renderer.digest(mails.digest(1, to_address="jürgen@bücher.example"))
    assert smtputf8.recipient == "jürgen@xn--bcher-kva.example"
    assert "<jürgen@xn--bcher-kva.example>".encode() in smtputf8.data


@every_kind
def test_rule_15_the_list_and_automation_headers_are_there(renderer: Renderer, kind: str) -> None:
    headers = raw_headers(KINDS[kind](renderer))
    assert headers["List-Id"] == "Morning Papers <newsletter.digest.example.org>"
    assert headers["List-Help"] == "<https://papers.example.org/>"
    assert headers["List-Owner"] == "<mailto:papers@digest.example.org>"
    assert headers["List-Post"] == "NO"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert "OOF" in headers["X-Auto-Response-Suppress"]
    assert "NDR" not in headers["X-Auto-Response-Suppress"].split(", ")  # bounces are wanted


@every_kind
def test_rule_16_the_envelope_sender_is_the_deliverys_own(renderer: Renderer, kind: str) -> None:
    envelope = KINDS[kind](renderer)
    assert mails.signer().verp_delivery(envelope.sender) == envelope.delivery_id
    assert envelope.sender.endswith("@digest.example.org")
    # In the message it stands once, in a header of its own (`tests/inbound/test_delivery_mark.py`).
    assert envelope.data.count(envelope.sender.encode()) == 1


@every_kind
def test_rule_17_two_signatures_relaxed_from_oversigned_no_l(renderer: Renderer, kind: str) -> None:
    message = email.message_from_bytes(KINDS[kind](renderer).data)
    signatures = [
        dict(
            item.strip().split("=", 1)
            for item in re.sub(r"\s+", "", value).split(";")
            if item.strip()
        )
        for value in message.get_all("DKIM-Signature", [])
    ]
    assert [signature["a"] for signature in signatures] == ["rsa-sha256", "ed25519-sha256"]
    for signature in signatures:
        assert signature["c"] == "relaxed/relaxed"
        assert signature["h"].split(":").count("from") == 2
        assert "l" not in signature
        assert signature["d"] == "digest.example.org"
    assert len(base64.b64decode(signatures[0]["b"])) * 8 == 2048


@every_kind
def test_rule_18_text_comes_first_and_both_hold_the_same_links(
    renderer: Renderer, kind: str
) -> None:
    envelope = KINDS[kind](renderer)
    message = parsed(envelope)
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    html, text = body(envelope, "html"), body(envelope, "plain")
    in_html = [link.replace("&amp;", "&") for link in re.findall(r'href="([^"]*)"', html)]
    assert in_html
    assert sorted(in_html) == sorted(re.findall(r"https?://\S+", text))


@every_kind
def test_rule_19_html_stays_under_the_size_where_it_is_cut(renderer: Renderer, kind: str) -> None:
    html = body(KINDS[kind](renderer), "html").encode()
    assert len(html) <= (95_000 if kind == "shortened" else 80_000)
    assert html.rindex(b"/unsubscribe/") > len(html) - 2_000


@every_kind
def test_rule_20_the_page_can_be_read_by_anything(renderer: Renderer, kind: str) -> None:
    html = body(KINDS[kind](renderer), "html")
    assert re.search(r'<html lang="en" dir="ltr"', html)
    assert re.search(r"<title>\s*\S", html)
    for table in re.findall(r"<table[^>]*>", html):
        assert 'role="presentation"' in table
    assert not re.search(r"<img(?![^>]*\balt=)", html)
    assert re.search(r'<div style="display:none[^>]*>\s*\S', html), "no preheader"
    links = re.findall(r"<a ([^>]*)>\s*(.*?)\s*</a>", html, re.DOTALL)
    for attributes, said in links:
        assert said
        assert said.lower() not in {"here", "click here", "link", "more"}
        if 'class="act"' in attributes:
            assert f'aria-label="{said}: ' in attributes
    assert re.findall(r"<h(\d)", html)[0] == "1"


class Head(HTMLParser):
    """What a browser finds in the head outside of comments."""

    def __init__(self) -> None:
        super().__init__()
        self.metas: set[str] = set()
        self.style = ""
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        if tag == "meta":
            self.metas.add(dict(attrs).get("name") or dict(attrs).get("http-equiv") or "")

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.style += data


@every_kind
def test_rule_20_no_comment_swallows_what_narrow_screens_need(
    renderer: Renderer, kind: str
) -> None:
    head = Head()
    head.feed(body(KINDS[kind](renderer), "html"))
    assert {"viewport", "Content-Type", "color-scheme", "referrer"} <= head.metas
    assert "body { margin:0;" in head.style


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@every_kind
def test_rule_20_every_text_has_contrast_light_and_dark(renderer: Renderer, kind: str) -> None:
    html = body(KINDS[kind](renderer), "html")
    dark = html[
        html.index("prefers-color-scheme: dark") : html.index(
            "</style>", html.index("-scheme: dark")
        )
    ]
    inline = {
        colour
        for style in re.findall(r'style="([^"]*)"', html)
        for colour in re.findall(r"(?<![-\w])color: ?(#\w{6})", style)
    }
    on_button = {"#ffffff"}  # on the accent; also the hidden preheader
    for colour in inline - on_button:
        assert contrast(colour, "#fbfaf7") >= 4.5, colour
    assert contrast("#ffffff", "#0b665a") >= 4.5
    in_dark = set(re.findall(r"(?<![-\w])color: (#\w{6}) !important", dark)) - {"#10211e"}
    assert len(in_dark) >= 5
    for colour in in_dark:
        assert contrast(colour, "#15181b") >= 4.5, colour
    assert contrast("#10211e", "#7cc9bb") >= 4.5


@every_kind
def test_rule_21_light_and_dark_are_declared_and_dark_is_designed(
    renderer: Renderer, kind: str
) -> None:
    html = body(KINDS[kind](renderer), "html")
    for name in ("color-scheme", "supported-color-schemes"):
        assert re.search(rf'<meta[^>]*name="{name}"', html)
    assert "@media (prefers-color-scheme: dark)" in html
    styled = set(re.findall(r'class="([a-z]+)"', html)) - {"acts"}
    dark = html[html.index("prefers-color-scheme: dark") :]
    for name in styled:
        assert f".{name}" in dark, f"{name} has no dark colours"


@every_kind
def test_rule_22_nothing_is_loaded_and_nothing_tracks(renderer: Renderer, kind: str) -> None:
    html = body(KINDS[kind](renderer), "html")
    assert not re.search(r"<(img|link|script|iframe|form|object|video)\b", html)
    assert not re.search(r"\bsrc=|background=|url\(|@import", html)
    # Links to papers go to the papers, not over a counter.
    assert kind not in {"digest", "full"} or 'href="https://arxiv.org/abs/2611.00001"' in html


@every_kind
def test_rule_23_who_where_and_why_stand_in_both_bodies(renderer: Renderer, kind: str) -> None:
    envelope = KINDS[kind](renderer)
    for part in ("html", "plain"):
        said = " ".join(body(envelope, part).split())
        assert "Morning Papers, Example Institute, 1 Library Square, 12345 Anytown" in said
        assert re.search(r"You received this because .*ada@reader\.example", said)
    assert parsed(envelope)["From"] == "Morning Papers <papers@digest.example.org>"


def test_rule_28_the_account_link_is_fresh_and_ends(renderer: Renderer) -> None:
    html = body(renderer.account_link(**mails.note_to()), "html")
    [token] = set(re.findall(r"/account/([^\"]+)", html))
    created = int(mails.CREATED.timestamp())
    assert f"~{created + 3600}." in token
    with pytest.raises(TokenError):
        mails.signer().verify(Purpose.PREFERENCES, token)
    digest = body(renderer.digest(mails.digest()), "html")
    assert "/account/" not in digest  # digests get forwarded


def test_rule_29_a_confirmation_holds_nothing_a_stranger_typed(renderer: Renderer) -> None:
    envelope = renderer.confirmation(**mails.note_to())
    assert parsed(envelope)["To"].addresses[0].display_name == ""
    for part in ("html", "plain"):
        said = body(envelope, part)
        assert "/preferences/" not in said
        assert "/view/" not in said
        assert "Confirm my subscription" in said


def test_rule_30_tokens_are_scoped_and_never_sent_in_a_referer(renderer: Renderer) -> None:
    html = body(renderer.digest(mails.digest(1)), "html")
    assert re.search(r'<meta[^>]*content="no-referrer"[^>]*name="referrer"', html)
    found = dict(re.findall(r"papers\.example\.org/(\w+)/([\w.:~-]+)", html))
    purposes = {
        "feedback": Purpose.FEEDBACK,
        "receipt": Purpose.RECEIPT,
        "view": Purpose.VIEW,
        "preferences": Purpose.PREFERENCES,
        "unsubscribe": Purpose.UNSUBSCRIBE,
    }
    assert set(found) == set(purposes)
    for page, token in found.items():
        for name, purpose in purposes.items():
            if name == page:
                assert mails.signer().verify(purpose, token)
            else:
                with pytest.raises(TokenError):
                    mails.signer().verify(purpose, token)
