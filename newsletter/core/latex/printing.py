"""A tree of LaTeX as one line of Unicode.

White space of formulas stays as its author typed it, but for the space that only ends a macro's
name; scripts, fractions and roots are those of `newsletter.core.formula`.
"""

import re
import unicodedata
from collections.abc import Sequence

from newsletter.core.formula import accented, fraction, grouped, root, script
from newsletter.core.latex import GAP, KEPT, macros, pieces, words
from newsletter.core.latex.line import Line
from newsletter.core.latex.macros import MATRICES
from newsletter.core.latex.tree import Environment, Formula, Group, Macro, Node, Script, Text

_TIGHT = macros.LETTERS | macros.OPENING
_CLOSING = frozenset({"rvert", "rVert", "rbrace", "rbrack", "rparen"})
_SPACES = frozenset(" ,;:>\n\r\t")
_NOTHING = frozenset("!-/@)](+")
_HEADINGS = words("section subsection subsubsection paragraph subparagraph part chapter")
_AROUND = {"b": "[]", "B": "{}", "v": "||", "V": "‖‖", "d": "{}", "c": "{}", "r": "{}", "a": ""}
_PREFIXES = frozenset("∀∃∄∂∇√∛∜∞∅¬∠∡ℵ∁∎⊤⊥∏∐∑∫∬∭∮⋀⋁⋂⋃⨀⨁⨂⨄⨆ıȷ†‡⟨⟩⌈⌉⌊⌋|‖{}[]()")
_BIG = frozenset("∑∏∐∫∬∭∮⋀⋁⋂⋃⨀⨁⨂⨄⨆")
# Short things with a sign between them, as a set or a line of JSON has; not prose.
_SET = re.compile(r"(?!\[[^\]]*\]$)(?:\S+\s*){1,3}?[,:;|=\"]|[(\"']", re.DOTALL)
_CAPITALS = re.compile(r"[\w.+-]*[A-Z][\w.+-]*[A-Z0-9+][\w.+-]*|[^\x00-\x7f]")


def printed(nodes: Sequence[Node], *, in_prose: bool = True) -> str:
    """Text with the formulas in it; `GAP` and `KEPT` still stand in it."""
    in_latex = in_prose or any(isinstance(node, Macro | Formula | Environment) for node in nodes)
    parts: list[str] = []
    for index, node in enumerate(nodes):
        match node:
            case Text(value):
                parts.append(_after_macro(nodes, index, value))
            case Group(children):
                inner = printed(children)
                parts.append(inner if _is_only_grouping(node, inner, in_latex) else f"{{{inner}}}")
            case Formula(children, display):
                line = formula(children).translate(KEPT)
                parts.append(f" {line} " if display else line)
            case Script(up, children):
                parts.append(script(formula(children), up=up))
            case Macro():
                parts.append(_in_text(node))
            case Environment():
                parts.append(_environment(node))
    return "".join(parts)


def _after_macro(nodes: Sequence[Node], index: int, value: str) -> str:
    """The space that ended a letter's name ("S\\o ren") goes; that after other names is meant."""
    before = nodes[index - 1] if index else None
    if isinstance(before, Macro) and before.spaced and before.name in _TIGHT:
        return value.lstrip()
    return value


def _is_only_grouping(group: Group, inner: str, in_latex: bool) -> bool:
    """Whether braces only keep things together, as "r{\\'e}seau", "{BERT}" and "{\\bf x}" do."""
    if not inner.strip():
        return in_latex
    if inner == ",":
        return True
    if _SET.match(inner):
        return False
    if group.glued or " " in inner.strip():
        return True
    if any(isinstance(child, Macro | Formula) for child in group.children):
        return True
    return in_latex or _CAPITALS.fullmatch(inner) is not None


def _arguments(macro: Macro) -> list[str]:
    return [printed(argument) for argument in macro.arguments]


def _last(macro: Macro) -> str:
    return printed(macro.arguments[-1]) if macro.arguments else ""


def _in_text(macro: Macro) -> str:
    """A macro among words."""
    name = macro.name
    if not macro.known:
        return " ".join(filter(None, _arguments(macro))) or _own_name(macro)
    if name in macros.ACCENTS and (not name.isalpha() or name in macros.TEXT_ACCENTS):
        return pieces.accented_letter(name, _last(macro))
    if not name.isalpha():
        return _sign(name)
    if name in macros.SHOWN:
        return _last(macro)
    if name in macros.SILENT or macros.is_reference(name):
        return GAP if macros.arguments(name) else ""
    if name in macros.PARTING:
        return " "
    if (piece := _piece(macro)) is not None:
        return piece
    if name in macros.BUILT:
        return formula([macro]).translate(KEPT)
    shown = macros.symbol(name)
    return shown if shown is not None else macros.FUNCTIONS.get(name, name)


