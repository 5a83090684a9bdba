"""Scripts, fractions and roots on one line of Unicode, for LaTeX and for MathML alike (pure)."""

import re
import unicodedata

_SUPERSCRIPTS = str.maketrans(
    "0123456789+-=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWβγδθφχ−–",
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵝᵞᵟᶿᵠᵡ⁻⁻",
)
_SUBSCRIPTS = str.maketrans(
    "0123456789+-=()aehijklmnoprstuvxβγρφχ−–",
    "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ₋₋",
)
# Signs that stand high by themselves, and those that read the same between raised digits.
_ALREADY_HIGH = frozenset("*∗⋆†‡°′″‴®™©")
# A full stop does not: "10³.⁵" is no power of ten, while "z₀.₅" reads well.
_BETWEEN = {
    True: re.compile(r"(?<=\d),(?=\d)|(?<=[+−–-])/(?=[+−–-])"),
    False: re.compile(r"(?<=\d)[.,](?=\d)|(?<=[+−–-])/(?=[+−–-])"),
}
# Letters in scripts are small: a word, or a capital among others, is read better on the line.
_WORD = re.compile(r"[^\W\d_]{3}|[^\W\d_].*[A-Z]|[A-Z].*[^\W\d_]", re.DOTALL)
_PLAIN = re.compile(r"[0-9A-Za-z\u0370-\u03ff]+(?:\.\d+)?")
_SINGLE = re.compile(
    r"\d+(?:\.\d+)?|[^\W\d_][\u0300-\u036f\u20d0-\u20f0′″]*|\w+\([^()]*\)|\([^()]*\)"
    r"|[√∛∜][^\W_]+|[√∛∜]\([^()]*\)|[d∂][^\W\d_]"
)
_FACTOR = re.compile(r"[^\s+\-−±∓/,;=<>≤≥]+(?:\([^()]*\))?")


def script(text: str, *, up: bool) -> str:
    """A superscript or subscript: Unicode has all of it, or it stays readable.

    "-3" becomes ⁻³; what has no characters of its own keeps its extent: "^T2", "_eff",
    "^(d × k)".
    """
    text = text.strip()
    if not text:
        return ""
    if up and text in "∘○":
        return "°"
    text = text.replace("′′′", "‴").replace("′′", "″")
    if up and all(character in _ALREADY_HIGH for character in text):
        return text.replace("∗", "*")
    if (raised := _in_small(text, up=up)) is not None:
        return raised
    mark = "^" if up else "_"
    if _PLAIN.fullmatch(text) or _bracketed(text) or len(text) == 1:
        return f"{mark}{text}"
    return f"{mark}({text})"


def _in_small(text: str, *, up: bool) -> str | None:
    if _WORD.search(text):
        return None
    table = _SUPERSCRIPTS if up else _SUBSCRIPTS
    compact = text.replace(" ", "")
    if all(ord(c) in table for c in _BETWEEN[up].sub("", compact)):
        return compact.translate(table)
    return None


def is_readable_script(shown: str) -> bool:
    """Whether a script was left on the line, so that a letter after it would run into it."""
    return shown[:1] in {"^", "_"}


def fraction(above: str, below: str) -> str:
    """``a+b`` over ``c`` as "(a+b)/c"."""
    above, below = above.strip(), below.strip()
    if not above or not below:
        return above or below
    top = above if _FACTOR.fullmatch(above) or _bracketed(above) else f"({above})"
    return f"{top}/{below if _SINGLE.fullmatch(below) or _is_scripted(below) else f'({below})'}"


def root(inner: str, degree: str = "") -> str:
    """√2, √(n+1), ∛x, ⁴√x."""
    inner, degree = inner.strip(), degree.strip()
    sign = {"": "√", "2": "√", "3": "∛", "4": "∜"}.get(degree)
    if sign is None:
        raised = script(degree, up=True)
        sign = f"{raised}√" if not is_readable_script(raised) else f"({degree})√"
    return f"{sign}{inner if _SINGLE.fullmatch(inner) or _is_scripted(inner) else f'({inner})'}"


def grouped(text: str) -> str:
    """Brackets around a base that a script is to belong to as a whole."""
    plain = len(text) <= 1 or _bracketed(text) or not re.search(r"[\s+\-−±∓×·/=]", text)
    return text if plain else f"({text})"


def accented(base: str, mark: str) -> str:
    """``base`` with a combining mark; a longer text stays without."""
    bare = base.strip()
    if not bare or not bare[0].isalnum() or len(unicodedata.normalize("NFC", bare)) > 2:
        return base
    return unicodedata.normalize("NFC", "".join(c + mark if c.isalnum() else c for c in bare))


def _is_scripted(text: str) -> bool:
    """One letter with its scripts, as xᵢ² or σ_eff."""
    small = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓⁿⁱᵀ"
    bare = text[:1] + text[1:].strip(small)
    return len(bare) == 1 or re.fullmatch(r"[^\W\d_][\u0300-\u20f0]?[_^]\w+", bare) is not None


def _bracketed(text: str) -> bool:
    """Whether one pair of brackets holds all of it."""
    if len(text) < 2 or text[0] + text[-1] not in {"()", "[]", "{}", "||", "⟨⟩", "‖‖"}:
        return False
    opening, closing = text[0], text[-1]
    if opening == closing:
        return text.count(opening) == 2
    depth = 0
    for index, character in enumerate(text):
        depth += (character == opening) - (character == closing)
        if depth == 0 and index < len(text) - 1:
            return False
    return True
