"""Freeze rankings in rows: everything a digest consists of, as it will be sent and resent."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy
from sqlalchemy import delete, func, insert
from sqlmodel import Session, SQLModel, col, select

from newsletter.core.models import (
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    Edition,
    EditionPaper,
    NoDigest,
    Occasion,
    Paper,
)
from newsletter.editions import quiet_day
from newsletter.messages import digest
from newsletter.ranking import ranker

# Rows by the hundred thousand go through tables, not objects: a third of the time.
_delivery = SQLModel.metadata.tables["delivery"]
_item = SQLModel.metadata.tables["digest_item"]
_subscriber = SQLModel.metadata.tables["subscriber"].c
_topic = SQLModel.metadata.tables["topic"].c


def freeze(
    session: Session,
    edition_id: int,
    rankings: Sequence[ranker.Ranking],
    contents: dict[int, dict[str, Any]],
    *,
    message_domain: str,
    now: datetime,
    why: str,
) -> int:
    """Write the digests of one chunk; returns how many. Skips subscribers who got one meanwhile.

    A digest without papers is only for subscribers who asked for it; the reason is always recorded.
    ``contents`` are the papers frozen so far; this chunk's join them.
    """
    # One preparation of an edition writes at a time; SQLite's BEGIN IMMEDIATE does the same.
    session.exec(select(Edition.id).where(Edition.id == edition_id).with_for_update())
    rankings = _without_mailed(session, _without_lost(session, rankings, contents))
    ids = [ranked.subscriber_id for ranked in rankings]
    taken = set(
        session.exec(
            select(Delivery.subscriber_id).where(
                Delivery.edition_id == edition_id, col(Delivery.subscriber_id).in_(ids)
            )
        )
    )
    people = session.connection().execute(
        sqlalchemy.select(
            _subscriber.id,
            _subscriber.email,
            _subscriber.name,
            _subscriber.length,
            _subscriber.tell_when_nothing,
            _subscriber.min_score,
            _subscriber.minimum_changed,
            _subscriber.vacation_until,
        ).where(_subscriber.id.in_(ids))
    )
    # Ranked outside this transaction: subscribers erased meanwhile are skipped, and a topic that
    # was deleted meanwhile only lends its name to the section.
    addresses = {person.id: person for person in people if person.id not in taken}
    wanted = [ranked for ranked in rankings if ranked.subscriber_id in addresses]
    empty = [ranked for ranked in wanted if not ranked.picks]
    _note_nothing(session, edition_id, ids, empty, why)
    told = quiet_day.to_tell(session, empty, addresses, now) if empty else ()
    mailed = [ranked for ranked in wanted if ranked.picks or ranked.subscriber_id in told]
    if not mailed:
        return 0
    topics = set(
        session.connection().scalars(
            sqlalchemy.select(_topic.id).where(_topic.subscriber_id.in_(list(addresses)))
        )
    )
    contents = _freeze_papers(
        session,
        edition_id,
        {pick.paper_id for ranked in mailed for pick in ranked.picks},
        contents,
    )
    occasions = _occasions(session, mailed, addresses)
    rows = [
        {
            "edition_id": edition_id,
            "subscriber_id": ranked.subscriber_id,
            "kind": DeliveryKind.DIGEST,
            "to_address": addresses[ranked.subscriber_id].email,
            "to_name": addresses[ranked.subscriber_id].name,
            "length": addresses[ranked.subscriber_id].length,
            "message_id": f"{secrets.token_hex(16)}@{message_domain}",
            "occasion": occasions[ranked.subscriber_id],
            "subject": digest.subject_line(
                [contents[pick.paper_id]["title"] for pick in ranked.picks],
                occasions[ranked.subscriber_id],
            ),
            "notice": _notice(addresses[ranked.subscriber_id]),
            "status": DeliveryStatus.QUEUED,
            "created_at": now,
        }
        for ranked in mailed
    ]
    made = session.connection().execute(
        insert(_delivery).returning(_delivery.c.id, _delivery.c.subscriber_id), rows
    )
    delivery_of = {subscriber_id: delivery_id for delivery_id, subscriber_id in made}

    heard = [number for number in delivery_of if addresses[number].minimum_changed]
    if heard:
        session.connection().execute(
            sqlalchemy.update(SQLModel.metadata.tables["subscriber"])
            .where(_subscriber.id.in_(heard))
            .values(minimum_changed=False)
        )

    # A paper's readers mostly have the same sentences marked.
    @cache
    def marked(paper_id: int, passages: Sequence[str]) -> list[list[int]]:
        return digest.offsets_of(contents[paper_id]["abstract"], passages)

    items = [
        {
            "delivery_id": delivery_of[ranked.subscriber_id],
            "subscriber_id": ranked.subscriber_id,
            "paper_id": pick.paper_id,
            "topic_id": pick.topic_id if pick.topic_id in topics else None,
            "section": pick.section,
            "position": pick.position,
            "score": pick.score,
            "match": pick.match,
            "label": pick.label,
            "explanation": pick.explanation,
            "highlights": marked(pick.paper_id, pick.highlights),
            "in_short": marked(pick.paper_id, (pick.in_short,) if pick.in_short else ()),
        }
        for ranked in mailed
        for pick in ranked.picks
    ]
    if items:
        session.connection().execute(insert(_item), items)
    return len(mailed)


def _notice(person: Any) -> str:
    """What is said once: that a minimum which the subscriber had set was converted."""
    return digest.minimum_notice(person.min_score) if person.minimum_changed else ""


def _occasions(
    session: Session, rankings: Sequence[ranker.Ranking], people: Mapping[int, Any]
) -> dict[int, Occasion]:
    """Why each digest goes out, by subscriber id; ``people`` are their rows."""
    column = _delivery.c
    is_digest = sqlalchemy.and_(
        column.kind == DeliveryKind.DIGEST,
        column.occasion != Occasion.NOTHING,
        column.status != DeliveryStatus.CANCELLED,
    )
    asked = column.kind == DeliveryKind.CONFIRMATION
    history = {
        number: (last, was_asked)
        for number, last, was_asked in session.connection().execute(
            sqlalchemy.select(
                column.subscriber_id,
                func.max(sqlalchemy.case((is_digest, column.created_at))),
                func.max(sqlalchemy.case((asked, 1), else_=0)),
            )
            .where(column.subscriber_id.in_([ranked.subscriber_id for ranked in rankings]))
            .group_by(column.subscriber_id)
        )
    }

    def occasion(ranked: ranker.Ranking) -> Occasion:
        if not ranked.picks:
            return Occasion.NOTHING
        last, was_asked = history.get(ranked.subscriber_id, (None, False))
        if last is None:
            # Subscribers whom the operator imported are used to digests.
            return Occasion.WELCOME if was_asked else Occasion.REGULAR
        vacation = people[ranked.subscriber_id].vacation_until
        return Occasion.BEST_OF if vacation and last.date() <= vacation else Occasion.REGULAR

    return {ranked.subscriber_id: occasion(ranked) for ranked in rankings}


def _note_nothing(
    session: Session,
    edition_id: int,
    ids: Sequence[int],
    empty: Sequence[ranker.Ranking],
    why: str,
) -> None:
    """Record why; what an earlier preparation recorded for these subscribers is replaced."""
    session.execute(
        delete(NoDigest).where(
            col(NoDigest.edition_id) == edition_id, col(NoDigest.subscriber_id).in_(ids)
        )
    )
    if empty:
        session.execute(
            insert(NoDigest),
            [
                {
                    "edition_id": edition_id,
                    "subscriber_id": ranked.subscriber_id,
                    "reason": quiet_day.reason(ranked, why),
                }
                for ranked in empty
            ],
        )


def _without_lost(
    session: Session, rankings: Sequence[ranker.Ranking], known: Mapping[int, Any]
) -> Sequence[ranker.Ranking]:
    """Drop papers that an ingest has merged into others since they were ranked.

    The rest cannot go before this transaction ends.
    """
    picked = {pick.paper_id for ranked in rankings for pick in ranked.picks} - known.keys()
    query = select(Paper.id).where(col(Paper.id).in_(picked)).order_by(col(Paper.id))
    lost = picked - set(session.exec(query.with_for_update(read=True, key_share=True)))
    if not lost:
        return rankings
    return [
        replace(ranked, picks=tuple(pick for pick in ranked.picks if pick.paper_id not in lost))
        for ranked in rankings
    ]


def _without_mailed(
    session: Session, rankings: Sequence[ranker.Ranking]
) -> Sequence[ranker.Ranking]:
    """Drop papers that a subscriber has received since they were ranked.

    Another date's preparation, or an ingest that merged two papers, may have been faster.
    """
    item = _item.c
    picked = {pick.paper_id for ranked in rankings for pick in ranked.picks}
    had = {
        (number, paper_id)
        for number, paper_id in session.connection().execute(
            sqlalchemy.select(item.subscriber_id, item.paper_id).where(
                item.subscriber_id.in_([ranked.subscriber_id for ranked in rankings]),
                item.paper_id.in_(picked),
            )
        )
    }
    if not had:
        return rankings
    return [
        replace(
            ranked,
            picks=tuple(
                pick for pick in ranked.picks if (ranked.subscriber_id, pick.paper_id) not in had
            ),
        )
        for ranked in rankings
    ]


def _freeze_papers(
    session: Session,
    edition_id: int,
    paper_ids: Iterable[int],
    known: dict[int, dict[str, Any]],
) -> dict[int, dict[str, Any]]:
    """Contents of the papers as this edition shows them, by id; new ones are frozen now.

    ``known`` are those from earlier chunks: they are read once a preparation, not once a chunk.
    """
    if set(paper_ids) <= known.keys():
        return known
    frozen = digest.load_contents(session, edition_id)
    missing = sorted(set(paper_ids) - set(frozen))
    if missing:
        found = session.exec(select(Paper).where(col(Paper.id).in_(missing)))
        new = {paper.id or 0: digest.content_of(paper) for paper in found}
        session.execute(
            insert(EditionPaper),
            [
                {"edition_id": edition_id, "paper_id": paper_id, "content": content}
                for paper_id, content in new.items()
            ],
        )
        frozen |= new
    known |= frozen
    return known
