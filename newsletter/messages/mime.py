"""Messages as bytes: safe headers and quoted-printable parts. Pure.

Python's header policies re-encode long values, List-Unsubscribe among them, so headers are
written here: each value comes folded, checked and in its final form from one of the functions
below (RFC 5322, 2047, 2369, 8058; bulk-mail rules 9 to 14).
"""

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from itertools import accumulate

from email_validator import EmailNotValidError, validate_email

from newsletter.core.errors import RenderError
from newsletter.core.one_line import shortened

# RFC 2047 §2: an encoded-word has at most 75 characters, a line that holds one at most 76.
ENCODED_WORD = 75
LINE = 76
# CR, LF and NUL above all; the others have no business in a header and split lines in some
# parsers (Python's own splitlines takes U+0085 and U+2028 for line ends).
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SPACES = re.compile("[ \t]+")
_FIRST_DOTS = re.compile(rb"(?m)^\.+")
_PLAIN = re.compile(r"[\x20-\x7e]*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
# RFC 2047 §5 (3): what a Q word in a phrase may hold unencoded.
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q = [
    "_" if byte == 0x20 else chr(byte) if byte in _Q_SAFE else f"={byte:02X}" for byte in range(256)
]
_Q_OF = {chr(byte): _Q[byte] for byte in range(128)}
_USUAL_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])"
)
_URI = re.compile(r"(https?://|mailto:)[!-;=?-~]+")
_MESSAGE_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+")

_PART = b"Content-Type: text/%b; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable"

_PLAIN_PART, _HTML_PART = _PART % b"plain", _PART % b"html"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

Header = tuple[str, str]


def checked(text: str, what: str) -> str:
    """``text`` with white space collapsed.

    Raises:
        RenderError: it holds a control character, which could start another header.
    """
    found = _CONTROL.search(text)
    if found:
        raise RenderError(f"{what} contains the control character U+{ord(found[0]):04X}: refused")
    return " ".join(text.split())


# Readers with the same first paper have the same subject: an edition has some hundred.
@lru_cache(maxsize=2000)
def unstructured(name: str, text: str) -> str:
    """Value of a free-text header such as Subject, folded, encoded where it must be."""
    text = checked(text, name)
    if not text:
        raise RenderError(f"{name} is empty")
    if _PLAIN.fullmatch(text) and "=?" not in text:
        folded = _fold(text.split(" "), len(name) + 2)
        if folded is not None:
            return folded
    return _encoded(text, len(name) + 2)


def mailbox(name: str, display: str, address: str) -> str:
    """Value of a header with one mailbox; ``address`` comes from `address`."""
    display = checked(display, f"the name in {name}")
    if not display:
        return f"<{address}>" if len(address) < LINE else f"\r\n <{address}>"
    start = len(name) + 2
    if not _PLAIN.fullmatch(display) or "=?" in display or len(display) > LINE - start - 2:
        phrase = _encoded(display, start)
    elif _ATOMS.fullmatch(display):
        phrase = display
    else:
        phrase = '"' + display.replace("\\", "\\\\").replace('"', '\\"') + '"'
    last = phrase.rpartition("\n")[2]
    fits = start + len(last) + len(address) + 3 <= LINE
    return f"{phrase}{' ' if fits else chr(13) + chr(10) + ' '}<{address}>"


def address(text: str, what: str) -> str:
    """An address in the form mail is sent to: the domain as an A-label (RFC 5891).

    A local part that is not ASCII stays as it is: whether the relay takes it (SMTPUTF8,
    RFC 6531) is the transport's to find out.

    Raises:
        RenderError: not one address.
    """
    if len(text) <= 254 and _USUAL_ADDRESS.fullmatch(text):
        return text
    try:
        valid = validate_email(
            text, check_deliverability=False, test_environment=True, allow_quoted_local=True
        )
    except EmailNotValidError as error:
        raise RenderError(f"{what} is not an address: {checked_for_display(str(error))}") from error
    return f"{valid.local_part}@{valid.ascii_domain}"


def checked_for_display(text: str) -> str:
    """One printable line for an error message, at most 200 characters."""
    return shortened(" ".join(_CONTROL.sub("?", text).split()), 200)


def uris(*values: str) -> str:
    """Header value of URIs in angle brackets, folded only between them (bulk-mail rule 9).

    Raises:
        RenderError: a value is not an http(s) or mailto URI in ASCII, or is over 900 characters.
    """
    for value in values:
        if not _URI.fullmatch(value) or len(value) > 900 or "=?" in value:
            raise RenderError(f"not a URI for a header: {checked_for_display(value[:80])}")
    return ",\r\n ".join(f"<{value}>" for value in values)


