"""Markup that nobody checked: feeds made well-formed, HTML made text.

libxml2 mends both in linear time. The loose parsers of feedparser and of the standard library
do not: 120 KB of ``<a b='`` holds them up for a minute.
"""

import html
import re

from lxml import etree
from lxml import html as lxml_html

from newsletter.core.errors import ParseError
from newsletter.sources.parsing.xml import FORBIDDEN

_DECLARATION = re.compile(rb"^\s*<\?xml\b[^>]{0,200}?\?>")
_ENCODING = re.compile(rb"encoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")
_AMPERSAND = re.compile(r"&(?!#\d{1,7};|#x[0-9A-Fa-f]{1,6};)(?:([A-Za-z][A-Za-z0-9]{1,30});)?")
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_PROLOG = re.compile(rb"^.*?(?=<[A-Za-z])", re.DOTALL)
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# Posts carry pictures inline as text; beyond this nothing of an abstract is left.
_LONGEST_HTML = 200_000
_BLOCKS = re.compile(r"p|br|div|li|[uo]l|h[1-6]|t[rd]|table|blockquote|pre")
_SILENT = frozenset({"script", "style", "template", "noscript", "iframe", "object", "svg"})


def mended(body: bytes, *, where: str) -> bytes:
    """The document in UTF-8, well-formed: what can be saved of it.

    Raises:
        ParseError: it declares entities of its own, or nothing of it is markup.
    """
    prolog = _PROLOG.match(body)
    if prolog and b"<!ENTITY" in prolog[0]:
        raise ParseError("refused: it declares its own XML entities", where=where)
    text = _AMPERSAND.sub(_resolved, _decoded(body))
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


def _decoded(body: bytes) -> str:
    """By its byte order mark, else as declared; what claims to be UTF-8 and is not is mostly
    Windows-1252."""
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body.removeprefix(mark).decode(encoding, "replace")
    declaration = _DECLARATION.match(body)
    named = _ENCODING.search(declaration[0]) if declaration else None
    encoding = named[1].decode("ascii") if named else "utf-8"
    body = body[declaration.end() :] if declaration else body
    try:
        return body.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        likely = "cp1252" if encoding.lower() in {"utf-8", "utf8"} else "utf-8"
        return body.decode(likely, "replace")


def _resolved(match: re.Match[str]) -> str:
    """HTML's names for characters, which XML does not know; a lone & is a sign like others."""
    if match[1] in _XML_ENTITIES:
        return match[0]
    character = html.unescape(match[0]) if match[1] else match[0]
    return html.escape(character, quote=False)


def text_of_html(markup: str) -> str:
    """The text of a piece of HTML, blocks on lines of their own, without scripts and styles."""
    if "<" not in markup and "&" not in markup:
        return markup
    try:
        root = lxml_html.fragment_fromstring(
            FORBIDDEN.sub(b" ", markup[:_LONGEST_HTML].encode("utf-8", "replace")).decode(),
            create_parent="div",
        )
    except (etree.LxmlError, ValueError):
        # Only comments, or nothing at all.
        return ""
    parts: list[str] = []
    for event, element in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        if event == "start" and element.tag in _SILENT:
            # Emptied, so that the walk finds nothing below; its tail belongs to the parent.
            tail = element.tail
            element.clear()
            element.tail = tail
        elif event == "start":
            parts += ["\n" if _is_block(element) else "", element.text or ""]
        if event != "start":
            parts += ["\n" if _is_block(element) else "", element.tail or ""]
    return "".join(parts).strip()


def _is_block(element: etree._Element) -> bool:
    return isinstance(element.tag, str) and _BLOCKS.fullmatch(element.tag) is not None
