"""Quiet days: why a subscriber gets no papers, who is told so, and how often."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import delete, insert
from sqlmodel import Session, SQLModel, col

from newsletter.core import language
from newsletter.core.language import _, gettext
from newsletter.core.models import NoDigest, Occasion, QuietNotes
from newsletter.core.one_of import one_of
from newsletter.editions.reasons import LOWER, OF_GROUP, UNMUTE, WIDEN
from newsletter.papers.coverage import Coverage
from newsletter.ranking import ranker
from newsletter.ranking.profiles import groups

# Half a day less than seven, so that a note an hour earlier than last week's is not held back.
WEEK = timedelta(days=6.5)
_ADVICE = {ranker.NO_MATCH: WIDEN, ranker.ALL_MUTED: UNMUTE, ranker.BELOW_MINIMUM: LOWER}

_delivery = SQLModel.metadata.tables["delivery"].c


def reason(ranked: ranker.Ranking, why: str, *, is_member: bool = False) -> str:
    """Why there is no paper, and how to widen; ``why`` is what the sources have to do with it.

    ``is_member`` says that another member keeps the reader's group, and its choices.
    """
    if ranked.message in {"", ranker.NO_NEW}:
        return why
    said = in_words(ranked)
    advice = OF_GROUP if is_member else _ADVICE.get(ranked.message)
    return f"{said}. {gettext(advice)}" if advice else said


def record(
    session: Session,
    edition_id: int,
    empty: Sequence[ranker.Ranking],
    *,
    read: Coverage,
    ids: Sequence[int],
    spoken: Mapping[int, str],
) -> None:
    """Record why the ``empty`` rankings are; what was recorded before for ``ids`` is replaced.

    ``spoken`` are languages by subscriber id.
    """
    session.execute(
        delete(NoDigest).where(
            col(NoDigest.edition_id) == edition_id, one_of(col(NoDigest.subscriber_id), ids)
        )
    )
    if empty:
        told = {}
        members = groups.keeper_of(session, [ranked.subscriber_id for ranked in empty])
        why = read.nothing_in_words()
        for ranked in empty:
            if spoken[ranked.subscriber_id] != language.SOURCE:
                with language.speaking(spoken[ranked.subscriber_id]):
                    told[ranked.subscriber_id] = reason(
                        ranked,
                        read.nothing_in_words(),
                        is_member=ranked.subscriber_id in members,
                    )
        session.execute(
            insert(NoDigest),
            [
                {
                    "edition_id": edition_id,
                    "subscriber_id": ranked.subscriber_id,
                    "reason": reason(ranked, why, is_member=ranked.subscriber_id in members),
                    "told": told.get(ranked.subscriber_id, ""),
                }
                for ranked in empty
            ],
        )


def in_words(ranked: ranker.Ranking) -> str:
    """Why a ranking has no paper, in the language that is on."""
    return _(ranked.message, number=ranked.number)


def to_tell(
    session: Session, empty: Sequence[ranker.Ranking], people: Mapping[int, Any], now: datetime
) -> Collection[int]:
    """Subscribers of ``empty`` rankings who are told: on each quiet day, once a week, or never.

    Paused topics are the subscriber's own wish, and no news.
    """
    ids = [ranked.subscriber_id for ranked in empty if ranked.reason != ranker.PAUSED]
    told = set(
        session.connection().scalars(
            sqlalchemy.select(_delivery.subscriber_id).where(
                _delivery.subscriber_id.in_(ids),
                _delivery.occasion == Occasion.NOTHING,
                _delivery.created_at > now - WEEK,
            )
        )
    )
    return {
        subscriber_id
        for subscriber_id in ids
        if _is_told(people[subscriber_id].tell_when_nothing, lately=subscriber_id in told)
    }


def _is_told(wish: QuietNotes, *, lately: bool) -> bool:
    return wish is QuietNotes.DAILY or (wish is QuietNotes.WEEKLY and not lately)