def message_id(text: str) -> str:
    """Value of Message-ID; ``text`` with or without its angle brackets.

    Raises:
        RenderError: not of the form left@right in ASCII.
    """
    bare = text.removeprefix("<").removesuffix(">")
    if not _MESSAGE_ID.fullmatch(bare) or len(bare) > 250:
        raise RenderError(f"not a Message-ID: {checked_for_display(text[:80])}")
    return f"<{bare}>"


# A preparation gives hundreds of deliveries one moment.
@lru_cache(maxsize=64)
def moment(value: datetime) -> str:
    """Value of Date, in UTC (what `email.utils.format_datetime` gives, at a fifth of its price)."""
    year, month, day, hour, minute, second, weekday, *_ = value.utctimetuple()
    return (
        f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} "
        f"{hour:02}:{minute:02}:{second:02} +0000"
    )


def boundary_for(identifier: str) -> str:
    """A boundary that is the same for the same message; ``=_`` never occurs in the parts."""
    return f"=_{sha256(identifier.encode()).hexdigest()[:24]}"


def quoted_printable(text: str) -> bytes:
    """``text`` as quoted-printable with CRLF, in the form relaxed DKIM leaves as it is.

    Runs of spaces and tabs become one space, so that the relaxed body (RFC 6376 §3.4.4) is the
    body itself and can be hashed as it is sent.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "  " in text or "\t" in text:
        text = _SPACES.sub(" ", text)
    lines = binascii.b2a_qp(text.encode("utf-8", "replace"), istext=True)
    # A dot that begins a line is doubled on the way, and not every receiver takes it back (RFC
    # 2049 §3): each goes on a line of its own, encoded.
    if b"\n." in lines or lines.startswith(b"."):
        lines = _FIRST_DOTS.sub(lambda dots: b"=2E=\n" * len(dots[0]), lines)
    return lines.replace(b"\n", b"\r\n") if b"\n" in lines else lines


def header_lines(headers: Sequence[Header]) -> bytes:
    """Headers as they are sent.

    Raises:
        RenderError: a header would break a rule of RFC 5322; nothing that came from outside can
            reach this, so it means a setting or this program is wrong.
    """
    text = "".join(f"{name}: {value}\r\n" for name, value in headers)
    for line in text.split("\r\n"):
        if len(line.encode()) > 998 or "\r" in line or "\n" in line or "\0" in line:
            raise RenderError(f"a header line breaks RFC 5322: {checked_for_display(line[:60])}")
    return text.encode()


def multipart_alternative(
    boundary: str, text: Sequence[bytes], html: Sequence[bytes]
) -> tuple[bytes, ...]:
    """The body in pieces, quoted-printable: plain text, then HTML (bulk-mail rule 18)."""
    mark = boundary.encode()
    return (
        b"--%b\r\n%b\r\n\r\n" % (mark, _PLAIN_PART),
        *text,
        b"\r\n--%b\r\n%b\r\n\r\n" % (mark, _HTML_PART),
        *html,
        b"\r\n--%b--\r\n" % mark,
    )


def _fold(words: Sequence[str], start: int) -> str | None:
    """Words joined by spaces, folded before a word that would pass the line; None if one cannot."""
    lines, used = [""], start
    for word in words:
        if used + 1 + len(word) > LINE and lines[-1]:
            lines.append("")
            used = 0
        if len(word) > 900:
            return None
        lines[-1] += (" " if lines[-1] else "") + word
        used += 1 + len(word)
    return "\r\n ".join(lines)


def _encoded(text: str, start: int) -> str:
    """Encoded-words (RFC 2047), each of whole characters, one a line."""
    # Q triples what it must encode, B grows everything by a third.
    units = [_Q_OF.get(char) or _q(char) for char in text]
    ends = list(accumulate(map(len, units)))
    in_q = 3 * ends[-1] <= 4 * len(text.encode())
    if not in_q:
        units = list(text)
        ends = list(accumulate(len(char.encode()) for char in units))
    words: list[str] = []
    at, used, room = 0, 0, _octets(LINE - start, in_q)
    while at < len(units):
        end = max(at + 1, bisect_right(ends, used + room, at))
        words.append("".join(units[at:end]))
        at, used, room = end, ends[end - 1], _octets(LINE - 1, in_q)
    if in_q:
        return "\r\n ".join(f"=?utf-8?q?{word}?=" for word in words)
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(word.encode()).decode()}?=" for word in words)


def _octets(room: int, in_q: bool) -> int:
    """What fits between ``=?utf-8?q?`` and ``?=``: characters of Q, or octets before base64."""
    inside = min(room, ENCODED_WORD) - len("=?utf-8?q??=")
    return inside if in_q else inside // 4 * 3


def _q(text: str) -> str:
    return "".join(map(_Q.__getitem__, text.encode()))
