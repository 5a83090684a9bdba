"""HTML, JATS and MathML as text, by one reader that knows what carries meaning.

Italics go; subscripts, superscripts, fractions and roots stay, as Unicode has them. Whatever
begins like a tag and is none ("M<M_sun", "the <unk> token") is text. Entities are resolved once.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from newsletter.core.formula import accented, fraction, grouped, root, script
from newsletter.core.latex import words

# Formulas nest a dozen deep; beyond this somebody tries the stack.
_DEEPEST = 50
_FONTS = words(
    """i b u em strong sc scp span italic bold underline monospace tt code a xref ext-link
    small big mark font roman sans-serif strike overline named-content styled-content
    inline-formula disp-formula alternatives email uri abbr acronym cite q del ins nobr bdi
    bdo kbd samp wbr kwd collab label inline-graphic inline-supplementary-material"""
)
_BLOCKS = words(
    """p br div sec title list list-item def-list def-item def term ul ol li dl dt dd h1 h2 h3
    h4 h5 h6 tr td th table tbody thead tfoot caption blockquote pre break abstract hr
    center article section header footer main figure figcaption nav aside address fieldset
    form disp-quote"""
)
# These may stand alone; of all others a lone one is text that looks like a tag.
_VOID = words("""br hr img wbr p li input link meta source embed col area base track break""")
# Nothing in them is text.
_SILENT = words(
    """script style template noscript iframe object svg head img input link meta source embed
    col area base track audio video canvas button select textarea fn object-id mphantom
    annotation annotation-xml graphic inline-graphic"""
)
_WRAPPERS = frozenset({"html", "body", "picture"})
_MATH = words(
    """math mrow mi mn mo ms mtext mspace mstyle mpadded merror msup msub msubsup mfrac msqrt
    mroot mover munder munderover mtable mtr mtd mlabeledtr mfenced menclose mphantom
    semantics annotation annotation-xml mmultiscripts mprescripts none maction mglyph"""
)
_SCRIPTS = frozenset({"sub", "sup", "inf"})
_KNOWN = (
    _FONTS | _BLOCKS | _SILENT | _WRAPPERS | _MATH | _SCRIPTS
    | {"tex-math", "jats", "supplementary-material"}
)  # fmt: skip
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_ATTRIBUTE = (
    r"\s+[\w:.-]{1,60}(?:\s*=\s*(?:\"[^\"<]{0,2000}\"|'[^'<]{0,2000}'|[^\s\"'<>=]{1,500}))?"
)
_TAG = re.compile(
    rf"<(?P<close>/?)(?:(?P<prefix>[A-Za-z][\w.]{{0,20}}):)?(?P<name>[A-Za-z][\w.-]{{0,40}})"
    rf"(?P<attributes>(?:{_ATTRIBUTE}){{0,30}})\s*/?>"
    r"|<!--.{0,2000}?-->|<!\[CDATA\[(?P<cdata>.{0,2000}?)\]\]>|<\?[\w-]{1,30}[^<>]{0,300}\?>"
    # A tag in which the text was cut off.
    r"|<[A-Za-z]\w{0,20}\s+[\w-]{1,30}\s*=\s*[\"'][^<>]{0,1000}$",
    re.DOTALL,
)
_BARE_ATTRIBUTE = re.compile(r"\s[\w:.-]+(?=\s|$)(?!\s*=)")
_TEX_BODY = re.compile(r"\\begin\{document\}(.*?)(?:\\end\{document\}|$)", re.DOTALL)
_PLAIN_WHEN_RAISED = re.compile(r"st|nd|rd|th|TM|SM|\d+[a-z]{1,2}")
_ACCENTS = {
    "^": "\u0302", "ˆ": "\u0302", "~": "\u0303", "˜": "\u0303", "¯": "\u0304", "‾": "\u0304",
    "_": "\u0332", "→": "\u20d7", "⃗": "\u20d7", "˙": "\u0307", ".": "\u0307", "¨": "\u0308",
    "ˇ": "\u030c", "˘": "\u0306", "\u0304": "\u0304", "\u0302": "\u0302", "\u0303": "\u0303",
}  # fmt: skip


class Plain(str):
    """Text whose markup has been read: nothing in it is a tag or an entity any more."""

    __slots__ = ()


@dataclass(slots=True)
class _Node:
    name: str
    children: list["_Node | str"] = field(default_factory=list)


def read_markup(text: str) -> Plain:
    """The text of a piece of HTML, JATS or MathML; blocks stand on lines of their own.

    Markup that was escaped as a whole ("&lt;p&gt;…&lt;/p&gt;") is read as markup.
    """
    if "<" not in text and "&" not in text:
        return Plain(text)
    tags = _tags(text)
    if not tags and "&lt;" in text:
        once = _ENTITY.sub(_entity, text)
        if tags := _tags(once):
            text = once
    return Plain(_shown(_tree(text, tags)) if tags else _ENTITY.sub(_entity, text))


def text_of(element: Element) -> str:
    """All text inside an element of XML that has been parsed, scripts and formulas included."""
    if len(element) == 0:
        return element.text or ""
    return _shown(_from_element(element, 0), strip=False)


def _entity(match: re.Match[str]) -> str:
    return html.unescape(match[0])


def _tags(text: str) -> list[re.Match[str]]:
    """What really is markup: known elements that are closed, or need not be."""
    found = [match for match in _TAG.finditer(text) if _is_known(match)] if "<" in text else []
    kept: set[int] = set()
    open_tags: dict[str, list[int]] = {}
    for index, match in enumerate(found):
        if match["name"] is None:
            kept.add(index)
            continue
        name = match["name"].lower()
        alone = match[0].endswith("/>") or match["prefix"] or name in _VOID
        if alone or ("=" in match["attributes"] and not match["close"]):
            kept.add(index)
        if match["close"]:
            if begun := open_tags.get(name):
                kept.update((begun.pop(), index))
        else:
            open_tags.setdefault(name, []).append(index)
    return [found[index] for index in sorted(kept)]


def _is_known(match: re.Match[str]) -> bool:
    if match["name"] is None:
        return True
    if match["prefix"] is not None:
        return True
    if match["name"].lower() not in _KNOWN:
        return False
    # "if a<b and c>d": words are no attributes, though HTML has some without a value.
    return "=" in match["attributes"] or _BARE_ATTRIBUTE.search(match["attributes"]) is None


def _tree(text: str, tags: Sequence[re.Match[str]]) -> _Node:
    """The elements as they nest; one that is closed too early closes those inside it."""
    top = _Node("")
    stack = [top]
    place = 0
    for match in tags:
        stack[-1].children.append(_ENTITY.sub(_entity, text[place : match.start()]))
        place = match.end()
        if match["cdata"] is not None:
            stack[-1].children.append(match["cdata"])
        name = (match["name"] or "").lower()
        if not name:
            continue
        if match["close"]:
            _close(stack, name)
            continue
        if name in {"p", "li"} and stack[-1].name == name:
            stack.pop()
        node = _Node(name)
        stack[-1].children.append(node)
        is_empty = match[0].endswith("/>") or (name in _VOID and name not in {"p", "li"})
        if not is_empty and len(stack) < _DEEPEST:
            stack.append(node)
    stack[-1].children.append(_ENTITY.sub(_entity, text[place:]))
    return top


def _close(stack: list[_Node], name: str) -> None:
    for depth in range(len(stack) - 1, 0, -1):
        if stack[depth].name == name:
            del stack[depth:]
            return


def _from_element(element: Element, depth: int) -> _Node:
    node = _Node(str(element.tag).rpartition("}")[2].rpartition(":")[2].lower())
    node.children.append(element.text or "")
    for part in element:
        if depth > _DEEPEST:
            node.children.append("".join(part.itertext()))
        else:
            node.children.append(_from_element(part, depth + 1))
        node.children.append(part.tail or "")
    return node


def _shown(node: _Node, *, strip: bool = True) -> str:
    text = "".join(_parts(node, has_mathml=_holds(node, "math")))
    return text.strip() if strip else text


def _holds(node: _Node, name: str) -> bool:
    return any(
        isinstance(child, _Node) and (child.name == name or _holds(child, name))
        for child in node.children
    )


def _parts(node: _Node, *, has_mathml: bool) -> Iterator[str]:
    """The text of the children, piece by piece."""
    pieces: list[str] = []
    for child in node.children:
        if isinstance(child, str):
            pieces.append(child)
            continue
        name = child.name
        if name in _SILENT or (name == "tex-math" and has_mathml):
            continue
        if name == "tex-math":
            source = "".join(_parts(child, has_mathml=False))
            body = _TEX_BODY.search(source)
            pieces.append(body[1].strip() if body else source)
        elif name in _SCRIPTS:
            # A pretty-printer put the line break here, not the author.
            if pieces and "\n" in pieces[-1][len(pieces[-1].rstrip()) :]:
                pieces[-1] = pieces[-1].rstrip()
            inner = "".join(_parts(child, has_mathml=has_mathml)).strip()
            pieces.append(_raised(inner) if name == "sup" else script(inner, up=False))
        elif name == "math":
            pieces.append(_mathml(child))
        elif name in _MATH and name not in {"none"}:
            pieces.append(_math(child))
        else:
            inner = "".join(_parts(child, has_mathml=has_mathml))
            pieces.append(f"\n{inner}\n" if name in _BLOCKS else inner)
    yield from pieces


def _raised(inner: str) -> str:
    """A superscript of running text; "19th" and "99mTc" are written like that without one."""
    return inner if _PLAIN_WHEN_RAISED.fullmatch(inner) else script(inner, up=True)


def _mathml(node: _Node) -> str:
    """A formula: layout's white space goes, operators keep theirs."""
    return " ".join(_row(node.children).split())


