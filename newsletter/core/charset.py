"""Which characters a feed's bytes are, in the order of the evidence.

A byte order mark; bytes that are UTF-8 and can hardly be anything else; the HTTP header; the
document's declaration; UTF-8 with a few bad bytes; and at last what the bytes look like.
"""

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    # "<?" in two bytes each: the mark was forgotten (XML 1.0, appendix F.1).
    (b"<\0?\0", "utf-16-le"),
    (b"\0<\0?", "utf-16-be"),
)
_DECLARATION = re.compile(rb"^\s*<\?xml\b[^>]{0,200}?\?>")
_ENCODING = re.compile(rb"encoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")
# What is meant by these names on the web (encoding.spec.whatwg.org, section 4.2).
_MEANT = {
    "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "gb_2312-80": "gb18030",
    "iso-8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252", "us-ascii": "cp1252",
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso-8859-9": "cp1254", "tis-620": "cp874",
    "iso-8859-11": "cp874", "euc-kr": "cp949", "ks_c_5601-1987": "cp949", "big5": "big5hkscs",
    "shift_jis": "cp932", "sjis": "cp932", "x-sjis": "cp932", "windows-31j": "cp932",
}  # fmt: skip
_UTF_8 = frozenset({"utf-8", "utf8", "utf_8"})
_HIGH_WORD = re.compile(rb"[\xc0-\xff]{4,}")
# Written in seven bits, so that their bytes are valid UTF-8 and mean something else.
_SEVEN_BITS = re.compile(r"iso-2022|hz|utf-?7", re.I)


def decoded(body: bytes, charset: str | None = None) -> str:
    """The text of a document without its declaration; ``charset`` is the HTTP header's."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return _undeclared(body).decode(encoding, "replace").lstrip("\ufeff")
    claimed = [name for name in (charset, _declared(body)) if name]
    body = _undeclared(body)
    if not any(_SEVEN_BITS.match(name) for name in claimed):
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            pass
    for name in claimed:
        if name.lower() in _UTF_8:
            if (text := _mostly_utf_8(body)) is not None:
                return text
            continue
        try:
            return body.decode(_MEANT.get(name.lower(), name), "replace")
        except (LookupError, ValueError):
            continue
    return _mostly_utf_8(body) or body.decode(_likely(body), "replace")


def _mostly_utf_8(body: bytes) -> str | None:
    """UTF-8 in which most of what is not ASCII is valid."""
    text = body.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = sum(not character.isascii() for character in text) - bad
    return text if good > bad else None


def _likely(body: bytes) -> str:
    """Words of letters that all lie above ASCII are Cyrillic; accents stand alone."""
    words = b"".join(_HIGH_WORD.findall(body))
    if 2 * len(words) < sum(byte > 0xBF for byte in body):
        return "cp1252"
    small = sum(byte >= 0xE0 for byte in words)
    return "cp1251" if 2 * small > len(words) else "koi8-r"


def _declared(body: bytes) -> str | None:
    declaration = _DECLARATION.match(body)
    named = _ENCODING.search(declaration[0]) if declaration else None
    return named[1].decode("ascii") if named else None


def _undeclared(body: bytes) -> bytes:
    declaration = _DECLARATION.match(body)
    return body[declaration.end() :] if declaration else body