def _own_name(macro: Macro) -> str:
    """\\ours tells more than nothing; \\n in a text about prompts is meant as it stands."""
    if macro.name in {"n", "r", "t"} and not macro.arguments:
        return f"\\{macro.name}"
    return macro.name


def _piece(macro: Macro) -> str | None:
    """Macros that mean the same among words and in formulas; None for others."""
    name, given = macro.name, _arguments(macro)
    last = given[-1] if given else ""
    match name:
        case "href":
            return pieces.link(*[*given, "", ""][:2])
        case "url":
            return last
        case "ce" | "cf":
            return pieces.chemical("".join(map(_raw, macro.arguments)))
        case "SI" | "qty" | "si" | "unit" | "num" | "ang" | "SIrange" | "numrange":
            return pieces.quantity(name, [_raw(argument) for argument in macro.arguments])
        case "unicode" | "char" | "symbol":
            return pieces.code_point(name, "".join(map(_raw, macro.arguments)))
        case "textsuperscript" | "textsuperior" | "up" | "sp":
            return pieces.raised(last)
        case "textsubscript" | "textinferior" | "sb":
            return script(last, up=False)
        case "item":
            return f" {printed(macro.option)} " if macro.option else " • "
        case "footnote":
            return pieces.footnote(last)
        case "ion":
            return " ".join([*given[:1], *(part.upper() for part in given[1:])])
        case "enquote" | "textquote":
            return last.join(macros.AROUND[name])
    if name in _HEADINGS:
        return pieces.heading(last)
    return pieces.LOGOS.get(name)


def _sign(name: str) -> str:
    if name in _SPACES or name == "\\":
        return " "
    if name in _NOTHING:
        return ""
    return name


def _raw(nodes: Sequence[Node]) -> str:
    """Nearly the source: what packages read in their own way."""
    parts = []
    for node in nodes:
        match node:
            case Text(value):
                parts.append(value)
            case Group(children) | Formula(children):
                parts.append(_raw(children))
            case Script(up, children):
                parts.append(("^" if up else "_") + _raw(children))
            case Macro(name):
                parts.append(macros.symbol(name, unit=True) or formula([node]))
            case Environment():
                parts.append(_environment(node))
    return "".join(parts)


def formula(nodes: Sequence[Node]) -> str:
    """A formula on one line."""
    for index, node in enumerate(nodes):
        if isinstance(node, Macro) and node.name in {"over", "choose", "atop"}:
            above, below = formula(nodes[:index]), formula(nodes[index + 1 :])
            return fraction(above, below) if node.name == "over" else f"({above} choose {below})"
    line = Line()
    for index, node in enumerate(nodes):
        if isinstance(node, Macro) and node.name in {"cal", "frak", "scr"} and not node.arguments:
            line.add(pieces.in_alphabet(node.name, formula(nodes[index + 1 :]).lstrip()))
            break
        following = nodes[index + 1 : index + 2]
        _add(line, node, is_base=bool(following) and isinstance(following[0], Script))
    return " ".join(line.text.split())


def _add(line: Line, node: Node, *, is_base: bool) -> None:
    match node:
        case Text(value):
            _add_text(line, value)
        case Group(children):
            inner = formula(children)
            line.add(grouped(inner) if is_base else inner)
        case Script(up, children):
            line.attach(script(formula(children), up=up))
        case Formula(children):
            line.add(formula(children))
        case Environment():
            line.add(_environment(node))
        case Macro():
            _add_macro(line, node, is_base=is_base)


def _add_text(line: Line, value: str) -> None:
    value = value.replace("~", " ").replace("''", "″").replace("'", "′")
    if value[:1].isspace() and line.has_loose_space:
        value = value.lstrip()
    if value[:1] == "′":
        line.text = line.text.rstrip()
    line.add(value)


def _add_macro(line: Line, macro: Macro, *, is_base: bool) -> None:
    name = macro.name
    shown = macros.symbol(name) if macro.known else None
    if shown is not None and not macro.arguments:
        if name in _CLOSING:
            line.text, line.has_loose_space = line.text.rstrip(), False
        if name == "deg" and not re.search(r"[\d^]$", line.text):
            line.add("deg", name=True)
        elif len(shown) == 1 and shown not in _PREFIXES and _is_relation(shown):
            line.relate(shown)
        else:
            # Letters of a formula stand together; what comes before them keeps its space.
            line.add(shown, name=shown in _BIG or (len(shown) > 1 and shown.isalnum()))
        line.has_loose_space = macro.spaced and not line.text[-1:].isspace()
    elif name in macros.FUNCTIONS:
        line.add(macros.FUNCTIONS[name], name=True)
        line.has_loose_space = macro.spaced
    elif not macro.known:
        inner = " ".join(filter(None, (formula(argument) for argument in macro.arguments)))
        line.add(inner or name, name=not inner and len(name) > 1)
        line.has_loose_space = macro.spaced
    elif name in macros.SILENT or macros.is_reference(name):
        line.has_loose_space = line.has_loose_space or (macro.spaced and bool(line.text))
    elif name in macros.PARTING or name in _SPACES or name in {"\\", "&"}:
        line.add(" ")
    elif name == "not":
        inner = formula(macro.arguments[0]) if macro.arguments else ""
        line.relate(unicodedata.normalize("NFC", inner[:1] + "\u0338") + inner[1:])
        line.has_loose_space = False
    elif not name.isalpha():
        line.add({"|": "‖"}.get(name, "" if name in _NOTHING else name))
    else:
        built = _built(macro)
        is_fraction = name in _FRACTIONS
        is_name = is_fraction or name in {"operatorname", "pmod"}
        line.add(grouped(built) if is_base and is_fraction else built, name=is_name)


