"""A reader's profile from another site: the lines that `subscribers export --profile` writes.

Topics and preferences are taken over; the address, the name, the status and the ratings are not.
The file is a stranger's: a child process with limits reads it, and its first wrong line ends it.
"""

import re
from dataclasses import dataclass
from typing import Any

from newsletter.core.errors import InputError, LimitError
from newsletter.core.language import _
from newsletter.core.limited import run_limited
from newsletter.core.models import InterestKind
from newsletter.subscribers.bibliography import Limits
from newsletter.subscribers.csv_reading import (
    header_of,
    row_of,
    rows_of,
    stated_preferences,
    stated_topic,
)
from newsletter.subscribers.preferences import MOST_IN_ALL
from newsletter.subscribers.validation import (
    MOST_INTERESTS,
    MOST_TOPICS,
    InterestInput,
    Preferences,
    TopicRequest,
)

_READER = "newsletter.subscribers.profile:read"
# The header line is much shorter.
_LONGEST_START = 4096


@dataclass(frozen=True, slots=True)
class Profile:
    """What the file states. ``preferences`` are checked, for `Preferences.read`."""

    preferences: dict[str, Any]
    topics: tuple[TopicRequest, ...]


def is_profile(name: str, data: bytes) -> bool:
    """Whether a file is meant as a profile: by its name, or by the columns in its first line."""
    start = data[:_LONGEST_START].decode("utf-8-sig", "replace").lstrip()
    header = start.splitlines()[0].lower() if start else ""
    cells = {cell.strip('" ') for cell in re.split(r"[,;\t]", header)}
    if name.lower().endswith(".csv"):
        # Zotero writes its library as CSV too.
        return not {"title", "doi", "article title"} & cells
    return "@" not in header and {"email", "topic"} <= cells


def parse(data: bytes, limits: Limits, *, where: str) -> Profile:
    """The profile in a file; ``where`` names it.

    Raises:
        LimitError: it is over ``limits``, has too many topics or interests, or takes too long.
        InputError: it is no profile of one reader, or a line of it is wrong.
    """
    if len(data) > limits.largest_file:
        raise LimitError(_("is larger than {size}", size=limits.largest_in_words), where=where)
    found = run_limited(_READER, data, where=where)
    topics = tuple(topic_from_json(each) for each in found["topics"])
    return Profile(found["preferences"], topics)


def read(data: bytes) -> dict[str, Any]:
    """The preferences and topics of a profile, as JSON; runs in the child process.

    Raises:
        LimitError: there are too many topics or interests.
        InputError: it is no profile of one reader, or a line of it is wrong.
    """
    rows = rows_of(data, where="profile")
    header = header_of(rows, where="profile").names
    if not {"topic", "email"} <= set(header):
        what = "is no profile: its first line must name the columns email and topic"
        raise InputError(what, where="profile")
    preferences: dict[str, Any] | None = None
    topics: dict[str, TopicRequest] = {}
    emails = set()
    for number, cells in rows:
        here = f"line {number}"
        if isinstance(cells, str):
            raise InputError(f"{here}: {cells}", where="profile")
        try:
            row = row_of(header, cells)
            stated = stated_preferences(row, header)
            Preferences.read(stated)
            topic = stated_topic(row)
        except InputError as error:
            raise InputError(f"{here}: {error}", where="profile") from error
        emails.add(row["email"].strip().lower())
        if len(emails) > 1:
            what = f"{here} is about another subscriber; a profile is about one"
            raise InputError(what, where="profile")
        if preferences not in (None, stated):
            raise InputError(f"{here} has other preferences than the line before", where="profile")
        preferences = stated
        if topic.name.casefold() in topics:
            raise InputError(f"{here}: topic {topic.name!r} is there twice", where="profile")
        topics[topic.name.casefold()] = topic
        if len(topics) > MOST_TOPICS:
            raise LimitError(f"has more than {MOST_TOPICS} topics", where="profile")
    if preferences is None:
        raise InputError("is no profile: there is no line after the first", where="profile")
    if sum(len(topic.clues) for topic in topics.values()) > MOST_IN_ALL:
        raise LimitError(f"states more than {MOST_IN_ALL:,} interests", where="profile")
    # A topic without interests says nothing.
    kept = [topic_as_json(topic) for topic in topics.values() if topic.clues]
    return {"preferences": preferences, "topics": kept}


def united(own: TopicRequest, brought: TopicRequest) -> TopicRequest:
    """The topic that is brought, with the interests of both.

    Raises:
        LimitError: these are too many for one topic.
    """
    clues = {(clue.kind, clue.value.casefold()): clue for clue in (*own.clues, *brought.clues)}
    typed = sum(clue.reference is None for clue in clues.values())
    if typed > MOST_INTERESTS:
        raise LimitError(
            f"together with what is there, {typed} interests; at most {MOST_INTERESTS}",
            where=f"topic {own.name!r}",
        )
    return TopicRequest(own.name, tuple(clues.values()), brought.quota, brought.paused)


def topic_as_json(topic: TopicRequest) -> dict[str, Any]:
    """A topic as JSON keeps it."""
    return {
        "topic": topic.name,
        "clues": [
            [clue.kind.value, clue.value, clue.weight, clue.reference] for clue in topic.clues
        ],
        "quota": topic.quota,
        "paused": topic.paused,
    }


def topic_from_json(stored: dict[str, Any]) -> TopicRequest:
    """The topic that `topic_as_json` wrote, now or in an earlier version that knew less."""
    clues = tuple(
        InterestInput(InterestKind(kind), value, weight, *reference)
        for kind, value, weight, *reference in stored["clues"]
    )
    return TopicRequest(
        stored["topic"], clues, stored.get("quota"), bool(stored.get("paused", False))
    )
