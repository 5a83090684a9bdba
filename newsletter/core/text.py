"""Titles and abstracts as people read them: LaTeX to Unicode, markup and odd characters out.

Everything here is pure and takes hostile text: any string goes in, one clean line comes out.
"""

import html
import re
import unicodedata
from functools import lru_cache
from typing import Any

from pylatexenc import latex2text, latexwalker, macrospec

# Control characters, lone surrogates (no database takes them), soft hyphens, byte order marks,
# zero-width spaces, and the direction overrides that make a line read as what it is not.
_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ud800-\uf8ff\ufeff"
    "\ufff9-\ufffb\ufffe\uffff]"
)
# Text without any of these needs neither markup nor LaTeX looked at; six of seven abstracts.
_SPECIAL = re.compile(r"[\\$<&~]")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
# Formatting elements only: "the <unk> token" and "a < b and c > d" are text.
_INLINE = "i|b|u|em|strong|sc|scp|span|italic|bold|underline|monospace|tt|code|a|xref|ext-link"
_BLOCK = "p|br|div|sec|title|list|list-item|ul|ol|li|h[1-6]|label|break|abstract|blockquote"
_TAG = re.compile(
    rf"<(?P<close>/?)(?:(?P<prefix>jats|mml):[\w.-]+|(?P<inline>{_INLINE})|(?P<block>{_BLOCK}))"
    r"(?:\s[^<>]{0,500})?/?>",
    re.IGNORECASE,
)
_SCRIPT_TAG = re.compile(
    r"<(?:jats:)?(sub|sup)(?:\s[^<>]{0,200})?>([^<>]{0,200})</(?:jats:)?\1\s*>", re.IGNORECASE
)
# A second copy of a formula that is already there as MathML.
_TEX_COPY = re.compile(r"<(?:jats:)?tex-math\b.{0,5000}?</(?:jats:)?tex-math\s*>", re.DOTALL)

