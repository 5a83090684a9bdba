"""The tree of a text in LaTeX."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Text:
    """Characters as they stand."""

    value: str


@dataclass(slots=True)
class Group:
    """What stands in braces; ``glued`` to a letter on either side."""

    children: list["Node"]
    glued: bool = False


@dataclass(slots=True)
class Macro:
    """A macro by its name, with its arguments, the optional ones first."""

    name: str
    arguments: list[list["Node"]] = field(default_factory=list)
    option: list["Node"] | None = None
    known: bool = True
    # Whether white space ended the name: TeX drops it.
    spaced: bool = False


@dataclass(slots=True)
class Script:
    """A superscript or a subscript."""

    up: bool
    children: list["Node"]


@dataclass(slots=True)
class Formula:
    """Mathematics inside text."""

    children: list["Node"]
    display: bool = False


@dataclass(slots=True)
class Environment:
    """What stands between \\begin and \\end; ``raw`` is its source."""

    name: str
    children: list["Node"]
    raw: str = ""
    is_formula: bool = False


Node = Text | Group | Macro | Script | Formula | Environment
