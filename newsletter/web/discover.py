"""Searches as feeds, and the site as a browser's search engine (OpenSearch 1.1)."""

from typing import Annotated
from urllib.parse import urlencode
from xml.etree import ElementTree

from fastapi import APIRouter, HTTPException, Query, Response

from newsletter.papers.search import search
from newsletter.web import feeds
from newsletter.web.fields import code_of
from newsletter.web.papers import SearchFields, line_of, moment_of, paper_entry
from newsletter.web.site import READ, Site, SiteDep

router = APIRouter()
MOST = 50
_OPEN_SEARCH = "http://a9.com/-/spec/opensearch/1.1/"
ElementTree.register_namespace("", _OPEN_SEARCH)


@router.api_route("/search/feed.atom", methods=READ)
def search_atom(site: SiteDep, fields: Annotated[SearchFields, Query()]) -> Response:
    """What a search finds, the newest first: for an author, a category, any words."""
    return _feed(site, fields, "atom")


@router.api_route("/search/feed.json", methods=READ)
def search_json(site: SiteDep, fields: Annotated[SearchFields, Query()]) -> Response:
    """The same as JSON Feed."""
    return _feed(site, fields, "json")


def _feed(site: Site, fields: SearchFields, form: str) -> Response:
    given = fields.given()
    given.pop("sort", None)
    if not given:
        raise HTTPException(404)
    try:
        since, until = moment_of(fields.since), moment_of(fields.until)
    except ValueError as error:
        raise HTTPException(422) from error
    with site.reading() as session:
        found = search(
            session,
            line_of(fields.q),
            newest_first=True,
            category=code_of(line_of(fields.category)) or None,
            source=line_of(fields.source) or None,
            venue=line_of(fields.venue) or None,
            since=since,
            until=until,
            limit=MOST,
        )
    base, asked = site.settings.base_url, urlencode(given)
    feed = feeds.Feed(
        title=f"{site.settings.site_name}: {', '.join(given.values())}",
        home=f"{base}/search?{asked}",
        address=f"{base}/search/feed.{form}?{asked}",
        entries=tuple(paper_entry(base, paper) for paper in found),
    )
    is_json = form == "json"
    return feeds.answer(feeds.json_feed(feed) if is_json else feeds.atom(feed), as_json=is_json)


@router.api_route("/opensearch.xml", methods=READ)
def description(site: SiteDep) -> Response:
    """Lets browsers offer the site's search in their address bar."""
    root = ElementTree.Element(f"{{{_OPEN_SEARCH}}}OpenSearchDescription")

    def put(name: str, text: str = "", **attributes: str) -> None:
        ElementTree.SubElement(root, f"{{{_OPEN_SEARCH}}}{name}", attributes).text = text or None

    name = feeds.for_xml(site.settings.site_name)
    put("ShortName", name[:16])
    put("Description", f"Search papers at {name}"[:1024])
    put("InputEncoding", "UTF-8")
    base = site.settings.base_url
    put("Url", type="text/html", template=f"{base}/search?q={{searchTerms}}")
    put("Url", type="application/atom+xml", template=f"{base}/search/feed.atom?q={{searchTerms}}")
    body: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(body, media_type="application/opensearchdescription+xml")
