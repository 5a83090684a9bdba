"""Any RSS, Atom or JSON feed: feedparser reads what authors of feeds make of the standards."""

import hashlib
import re
from calendar import timegm
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from io import BytesIO
from typing import Any
from urllib.parse import urljoin, urlsplit

import feedparser

from newsletter.core.charset import decoded
from newsletter.core.errors import ParseError
from newsletter.core.identifiers import canonical_doi, doi_in_address, split_arxiv_id
from newsletter.core.markup import Plain
from newsletter.core.one_line import shortened, tidy
from newsletter.sources.base import Page, PaperRecord, Problem, Request, Source
from newsletter.sources.boilerplate import read_body
from newsletter.sources.normalise import (
    LONGEST_ID,
    make,
    moment,
    own_id,
    web_address,
)
from newsletter.sources.parsing.html import repaired, text_of_html
from newsletter.sources.parsing.json import (
    as_dict,
    as_list,
    as_object,
    beginning,
    load_json,
    read_papers,
)

# Feeds with an archive are followed while their papers are news, and no further than this.
_MOST_PAGES = 10
_TITLE_FROM_TEXT = 100
_WEB_PAGE = re.compile(r"^\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype\s+)?html\b", re.I | re.S)
# What feedparser's loose parser raises on some garbage.
_TRIPS = (AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_END = re.compile(r"</(?:\w+:)?(?:rss|feed|rdf)\s*>", re.IGNORECASE)


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
        document = decoded(body.lstrip(), request.charset if request else None).lstrip()
        if document[:1] == "{":
            return self._json_feed(document, where, request)
        feed = _parsed(document, where)
        entries = list(feed.entries)
        complete = _is_complete(document)
        if not complete and not entries:
            raise ParseError("the feed ends before its first paper", where=where)
        read = entries if complete else entries[:-1]
        base = _base(request, as_dict(feed.feed).get("link"))
        page = _told_apart(read_papers(read, partial(self._entry, base=base), where=where))
        if not complete:
            # The last paper may be half of one.
            last = Problem(f"{where}, paper {len(entries)}", "the feed breaks off here")
            return Page(page.records, (*page.problems, last), cut_short=True)
        links = [as_dict(link) for link in as_list(as_dict(feed.feed).get("links"))]
        archive = next((link.get("href") for link in links if link.get("rel") == "next"), None)
        return replace(page, next=_following(request, page, archive))

    def _json_feed(self, document: str, where: str, request: Request | None) -> Page:
        """JSON Feed 1 and 1.1 (www.jsonfeed.org/version/1.1)."""
        feed = as_dict(load_json(document.encode("utf-8", "replace"), where=where))
        if "jsonfeed.org/" not in str(feed.get("version")):
            raise ParseError("expected a feed, got other JSON", where=where)
        base = _base(request, feed.get("home_page_url"))
        items = as_list(feed.get("items"))
        page = _told_apart(read_papers(items, partial(self._item, base=base), where=where))
        return replace(page, next=_following(request, page, feed.get("next_url")))

    def _entry(self, entry: Any, base: str) -> PaperRecord:
        link = entry.get("feedburner_origlink") or entry.get("link") or ""
        content = as_dict(next(iter(as_list(entry.get("content"))), None))
        authors = [as_dict(author).get("name") for author in as_list(entry.get("authors"))]
        stated = (entry.get(name) for name in ("prism_doi", "doi", "dc_identifier"))
        return self._paper(
            name=str(entry.get("id") or "").strip(),
            link=str(link).strip(),
            base=base,
            title=text_of_html(str(entry.get("title") or "")),
            body=text_of_html(str(entry.get("summary") or content.get("value") or "")),
            authors=[text_of_html(str(author)) for author in authors if author],
            tags=[
                *(as_dict(tag).get("term") for tag in as_list(entry.get("tags"))),
                *(entry.get(name) for name in ("prism_section", "prism_publicationname")),
            ],
            doi=next((doi for doi in stated if canonical_doi(doi)), None),
            published=_published(entry),
            venue=entry.get("prism_publicationname"),
        )

    def _item(self, raw: Any, base: str) -> PaperRecord:
        item = as_object(raw)
        authors = [*as_list(item.get("authors")), item.get("author")]
        body = item.get("content_text") or text_of_html(str(item.get("content_html") or ""))
        named = (as_dict(author).get("name") for author in authors)
        return self._paper(
            name=str(item.get("id") or ""),
            link=str(item.get("url") or item.get("external_url") or ""),
            base=base,
            title=str(item.get("title") or ""),
            body=item.get("summary") or body,
            authors=[str(name) for name in named if name],
            tags=as_list(item.get("tags")),
            doi=None,
            published=moment(item.get("date_published")),
            venue=None,
        )

    def _paper(
        self,
        *,
        name: str,
        link: str,
        base: str,
        title: str,
        body: str,
        authors: list[str],
        tags: list[Any],
        doi: object,
        published: datetime | None,
        venue: object,
    ) -> PaperRecord:
        read = read_body(body)
        link = web_address(link, base)
        # A post without a title, as blogs have them, is called by its first words; one
        # without an id or a link, by a hash of what it says.
        title = title or Plain(shortened(tidy(read.abstract), _TITLE_FROM_TEXT))
        key = name or link
        if not key and title:
            key = "text-" + hashlib.sha256(f"{title}\n{body}".encode()).hexdigest()[:24]
        if len(key) > LONGEST_ID:
            key = "hash-" + hashlib.sha256(key.encode()).hexdigest()[:24]
        return make(
            source=self.name,
            external_id=key,
            arxiv=next((value for value in (link, name) if split_arxiv_id(value)[0]), None),
            doi=doi or read.doi,
            guessed_doi=doi_in_address(link) or doi_in_address(name),
            title=title,
            abstract=Plain(read.abstract) if isinstance(body, Plain) else read.abstract,
            author_lines=authors or [read.authors],
            categories=[*tags, read.journal],
            venue=venue or read.journal,
            url=link or web_address(name),
            published=published or read.published,
        )


def _base(request: Request | None, home: object) -> str:
    """What relative links are relative to: the feed's address, else the site's."""
    home = web_address(home, request.url if request else "")
    return request.url if request else home


def _told_apart(page: Page) -> Page:
    """Papers that share their id and their link get ids of their own.

    Those that share an id and differ in their links are told apart when they are stored.
    """
    titles: dict[tuple[str, str], set[str]] = defaultdict(set)
    for record in page.records:
        titles[record.external_id, record.url].add(record.title)
    records = (
        replace(record, external_id=own_id(record))
        if len(titles[record.external_id, record.url]) > 1
        else record
        for record in page.records
    )
    return replace(page, records=tuple(records))


def _published(entry: Any) -> datetime | None:
    """The first date that can be read, in our reading or in feedparser's."""
    for name in ("published", "prism_publicationdate", "updated", "created", "dc_date"):
        if name in entry and (found := moment(entry[name])):
            return found
    # Asked for an update that is not there, feedparser would lend the publication.
    name = "updated" if "published" not in entry and "updated" in entry else "published"
    # A month alone is no day, though feedparser takes it for the first.
    if re.fullmatch(r"\s*\d{4}(?:-\d\d)?\s*", str(entry.get(name) or "")):
        return None
    return _moment(entry.get(f"{name}_parsed"))


def _parsed(document: str, where: str) -> Any:
    """What feedparser makes of it.

    Raises:
        ParseError: it declares entities, is a web page, or nothing feedparser can read.
    """
    if _WEB_PAGE.search(document[:2000]):
        raise ParseError("expected a feed, got a web page", where=where)
    start = beginning(document[:300].encode("utf-8", "replace"))
    if "<" not in document:
        raise ParseError(f"expected a feed: {start}", where=where)
    clean = repaired(document, where=where)
    try:
        # A stream, since feedparser takes a plain string for a file or an address.
        feed = feedparser.parse(BytesIO(clean), sanitize_html=False, resolve_relative_uris=False)
    except _TRIPS as error:
        raise ParseError("expected a feed; cannot parse this as one", where=where) from error
    if not feed.get("version"):
        raise ParseError(f"expected a feed: {start}", where=where)
    return feed


def _is_complete(document: str) -> bool:
    """Whether the document was closed; only comments may follow."""
    ends = [found.end() for found in _END.finditer(document)]
    return bool(ends) and re.search(r"<(?:item|entry)\b", document[ends[-1] :]) is None


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
