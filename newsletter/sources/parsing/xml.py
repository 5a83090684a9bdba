"""XML from outside: read element by element, so that a broken end does not cost the beginning.

defusedxml refuses entity declarations (the "billion laughs") and external references.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from xml.etree.ElementTree import Element
from xml.etree.ElementTree import ParseError as XmlError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from newsletter.core.errors import ParseError
from newsletter.core.markup import text_of

ATOM = "{http://www.w3.org/2005/Atom}"
ARXIV = "{http://arxiv.org/schemas/atom}"

_DECLARATION = re.compile(r"^\s*<\?xml\b[^>]{0,200}\?>")
# Characters XML 1.0 does not allow (§2.2) come raw from some servers; they carry no meaning.
FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def elements(body: bytes, wanted: frozenset[str], *, where: str) -> Iterator[Element]:
    """Each complete element whose local name is ``wanted``, in order; emptied after use.

    What was complete before the text breaks has been handed out by the time this raises.

    Raises:
        ParseError: not well-formed (with line and column), or it declares entities.
    """
    # Some servers begin with an empty line, which XML forbids before its declaration.
    body = FORBIDDEN.sub(b" ", in_utf8(body)).lstrip()
    try:
        for _, element in iterparse(BytesIO(body), events=("end",)):
            if local(element) in wanted:
                yield element
                element.clear()
    except XmlError as error:
        line, column = error.position
        raise ParseError(
            f"not well-formed XML: {str(error).split(':', maxsplit=1)[0]}",
            where=f"{where}, line {line} column {column + 1}",
        ) from error
    except DefusedXmlException as error:
        raise ParseError("refused: it declares its own XML entities", where=where) from error
    except (LookupError, ValueError) as error:
        raise ParseError(f"its encoding cannot be read ({error})", where=where) from error


def in_utf8(body: bytes) -> bytes:
    """UTF-16 that says so by its byte order mark as UTF-8; a mark of UTF-8 taken off."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = _DECLARATION.sub("", body.decode("utf-16", "replace"))
        return text.encode("utf-8", "replace")
    return body.removeprefix(b"\xef\xbb\xbf")


def local(element: Element) -> str:
    """The tag without its namespace."""
    return element.tag.rpartition("}")[2]


def children(element: Element, name: str) -> Iterator[Element]:
    """Direct children with this local name, whatever their namespace."""
    return (child for child in element if local(child) == name)


def child(element: Element, name: str) -> Element | None:
    """The first direct child with this local name."""
    return next(children(element, name), None)


def text(element: Element | None, name: str | None = None) -> str:
    """All text inside ``element``, or inside its first child ``name``; empty without one.

    Subscripts, superscripts and formulas become characters where there are any.
    """
    if element is not None and name is not None:
        element = child(element, name)
    return text_of(element).strip() if element is not None else ""
