"""Bytes of any mail to headers and parts: linear in size, bounded in depth, never failing.

The standard library's parser asks every open boundary about every line, so that 200 nested
parts cost 200 times as much, and it decodes all of a mail; this one cuts at boundaries, stops
at a depth, and decodes only what is looked at. What a header word, a transfer encoding or a
character set means is left to the standard library.
"""

import binascii
import codecs
import re
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header
from functools import lru_cache

# Reports stand at the start of a mail; a delivery report of a thousand recipients takes 300 KB.
LONGEST_MAIL = 1024 * 1024
# A report in a report in a gateway's wrapper is four deep; nothing honest is twelve.
DEEPEST = 12
MOST_PARTS = 60
LONGEST_TEXT = 64 * 1024
LONGEST_HEADERS = 128 * 1024
LONGEST_VALUE = 2000

Headers = dict[str, list[str]]

_HEADER = re.compile(r"^([!-9;-~]{1,80})[ \t]{0,10}:(.*)$", re.MULTILINE)
_NAME = re.compile(r"[!-9;-~]{1,80}[ \t]{0,10}$")
# The line a mailbox file puts before each mail.
_MAILBOX = ("From ", ">From ")
# A mail has at least one, also one that a server put together badly or that lost its start.
_EVERY_MAIL_HAS = (
    "from", "sender", "return-path", "received", "message-id", "to", "delivered-to", "subject",
    "mime-version",
)  # fmt: skip
_BOUNDARY = re.compile(r"boundary\s*=\s*(?:\"([^\"\n]{1,200})\"|([^\s;\"]{1,200}))", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*\"?([^\s;\"]{1,60})", re.IGNORECASE)
# Codecs that are no character sets, cost more than linear time, or would turn the ASCII that
# such mails really hold into something else.
_NO_CHARSETS = (
    "idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape",
    "utf-7", "utf-16", "utf-32",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One leaf of a mail: its headers, lower-case type, and undecoded body with LF line ends."""

    headers: Headers
    content_type: str
    body: bytes
    depth: int = 0

    @property
    def text(self) -> str:
        """The body as text: transfer encoding and character set undone as far as they can be."""
        encoding = first(self.headers, "content-transfer-encoding").strip().lower()
        # Four octets of base64 or one of text: either way enough for LONGEST_TEXT characters.
        data = _undo(encoding, self.body[: 2 * LONGEST_TEXT])
        charset = _CHARSET.search(first(self.headers, "content-type"))
        return decode(data, charset[1] if charset else "")[:LONGEST_TEXT]


@dataclass(slots=True)
class Mail:
    """Headers of the mail, and its leaves in order; what a leaf returns is not opened."""

    headers: Headers
    parts: list[Part] = field(default_factory=list)


def parse(data: bytes) -> Mail:
    """Headers and leaves of ``data``; anything at all is accepted."""
    headers, body = split_headers(clean_lines(data[:LONGEST_MAIL]))
    mail = Mail(headers)
    _collect(mail, headers, body)
    return mail


def parse_returned(part: Part) -> Mail:
    """A returned message or part of it; its leaves only if it is a report itself."""
    encoding = first(part.headers, "content-transfer-encoding").strip().lower()
    headers, body = split_headers(_undo(encoding, part.body))
    mail = Mail(headers)
    if first(headers, "content-type").lower().startswith("multipart/report"):
        _collect(mail, headers, body)
    return mail


def clean_lines(data: bytes) -> bytes:
    """LF line ends from CRLF, CR CRLF and bare CR; no NULs."""
    if b"\0" in data:
        data = data.replace(b"\0", b"")
    if b"\r" in data:
        data = data.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data


def is_mail(data: bytes) -> bool:
    """Whether ``data`` starts with a header that mails have; without one it is something else."""
    headers, _ = split_headers(clean_lines(data[:LONGEST_MAIL]))
    return not headers.keys().isdisjoint(_EVERY_MAIL_HAS)


def first(headers: Headers, name: str) -> str:
    """The first value of a header, unfolded and undecoded; empty if it is missing."""
    values = headers.get(name)
    return values[0] if values else ""


def split_headers(data: bytes) -> tuple[Headers, bytes]:
    """Headers (lower-case names) and body. Any other line ends the headers."""
    data = data.lstrip(b"\n")
    head, _, body = data.partition(b"\n\n")
    # Latin-1 keeps one character an octet, so that places in text are places in data.
    text = head[:LONGEST_HEADERS].decode("latin-1")
    start = len(text) - len(text[text.find("\n") + 1 :]) if text.startswith(_MAILBOX) else 0
    unfolded = text[start:].replace("\n ", " ").replace("\n\t", " ")
    found = _HEADER.findall(unfolded)
    if len(found) != unfolded.count("\n") + 1:
        return _headers_by_line(text, start, data)
    headers: Headers = {}
    for name, value in found:
        headers.setdefault(name.lower(), []).append(_unicode(value[:LONGEST_VALUE].strip()))
    return headers, body


def _headers_by_line(text: str, start: int, data: bytes) -> tuple[Headers, bytes]:
    """Headers up to the first line that is not one; the body starts there."""
    headers: Headers = {}
    last: list[str] | None = None
    consumed = start
    for line in text[start:].split("\n"):
        name, colon, value = line.partition(":")
        is_header = bool(colon and _NAME.match(name))
        if last is not None and (
            line[:1] in {" ", "\t"} or (last[-1].endswith(";") and not is_header)
        ):
            # A parameter at the start of a line was meant to be folded.
            last[-1] = f"{last[-1]} {_unicode(line.strip())}"[:LONGEST_VALUE]
        elif is_header:
            last = headers.setdefault(name.rstrip().lower(), [])
            last.append(_unicode(value.strip())[:LONGEST_VALUE])
        else:
            break
        consumed += len(line) + 1
    # Without any header everything is text.
    return (headers, data[consumed:].removeprefix(b"\n")) if headers else ({}, data)


def _unicode(octets: str) -> str:
    """UTF-8 where headers hold it raw (RFC 6532); other octets stay what they were."""
    return octets if octets.isascii() else octets.encode("latin-1").decode("utf-8", "replace")


def _collect(mail: Mail, headers: Headers, body: bytes) -> None:
    """Put the leaves below ``body`` into ``mail.parts``, depth first, without recursion."""
    waiting = [(headers, body, 0)]
    while waiting and len(mail.parts) < MOST_PARTS:
        part_headers, part_body, depth = waiting.pop()
        declared = first(part_headers, "content-type")
        kind = declared.partition(";")[0].strip().lower() or "text/plain"
        boundary = _BOUNDARY.search(declared) if kind.startswith("multipart/") else None
        pieces = _pieces(part_body, boundary[1] or boundary[2]) if boundary else []
        if not pieces or depth >= DEEPEST:
            # A multipart without its boundary was cut off: read the rest as text.
            leaf = "text/plain" if kind.startswith("multipart/") else kind
            mail.parts.append(Part(part_headers, leaf, part_body, depth))
            continue
        waiting += [(*split_part(piece), depth + 1) for piece in reversed(pieces[:MOST_PARTS])]


def split_part(piece: bytes) -> tuple[Headers, bytes]:
    """Headers and body of a part; one that starts with a blank line has no headers."""
    if piece.startswith(b"\n"):
        return {}, piece[1:]
    return split_headers(piece)


def _pieces(body: bytes, boundary: str) -> list[bytes]:
    """What stands between the delimiter lines; a missing last delimiter is forgiven."""
    delimiter = b"\n--" + boundary.rstrip().encode("utf-8", "replace")
    found: list[bytes] = []
    chunks = (b"\n" + body).split(delimiter, MOST_PARTS + 1)
    for chunk in chunks[1:]:
        if chunk.startswith(b"--"):
            break
        line, newline, rest = chunk.partition(b"\n")
        if line.strip():
            # A longer boundary that starts like this one: not ours, put the text back.
            if found:
                found[-1] += delimiter + chunk
        elif newline:
            found.append(rest)
    return found


def _undo(encoding: str, data: bytes) -> bytes:
    """Decode a transfer encoding; damaged parts stay as they are."""
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    if encoding != "base64":
        return data
    # The decoder stops at padding and refuses a length that is not a multiple of four.
    sound = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
    try:
        return binascii.a2b_base64(sound[: len(sound) - len(sound) % 4] + _rest(sound))
    except binascii.Error:
        return data


def _rest(sound: bytes) -> bytes:
    """The last, incomplete group of base64, padded."""
    rest = sound[len(sound) - len(sound) % 4 :]
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""


@lru_cache(maxsize=64)
def _codec(charset: str) -> str | None:
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        return None
    return None if name.startswith(_NO_CHARSETS) else name


def decode(data: bytes, charset: str) -> str:
    """Text of ``data`` in a character set that may be missing, unknown or wrong."""
    for name in (_codec(charset.lower()) if charset else None, "utf-8"):
        if name is None:
            continue
        try:
            return data.decode(name)
        except (UnicodeError, LookupError):
            continue
    known = _codec(charset.lower()) if charset else None
    try:
        return data.decode(known or "latin-1", "replace")
    except (UnicodeError, LookupError):
        return data.decode("latin-1")


def decoded(value: str) -> str:
    """A header value with its encoded words (RFC 2047) decoded."""
    value = value[:LONGEST_VALUE]
    if "=?" not in value:
        return value
    try:
        pieces = decode_header(value)
    except (HeaderParseError, ValueError):
        return value
    words = (
        decode(piece, charset or "") if isinstance(piece, bytes) else piece
        for piece, charset in pieces
    )
    return "".join(words).encode("utf-8", "replace").decode("utf-8")
