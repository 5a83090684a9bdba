"""Repair feeds that are not well-formed, and extract the text of their HTML.

libxml2 repairs in linear time. The loose parsers of feedparser and of the standard library do
not: 120 KB of ``<a b='`` holds them up for a minute.
"""

import html
import re

from lxml import etree

from newsletter.core.errors import ParseError
from newsletter.core.markup import Plain, read_markup
from newsletter.sources.parsing.xml import FORBIDDEN

_AMPERSAND = re.compile(r"&(?!#\d{1,7};|#x[0-9A-Fa-f]{1,6};)(?:([A-Za-z][A-Za-z0-9]{1,30});)?")
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_PROLOG = re.compile(r"^.*?(?=<[A-Za-z])", re.DOTALL)
# Posts carry pictures inline as text; beyond this nothing of an abstract is left.
_LONGEST_HTML = 200_000


def repaired(text: str, *, where: str) -> bytes:
    """The document in UTF-8, well-formed: what can be saved of it.

    Raises:
        ParseError: it declares entities of its own, or nothing of it is markup.
    """
    prolog = _PROLOG.match(text)
    if prolog and "<!ENTITY" in prolog[0]:
        raise ParseError("refused: it declares its own XML entities", where=where)
    text = _AMPERSAND.sub(_resolved, text)
    parser = etree.XMLParser(
        encoding="utf-8",
        recover=True,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(FORBIDDEN.sub(b" ", text.encode("utf-8", "replace")), parser)
    except etree.XMLSyntaxError as error:
        raise ParseError(f"not well-formed XML: {error.msg}", where=where) from error
    if root is None:
        raise ParseError("it contains no markup", where=where)
    return bytes(etree.tostring(root, encoding="utf-8", xml_declaration=True))


def _resolved(match: re.Match[str]) -> str:
    """HTML's names for characters, which XML does not know; a lone & is a sign like others."""
    if match[1] in _XML_ENTITIES:
        return match[0]
    character = html.unescape(match[0]) if match[1] else match[0]
    return html.escape(character, quote=False)


def text_of_html(markup: str) -> Plain:
    """The text of a piece of HTML, blocks on lines of their own, without scripts and styles."""
    return read_markup(markup[:_LONGEST_HTML])
