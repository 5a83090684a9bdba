"""Show what would go out for a date: made by the functions that prepare, then rolled back."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core.batches import batched
from newsletter.core.database import read_scope, trial_scope, utc_now
from newsletter.core.errors import UsageError
from newsletter.core.models import Delivery, Edition, EditionStatus
from newsletter.editions import freeze, preparation, trials
from newsletter.editions.ordering import ordered
from newsletter.messages import digest
from newsletter.messages.digest import Digest
from newsletter.ranking.encoders import DEFAULT
from newsletter.ranking.profiles import profiles
from newsletter.ranking.ranker import Ranker
from newsletter.sending import ledger

# Subscribers frozen and undone per transaction: SQLite's other writers wait that long.
CHUNK = 100


def rehearse(
    engine: Engine,
    issue_date: date,
    *,
    message_domain: str,
    sources: Sequence[str] = (),
    subscriber_id: int | None = None,
    model: str = DEFAULT,
) -> Iterator[Digest]:
    """Yield every digest that `newsletter send` would send for the date now; no row changes.

    Digests that are frozen already come as they are; the others are frozen in a transaction that
    is rolled back, so their Message-IDs are not those that will be sent. With ``subscriber_id``
    only that subscriber's.

    Raises:
        UsageError: the edition was cancelled.
    """
    now = utc_now()
    with read_scope(engine) as session:
        edition = session.exec(select(Edition).where(Edition.issue_date == issue_date)).first()
        if edition is not None and edition.status is EditionStatus.CANCELLED:
            raise UsageError(f"the edition of {issue_date} was cancelled")
        edition = edition or Edition(
            issue_date=issue_date, status=EditionStatus.DRAFT, opened_at=now
        )
        edition_id = edition.id
        only = None if subscriber_id is None else [subscriber_id]
        due = [
            subscriber_id
            for subscriber_id in preparation.due_without_digest(session, edition_id, issue_date)
            if only is None or subscriber_id in only
        ]
        read = preparation.coverage_of(session, edition, now, sources)
        waiting = _waiting(session, edition_id, only) if edition_id else []
        plan = trials.plan_of(session, issue_date, now)
    for ids in batched(waiting):
        with read_scope(engine) as session:
            yield from _load(session, edition_id or 0, ids)
    if not due:
        return
    ranker = _load_ranker(engine, now, model)
    for chunk in batched(due, CHUNK):
        readers, space = preparation.load_readers(engine, chunk, model, now)
        while len(ranker.candidates) and ranker.candidates.feature_space != space:
            ranker = _load_ranker(engine, now, model)  # a training ended meanwhile
            readers, space = preparation.load_readers(engine, chunk, model, now)
        rankings = ranker.rank(ordered(readers, plan))
        with trial_scope(engine) as session:
            trial_id = edition_id or _trial_edition(session, issue_date, now)
            freeze.freeze(session, freeze.Issue(trial_id, message_domain, now, read), rankings)
            digests = _load(session, trial_id, _waiting(session, trial_id, chunk))
        yield from digests


def _load_ranker(engine: Engine, now: datetime, model: str) -> Ranker:
    since = now - digest.CANDIDATE_WINDOW
    with read_scope(engine) as session:
        return Ranker(profiles.load_candidates(session, since, model))


def _trial_edition(session: Session, issue_date: date, now: datetime) -> int:
    edition = Edition(issue_date=issue_date, status=EditionStatus.DRAFT, opened_at=now)
    session.add(edition)
    session.flush()
    return edition.id or 0


def _waiting(session: Session, edition_id: int, subscribers: Sequence[int] | None) -> list[int]:
    """Ids of the edition's deliveries that are not finished."""
    query = (
        select(Delivery.id)
        .where(
            Delivery.edition_id == edition_id,
            col(Delivery.status).in_(ledger.UNFINISHED),
        )
        .order_by(col(Delivery.id))
    )
    if subscribers is not None:
        query = query.where(col(Delivery.subscriber_id).in_(subscribers))
    return [subscriber_id or 0 for subscriber_id in session.exec(query)]


def _load(session: Session, edition_id: int, ids: Sequence[int]) -> list[Digest]:
    contents = digest.Contents(digest.load_contents(session, edition_id))
    return list(digest.load(session, list(ids), contents).values())
