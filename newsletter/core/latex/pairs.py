"""What belongs together: two dollar signs, two braces, the two ends of an environment."""

import re
from collections.abc import Sequence

_FORMULA_SIGN = re.compile(r"[\\^_{}=<>|]")
_LOOSE_SIGN = re.compile(
    r"\s*\\[A-Za-z]+\s*|[\^_][^$\s]{1,60}|[\^_]\{[^$]{1,60}\}|[^$\w\s]{1,3}|[^$\w\s]?\\[A-Za-z][^$]{0,200}?",
    re.DOTALL,
)
_LOOSE_NAME = re.compile(r"\s*[A-Za-z]{1,2}\s*")
# Words between two dollar signs are two amounts of money, not a formula.
_PROSE = re.compile(
    r"(?:^|\s)(?:and|or|to|of|the|in|for|from|per|with|vs|an|is|are|while|but|by)\s|"
    r"[A-Za-z]{4,}\s+[A-Za-z]{4,}"
)


def is_formula(source: str, before: str, after: str, mark: str) -> bool:
    """Whether the text between two dollar signs is mathematics, as pandoc tells it and stricter."""
    if not source.strip():
        return False
    if mark == "$$":
        return True
    has_sign = _FORMULA_SIGN.search(source) is not None
    if not has_sign and (_PROSE.search(source) or (before[-1:].isalnum() and " " in source)):
        return False
    if _LOOSE_SIGN.fullmatch(source):
        return True
    if after[:1].isdigit():
        return False
    if not source[0].isspace() and not source[-1].isspace():
        return True
    prose = re.sub(r"\\[A-Za-z]+|\{[^{}]*\}", " ", source)
    return (has_sign and not _PROSE.search(prose)) or _LOOSE_NAME.fullmatch(source) is not None


def partners(tokens: Sequence[str]) -> dict[int, int]:
    """The end of what begins at a token: braces, \\( and \\[, and \\begin with its \\end."""
    found: dict[int, int] = {}
    braces: list[int] = []
    formulas: dict[str, int] = {}
    environments: list[tuple[str, int]] = []
    names: dict[str, int] = {}
    for index, token in enumerate(tokens):
        if token == "{":
            braces.append(index)
        elif token == "}" and braces:
            found[braces.pop()] = index
        elif token in {"\\(", "\\["}:
            formulas[token[1]] = index
        elif token in {"\\)", "\\]"}:
            opening = formulas.pop("(" if token == "\\)" else "[", None)
            if opening is not None:
                found[opening] = index
        elif token == "\\begin":
            name = "".join(tokens[index + 1 : index + 4])
            environments.append((name, index))
            names[name] = names.get(name, 0) + 1
        elif token == "\\end":
            name = "".join(tokens[index + 1 : index + 4])
            while names.get(name):
                opened, start = environments.pop()
                names[opened] -= 1
                if opened == name:
                    found[start] = index
                    break
    for index in braces:
        # A text that was cut off: its last argument goes on to the end.
        if index and (tokens[index - 1][0] == "\\" or tokens[index - 1] in {"}", "]"}):
            found[index] = len(tokens)
    return found