def _is_relation(sign: str) -> bool:
    return unicodedata.category(sign) == "Sm" or sign in "·∘←↑→↓↔⇝↦↪↩⟼⟹⟸⟺⟷⇌"


_FRACTIONS = frozenset(
    {"frac", "dfrac", "tfrac", "cfrac", "nicefrac", "sfrac", "textfrac", "flatfrac"}
)


def _built(macro: Macro) -> str:
    """A macro whose arguments are set around, above or below something."""
    name = macro.name
    given = [formula(argument) for argument in macro.arguments]
    first, second = [*given, "", ""][:2]
    if name in _FRACTIONS:
        return fraction(first, second)
    if name in {"binom", "dbinom", "tbinom"}:
        return f"({first} choose {second})"
    if name == "sqrt":
        return root(first, formula(macro.option or []))
    if name in macros.ALPHABETS:
        return pieces.in_alphabet(name, first)
    if name in macros.ACCENTS:
        return accented(first, macros.ACCENTS[name])
    if name in macros.AROUND:
        return first.join(macros.AROUND[name])
    if name in {"stackrel", "overset"}:
        return second + script(first, up=True)
    if name == "underset":
        return second + script(first, up=False)
    if name.startswith("x") and name.endswith(("arrow", "mapsto")):
        arrow = macros.symbol(name[1:]) or "→"
        return arrow + script(first, up=True)
    if name in {"dv", "pdv"}:
        sign = "d" if name == "dv" else "∂"
        return fraction(f"{sign}{first}", f"{sign}{second}") if second else f"{sign}/{sign}{first}"
    if name == "pmod":
        return f"(mod {first})"
    if name == "ketbra":
        return f"|{first}⟩⟨{second or first}|"
    if name == "comm":
        return f"[{first}, {second}]"
    if (piece := _piece(macro)) is not None:
        return piece
    return _last_of(macro, given)


def _last_of(macro: Macro, given: list[str]) -> str:
    if not given:
        return ""
    # What is text by nature keeps its spaces.
    return printed(macro.arguments[-1]) if macro.name in _TEXTUAL else given[-1]


_TEXTUAL = words(
    """text textbf textit textrm textsf texttt textsc textsl textup textmd textnormal mbox hbox
    fbox emph intertext"""
)


def _environment(node: Environment) -> str:
    """Rows and cells on one line; lists with their dots or numbers."""
    if node.raw:
        return node.raw.translate(KEPT)
    if node.name in MATRICES or (node.is_formula and _has_cells(node.children)):
        rows = "; ".join(
            ", ".join(filter(None, (formula(cell) for cell in _divided(row, "&"))))
            if node.name in MATRICES
            else formula([child for child in row if not _is(child, "&")])
            for row in _divided(node.children, "\\")
            if formula(row).strip()
        )
        around = _AROUND.get(node.name[0], "()") if node.name in MATRICES else ""
        return f"{around[:1]}{rows}{around[1:]}"
    if node.is_formula:
        return f" {formula(node.children)} "
    if node.name.startswith("tabular") or node.name == "longtable":
        cells = (_divided(row, "&") for row in _divided(node.children, "\\"))
        lines = (", ".join(printed(cell).strip() for cell in row) for row in cells)
        return " " + "; ".join(filter(None, lines)) + " "
    if node.name == "enumerate":
        return " " + _numbered(node.children) + " "
    return f" {printed(node.children)} "


def _has_cells(nodes: Sequence[Node]) -> bool:
    return any(_is(node, "&") or _is(node, "\\") for node in nodes)


def _is(node: Node, name: str) -> bool:
    return (isinstance(node, Macro) and node.name == name) or (
        name == "&" and isinstance(node, Text) and node.value == "&"
    )


def _divided(nodes: Sequence[Node], name: str) -> list[list[Node]]:
    parts: list[list[Node]] = [[]]
    for node in nodes:
        if _is(node, name):
            parts.append([])
        else:
            parts[-1].append(node)
    return parts


def _numbered(nodes: Sequence[Node]) -> str:
    before, *items = (printed(item).strip() for item in _divided(nodes, "item"))
    numbered = (f"({number}) {text}" for number, text in enumerate(items, 1))
    return " ".join(filter(None, [before, *numbered]))
