"""Subscribers with topics and papers for them, all due now: what a worker finds to do."""

from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter.core.config import Settings, load_settings
from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import Delivery, DigestItem, Interest, InterestKind, Subscriber, Topic
from tests.support import factories

SUBJECTS = (
    "program repair",
    "language models",
    "protein folding",
    "dark matter",
    "graph networks",
    "speech recognition",
    "quantum codes",
    "private learning",
)
Row = tuple[str, int, str, int, float, float | None, str, str, str, str]


def settings_for(engine: Engine, port: int = 1) -> Settings:
    """Settings of a site on this database that mails to a sink on loopback."""
    return load_settings(
        database_url=engine.url.render_as_string(hide_password=False),
        smtp_url=f"smtp://127.0.0.1:{port}",
        from_address="papers@site.example",
        secret_keys=("0f9b8c7d6e5a41322334455667788990aabbccddeeff0011",),
        base_url="https://papers.example",
        sources=(),
    )


def add_readers(engine: Engine, count: int, papers: int = 24) -> datetime:
    """Active subscribers who are due now, each with two subjects; returns the moment."""
    now = utc_now()
    with session_scope(engine) as session:
        for number in range(papers):
            one, two = SUBJECTS[number % 8], SUBJECTS[(number * 3 + 1) % 8]
            factories.make_paper(
                session,
                number + 1,
                title=f"{one.capitalize()} for {two}, part {number}",
                abstract=f"We study {one}. We show that {two} gains from it in {number} ways.",
                first_seen_at=now - timedelta(hours=2),
            )
        for number in range(count):
            person = factories.make_subscriber(
                session,
                f"reader{number}@there.example",
                send_hour=now.hour,
                time_zone="UTC",
                confirmed_at=now - timedelta(days=9),
            )
            topic = Topic(subscriber_id=person.id or 0, name="My field")
            session.add(topic)
            session.flush()
            for subject in {SUBJECTS[number % 8], SUBJECTS[(number // 8 + 3) % 8]}:
                session.add(
                    Interest(topic_id=topic.id or 0, kind=InterestKind.KEYWORD, value=subject)
                )
    return now


def digest_rows(engine: Engine) -> list[Row]:
    """What each reader's digest holds, by address and position; without ids of rows."""
    item = DigestItem
    with read_scope(engine) as session:
        rows = session.exec(
            select(Subscriber.email, Delivery.subject, item)
            .join(Delivery, col(Delivery.subscriber_id) == col(Subscriber.id))
            .join(item, col(item.delivery_id) == col(Delivery.id))
        ).all()
    return sorted(
        (
            email,
            row.position,
            subject,
            row.paper_id,
            row.score,
            row.match,
            row.label.value,
            row.section,
            row.explanation,
            f"{row.highlights} {row.in_short}",
        )
        for email, subject, row in rows
    )