def _row(children: Sequence[_Node | str]) -> str:
    line = ""
    for child in children:
        piece = child.strip() if isinstance(child, str) else _math(child)
        if not piece:
            continue
        # Two names side by side, as a function and its argument.
        if (
            isinstance(child, _Node)
            and child.name in {"mi", "mtext"}
            and re.search(r"[^\W\d_]{2}$", line)
            and piece[0].isalnum()
        ):
            line += " "
        line += piece
    return line


def _math(node: _Node) -> str:
    """One element of MathML (www.w3.org/TR/MathML3/chapter3.html)."""
    name = node.name
    if name in _SILENT:
        return ""
    if name in {"mi", "mn", "mo", "mtext", "ms"}:
        return _token(node)
    if name == "mspace":
        return " "
    parts = [_math(child) for child in node.children if isinstance(child, _Node)]
    first, second, third = [*parts, "", "", ""][:3]
    if name in {"msup", "sup"}:
        return grouped(first) + script(second, up=True)
    if name == "msub":
        return grouped(first) + script(second, up=False)
    if name in {"msubsup", "munderover"}:
        return grouped(first) + script(second, up=False) + script(third, up=True)
    if name == "mfrac":
        return fraction(first, second)
    if name == "msqrt":
        return root(_row(node.children))
    if name == "mroot":
        return root(first, second)
    if name in {"mover", "munder"}:
        mark = _ACCENTS.get(second.strip())
        return (
            accented(first, mark) if mark else grouped(first) + script(second, up=name == "mover")
        )
    if name == "mmultiscripts":
        return _multiscripts(node)
    if name == "mtable":
        return "(" + "; ".join(filter(None, parts)) + ")"
    if name in {"mtr", "mlabeledtr"}:
        return ", ".join(parts)
    if name == "mfenced":
        return "(" + ", ".join(filter(None, parts)) + ")"
    if name == "semantics":
        return first
    return _row(node.children)


def _token(node: _Node) -> str:
    text = "".join(child if isinstance(child, str) else _math(child) for child in node.children)
    if node.name == "mtext":
        return " ".join(text.split("\n")) if text.strip() else " "
    text = " ".join(text.split())
    # Invisible times, invisible comma, function application.
    return re.sub("[\u2061-\u2064]", "", text)


def _multiscripts(node: _Node) -> str:
    """Base, then pairs of lower and upper scripts; those after mprescripts stand before it."""
    elements = [child for child in node.children if isinstance(child, _Node)]
    if not elements:
        return ""
    names = [child.name for child in elements]
    divide = names.index("mprescripts") if "mprescripts" in names else len(elements)

    def scripts(pair: Sequence[_Node]) -> str:
        values = ["" if child.name == "none" else _math(child) for child in pair]
        return "".join(
            script(value, up=index % 2 == 1) for index, value in enumerate(values) if value
        )

    before, after = elements[divide + 1 :], elements[1:divide]
    return scripts(before) + _math(elements[0]) + scripts(after)
