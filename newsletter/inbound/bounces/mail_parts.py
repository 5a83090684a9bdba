"""The parts of a mail by purpose: report, text, returned message, identity."""

import re
from dataclasses import dataclass, field
from functools import cached_property

from newsletter.core.one_line import harmless
from newsletter.inbound.bounces.addresses import address_in, addresses_in, tidy
from newsletter.inbound.bounces.dsn import is_delivery_report
from newsletter.inbound.bounces.mime import (
    LONGEST_TEXT,
    Headers,
    Mail,
    Part,
    decoded,
    first,
    parse_returned,
    split_headers,
)
from newsletter.inbound.bounces.outcome import unique
from newsletter.inbound.bounces.patterns import (
    AUTO_REPLY_HEADERS,
    COPY_FIRST,
    COPY_IS_HEADER,
    COPY_STARTS,
)

_RETURNED_TYPES = frozenset(
    {
        "message/rfc822",
        "message/global",
        "message/partial",
        "message/rfc822-headers",
        "message/global-headers",
        "text/rfc822-headers",
        "text/rfc822-header",
        "text/rfc822",
    }
)
_REPORT_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_SENT_TO = (
    "to",
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
    "apparently-to",
    "resent-to",
)
_RETURNED_TO = (
    "to",
    "cc",
    "x-rcpt-to",
    "x-envelope-to",
    "envelope-to",
    "delivered-to",
    "x-original-to",
    "x-hmxmroriginalrecipient",
    "apparently-to",
    "x-failed-recipients",
    "original-recipient",
)
_RETURNED_FROM = (
    "return-path",
    "from",
    "sender",
    "reply-to",
    "errors-to",
    "envelope-from",
    "x-envelope-from",
)
_RECEIVED_FOR = re.compile(r" for <?([^\s<>;@]{1,320}@[^\s<>;@]{3,255})")
_MESSAGE_ID = re.compile(r"<?([^\s<>\"]{1,200}@[^\s<>\"]{1,200})>?")
_MESSAGE_ID_LINE = re.compile(
    r"^[ \t>|]{0,8}(?:x-)?(?:original-)?message-id\s*:\s*<?([^\s<>]{1,200}@[^\s<>]{1,200})>?",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTED = re.compile(r"^(?:> ?|\| ?| {1,8}(?=[!-9;-~]{1,60}:)|\t)", re.MULTILINE)
# Tags that end a line when read aloud, and those that hold no words.
_BREAKS = re.compile(r"<\s*/?(?:br|p|div|tr|li|h\d|td|table|ul|pre)\b[^<>]*>", re.IGNORECASE)
_TAGS = re.compile(r"<[^<>]*>")
MOST_MARKS = 60
LONGEST_ID = 250
LONGEST_LINE = 200


@dataclass
class Clues:
    """The parts of a mail. Headers of returned messages are lower-case dictionaries."""

    headers: Headers
    letter: str = ""
    html: str = ""
    reports: list[str] = field(default_factory=list)
    feedback: list[str] = field(default_factory=list)
    dispositions: list[str] = field(default_factory=list)
    returned: list[Headers] = field(default_factory=list)
    inner: list[Mail] = field(default_factory=list)

    @cached_property
    def subject(self) -> str:
        """The decoded subject."""
        return decoded(first(self.headers, "subject"))

    @cached_property
    def sender(self) -> str:
        """The decoded From header, name and address."""
        return decoded(first(self.headers, "from"))

    def header_addresses(self, *names: str) -> list[str]:
        """Addresses in the mail's own headers of these names."""
        return _addresses(self.headers, names)

    @property
    def is_marked_auto_reply(self) -> bool:
        """Whether a header that only automatic replies carry says so."""
        if any(name in self.headers for name in AUTO_REPLY_HEADERS):
            return True
        precedence = first(self.headers, "precedence") + first(self.headers, "x-precedence")
        return "auto_reply" in precedence.lower() or "auto-reply" in precedence.lower()

    @cached_property
    def sent_to(self) -> tuple[str, ...]:
        """Whom the mail was addressed to, and the envelope senders of what it returns."""
        values = self.header_addresses(*_SENT_TO)
        received = " ".join(self.headers.get("received", []))
        values += [tidy(found[1]) for found in _RECEIVED_FOR.finditer(received)]
        for headers in self.returned:
            values += _addresses(headers, _RETURNED_FROM)
        for report in [*self.reports, *self.feedback]:
            values += [
                address_in(line)
                for line in report.split("\n")[:60]
                if (line.lower().startswith("x-") and "-sender:" in line.lower())
                or line.lower().startswith(("original-mail-from:", "original-envelope-id:"))
            ]
        return unique(values)[:50]

    @cached_property
    def own(self) -> frozenset[str]:
        """The sender's addresses, lower-case: whom the report went to, who wrote what returned."""
        return frozenset(value.lower() for value in self.sent_to)

    @cached_property
    def returned_to(self) -> tuple[str, ...]:
        """Whom the returned message was for."""
        return unique(
            address for headers in self.returned for address in _addresses(headers, _RETURNED_TO)
        )[:200]

    @cached_property
    def carried_to(self) -> tuple[str, ...]:
        """For whom the last relay carried the returned message (its topmost ``Received``)."""
        tops = [first(headers, "received") for headers in self.returned]
        return unique(tidy(found[1]) for top in tops for found in _RECEIVED_FOR.finditer(top))

    @cached_property
    def message_ids(self) -> tuple[str, ...]:
        """Ids of returned or answered messages, without brackets; the returned one first."""
        lines = [value for headers in self.returned for value in headers.get("message-id", [])]
        found = [match[1] for line in lines if (match := _MESSAGE_ID.search(line))]
        for text in (*self.reports, *self.feedback, *self.dispositions, self.letter):
            found += [match[1] for match in _MESSAGE_ID_LINE.finditer(text[:LONGEST_TEXT])]
        for name in ("in-reply-to", "references"):
            for value in self.headers.get(name, []):
                found += [match[1] for match in _MESSAGE_ID.finditer(value)]
        return unique(harmless(value, LONGEST_ID) for value in found)[:50]

    @cached_property
    def marks(self) -> tuple[tuple[str, str], ...]:
        """``X-`` headers of returned messages."""
        return tuple(
            (name, value)
            for headers in self.returned
            for name, values in headers.items()
            if name.startswith("x-")
            for value in values
        )[:MOST_MARKS]


def _addresses(headers: Headers, names: tuple[str, ...]) -> list[str]:
    return [
        address
        for name in names
        for value in headers.get(name, [])
        for address in addresses_in(value)
    ]


def take_apart(mail: Mail) -> Clues:
    """Sort the leaves of ``mail`` by what they are for."""
    clues = Clues(mail.headers)
    words: list[str] = []
    for part in mail.parts:
        _place(clues, words, part)
    letter = "\n".join(words)
    if not letter.strip() and clues.html:
        letter = clues.html
    clues.letter, copied = split_letter(letter)
    if copied:
        headers = headers_of_copy(copied)
        if headers:
            clues.returned.append(headers)
    return clues


def _place(clues: Clues, words: list[str], part: Part) -> None:
    kind = part.content_type
    if kind in _RETURNED_TYPES:
        if len(clues.returned) < 5:
            returned = parse_returned(part)
            clues.returned.append(returned.headers)
            clues.inner.append(returned)
    elif kind in _REPORT_TYPES:
        clues.reports.append(part.text)
    elif kind == "message/feedback-report":
        clues.feedback.append(part.text)
    elif kind in {"message/disposition-notification", "message/global-disposition-notification"}:
        clues.dispositions.append(part.text)
    elif kind == "text/html":
        clues.html = clues.html or plain_text(part.text)
    elif kind.startswith("text/") or "/" not in kind:
        _place_words(clues, words, part.text)


def _place_words(clues: Clues, words: list[str], text: str) -> None:
    """Plain words; some gateways write the report's fields among them."""
    if is_delivery_report(text):
        clues.reports.append(text)
    words.append(text)


def split_letter(letter: str) -> tuple[str, str]:
    """What the reporting system wrote, and the copy of the message below it."""
    place = 0
    for line in letter.split("\n"):
        start = line.lstrip()[:1].lower()
        if start and start in COPY_FIRST and COPY_STARTS.match(line[:LONGEST_LINE]):
            is_header = COPY_IS_HEADER.match(line) is not None
            return letter[:place], letter[place if is_header else place + len(line) :]
        place += len(line) + 1
    return letter, ""


def headers_of_copy(text: str) -> Headers:
    """Headers of a message copied into a letter, quoted or indented as it may be."""
    text = text[: LONGEST_TEXT // 2].lstrip("\n -=*")
    if text[:1] in {">", " ", "\t", "|"}:
        text = _QUOTED.sub("", text)
    headers, _ = split_headers(text.encode("utf-8", "replace"))
    if "message-id" not in headers and (found := _MESSAGE_ID_LINE.search(text)):
        headers["message-id"] = [found[1]]
    return headers


def plain_text(html: str) -> str:
    """The words of an HTML part, line by line; no markup survives."""
    for tag in ("style", "script", "head"):
        html = _without(html, tag)
    text = _TAGS.sub("", _BREAKS.sub("\n", html))
    for name, character in (
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&nbsp;", " "),
        ("&quot;", '"'),
        ("&#64;", "@"),
        ("&amp;", "&"),
    ):
        text = text.replace(name, character)
    return text


def _without(html: str, tag: str) -> str:
    """``html`` without what stands between ``<tag>`` and ``</tag>``; linear, unlike a pattern."""
    lower = html.lower()
    kept, position = [], 0
    while (start := lower.find(f"<{tag}", position)) >= 0:
        end = lower.find(f"</{tag}", start)
        if end < 0:
            break
        kept.append(html[position:start])
        position = end
    return "".join(kept) + html[position:]
