"""What single macros become, given the text of their arguments."""

import re
import unicodedata

from newsletter.core.formula import script
from newsletter.core.latex import GAP, macros

LOGOS = {"LaTeX": "LaTeX", "TeX": "TeX", "LaTeXe": "LaTeX 2ε", "BibTeX": "BibTeX", "today": "today"}
_CHEMICAL = re.compile(r"(?<=[A-Za-z)\]])(\d+)|\^\{?([\d+-]+)\}?|(?<=[A-Za-z\d)\]])([+-])(?=$|\s)")


def accented_letter(name: str, inner: str) -> str:
    """A letter with its accent; where no such letter exists, the sign was a sign."""
    bare = {"ı": "i", "ȷ": "j"}.get(inner.strip(), inner.strip())
    if name.isalpha() and (greek := macros.symbol(f"{name}{bare}")):
        # "\r{ho}" and "\b{eta}" once were \rho and \beta.
        return greek
    composed = unicodedata.normalize("NFC", bare[:1] + macros.ACCENTS[name])
    if not bare or (len(composed) > 1 and (len(bare) > 1 or not name.isalpha())):
        return (name if name in "~^\"'" else "") + inner
    return composed + bare[1:]


def link(target: str, shown: str) -> str:
    """\\href: the text, and where it leads if the text does not say so."""
    return shown or target if target in {"", shown} or not shown else f"{shown} ({target})"


def chemical(source: str) -> str:
    """mhchem's \\ce: H2O as H₂O, "SO4^2-" as SO₄²⁻."""

    def small(match: re.Match[str]) -> str:
        below, above, charge = match.groups()
        return script(below, up=False) if below else script(above or charge, up=True)

    text = _CHEMICAL.sub(small, re.sub(r"[{}$]", "", source))
    return text.replace("<->", "⇌").replace("<=>", "⇌").replace("->", "→")


def quantity(name: str, values: list[str]) -> str:
    """siunitx: numbers and units, "5 km"."""
    values = [value.strip() for value in values]
    if name in {"SIrange", "numrange"} and len(values) > 1:
        values = ["–".join(values[:2]), *values[2:]]
    return f"{values[0]}°" if name == "ang" and values else " ".join(values)


def heading(inner: str) -> str:
    """A heading runs on as one does in an abstract: "Methods: …"."""
    inner = inner.strip()
    return f" {inner}{'' if inner[-1:] in '.:?!' else ':'} " if inner else " "


def code_point(name: str, source: str) -> str:
    """MathJax's \\unicode{x2013} and TeX's \\symbol{65}."""
    digits = re.sub(r'["xU+]', "", source).strip()
    if re.fullmatch(r"[0-9a-fA-F]{1,6}", digits):
        number = int(digits, 10 if name == "symbol" and digits.isdecimal() else 16)
        if 0x20 <= number <= 0x10FFFF and not 0xD800 <= number <= 0xF8FF:
            return chr(number)
    return " "


def footnote(inner: str) -> str:
    """In brackets, where it stands."""
    return f" ({inner.strip()})" if inner.strip() else GAP


def raised(inner: str) -> str:
    """\\textsuperscript; "1st" is written like that without one."""
    return inner if re.fullmatch("st|nd|rd|th", inner) else script(inner, up=True)


def in_alphabet(name: str, text: str) -> str:
    """ℝ and 𝒩; a word in such letters would be hard to read, and to search."""
    letters = [c for c in text if c.isascii() and c.isalnum()]
    if not 0 < len(letters) <= 2:
        return text
    return "".join(_letter_of(macros.ALPHABETS[name], c) for c in text)


def _letter_of(alphabet: str, character: str) -> str:
    if not (character.isascii() and character.isalnum()):
        return character
    if character.isdigit():
        kind, label = "DIGIT", unicodedata.name(character).split()[-1]
    else:
        kind, label = ("CAPITAL" if character.isupper() else "SMALL"), character.upper()
    # The first of them came into Unicode before the rest did, under names of their own.
    older = alphabet.replace("FRAKTUR", "BLACK-LETTER")
    for title in (f"MATHEMATICAL {alphabet} {kind} {label}", f"{older} {kind} {label}"):
        try:
            return unicodedata.lookup(title)
        except KeyError:
            continue
    return character
