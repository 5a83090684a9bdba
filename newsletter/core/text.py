"""Titles and abstracts as people read them: LaTeX to Unicode, markup and odd characters out.

Everything here is pure and takes hostile text: any string goes in, one clean line comes out, and
text that is neither LaTeX nor markup comes out as it went in.
"""

import re

from newsletter.core.latex import GAP, PUT_BACK
from newsletter.core.markup import Plain, read_markup
from newsletter.core.one_line import UNWANTED, tidy

# Text without any of these needs neither markup nor LaTeX looked at; six of seven abstracts.
_SPECIAL = re.compile(r"[\\$<&~`{}]")
_LATEX = re.compile(r"[\\${}~]")
_URL = re.compile(r"https?://[^\s{}$\\<>\"]+")
# Code as Markdown marks it; accents and quotation marks of LaTeX use the same sign.
_CODE = re.compile(r"(?<![\\`\w])`(?=[^`'\s])[^`'\n$]{0,200}(?<=\S)`(?![`\w])")
_WINDOWS_PATH = re.compile(r"(?<![\w$])[A-Z]:\\[A-Z][\w.-]*(?:\\[\w.-]+)*")
# What is held out of the reading, by a sign that each has in it.
_UNTOUCHED = (("://", _URL), ("`", _CODE), (":\\", _WINDOWS_PATH))
# In a title a word in braces may be meant ("{name} in templates"); in an abstract the braces are
# what is left of somebody's colours.
_LONGEST_TITLE = 300
# Signs that hold a place: see `_Held`. The uppermost of the private characters are the printer's.
_FIRST, _MOST_HELD = 0xE000, 6000
# A tilde ties words; before a number, between numbers or in a file's path it is a sign.
_TIE = re.compile(r"(?<=[^\s~(/\\\[=])~(?=[^\s~/])")
_NO_TIE = re.compile(r"\d~\d|(?<![^\W\d_])[a-zA-Z]~(?:\d|[A-Za-z](?![^\W\d_]))")
# A comment is a line's rest, where a percent sign cannot be meant.
_COMMENT = re.compile(r"(?:(?<=\n)|^)[ \t]*%(?!\s*\d)[^\n]*(?:\n|$)|(?<=[^\d\s\\])%[ \t]*\n[ \t]*")
_ESCAPED_QUOTES = re.compile(r'(?<!\w)\\"([^"\\\n]{2,200})\\"(?!\w)')
_ESCAPED_APOSTROPHE = re.compile(r"(?<=[A-Za-z])\\'(?=(?:s|t|re|ve|ll|d|m)\b)")
# What is left around something that was left out.
_EMPTY_BRACKETS = re.compile(rf"(?<!\s)\s*[(\[]\s*{GAP}[{GAP},;\s]*[)\]]")
_BEFORE_STOP = re.compile(rf"(?<![\s{GAP}])\s*{GAP}+(?=\s*[.,;:!?)\]])\s*")
_OPENING = frozenset("“‘\"'([$")
_TYPED = re.compile(
    r"https?://\S+|(?<!`)`[^`'\n]+`(?!`)"
    r"|(?<![`\w])``(?P<double>(?!`)[^`]{1,400}?)(?:''|(?<=[\w.,!?%])\")(?!')"
    r"|(?<![\w'`])''(?P<closing>(?=\w)[^'\n]{1,100}(?:'(?!')[^'\n]{1,100}){0,3}(?<=\S))''(?![\w'])"
    r"|(?<![`\w])`(?P<single>(?=\w)[^`'\n]{1,100}(?:'\w[^`'\n]{0,100}){0,3}(?<=\S))'(?!['\w])"
    r"|(?<![-!<])(?P<dash>---?)(?![->])"
)


def clean(text: str) -> str:
    """One line of Unicode: LaTeX converted, formatting markup and entities resolved.

    What is not understood stays as it stands: an unknown macro keeps its name or what it was
    given, a lone ``$`` is money, ``<unk>`` is a token.
    """
    is_typed = "--" in text or "''" in text
    if not is_typed and _SPECIAL.search(text) is None:
        return tidy(text)
    if not isinstance(text, Plain) and ("<" in text or "&" in text):
        text = read_markup(text)
    if _LATEX.search(text):
        text = _without_latex(text if text.isprintable() else UNWANTED.sub(" ", text))
        text = _TYPED.sub(_typeset, text) if "--" in text or "'" in text or '"' in text else text
        text = text if text.isascii() else text.translate(PUT_BACK)
    elif is_typed or "`" in text:
        text = _TYPED.sub(_typeset, text)
    return tidy(text)


def _without_latex(text: str) -> str:
    """LaTeX resolved; addresses and code held out of it."""
    # Loaded when the first paper needs it: most commands never read one.
    from newsletter.core.latex.parse import parse  # noqa: PLC0415
    from newsletter.core.latex.printing import printed  # noqa: PLC0415

    held = _Held()
    if "\\'" in text or '\\"' in text:
        text = _ESCAPED_APOSTROPHE.sub("'", _ESCAPED_QUOTES.sub(r'"\1"', text))
    for sign, pattern in _UNTOUCHED:
        if sign in text:
            text = pattern.sub(lambda match: held.hold(match[0]), text)
    if "~" in text:
        has_latex = "\\" in text or "$" in text
        text = _NO_TIE.sub(lambda match: match[0] if has_latex else held.hold(match[0]), text)
        text = _TIE.sub(" ", text)
    if "\\" in text and "%" in text:
        text = _COMMENT.sub("", text)
    if "\\" in text or "$" in text or "{" in text or "}" in text:
        text = printed(parse(text), in_prose=len(text) > _LONGEST_TITLE)
        if GAP in text:
            text = _EMPTY_BRACKETS.sub("", text)
            text = _BEFORE_STOP.sub("", text).replace(GAP, "")
    return held.put_back(text)


class _Held:
    """Pieces that are finished, with a private character standing in for each."""

    def __init__(self) -> None:
        self.stand_ins: dict[str, str] = {}

    def hold(self, piece: str) -> str:
        """The character that stands for ``piece``."""
        if len(self.stand_ins) >= _MOST_HELD:
            return piece
        return self.stand_ins.setdefault(piece, chr(_FIRST + len(self.stand_ins)))

    def put_back(self, text: str) -> str:
        """``text`` with the pieces in their places."""
        if not self.stand_ins:
            return text
        return text.translate({ord(sign): piece for piece, sign in self.stand_ins.items()})


def _typeset(match: re.Match[str]) -> str:
    """Quotation marks and dashes as TeX prints them."""
    if double := match["double"] or match["closing"]:
        return f"“{double}”"
    if match["single"]:
        return f"‘{match['single']}’"
    if match["dash"]:
        return _dash(match)
    return match[0]


def _dash(match: re.Match[str]) -> str:
    """A dash between words or between spaces; "--help" and "C--" have none."""
    text, start, end = match.string, match.start(), match.end()
    before, after = text[start - 1 : start], text[end : end + 1]
    stands_free = before.isspace() and after.isspace()
    joins = bool(before.strip()) and (after.isalnum() or after in _OPENING)
    if not (stands_free or joins):
        return match[0]
    return "—" if len(match[0]) == 3 else "–"
