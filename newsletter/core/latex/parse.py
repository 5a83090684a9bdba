"""LaTeX as a tree: one pass over the text, in time that grows with its length.

Authors of abstracts write for TeX, for MathJax, for a reader of plain text, or a mixture, and
close half of their braces. So nothing here fails: what is not closed is as if it were not there,
and a sign that TeX would take for markup stays a sign where it means one ("$5 and $6", "62.4%").
"""

import re

from newsletter.core.latex import macros, words
from newsletter.core.latex.pairs import is_formula, partners
from newsletter.core.latex.tree import Environment, Formula, Group, Macro, Node, Script, Text

# Nested deeper than this is not an abstract: what is below is read as if it were not nested.
_DEEPEST = 30
# How far a formula reaches, in tokens, and how often we look for an end that is not there.
_LONGEST_FORMULA = 1_000
_MOST_SEARCHES = 100
_LONGEST_OPTION = 40

_TOKEN = re.compile(
    r"\\[A-Za-z]+|\\.|\$\$|[${}\[\]^_~&]|[^\\${}\[\]^_~&]+|.",
    re.DOTALL,
)
_LETTERS = re.compile(r"\\[A-Za-z]+")
_UNBRACED = re.compile(r"[-+−]?\d+|.", re.DOTALL)


def parse(source: str) -> list[Node]:
    """The tree of a text in LaTeX."""
    return _Parser(_TOKEN.findall(source)).sequence(0, None, math=False, depth=0)


