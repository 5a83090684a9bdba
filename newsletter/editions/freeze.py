"""Freeze rankings in rows: everything a digest consists of, as it will be sent and resent."""

import json
import secrets
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy
from sqlalchemy import func
from sqlmodel import Session, SQLModel, col, select

from newsletter.core import bulk, language
from newsletter.core.database import keep_pages, upsert
from newsletter.core.models import (
    Cadence,
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    Edition,
    Occasion,
    Paper,
)
from newsletter.core.one_of import one_of, pair_among
from newsletter.editions import known_papers, lifecycle, quiet_day
from newsletter.messages import digest, extras, news, subjects
from newsletter.papers.coverage import Coverage
from newsletter.ranking import ranker

# Rows by the hundred thousand go through tables, not objects: a third of the time.
_delivery = SQLModel.metadata.tables["delivery"]
_item = SQLModel.metadata.tables["digest_item"]
_subscriber = SQLModel.metadata.tables["subscriber"].c
_topic = SQLModel.metadata.tables["topic"].c


@dataclass(frozen=True, slots=True)
class Issue:
    """The edition that digests are frozen for, and what all of them share.

    ``read`` is what the sources gave. ``contents`` are the
    papers frozen so far, by id: each chunk's join them, so that they are read once a preparation.
    """

    edition_id: int
    message_domain: str
    now: datetime
    read: Coverage
    contents: dict[int, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Addressed:
    """A ranking that becomes a digest, the row of its subscriber, and news of papers they know."""

    ranked: ranker.Ranking
    person: Any
    told: Sequence[known_papers.News] = ()


def freeze(session: Session, issue: Issue, rankings: Sequence[ranker.Ranking]) -> tuple[int, int]:
    """Write the digests of one chunk; returns how many, and how many of them have no papers.

    Skips subscribers who got one meanwhile. A digest without papers is only for subscribers who
    asked for it; the reason is always recorded.

    Raises:
        UsageError: the edition was cancelled meanwhile.
        IntegrityError: another preparation wrote digests of the same subscribers at this moment;
            again in a new transaction, with an ``issue`` without contents, skips these.
    """
    keep_pages(session)
    lifecycle.hold_open(session, issue.edition_id)
    rankings = _without_mailed(session, _without_lost(session, rankings, issue.contents))
    mailed = _to_mail(session, issue, rankings)
    if not mailed:
        return 0, 0
    _freeze_papers(session, issue, {pick.paper_id for each in mailed for pick in each.ranked.picks})
    delivery_of = _queue(session, issue, mailed)
    _forget_changed_minimums(session, mailed)
    _freeze_items(session, issue, mailed, delivery_of)
    known_papers.freeze(session, delivery_of, {each.person.id: each.told for each in mailed})
    return len(mailed), sum(not each.ranked.picks for each in mailed)


def _to_mail(
    session: Session, issue: Issue, rankings: Sequence[ranker.Ranking]
) -> list[_Addressed]:
    """Who of the chunk gets a digest now; of the rest, why not is recorded.

    Ranked outside this transaction: subscribers erased meanwhile are skipped.
    """
    ids = [ranked.subscriber_id for ranked in rankings]
    people = _without_digest(session, issue.edition_id, ids)
    wanted = [ranked for ranked in rankings if ranked.subscriber_id in people]
    empty = [ranked for ranked in wanted if not ranked.picks]
    spoken = {number: row.language for number, row in people.items()}
    quiet_day.record(session, issue.edition_id, empty, read=issue.read, ids=ids, spoken=spoken)
    told = quiet_day.to_tell(session, empty, people, issue.now) if empty else ()
    untold = known_papers.untold(session, list(people), issue.now)
    return [
        _Addressed(ranked, people[ranked.subscriber_id], untold.get(ranked.subscriber_id, ()))
        for ranked in wanted
        if ranked.picks
        or ranked.subscriber_id in told
        # News alone is worth a mail, but not while all topics are paused.
        or (ranked.subscriber_id in untold and ranked.reason != ranker.PAUSED)
    ]


def _without_digest(session: Session, edition_id: int, ids: Sequence[int]) -> dict[int, Any]:
    """Rows of the subscribers who have no digest of the edition yet, by id."""
    taken = set(
        session.exec(
            select(Delivery.subscriber_id).where(
                Delivery.edition_id == edition_id, one_of(Delivery.subscriber_id, ids)
            )
        )
    )
    people = session.connection().execute(
        sqlalchemy.select(
            _subscriber.id,
            _subscriber.email,
            _subscriber.name,
            _subscriber.length,
            _subscriber.read_here,
            _subscriber.language,
            _subscriber.cadence,
            _subscriber.tell_when_nothing,
            _subscriber.min_score,
            _subscriber.minimum_changed,
            _subscriber.vacation_until,
        ).where(one_of(_subscriber.id, ids))
    )
    return {person.id: person for person in people if person.id not in taken}


def _queue(session: Session, issue: Issue, mailed: Sequence[_Addressed]) -> dict[int, int]:
    """Queue a delivery for each; returns their ids by subscriber id."""
    history = _history(session, mailed)
    issue_date = session.get_one(Edition, issue.edition_id).issue_date
    rows = []
    for each in mailed:
        with language.speaking(each.person.language):
            last, was_asked = history.get(each.person.id, (None, False))
            rows.append(_delivery_row(issue, each, issue_date, last, was_asked))
    ids = bulk.new_ids(session, _delivery, len(rows))
    for row, new in zip(rows, ids, strict=True):
        row["id"] = new
    bulk.insert_rows(session, _delivery, rows)
    return {row["subscriber_id"]: row["id"] for row in rows}


def _delivery_row(
    issue: Issue, addressed: _Addressed, issue_date: date, last: datetime | None, was_asked: bool
) -> dict[str, Any]:
    person = addressed.person
    occasion = _occasion(addressed, last, was_asked)
    first_day = (
        _first_day(issue_date, last)
        if occasion is Occasion.REGULAR and person.cadence is Cadence.WEEKLY
        else None
    )
    titles = [issue.contents[pick.paper_id]["title"] for pick in addressed.ranked.picks]
    return {
        "edition_id": issue.edition_id,
        "subscriber_id": person.id,
        "kind": DeliveryKind.DIGEST,
        "to_address": person.email,
        "to_name": person.name,
        "length": person.length,
        "message_id": f"{secrets.token_hex(16)}@{issue.message_domain}",
        "occasion": occasion,
        "read_here": person.read_here,
        "language": person.language,
        "covers_from": first_day,
        "subject": subjects.subject_line(titles, occasion, is_weekly=first_day is not None)
        if titles or not addressed.told
        else news.subject_line(addressed.told[0].kind, [each.title for each in addressed.told]),
        "notice": _notice(person),
        "coverage": issue.read.line_for(addressed.ranked.considered, is_chosen=bool(titles)),
        "status": DeliveryStatus.QUEUED,
        "created_at": issue.now,
    }


def _forget_changed_minimums(session: Session, mailed: Sequence[_Addressed]) -> None:
    """The digests just queued say it (`_notice`), and it is said once."""
    told = [each.person.id for each in mailed if each.person.minimum_changed]
    if told:
        session.connection().execute(
            sqlalchemy.update(SQLModel.metadata.tables["subscriber"])
            .where(_subscriber.id.in_(told))
            .values(minimum_changed=False)
        )


def _freeze_items(
    session: Session,
    issue: Issue,
    mailed: Sequence[_Addressed],
    delivery_of: Mapping[int, int],
) -> None:
    """Write the papers of each digest, with the sentences that are marked in them."""
    # One that was deleted since the ranking, or is of a group, lends its name to the section.
    query = sqlalchemy.select(_topic.id, _topic.subscriber_id).where(
        one_of(_topic.subscriber_id, [each.person.id for each in mailed])
    )
    mine = {tuple(row) for row in session.connection().execute(query)}

    picks = [pick for each in mailed for pick in each.ranked.picks]
    if not picks:
        return
    readers = [each.person.id for each in mailed for _pick in each.ranked.picks]
    columns = dict(zip(ranker.Pick._fields, map(list, zip(*picks, strict=True)), strict=True))
    columns["subscriber_id"] = readers
    columns["delivery_id"] = [delivery_of[reader] for reader in readers]
    columns["topic_id"] = [
        topic if (topic, reader) in mine else None
        for topic, reader in zip(columns["topic_id"], readers, strict=True)
    ]
    abstracts = [issue.contents[paper]["abstract"] for paper in columns["paper_id"]]
    short = [(sentence,) if sentence else () for sentence in columns["in_short"]]
    columns["highlights"] = list(map(_marked, abstracts, columns["highlights"]))
    columns["in_short"] = list(map(_marked, abstracts, short))
    bulk.insert_columns(session, _item, columns, encoded={"highlights", "in_short"})


# A paper's readers mostly have the same sentences marked: .04 ms a digest, for 20 MB at most.
@lru_cache(maxsize=20_000)
def _marked(abstract: str, passages: tuple[str, ...]) -> str:
    """Where ``passages`` stand in ``abstract``, as JSON."""
    return json.dumps(digest.offsets_of(abstract, passages))


def _notice(person: Any) -> str:
    """What is said once: that a minimum which the subscriber had set was converted."""
    return subjects.minimum_notice(person.min_score) if person.minimum_changed else ""


def _history(
    session: Session, mailed: Sequence[_Addressed]
) -> dict[int, tuple[datetime | None, bool]]:
    """By subscriber id: when the last digest was made, and whether they confirmed by mail."""
    column = _delivery.c
    is_digest = sqlalchemy.and_(
        column.kind == DeliveryKind.DIGEST,
        column.occasion != Occasion.NOTHING,
        column.status != DeliveryStatus.CANCELLED,
    )
    asked = column.kind == DeliveryKind.CONFIRMATION
    return {
        subscriber_id: (last, bool(was_asked))
        for subscriber_id, last, was_asked in session.connection().execute(
            sqlalchemy.select(
                column.subscriber_id,
                func.max(sqlalchemy.case((is_digest, column.created_at))),
                func.max(sqlalchemy.case((asked, 1), else_=0)),
            )
            .where(one_of(column.subscriber_id, [each.person.id for each in mailed]))
            .group_by(column.subscriber_id)
        )
    }


def _occasion(addressed: _Addressed, last: datetime | None, was_asked: bool) -> Occasion:
    """Why a digest goes out."""
    if not addressed.ranked.picks:
        return Occasion.NOTHING
    if last is None:
        # Subscribers whom the operator imported are used to digests.
        return Occasion.WELCOME if was_asked else Occasion.REGULAR
    vacation = addressed.person.vacation_until
    return Occasion.BEST_OF if vacation and last.date() <= vacation else Occasion.REGULAR


def _first_day(issue_date: date, last: datetime | None) -> date:
    """The first day that a weekly digest covers: the one after the last digest's."""
    if last is None:
        return issue_date - timedelta(days=6)
    earliest = issue_date - digest.CANDIDATE_WINDOW
    return min(issue_date, max(earliest, last.date() + timedelta(days=1)))


def _without_lost(
    session: Session, rankings: Sequence[ranker.Ranking], known: Mapping[int, Any]
) -> Sequence[ranker.Ranking]:
    """Drop papers that an ingest has merged into others since they were ranked.

    The rest cannot go before this transaction ends.
    """
    picked = {pick.paper_id for ranked in rankings for pick in ranked.picks} - known.keys()
    query = select(Paper.id).where(one_of(col(Paper.id), picked)).order_by(col(Paper.id))
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
    picked = [(ranked.subscriber_id, pick.paper_id) for ranked in rankings for pick in ranked.picks]
    query = sqlalchemy.select(item.subscriber_id, item.paper_id).where(
        pair_among(item.subscriber_id, item.paper_id, picked)
    )
    had = {(row.subscriber_id, row.paper_id) for row in session.connection().execute(query)}
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


def _freeze_papers(session: Session, issue: Issue, paper_ids: Set[int]) -> None:
    """Add the papers to the issue's contents, as this edition shows them; new ones are frozen."""
    if paper_ids <= issue.contents.keys():
        return
    frozen = digest.load_contents(session, issue.edition_id)
    missing = sorted(paper_ids - frozen.keys())
    if missing:
        found = session.exec(select(Paper).where(col(Paper.id).in_(missing)))
        added = extras.frozen(session, missing)
        rows = [
            {
                "edition_id": issue.edition_id,
                "paper_id": paper.id,
                "content": digest.content_of(paper) | added.get(paper.id or 0, {}),
            }
            for paper in sorted(found, key=lambda paper: paper.id or 0)
        ]
        # Another process may be freezing the same paper, and then its form of it counts.
        new = upsert(session, "edition_paper").on_conflict_do_nothing()
        session.connection().execute(new, rows)
        frozen = digest.load_contents(session, issue.edition_id)
    issue.contents.update(frozen)
