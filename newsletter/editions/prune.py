"""Old rows out, in short transactions; what later days still need stays.

Of a digest its words go: explanations, highlights, subject, and the papers as its edition showed
them. Its rows stay, for they are what keeps a paper from being sent twice, where a revision is
told, which label was shown when a reader judged, and which recipe of a trial chose a paper.
Suppressions stay, and clicks of people.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, delete, exists, func, select, update
from sqlmodel import Session, SQLModel

from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import ClickBy, DeliveryKind, EditionStatus, EventKind
from newsletter.sending import ledger

# Days that stay unless the operator says otherwise: a season of past digests on readers' pages.
KEEP_DAYS = 90
# Rows per transaction: SQLite's senders and pages wait for one of these, some milliseconds.
BATCH = 500

_tables = SQLModel.metadata.tables
_delivery, _item = _tables["delivery"], _tables["digest_item"]
_edition, _edition_paper = _tables["edition"], _tables["edition_paper"]
_no_digest, _event = _tables["no_digest"], _tables["delivery_event"]
_fetch, _kept = _tables["fetch_log"], _tables["kept_mail"]


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows went, or would go; of ``digests`` the words only."""

    digests: int
    frozen_papers: int
    reasons: int  # why a subscriber got no digest
    events: int
    kept_mails: int
    fetches: int

    @property
    def total(self) -> int:
        """All of them."""
        return (
            self.digests
            + self.frozen_papers
            + self.reasons
            + self.events
            + self.kept_mails
            + self.fetches
        )


def prune(engine: Engine, now: datetime, *, keep_days: int = KEEP_DAYS) -> Pruned:
    """Remove what is older than ``keep_days`` days; killed in between, the next call goes on.

    Nothing of an edition that still has something to send is touched.
    """
    before = now - timedelta(days=keep_days)
    with read_scope(engine) as session:
        editions = _over(session, before)
    return Pruned(
        digests=_empty_digests(engine, editions),
        # After the digests: while these rows are there, an edition is not done.
        frozen_papers=_delete(engine, _edition_paper.c.paper_id, _papers_of, editions),
        reasons=_delete(engine, _no_digest.c.id, _reasons_of, editions),
        events=_delete_all(engine, _event.c.id, _old_events(before)),
        kept_mails=_delete_all(engine, _kept.c.id, _kept.c.received_at < before),
        fetches=_delete_all(engine, _fetch.c.id, _old_fetches(before)),
    )


def outlook(session: Session, now: datetime, *, keep_days: int = KEEP_DAYS) -> Pruned:
    """What `prune` would remove now."""
    before = now - timedelta(days=keep_days)
    editions = _over(session, before)

    def count(table: Any, condition: ColumnElement[bool]) -> int:
        number = select(func.count()).select_from(table).where(condition)
        return int(session.execute(number).scalar_one())

    return Pruned(
        digests=count(_delivery, _full_digests(_delivery.c.edition_id.in_(editions))),
        frozen_papers=count(_edition_paper, _edition_paper.c.edition_id.in_(editions)),
        reasons=count(_no_digest, _no_digest.c.edition_id.in_(editions)),
        events=count(_event, _old_events(before)),
        kept_mails=count(_kept, _kept.c.received_at < before),
        fetches=count(_fetch, _old_fetches(before)),
    )


def _over(session: Session, before: datetime) -> list[int]:
    """Editions of earlier dates with nothing left to send."""
    ended = (EditionStatus.SENT, EditionStatus.CANCELLED)
    found = session.execute(
        select(_edition.c.id)
        .where(_edition.c.issue_date < before.date(), _edition.c.status.in_(ended))
        .order_by(_edition.c.id)
    ).scalars()
    return [number for number in found if not ledger.is_unfinished(session, number)]


def _full_digests(of: ColumnElement[bool]) -> ColumnElement[bool]:
    """Digests that still have their words: a subject is never empty otherwise."""
    return of & (_delivery.c.kind == DeliveryKind.DIGEST) & (_delivery.c.subject != "")


def _empty_digests(engine: Engine, editions: list[int]) -> int:
    done = 0
    for edition_id in editions:
        wanted = (
            select(_delivery.c.id)
            .where(_full_digests(_delivery.c.edition_id == edition_id))
            .order_by(_delivery.c.id)
            .limit(BATCH // 10)  # a digest has some ten papers
        )
        while True:
            with session_scope(engine) as session:
                ids = session.execute(wanted).scalars().all()
                if not ids:
                    break
                session.execute(
                    update(_item)
                    .where(_item.c.delivery_id.in_(ids))
                    .values(explanation="", bars="", highlights=[], in_short=[])
                )
                session.execute(
                    update(_delivery)
                    .where(_delivery.c.id.in_(ids))
                    .values(subject="", notice="", coverage="", to_name="", smtp_response="")
                )
            done += len(ids)
    return done


def _papers_of(edition_id: int) -> ColumnElement[bool]:
    return _edition_paper.c.edition_id == edition_id


def _reasons_of(edition_id: int) -> ColumnElement[bool]:
    return _no_digest.c.edition_id == edition_id


def _old_events(before: datetime) -> ColumnElement[bool]:
    is_person = (_event.c.kind == EventKind.CLICKED) & (_event.c.detail == ClickBy.PERSON)
    return (_event.c.occurred_at < before) & ~is_person


def _old_fetches(before: datetime) -> ColumnElement[bool]:
    """All but the last of each source, which says when it was read."""
    later = _fetch.alias()
    has_later = exists().where(later.c.source == _fetch.c.source, later.c.id > _fetch.c.id)
    return (_fetch.c.started_at < before) & has_later


def _delete(
    engine: Engine, key: Any, of: Callable[[int], ColumnElement[bool]], editions: list[int]
) -> int:
    return sum(_delete_all(engine, key, of(edition_id)) for edition_id in editions)


def _delete_all(engine: Engine, key: Any, condition: ColumnElement[bool]) -> int:
    """Delete the rows of ``key``'s table that meet ``condition``, a batch at a time."""
    gone = 0
    while True:
        with session_scope(engine) as session:
            ids = session.execute(select(key).where(condition).limit(BATCH)).scalars().all()
            if ids:
                session.execute(delete(key.table).where(condition, key.in_(ids)))
        gone += len(ids)
        if len(ids) < BATCH:
            return gone