class _Parser:
    """A position in the tokens, and what belongs together among them."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.partners = partners(tokens)
        self.searches = 0

    def sequence(self, start: int, end: int | None, *, math: bool, depth: int) -> list[Node]:
        """The nodes of the tokens from ``start`` up to ``end``."""
        nodes: list[Node] = []
        index = start
        end = len(self.tokens) if end is None else end
        while index < end:
            node, index = self._one(index, end, math=math, depth=depth)
            if node is not None:
                nodes.append(node)
            if not math and isinstance(node, Macro) and _starts_formula(node):
                # "\sigma_{ij}" without its dollars.
                index = self._scripts(nodes, index, end, depth)
        return nodes

    def _one(self, index: int, end: int, *, math: bool, depth: int) -> tuple[Node | None, int]:
        """The node that begins at ``index``, and where the next one does."""
        token = self.tokens[index]
        if not token:
            # Its characters were somebody's argument.
            return None, index + 1
        first = token[0]
        if first == "\\" and len(token) > 1:
            return self._macro(index, end, math=math, depth=depth)
        if first == "{":
            return self._group(index, end, math=math, depth=depth)
        if first == "}":
            return (Text("}") if self._stands_alone(index) and not math else None), index + 1
        if first in "^_" and (math or self._at(index + 1, end) == "{"):
            return self._script(index, end, depth)
        if first == "$":
            return self._formula(index, end, math=math, depth=depth)
        if first == "&" and math:
            return Macro("&"), index + 1
        return Text(token), index + 1

    def _at(self, index: int, end: int) -> str:
        return self.tokens[index] if index < end else ""

    def _is_braced(self, index: int, end: int) -> bool:
        index += self._at(index, end).isspace()
        return self._at(index, end) == "{"

    def _partner(self, index: int, end: int) -> int | None:
        partner = self.partners.get(index)
        # What nobody closed ends where the text does.
        is_inside = partner is not None and (partner < end or partner == end == len(self.tokens))
        return partner if is_inside else None

    def _stands_alone(self, index: int) -> bool:
        """Whether a brace without a partner is a sign among words, not the rest of a group."""
        before, after = self._at(index - 1, index), self._at(index + 1, len(self.tokens))
        return before[-1:] == " " and after[:1] in {" ", ""}

    def _group(self, index: int, end: int, *, math: bool, depth: int) -> tuple[Node | None, int]:
        closing = self._partner(index, end)
        if closing is None:
            return (Text("{") if self._stands_alone(index) and not math else None), index + 1
        if depth > _DEEPEST:
            return None, index + 1
        children = self.sequence(index + 1, closing, math=math, depth=depth + 1)
        before = self._at(index - 1, index) if index else ""
        after = self._at(closing + 1, len(self.tokens))
        glued = before[-1:].isalnum() or after[:1].isalnum()
        return Group(children, glued), closing + 1

    def _script(self, index: int, end: int, depth: int) -> tuple[Node | None, int]:
        up = self.tokens[index] == "^"
        children, index = self._argument(index + 1, end, math=True, depth=depth, unbraced=_UNBRACED)
        alone = children[0] if children and len(children) == 1 else None
        if isinstance(alone, Macro) and alone.name in _SWITCHES:
            # "^\bf 2": the font is no exponent.
            children, index = self._argument(index, end, math=True, depth=depth, unbraced=_UNBRACED)
        return Script(up, children or []), index

    def _scripts(self, nodes: list[Node], index: int, end: int, depth: int) -> int:
        while self._at(index, end) in {"^", "_"} and index + 1 < end:
            node, index = self._script(index, end, depth)
            if node is not None:
                nodes.append(node)
        return index

    def _argument(
        self,
        index: int,
        end: int,
        *,
        math: bool,
        depth: int,
        unbraced: re.Pattern[str] | None = None,
    ) -> tuple[list[Node] | None, int]:
        """One argument, in braces or the next thing that stands there; None where none comes."""
        blank = self._at(index, end)
        if blank.isspace():
            index += 1
        token = self._at(index, end)
        if not token or token[0] in "}$&^_" or depth > _DEEPEST:
            return None, index
        if token == "{":
            closing = self._partner(index, end)
            if closing is not None:
                return self.sequence(index + 1, closing, math=math, depth=depth + 1), closing + 1
            index += 1
            token = self._at(index, end)
            if not token or token[0] in "{}$&^_":
                return None, index
        if token[0] == "\\" and len(token) > 1:
            if token in {"\\)", "\\]", "\\\\", "\\end", "\\right"}:
                return None, index
            node, index = self._macro(index, end, math=math, depth=depth + 1)
            return [node] if node is not None else [], index
        stripped = token.lstrip()
        found = (unbraced or re.compile(r".", re.DOTALL)).match(stripped)
        if found is None:
            return None, index
        # The rest of the token is read on.
        self.tokens[index] = stripped[found.end() :]
        return [Text(found[0])], index if self.tokens[index] else index + 1

    def _option(
        self, index: int, end: int, *, math: bool, depth: int
    ) -> tuple[list[Node] | None, int]:
        """What stands in square brackets right here."""
        if self._at(index, end) != "[" or depth > _DEEPEST:
            return None, index
        place = index + 1
        while place < min(end, index + _LONGEST_OPTION):
            if self.tokens[place] == "]":
                return self.sequence(index + 1, place, math=math, depth=depth + 1), place + 1
            place = (self._partner(place, end) or place) + 1
        return None, index

    def _macro(self, index: int, end: int, *, math: bool, depth: int) -> tuple[Node | None, int]:
        token, index = self.tokens[index], index + 1
        name = token[1:]
        if _LETTERS.fullmatch(token) is None:
            return self._sign(name, index, end, math=math, depth=depth)
        if name in {"begin", "end"}:
            return self._environment(name, index, end, math=math, depth=depth)
        takes = macros.arguments(name)
        if not math and name in macros.TEXT_ACCENTS:
            return self._letter_accent(name, index, end, depth)
        if takes is None:
            return self._unknown(name, index, end, math=math, depth=depth)
        macro = Macro(name, spaced=self._at(index, end)[:1].isspace())
        inner_math = math and name not in _TEXT_INSIDE
        if name == "verb":
            return self._verbatim(index, end)
        for kind in takes:
            if kind == "s":
                if self._at(index, end)[:1] == "*":
                    self.tokens[index] = self.tokens[index][1:]
                    index += not self.tokens[index]
            elif kind == "o":
                found, index = self._option(index, end, math=math, depth=depth)
                macro.option = found if found is not None else macro.option
            elif (
                macro.arguments and name not in _UNBRACED_PAIRS and not self._is_braced(index, end)
            ):
                break
            else:
                found, index = self._argument(
                    index, end, math=inner_math or name in _MATH_INSIDE, depth=depth
                )
                macro.arguments += [found] if found is not None else []
        if name in {"left", "right", "middle"} and self._at(index, end).lstrip()[:1] == ".":
            self.tokens[index] = self.tokens[index].lstrip()[1:]
        if takes and macro.arguments:
            macro.spaced = False
        return macro, index

    def _sign(
        self, name: str, index: int, end: int, *, math: bool, depth: int
    ) -> tuple[Node | None, int]:
        """``\\%`` and its like: a letter's accent, a formula's beginning, a sign."""
        if name in "([" and (closing := self._partner(index - 1, end)) and depth <= _DEEPEST:
            children = self.sequence(index, closing, math=True, depth=depth + 1)
            return Formula(children, display=name == "["), closing + 1
        if not math and name in macros.ACCENTS:
            if self._at(index, end) == "{" or self._at(index, end).lstrip()[:1].isalpha():
                argument, index = self._argument(index, end, math=False, depth=depth)
                return Macro(name, [argument] if argument is not None else []), index
            if self._at(index, end) in {"\\i", "\\j"}:
                return Macro(name, [[Macro(self.tokens[index][1:])]]), index + 1
        if name == "\\" and self._at(index, end) == "[":
            _, index = self._option(index, end, math=math, depth=depth)
        return Macro(name), index

    def _letter_accent(self, name: str, index: int, end: int, depth: int) -> tuple[Node, int]:
        following = self._at(index, end)
        if following == "{" or re.match(r"\s+[A-Za-z](?![A-Za-z])|\s+[a-z]{2,}", following):
            argument, index = self._argument(index, end, math=False, depth=depth)
            return Macro(name, [argument or []]), index
        return Macro(name, known=False, spaced=following[:1].isspace()), index

    def _unknown(
        self, name: str, index: int, end: int, *, math: bool, depth: int
    ) -> tuple[Node, int]:
        """Somebody's own macro takes the groups that follow it, and options before a group."""
        macro = Macro(name, known=False)
        place = self._option(index, end, math=math, depth=depth)[1]
        if self._at(place, end) == "{":
            index = place
        while self._at(index, end) == "{" and self._partner(index, end) is not None:
            argument, index = self._argument(index, end, math=math, depth=depth)
            if argument is None:
                break
            macro.arguments.append(argument)
        macro.spaced = not macro.arguments and self._at(index, end)[:1].isspace()
        return macro, index

    def _verbatim(self, index: int, end: int) -> tuple[Node | None, int]:
        """``\\verb|…|`` with whatever sign around it."""
        rest = "".join(self.tokens[index : min(end, index + 200)])
        closing = rest.find(rest[0], 1) if rest else -1
        if closing < 0 or rest[0].isalnum():
            return None, index
        length, place = closing + 1, index
        while place < end and length >= len(self.tokens[place]):
            length -= len(self.tokens[place])
            place += 1
        if length:
            self.tokens[place] = self.tokens[place][length:]
        return Environment("verbatim", [], raw=rest[1:closing]), place

    def _environment(
        self, name: str, index: int, end: int, *, math: bool, depth: int
    ) -> tuple[Node | None, int]:
        closing = self._partner(index, end) if self._at(index, end) == "{" else None
        if closing is None:
            return None, index
        kind = "".join(self.tokens[index + 1 : closing]).strip()
        last = self._partner(index - 1, end)
        if name == "end" or last is None or depth > _DEEPEST:
            return None, closing + 1
        start = closing + 1
        after = (self._partner(last + 1, len(self.tokens)) or last) + 1
        _, start = self._option(start, last, math=math, depth=depth)
        if kind in macros.WITH_COLUMNS:
            columns = 2 if kind in {"tabular*", "tabularx"} else 1
            for _ in range(columns):
                if self._at(start, last) == "{":
                    start = (self._partner(start, last) or start) + 1
        is_formula = math or kind in macros.FORMULA_ENVIRONMENTS
        raw = "".join(self.tokens[start:last]) if kind in macros.RAW_ENVIRONMENTS else ""
        skipped = raw or kind in macros.DROPPED_ENVIRONMENTS
        children = [] if skipped else self.sequence(start, last, math=is_formula, depth=depth + 1)
        return Environment(kind, children, raw, is_formula), after

    def _formula(self, index: int, end: int, *, math: bool, depth: int) -> tuple[Node | None, int]:
        """What two dollar signs hold, where they hold a formula; else the sign itself."""
        if math:
            # A formula in the text of a formula was closed by it.
            return None, index + 1
        mark = self.tokens[index]
        closing = self._closing(index, end, mark) if depth <= _DEEPEST else None
        if closing is None:
            return Text(mark), index + 1
        children = self.sequence(index + 1, closing, math=True, depth=depth + 1)
        if self.tokens[closing] != mark:
            # "$a$$b$": one ends where the next begins.
            self.tokens[closing] = "$"
            return Formula(children), closing
        return Formula(children, display=mark == "$$"), closing + 1

    def _closing(self, index: int, end: int, mark: str) -> int | None:
        if self.searches > _MOST_SEARCHES:
            return None
        place = index + 1
        while place < min(end, index + _LONGEST_FORMULA):
            token = self.tokens[place]
            if token in {mark, "$$"}:
                source = "".join(self.tokens[index + 1 : place])
                before = self._at(index - 1, index) if index else ""
                if is_formula(source, before, self._at(place + 1, end), mark):
                    return place
                break
            place = (self._partner(place, end - 1) or place) + 1
        self.searches += 1
        return None


# "\\frac12": two arguments without braces.
_UNBRACED_PAIRS = words("frac dfrac tfrac cfrac binom dbinom tbinom stackrel overset underset")
_SWITCHES = words("bf it rm tt sf sc sl em")
# Text inside a formula, and formulas inside text.
_TEXT_INSIDE = words(
    """text textbf textit textrm textsf texttt textsc textsl textup textmd textnormal mbox hbox
    fbox emph intertext footnote textsuperscript textsubscript enquote url href"""
)
_MATH_INSIDE = frozenset(macros.ALPHABETS) | words(
    """ensuremath frac dfrac tfrac sqrt ce boldsymbol bm mathbf mathrm mathit mathsf mathtt
    operatorname hat tilde bar vec binom overline widehat widetilde nicefrac sfrac ket bra braket
    abs norm"""
)


def _starts_formula(macro: Macro) -> bool:
    """Whether scripts after a macro in text belong to it."""
    if macro.name in macros.LETTERS or not macro.name.isalpha() or macro.spaced:
        return False
    return macro.name in macros.ALPHABETS or (
        macros.arguments(macro.name) == "" and macros.symbol(macro.name) is not None
    )
