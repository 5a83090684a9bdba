"""Rows for tests, made in the shapes the code makes them."""

from datetime import date
from typing import Any
from uuid import uuid4

from sqlmodel import Session, SQLModel

from newsletter.core.database import utc_now
from newsletter.core.models import (
    Announcement,
    Cadence,
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    DigestItem,
    Edition,
    EditionPaper,
    EditionStatus,
    Label,
    Paper,
    Subscriber,
    SubscriberStatus,
)
from newsletter.messages import digest

ISSUE_DATE = date(2026, 11, 20)  # a Friday


def _add(session: Session, row: SQLModel) -> None:
    session.add(row)
    session.flush()


def make_paper(session: Session, number: int = 1, **fields: Any) -> Paper:
    values: dict[str, Any] = {
        "source": "arxiv",
        "external_id": f"2611.{number:05}",
        "title": f"A study of thing {number}",
        "abstract": f"We study thing {number} and find that it works.",
        "authors": ["Ada Lovelace", "Émilie du Châtelet"],
        "categories": ["cs.SE"],
        "url": f"https://arxiv.org/abs/2611.{number:05}",
        "announcement": Announcement.NEW,
        "published_at": utc_now(),
    }
    paper = Paper(**(values | fields))
    _add(session, paper)
    return paper


def make_subscriber(
    session: Session, email: str = "ada@reader.example", **fields: Any
) -> Subscriber:
    values: dict[str, Any] = {
        "public_id": uuid4().hex[:16],
        "email": email,
        "address_hash": f"hash of {email}",
        "name": "Ada",
        "status": SubscriberStatus.ACTIVE,
        "cadence": Cadence.DAILY,
        "confirmed_at": utc_now(),
    }
    subscriber = Subscriber(**(values | fields))
    _add(session, subscriber)
    return subscriber


def make_edition(session: Session, issue_date: date = ISSUE_DATE, **fields: Any) -> Edition:
    values: dict[str, Any] = {"issue_date": issue_date, "status": EditionStatus.SENDING}
    edition = Edition(**(values | fields))
    _add(session, edition)
    return edition


def make_delivery(
    session: Session, edition: Edition, subscriber: Subscriber, **fields: Any
) -> Delivery:
    values: dict[str, Any] = {
        "edition_id": edition.id,
        "subscriber_id": subscriber.id,
        "kind": DeliveryKind.DIGEST,
        "to_address": subscriber.email,
        "to_name": subscriber.name,
        "message_id": f"{uuid4().hex}@papers.example",
        "subject": "A study of thing 1",
        "status": DeliveryStatus.QUEUED,
    }
    delivery = Delivery(**(values | fields))
    _add(session, delivery)
    return delivery


def make_digest(
    session: Session, edition: Edition, subscriber: Subscriber, papers: list[Paper]
) -> Delivery:
    """A delivery with its papers, frozen as a preparation does."""
    delivery = make_delivery(session, edition, subscriber)
    for position, paper in enumerate(papers, start=1):
        if session.get(EditionPaper, (edition.id, paper.id)) is None:
            frozen = EditionPaper(
                edition_id=edition.id or 0,
                paper_id=paper.id or 0,
                content=digest.content_of(paper),
            )
            _add(session, frozen)
        _add(session, make_item(delivery, paper, position))
    return delivery


def make_item(delivery: Delivery, paper: Paper, position: int = 1) -> DigestItem:
    return DigestItem(
        delivery_id=delivery.id or 0,
        subscriber_id=delivery.subscriber_id,
        paper_id=paper.id or 0,
        section="Program repair",
        position=position,
        score=87.0,
        match=0.9,
        label=Label.STRONG,
        explanation="because you follow program repair",
    )
