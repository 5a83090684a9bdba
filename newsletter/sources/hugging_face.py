"""Hugging Face Daily Papers: JSON, one list a day, curated by readers and with their upvotes."""

from datetime import date, timedelta
from typing import Any

from newsletter.core.errors import ParseError
from newsletter.core.identifiers import split_arxiv_id
from newsletter.sources.base import Page, PaperRecord, Request, Source
from newsletter.sources.normalise import make
from newsletter.sources.parsing.json import as_dict, as_list, as_object, load_json, read_papers

_URL = "https://huggingface.co/api/daily_papers"
# The most it gives a page; a day has 20 to 60.
_LIMIT = 100


class HuggingFace(Source):
    """One request a day of the list; ids are arXiv's."""

    name = "hf"

    def first_request(self, since: date, until: date) -> Request:
        """The list of ``since``; the days after it follow, since a list is asked by its date."""
        return _request(since, until, 0)

    def parse(self, body: bytes, *, where: str, request: Request | None = None) -> Page:
        """Read one day's list; an empty one is a weekend."""
        listed = load_json(body, where=where)
        if isinstance(listed, dict) and "error" in listed:
            raise ParseError(f"it answered: {listed['error']}", where=where)
        if not isinstance(listed, list):
            raise ParseError("expected a list of papers", where=where)
        return read_papers(
            listed, _paper, where=where, following=lambda: _following(request, len(listed))
        )


def _request(day: date, until: date, page: int) -> Request:
    params = {"date": day.isoformat(), "limit": str(_LIMIT), "p": str(page)}
    return Request(_URL, params, state={"until": until.isoformat()})


def _following(request: Request | None, count: int) -> Request | None:
    if request is None:
        return None
    day = date.fromisoformat(request.params["date"])
    until = date.fromisoformat(request.state["until"])
    if count >= _LIMIT:
        return _request(day, until, int(request.params["p"]) + 1)
    return _request(day + timedelta(days=1), until, 0) if day < until else None


def _paper(raw: Any) -> PaperRecord:
    outer = as_object(raw)
    paper = as_dict(outer.get("paper")) or outer
    arxiv_id, _ = split_arxiv_id(paper.get("id"))
    return make(
        source="hf",
        external_id=arxiv_id or paper.get("id"),
        arxiv=arxiv_id,
        title=paper.get("title") or outer.get("title"),
        abstract=paper.get("summary") or outer.get("summary"),
        # Authors hide themselves when the match with their account is wrong.
        authors=[
            author.get("name")
            for author in map(as_dict, as_list(paper.get("authors")))
            if not author.get("hidden")
        ],
        # The outer publishedAt is the hour of the listing, not of the paper.
        published=paper.get("publishedAt"),
        upvotes=paper.get("upvotes"),
        code_url=paper.get("githubRepo"),
        project_url=paper.get("projectPage"),
    )
