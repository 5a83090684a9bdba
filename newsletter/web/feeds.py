"""Atom (RFC 4287) and JSON Feed 1.1. Pure."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

from fastapi import Response

_ATOM = "http://www.w3.org/2005/Atom"
# What XML 1.0 §2.2 has no character for.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ElementTree.register_namespace("", _ATOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry; ``address`` is also its id, for it never changes."""

    address: str
    title: str
    text: str
    authors: tuple[str, ...]
    updated: datetime


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed: its own address, the page it stands for, its entries."""

    title: str
    home: str
    address: str
    entries: tuple[Entry, ...]


def answer(body: bytes, *, as_json: bool = False) -> Response:
    """A feed from `atom` or `json_feed` as an HTTP answer."""
    return Response(body, media_type=f"application/{'feed+json' if as_json else 'atom+xml'}")


def atom(feed: Feed) -> bytes:
    """The feed as Atom."""
    root = ElementTree.Element(f"{{{_ATOM}}}feed", {"xml:lang": "en"})
    _put(root, "title", feed.title)
    _put(root, "id", feed.address)
    _put(root, "updated", _moment(max((e.updated for e in feed.entries), default=_EPOCH)))
    ElementTree.SubElement(root, f"{{{_ATOM}}}link", rel="self", href=feed.address)
    ElementTree.SubElement(root, f"{{{_ATOM}}}link", rel="alternate", href=feed.home)
    # An entry without authors takes the feed's (RFC 4287 §4.1.2 wants one).
    _put(ElementTree.SubElement(root, f"{{{_ATOM}}}author"), "name", feed.title)
    for entry in feed.entries:
        element = ElementTree.SubElement(root, f"{{{_ATOM}}}entry")
        _put(element, "title", entry.title or "Untitled")
        _put(element, "id", entry.address)
        _put(element, "updated", _moment(entry.updated))
        ElementTree.SubElement(element, f"{{{_ATOM}}}link", rel="alternate", href=entry.address)
        for author in entry.authors:
            _put(ElementTree.SubElement(element, f"{{{_ATOM}}}author"), "name", author)
        _put(element, "summary", entry.text)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def json_feed(feed: Feed) -> bytes:
    """The feed as JSON Feed."""
    value = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.home,
        "feed_url": feed.address,
        "language": "en",
        "items": [
            {
                "id": entry.address,
                "url": entry.address,
                "title": entry.title,
                "content_text": entry.text,
                "authors": [{"name": author} for author in entry.authors],
                "date_published": _moment(entry.updated),
            }
            for entry in feed.entries
        ],
    }
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def for_xml(text: str) -> str:
    """``text`` without what XML has no character for."""
    return _NOT_XML.sub("", text)


def _put(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, f"{{{_ATOM}}}{name}").text = for_xml(text)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()
