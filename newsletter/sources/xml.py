"""XML from outside: read element by element, so that a broken end does not cost the beginning.

defusedxml refuses entity declarations (the "billion laughs") and external references.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Protocol
from xml.etree.ElementTree import Element
from xml.etree.ElementTree import ParseError as XmlError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from newsletter.errors import ParseError

ATOM = "{http://www.w3.org/2005/Atom}"
ARXIV = "{http://arxiv.org/schemas/atom}"
DC = "{http://purl.org/dc/elements/1.1/}"

# Characters XML 1.0 does not allow (§2.2) come raw from some servers; they carry no meaning.
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class _Closed(Protocol):
    def __call__(self, element: Element) -> bool: ...


def elements(body: bytes, wanted: frozenset[str], *, where: str) -> Iterator[Element]:
    """Each complete element whose tag is ``wanted``, in order.

    What was complete before the text breaks has been handed out by the time this raises.

    Raises:
        ParseError: not well-formed (with line and column), or it declares entities.
    """
    if not body.startswith((b"\xff\xfe", b"\xfe\xff")):
        body = _FORBIDDEN.sub(b" ", body).lstrip()
    try:
        for _, element in iterparse(BytesIO(body), events=("end",)):
            if element.tag in wanted:
                yield element
                element.clear()
    except XmlError as error:
        line, column = error.position
        raise ParseError(
            f"not well-formed XML: {str(error).split(':')[0]}",
            where=f"{where}, line {line} column {column + 1}",
        ) from error
    except DefusedXmlException as error:
        raise ParseError("refused: it declares entities of its own", where=where) from error
    except (LookupError, ValueError) as error:
        raise ParseError(f"its encoding cannot be read ({error})", where=where) from error


def text_of(element: Element | None) -> str:
    """All text inside, markup left out; empty when there is no such element."""
    return "".join(element.itertext()) if element is not None else ""


def child(element: Element, tag: str) -> str:
    """Text of the first child with ``tag``, stripped; empty without one."""
    return text_of(element.find(tag)).strip()
