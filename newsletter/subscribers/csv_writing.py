"""Subscribers as CSV, in the columns the import reads; safe to open in a spreadsheet."""

import csv
from collections.abc import Iterator
from typing import TextIO

from sqlalchemy import or_
from sqlmodel import Session, col, select

from newsletter.core.csv_cells import harmless_cell, join_list
from newsletter.core.models import (
    Feedback,
    GroupMember,
    Interest,
    InterestKind,
    Paper,
    ReaderGroup,
    Signal,
    Subscriber,
    Topic,
)
from newsletter.subscribers.csv_reading import COLUMNS, SIGNAL_COLUMNS
from newsletter.subscribers.validation import WEEKDAYS

_COLUMN_OF_KIND = {
    InterestKind.TEXT: "text",
    InterestKind.KEYWORD: "keywords",
    InterestKind.CATEGORY: "categories",
    InterestKind.AUTHOR: "authors",
    InterestKind.SEED_PAPER: "seed_papers",
}


# Subscribers read at a time.
PAGE = 1000


def export_rows(session: Session, email: str = "") -> Iterator[dict[str, str]]:
    """Every subscriber, or the one with ``email``, as CSV rows, one a topic, by address."""
    after = ""
    wanted = [Subscriber.email == email] if email else []
    while True:
        subscribers = session.exec(
            select(Subscriber)
            .where(col(Subscriber.email) > after, *wanted)
            .order_by(col(Subscriber.email))
            .limit(PAGE)
        ).all()
        if not subscribers:
            return
        ids = [s.id for s in subscribers if s.id is not None]
        topics, groups = _topic_cells(session, ids), _groups_of(session, ids)
        for subscriber in subscribers:
            group = {"group": groups.get(subscriber.id or 0, "")}
            for cells in topics.get(subscriber.id or 0, [{}]):
                yield _subscriber_cells(subscriber) | group | cells
        after = subscribers[-1].email
        session.expunge_all()


def _groups_of(session: Session, subscribers: list[int]) -> dict[int, str]:
    """The names of the groups that subscribers are in."""
    return dict(
        session.exec(
            select(GroupMember.subscriber_id, ReaderGroup.name)
            .join(ReaderGroup, col(ReaderGroup.id) == col(GroupMember.group_id))
            .where(col(GroupMember.subscriber_id).in_(subscribers))
        ).all()
    )


def write_csv(rows: Iterator[dict[str, str]], file: TextIO) -> int:
    """Write ``rows`` with a header line; returns how many there were."""
    writer = csv.DictWriter(file, COLUMNS, restval="")
    writer.writeheader()
    count = 0
    for row in rows:
        writer.writerow({name: harmless_cell(cell) for name, cell in row.items()})
        count += 1
    return count


def _subscriber_cells(subscriber: Subscriber) -> dict[str, str]:
    budget, until = subscriber.weekly_budget, subscriber.vacation_until
    return {
        "email": subscriber.email,
        "name": subscriber.name,
        "cadence": subscriber.cadence,
        "weekday": WEEKDAYS[subscriber.weekday],
        "timezone": subscriber.time_zone,
        "send_hour": str(subscriber.send_hour),
        "max_papers": str(subscriber.max_papers),
        "min_score": str(subscriber.min_score),
        "weekly_budget": "" if budget is None else str(budget),
        "length": subscriber.length,
        "popularity": str(subscriber.popularity),
        "outside_picks": _yes_or_no(subscriber.outside_picks),
        "tell_when_nothing": subscriber.tell_when_nothing,
        "tell_revisions": _yes_or_no(subscriber.tell_revisions),
        "fill_list": _yes_or_no(subscriber.fill_list),
        "read_here": _yes_or_no(subscriber.read_here),
        "language": subscriber.language,
        "vacation_until": "" if until is None else until.isoformat(),
        "status": subscriber.status,
    }


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def _topic_cells(session: Session, subscribers: list[int]) -> dict[int, list[dict[str, str]]]:
    values: dict[int, dict[str, list[str]]] = {}
    cells: dict[int, dict[str, str]] = {}
    by_subscriber: dict[int, list[dict[str, str]]] = {}
    for topic in session.exec(
        select(Topic).where(col(Topic.subscriber_id).in_(subscribers)).order_by(col(Topic.id))
    ):
        number = topic.id or 0
        values[number] = {}
        cells[number] = {
            "topic": topic.name,
            "quota": "" if topic.quota is None else str(topic.quota),
            "paused": _yes_or_no(topic.paused),
        }
        by_subscriber.setdefault(topic.subscriber_id, []).append(cells[number])
    for interest in session.exec(
        select(Interest)
        .join(Topic, col(Topic.id) == col(Interest.topic_id))
        .where(col(Topic.subscriber_id).in_(subscribers))
        .order_by(col(Interest.id))
    ):
        muted = interest.kind == InterestKind.KEYWORD and interest.weight < 0
        column = "mutes" if muted else _COLUMN_OF_KIND[interest.kind]
        values[interest.topic_id].setdefault(column, []).append(interest.value)
    for number, lists in values.items():
        for column, found in lists.items():
            # A text may hold semicolons, and never a line break.
            cells[number][column] = "\n".join(found) if column == "text" else join_list(found)
    _add_judgements(session, subscribers, cells, by_subscriber)
    return by_subscriber


def _add_judgements(
    session: Session,
    subscribers: list[int],
    cells: dict[int, dict[str, str]],
    by_subscriber: dict[int, list[dict[str, str]]],
) -> None:
    """Judged papers, each on the line of its topic, or on the first."""
    judged: dict[tuple[int, int | None, Signal], list[str]] = {}
    rows = session.exec(
        select(Feedback, Paper.source, Paper.external_id, Paper.doi)
        .join(Paper, col(Paper.id) == col(Feedback.paper_id))
        .join(Subscriber, col(Subscriber.id) == col(Feedback.subscriber_id))
        .where(
            col(Feedback.subscriber_id).in_(subscribers),
            # What a reset took away must not count again elsewhere; what was saved stays saved.
            or_(
                col(Subscriber.ratings_reset_at).is_(None),
                col(Feedback.created_at) > col(Subscriber.ratings_reset_at),
                col(Feedback.signal) == Signal.SAVED,
            ),
        )
        .order_by(col(Feedback.id))
    )
    for feedback, source, external_id, doi in rows:
        identity = external_id if source == "arxiv" else doi
        if identity:
            key = (feedback.subscriber_id, feedback.topic_id, feedback.signal)
            judged.setdefault(key, []).append(identity)
    column_of = {signal: column for column, signal in SIGNAL_COLUMNS.items()}
    for (subscriber_id, topic_id, signal), identities in judged.items():
        first = by_subscriber.setdefault(subscriber_id, [{}])[0]
        row = cells.get(topic_id or 0, first)
        column = column_of[signal]
        row[column] = ";".join(filter(None, [row.get(column, ""), join_list(identities)]))
