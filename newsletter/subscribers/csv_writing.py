"""Subscribers as CSV, in the columns the import reads; safe to open in a spreadsheet."""

import csv
from collections.abc import Iterator
from typing import TextIO

from sqlmodel import Session, col, select

from newsletter.core.csv_cells import harmless_cell
from newsletter.core.models import Interest, InterestKind, Subscriber, Topic
from newsletter.subscribers.csv_reading import COLUMNS
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


def export_rows(session: Session) -> Iterator[dict[str, str]]:
    """Every subscriber as CSV rows, one a topic, by address; read in chunks."""
    after = ""
    while True:
        subscribers = session.exec(
            select(Subscriber)
            .where(col(Subscriber.email) > after)
            .order_by(col(Subscriber.email))
            .limit(PAGE)
        ).all()
        if not subscribers:
            return
        topics = _topic_cells(session, [s.id for s in subscribers if s.id is not None])
        for subscriber in subscribers:
            for cells in topics.get(subscriber.id or 0, [{}]):
                yield _subscriber_cells(subscriber) | cells
        after = subscribers[-1].email
        session.expunge_all()


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
    return {
        "email": subscriber.email,
        "name": subscriber.name,
        "cadence": subscriber.cadence,
        "weekday": WEEKDAYS[subscriber.weekday],
        "timezone": subscriber.time_zone,
        "send_hour": str(subscriber.send_hour),
        "max_papers": str(subscriber.max_papers),
        "min_score": str(subscriber.min_score),
        "status": subscriber.status,
    }


def _topic_cells(session: Session, subscribers: list[int]) -> dict[int, list[dict[str, str]]]:
    cells: dict[int, dict[str, str]] = {}
    by_subscriber: dict[int, list[dict[str, str]]] = {}
    for topic in session.exec(
        select(Topic).where(col(Topic.subscriber_id).in_(subscribers)).order_by(col(Topic.id))
    ):
        cells[topic.id or 0] = {"topic": topic.name}
        by_subscriber.setdefault(topic.subscriber_id, []).append(cells[topic.id or 0])
    for interest in session.exec(
        select(Interest)
        .join(Topic, col(Topic.id) == col(Interest.topic_id))
        .where(col(Topic.subscriber_id).in_(subscribers))
        .order_by(col(Interest.id))
    ):
        muted = interest.kind == InterestKind.KEYWORD and interest.weight < 0
        column = "mutes" if muted else _COLUMN_OF_KIND[interest.kind]
        row = cells[interest.topic_id]
        row[column] = f"{row[column]};{interest.value}" if column in row else interest.value
    return by_subscriber
