"""OpenReview, API version 2: notes, whose fields are ``content.X.value`` (docs.openreview.net)."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from newsletter.core.errors import ParseError
from newsletter.sources.base import Page, PaperRecord, Request, Source
from newsletter.sources.normalise import make, moment
from newsletter.sources.parsing.json import as_dict, as_list, as_object, load_json, read_papers

_URL = "https://api2.openreview.net/notes"
_LIMIT = 1000
_NOT_ACCEPTED = ("Rejected_Submission", "Withdrawn_Submission", "Desk_Rejected_Submission")


class OpenReview(Source):
    """Submissions to the venues given, as they become public."""

    name = "openreview"
    # It is asked by the day of the submission, and venues make theirs public months later.
    overlap = timedelta(days=200)

    def __init__(self, venues: Sequence[str] = ()) -> None:
        self.venues = tuple(venues)

    def first_request(self, since: date, until: date) -> Request:
        """The first page of the first venue."""
        begin = datetime(since.year, since.month, since.day, tzinfo=UTC)
        state = {"begin": str(int(begin.timestamp() * 1000)), "venues": " ".join(self.venues)}
        return _request(state, 0)

    def parse(self, body: bytes, *, where: str, request: Request | None = None) -> Page:
        """Read one page of notes; reviews and comments among them are no papers.

        Raises:
            ParseError: it is not a list of notes, or an error.
        """
        answer = as_dict(load_json(body, where=where))
        if "notes" not in answer:
            said = answer.get("message") or answer.get("name") or "notes were expected"
            raise ParseError(f"the service answered: {said}", where=where)
        notes = as_list(answer["notes"])

        def following() -> Request | None:
            if request is None or "venues" not in request.state:
                return None
            if len(notes) >= _LIMIT:
                return _request(request.state, int(request.params["offset"]) + _LIMIT)
            left = request.state["venues"].split(" ")[1:]
            return _request({**request.state, "venues": " ".join(left)}, 0) if left else None

        return read_papers(notes, _paper, where=where, following=following)

    def pause(self, body: bytes) -> datetime | None:
        """A refusal names the moment when the limit is lifted, up to an hour off."""
        try:
            answer = as_dict(load_json(body, where=self.name))
        except ParseError:
            return None
        return moment(as_dict(answer.get("details")).get("resetTime"))


def _request(state: Any, offset: int) -> Request:
    venue = state["venues"].split(" ")[0]
    params = {"invitation": f"{venue}/-/Submission", "mintcdate": state["begin"]}
    return Request(_URL, {**params, "limit": str(_LIMIT), "offset": str(offset)}, state)


def _paper(raw: Any) -> PaperRecord | None:
    note = as_object(raw)
    content = as_dict(note.get("content"))
    identity, forum = note.get("id"), note.get("forum")
    if forum is not None and identity != forum:
        # A review, a comment or a decision on a paper.
        return None
    title, venue = _value(content, "title"), _value(content, "venue")
    accepted = not str(_value(content, "venueid") or "").endswith(_NOT_ACCEPTED)
    # A note of a published article repeats its title as its venue.
    venues = [venue] if accepted and venue != title else []
    outside = [str(name) for name in as_list(note.get("externalIds"))]
    return make(
        source="openreview",
        external_id=identity,
        arxiv=next((name for name in outside if name.lower().startswith("arxiv:")), None),
        doi=next((name for name in outside if name.lower().startswith("doi:")), None),
        title=title,
        abstract=_value(content, "abstract"),
        authors=[_name(author) for author in as_list(_value(content, "authors"))],
        venue=next(iter(venues), None),
        categories=[*venues, *_keywords(_value(content, "keywords"))],
        url=f"https://openreview.net/forum?id={identity}",
        published=note.get("pdate") or note.get("odate") or note.get("cdate"),
    )


def _value(content: dict[str, Any], name: str) -> Any:
    """Version 2 wraps every field; version 1 did not."""
    field = content.get(name)
    return field.get("value") if isinstance(field, dict) else field


def _keywords(value: object) -> list[object]:
    """A list; some venues of version 1 asked for one line."""
    return list(re.split(r"[,;]", value)) if isinstance(value, str) else as_list(value)


def _name(author: object) -> object:
    """A string, or an object with a full name."""
    return author.get("fullname") if isinstance(author, dict) else author
