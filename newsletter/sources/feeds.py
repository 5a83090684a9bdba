"""Any RSS, Atom or JSON feed: feedparser reads what authors of feeds make of the standards."""

import hashlib
import re
from calendar import timegm
from dataclasses import replace
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any
from urllib.parse import urljoin, urlsplit

import feedparser

from newsletter.core.errors import ParseError
from newsletter.core.identifiers import DOI, split_arxiv_id
from newsletter.core.one_line import shortened, tidy
from newsletter.sources.base import Page, PaperRecord, Problem, Request, Source
from newsletter.sources.normalise import LONGEST_ID, given_first, make, web_address
from newsletter.sources.parsing.html import repaired, text_of_html
from newsletter.sources.parsing.json import (
    as_dict,
    as_list,
    as_object,
    beginning,
    load_json,
    read_papers,
)
from newsletter.sources.parsing.xml import in_utf8

# Feeds with an archive are followed while their papers are news, and no further than this.
_MOST_PAGES = 10
_TITLE_FROM_TEXT = 100
_WEB_PAGE = re.compile(rb"^\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype\s+)?html\b", re.I | re.S)
# What feedparser's loose parser raises on some garbage.
_TRIPS = (AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_END = re.compile(rb"</(?:\w+:)?(?:rss|feed|rdf)\s*>", re.IGNORECASE)
_DOI = re.compile(rf"\b({DOI}[^\s\"'<>?#]+)")


class Feed(Source):
    """One feed at one address."""

    conditional = True

    def __init__(self, url: str = "", name: str = "feed") -> None:
        self.url = url
        self.name = name

    def first_request(self, since: date, until: date) -> Request:
        """The feed; it lists what it likes, so ``since`` only ends the reading of its archive."""
        return Request(self.url, state={"since": since.isoformat(), "page": "1"})

    def parse(self, body: bytes, *, where: str, request: Request | None = None) -> Page:
        """Read a feed of any kind.

        Raises:
            ParseError: it is not a feed but a web page, or unreadable.
        """
        body = in_utf8(body.lstrip()).lstrip()
        if body[:1] == b"{":
            return self._json_feed(body, where, request)
        feed = _parsed(body, where)
        entries = list(feed.entries)
        complete = _is_complete(body)
        if not complete and not entries:
            raise ParseError("the feed ends before its first paper", where=where)
        read = entries if complete else entries[:-1]
        page = read_papers(read, self._entry, where=where)
        if not complete:
            # The last paper may be half of one.
            last = Problem(f"{where}, paper {len(entries)}", "the feed breaks off here")
            return Page(page.records, (*page.problems, last), cut_short=True)
        links = [as_dict(link) for link in as_list(as_dict(feed.feed).get("links"))]
        archive = next((link.get("href") for link in links if link.get("rel") == "next"), None)
        return replace(page, next=_following(request, page, archive))

    def _json_feed(self, body: bytes, where: str, request: Request | None) -> Page:
        """JSON Feed 1 and 1.1 (www.jsonfeed.org/version/1.1)."""
        feed = as_dict(load_json(body, where=where))
        if "jsonfeed.org/" not in str(feed.get("version")):
            raise ParseError("expected a feed, got other JSON", where=where)
        page = read_papers(as_list(feed.get("items")), self._item, where=where)
        return replace(page, next=_following(request, page, feed.get("next_url")))

    def _entry(self, entry: Any) -> PaperRecord:
        link, name = str(entry.get("link") or "").strip(), str(entry.get("id") or "").strip()
        content = as_dict(next(iter(as_list(entry.get("content"))), None))
        body = text_of_html(str(entry.get("summary") or content.get("value") or ""))
        authors = [as_dict(author).get("name") for author in as_list(entry.get("authors"))]
        moments = entry.get("published_parsed")
        if moments is None and "updated_parsed" in entry:
            moments = entry["updated_parsed"]
        return self._paper(
            name=name or link,
            link=link or name,
            title=text_of_html(str(entry.get("title") or "")),
            body=body,
            authors=[
                name for author in authors if author for name in _names(text_of_html(str(author)))
            ],
            tags=[as_dict(tag).get("term") for tag in as_list(entry.get("tags"))],
            doi=entry.get("prism_doi") or entry.get("doi") or entry.get("dc_identifier"),
            published=_moment(moments),
        )

    def _item(self, raw: Any) -> PaperRecord:
        item = as_object(raw)
        link = str(item.get("url") or item.get("external_url") or "")
        authors = [*as_list(item.get("authors")), item.get("author")]
        body = item.get("content_text") or text_of_html(str(item.get("content_html") or ""))
        return self._paper(
            name=str(item.get("id") or link),
            link=link or str(item.get("id") or ""),
            title=str(item.get("title") or ""),
            body=str(item.get("summary") or body),
            authors=[as_dict(author).get("name") for author in authors],
            tags=as_list(item.get("tags")),
            doi=None,
            published=item.get("date_published"),
        )

    def _paper(
        self,
        *,
        name: str,
        link: str,
        title: str,
        body: str,
        authors: list[Any],
        tags: list[Any],
        doi: object,
        published: object,
    ) -> PaperRecord:
        # A post without a title, as blogs have them, is called by its first words; one
        # without an id or a link, by a hash of what it says.
        title = title or shortened(tidy(body), _TITLE_FROM_TEXT)
        if not name and title:
            name = "text-" + hashlib.sha256(f"{title}\n{body}".encode()).hexdigest()[:24]
        if len(name) > LONGEST_ID:
            name = "hash-" + hashlib.sha256(name.encode()).hexdigest()[:24]
        found = _DOI.search(f"{link} {name}") if not doi else None
        return make(
            source=self.name,
            external_id=name,
            arxiv=next((value for value in (link, name) if split_arxiv_id(value)[0]), None),
            doi=doi or (found[1] if found else None),
            title=title,
            abstract=body,
            authors=authors,
            categories=tags,
            url=link,
            published=published,
        )


def _names(line: str) -> list[str]:
    """One author, or several as ``Family, Given; Family, Given``."""
    return [given_first(name) for name in line.split(";")] if ";" in line else [line]


def _parsed(body: bytes, where: str) -> Any:
    """What feedparser makes of it.

    Raises:
        ParseError: it declares entities, is a web page, or nothing feedparser can read.
    """
    if _WEB_PAGE.search(body[:2000]):
        raise ParseError("expected a feed, got a web page", where=where)
    if b"<" not in body:
        raise ParseError(f"expected a feed: {beginning(body)}", where=where)
    document = repaired(body, where=where)
    try:
        # A stream, since feedparser takes a plain string for a file or an address.
        feed = feedparser.parse(BytesIO(document), sanitize_html=False, resolve_relative_uris=False)
    except _TRIPS as error:
        raise ParseError("expected a feed; cannot parse this as one", where=where) from error
    if not feed.get("version"):
        raise ParseError(f"expected a feed: {beginning(body)}", where=where)
    return feed


def _is_complete(body: bytes) -> bool:
    """Whether the document was closed; only comments may follow."""
    ends = [found.end() for found in _END.finditer(body)]
    return bool(ends) and re.search(rb"<(?:item|entry)\b", body[ends[-1] :]) is None


def _following(request: Request | None, page: Page, target: object) -> Request | None:
    """The archive's next page, as long as this one had news."""
    if request is None or not isinstance(target, str):
        return None
    address = web_address(urljoin(request.url, target))
    number = int(request.state["page"])
    days = [record.published_at.date() for record in page.records if record.published_at]
    news = bool(days) and min(days).isoformat() >= request.state["since"]
    same_host = urlsplit(address).hostname == urlsplit(request.url).hostname
    if not news or not same_host or address == request.url or number >= _MOST_PAGES:
        return None
    return Request(address, state={**request.state, "page": str(number + 1)})


def _moment(parsed: Any) -> datetime | None:
    """feedparser's nine numbers, in UTC."""
    try:
        return datetime.fromtimestamp(timegm(parsed), tz=UTC) if parsed else None
    except (OverflowError, TypeError, ValueError):
        return None