_URL = re.compile(r"https?://[^\s{}$\\<>\"]+")
# $…$ as in TeX, read as pandoc does so that "$5 and $10" stays money: no space just inside,
# no digit right after. A lone sign ("$\\times$4") or a formula with spaces is still one.
_MATH = re.compile(
    r"\$\$(?P<display>[^$]{1,2000}?)\$\$"
    r"|\\\((?P<paren>.{1,2000}?)\\\)|\\\[(?P<bracket>.{1,2000}?)\\\]"
    r"|(?<!\\)\$(?P<tight>(?![\s$])(?:\\.|[^$\\]){0,2000}?(?<!\s))\$(?!\d)"
    r"|(?<!\\)\$(?P<sign>\s*\\[A-Za-z]+\s*|[^$\w\s]{1,3}|[^$\w\s]?\\[A-Za-z][^$]{0,200}?)\$"
    r"|(?<!\\)\$(?P<loose>\s*(?=[^$]*[\\^_={])(?:\\.|[^$\\]){1,2000}?)\$(?!\d)",
    re.DOTALL,
)
_DEGREES = re.compile(r"\^\s*(?:\\circ\b|\{\s*\\circ\s*\})")
_SCRIPT_GROUP = re.compile(r"([\^_])\s*\{((?:[^{}]|\{[^{}]*\}){0,300})\}")
_SCRIPT = re.compile(r"([\^_])(-?\d+|[A-Za-z+*'′-]|\([^()]{1,300}\))")
_SUPERSCRIPTS = dict(zip("0123456789+-=()ni*", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ*", strict=True))
_SUBSCRIPTS = dict(zip("0123456789+-=()aeijoruvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑᵢⱼₒᵣᵤᵥₓ", strict=True))
_UNICODE_MACRO = re.compile(r"\\unicode\{x([0-9a-fA-F]{1,6})\}")
_BARE = re.compile(r"(?<!\\)([%&#~])")
_TIE = re.compile(r"(?<=[^\s~\\(])~(?=[^\s~])")
_GROUP = r"\{(?:[^{}]++|\{(?:[^{}]++|\{[^{}]*+\})*+\})*+\}"
# A macro with its arguments; an accent with its letter; a brace group with a macro in it.
_MACRO = re.compile(
    rf"\\(?:o|O|l|L|ss|ae|AE|oe|OE|aa|AA|i|j)(?![A-Za-z])(?:\s+(?=[A-Za-z])|\{{\}})?"
    rf"|\\[A-Za-z]+\*?(?:\s*(?:\[[^\[\]{{}}]{{0,200}}\]|{_GROUP}))*"
    rf"|\\['\"`^~=.]\s*(?:\{{\\?[A-Za-z]?\}}|\\?[A-Za-z])|\\."
    rf"|(?=\{{[^{{}}]*\\){_GROUP}",
    re.DOTALL,
)
_OPERATOR = re.compile(r"(?<=\s)([×→←↔⇒≤≥≈≠∈⊂⊆±·∼∘])(?=[^\s)])")
# Nested deeper than this is not an abstract; the converter recurses once per level.
_DEEPEST = 40


def clean(text: str) -> str:
    """One line of Unicode: LaTeX converted, formatting markup and entities resolved.

    What is not understood stays as it stands: an unknown macro keeps its name, a lone ``$``
    is money, ``<unk>`` is a token.
    """
    if _SPECIAL.search(text) is None:
        return tidy(text)
    if "<" in text or "&" in text:
        text = strip_markup(text)
    if "\\" in text or "$" in text or "~" in text:
        text = _latex(_UNWANTED.sub(" ", text))
    return tidy(text)


def tidy(text: str) -> str:
    """White space collapsed, unwanted characters out, composed form (Unicode NFC)."""
    if not text.isprintable():
        # Invisible characters vanish; control characters part words, as the line feed does.
        for invisible in "\u00ad\u200b\ufeff":
            text = text.replace(invisible, "")
        text = _UNWANTED.sub(" ", text)
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


def strip_markup(text: str) -> str:
    """HTML and JATS formatting removed, entities resolved, also where they were escaped twice."""
    for _ in range(2):
        if "<" in text:
            text = _TEX_COPY.sub(" ", text) if "mml:" in text else text
            text = _SCRIPT_TAG.sub(lambda m: script(m[2], up=m[1].lower() == "sup"), text)
            text = _TAG.sub(lambda m: " " if m["block"] or _jats_block(m[0]) else "", text)
        if _ENTITY.search(text) is None:
            return text
        text = _ENTITY.sub(lambda m: html.unescape(m[0]), text)
    return text


def _jats_block(tag: str) -> bool:
    return re.match(r"</?jats:(?:p|title|sec|list|list-item|label|break)\b", tag) is not None


def script(text: str, *, up: bool) -> str:
    """Superscript or subscript characters where Unicode has them all, plain text otherwise."""
    table = _SUPERSCRIPTS if up else _SUBSCRIPTS
    return "".join(table[c] for c in text) if text and all(c in table for c in text) else text


def _latex(text: str) -> str:
    """Formulas first, each on its own; then the text around them, with the formulas held out."""
    held: dict[str, str] = {}

    def hold(value: str) -> str:
        # Private-use characters mark finished parts; `clean` has removed any that were in the text.
        if len(held) >= 6000:
            return value
        return held.setdefault(value, chr(0xE000 + len(held)))

    text = _UNICODE_MACRO.sub(lambda m: _character(m[1]), text)
    if "$" in text or "\\(" in text or "\\[" in text:
        text = _MATH.sub(lambda m: hold(_formula(m[m.lastgroup or 0])), text)
    text = _URL.sub(lambda m: hold(m[0]), text)
    text = _TIE.sub(" ", text)
    if "\\" in text:
        text = _text_macros(text)
    finished = {stand_in: value for value, stand_in in held.items()}
    return re.sub("[\ue000-\uf8ff]", lambda m: finished.get(m[0], " "), text) if held else text


def _character(code: str) -> str:
    number = int(code, 16)
    return chr(number) if 0x20 <= number <= 0x10FFFF and not 0xD800 <= number <= 0xF8FF else " "


def _text_macros(text: str) -> str:
    """Only macros and brace groups go through the converter; it is slow, and what is short
    and frequent (``\\%``) is remembered."""
    text = re.sub(r"(?<=\d)\s?\\deg(?:ree)?\b", "°", text)
    # An abstract that was cut off leaves a group open.
    text = _balanced(text) if text.count("{") != text.count("}") else text
    return _MACRO.sub(lambda match: _convert(match[0]), text)


@lru_cache(maxsize=4096)
def _formula(source: str) -> str:
    """One formula as a line of Unicode; scripts become characters where there are any."""
    if _too_deep(source):
        return source
    source = _DEGREES.sub("°", source)
    for _ in range(3):
        source, changed = _SCRIPT_GROUP.subn(_group, source)
        if not changed:
            break
    line = _OPERATOR.sub(r"\1 ", " ".join(_convert(source).split()))
    return _SCRIPT.sub(
        lambda m: (
            m[0] if (shown := script(m[2], up=m[1] == "^")) == m[2] and m[2] not in "*'′" else shown
        ),
        line,
    )


def _group(match: re.Match[str]) -> str:
    """``^{d \\times k}`` keeps its extent as ``^(d × k)``; a single sign needs no bracket."""
    mark = match[1]
    inner = _OPERATOR.sub(r"\1 ", " ".join(_convert(match[2]).split()))
    if not inner:
        return ""
    shown = script(inner, up=mark == "^")
    if shown != inner:
        return shown
    return f"{mark}{inner}" if inner.isalnum() else f"{mark}({inner})"


def _too_deep(source: str) -> bool:
    depth = 0
    for character in source:
        depth += (character == "{") - (character == "}")
        if depth > _DEEPEST:
            return True
    return source.count("\\begin") > _DEEPEST or source.count("\\left") > _DEEPEST


@lru_cache(maxsize=8192)
def _convert(source: str) -> str:
    if ("\\" not in source and "{" not in source) or _too_deep(source):
        return source
    # To TeX a bare % hides the rest of the line; & and ~ are spacing. Authors mean the sign.
    source = _BARE.sub(lambda m: r"\textasciitilde{}" if m[1] == "~" else f"\\{m[1]}", source)
    walker = latexwalker.LatexWalker(
        _balanced(source), latex_context=_WALKER_DB, tolerant_parsing=True
    )
    try:
        nodes, _, _ = walker.get_latex_nodes()
        return str(_CONVERTER.nodelist_to_text(nodes))
    except (latexwalker.LatexWalkerError, ValueError, IndexError, TypeError, AttributeError):
        # The converter gives up on some broken input; the source is better than nothing.
        return source


def _balanced(source: str) -> str:
    depth, kept = 0, []
    for index, character in enumerate(source):
        escaped = index > 0 and source[index - 1] == "\\"
        if character == "{" and not escaped:
            depth += 1
        elif character == "}" and not escaped:
            if depth == 0:
                continue
            depth -= 1
        kept.append(character)
    return "".join(kept) + "}" * depth


def _href(node: Any, l2tobj: Any) -> str:
    target, shown = (_argument(node, l2tobj, number) for number in (0, 1))
    return shown if target in {"", shown} else f"{shown} ({target})"


def _argument(node: Any, l2tobj: Any, number: int) -> str:
    """Text of one argument of a macro; empty when the macro came without it."""
    arguments = node.nodeargd.argnlist if node.nodeargd is not None else ()
    if number >= len(arguments) or arguments[number] is None:
        return ""
    return str(l2tobj.nodelist_to_text([arguments[number]])).strip()


def _last_argument(node: Any, l2tobj: Any) -> str:
    arguments = node.nodeargd.argnlist if node.nodeargd is not None else ()
    return _argument(node, l2tobj, len(arguments) - 1)


def _footnote(node: Any, l2tobj: Any) -> str:
    inner = _argument(node, l2tobj, 0)
    return f" ({inner})" if inner else ""


def _fraction(node: Any, l2tobj: Any) -> str:
    return "/".join(_argument(node, l2tobj, number) for number in (0, 1)).strip("/")


_SWITCHES = "bf it em tt sc rm sf sl large small normalsize xspace color cite citep citet label"
_SIGNS = {
    "textgreater": ">",
    "textless": "<",
    "textasciitilde": "~",
    "colon": ":",
    "ie": "i.e.",
    "eg": "e.g.",
    "deg": "°",
}


def _text_database() -> Any:
    database = latex2text.get_default_latex_context_db()
    spec: Any = latex2text.MacroTextSpec
    database.add_context_category(
        "newsletter",
        prepend=True,
        macros=[
            spec("href", simplify_repl=_href),
            *(
                spec(name, simplify_repl=_last_argument)
                for name in ("url", "textcolor", "hyperlink", "bm", "textsuperscript")
            ),
            spec("footnote", simplify_repl=_footnote),
            spec("frac", simplify_repl=_fraction),
            *(spec(name, discard=True) for name in _SWITCHES.split()),
            *(spec(name, simplify_repl=sign) for name, sign in _SIGNS.items()),
        ],
    )
    # We introduce \\ours: its name tells more than nothing.
    database.set_unknown_macro_spec(spec("", simplify_repl=lambda node: node.macroname))
    return database


def _walker_database() -> Any:
    database = latexwalker.get_default_latex_context_db()
    database.add_context_category(
        "newsletter",
        prepend=True,
        macros=[
            macrospec.std_macro("textcolor", False, 2),
            macrospec.std_macro("color", False, 1),
            macrospec.std_macro("hyperlink", False, 2),
            macrospec.std_macro("href", False, 2),
            macrospec.std_macro("url", False, 1),
            *(
                macrospec.std_macro(name, False, 1)
                for name in ("bm", "footnote", "textsuperscript", "label")
            ),
            *(macrospec.std_macro(name, True, 1) for name in ("cite", "citep", "citet")),
        ],
    )
    return database


_TEXT_DB = _text_database()
_WALKER_DB = _walker_database()
_CONVERTER = latex2text.LatexNodes2Text(
    latex_context=_TEXT_DB, math_mode="text", strict_latex_spaces=False, keep_comments=True
)


def harmless(text: str, longest: int) -> str:
    """One line of ``text``, cut, without what a terminal or a database would choke on."""
    line = " ".join(text[: 2 * longest].split())[:longest]
    return line if line.isprintable() else "".join(filter(str.isprintable, line))
