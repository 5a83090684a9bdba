"""One clean line from any text: unwanted characters out, white space collapsed, cut to a length."""

import re
import unicodedata

# Control characters, lone surrogates (no database takes them), soft hyphens, byte order marks,
# zero-width spaces, and the direction overrides that make a line read as what it is not.
UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ud800-\uf8ff\ufeff"
    "\ufff9-\ufffb\ufffe\uffff]"
)

# What makes a terminal do something else than show a sign: control characters but tab and line
# feed, lone surrogates (no stream takes them), and what breaks a line or turns its direction.
_COMMANDS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    """``text`` for a terminal or a log: what would command those is shown as a code (``\\x1b``)."""
    return text if text.isascii() and text.isprintable() else _COMMANDS.sub(_code, text)


def in_json(text: str) -> str:
    """JSON ``text`` for a terminal: the same characters, as JSON's own escapes."""
    return _COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _code(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def tidy(text: str) -> str:
    """White space collapsed, unwanted characters out, composed form (Unicode NFC)."""
    if not text.isprintable():
        # Invisible characters vanish; control characters part words, as the line feed does.
        for invisible in "\u00ad\u200b\ufeff":
            text = text.replace(invisible, "")
        text = UNWANTED.sub(" ", text)
    text = " ".join(text.split())
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def shortened(text: str, most: int) -> str:
    """``text`` cut after a word so that it has at most ``most`` characters, with an ellipsis."""
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    # CJK has no spaces to cut at; a space in the first half would lose too much.
    space = cut.rfind(" ")
    return (cut[:space] if space > most // 2 else cut).rstrip(" ,.;:-–—") + "…"


def harmless(text: str, longest: int) -> str:
    """One line of ``text``, cut, without what a terminal or a database would choke on."""
    line = " ".join(text[: 2 * longest].split())[:longest]
    return line if line.isprintable() else "".join(filter(str.isprintable, line))
