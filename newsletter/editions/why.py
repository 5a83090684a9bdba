"""Why a paper is, or is not, in a reader's digest. Reads only.

A frozen digest is told as it was frozen. A date that is not prepared is ranked now, as a
preparation would, and nothing is written.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlmodel import Session, col, select

from newsletter.core import language
from newsletter.core.database import utc_now
from newsletter.core.language import N_, _, gettext
from newsletter.core.models import (
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    DigestItem,
    Edition,
    Label,
    Paper,
    Subscriber,
    SubscriberStatus,
)
from newsletter.editions import schedule
from newsletter.editions.ordering import ordered_for
from newsletter.messages.digest import CANDIDATE_WINDOW
from newsletter.ranking.candidates import Candidates, SubscriberProfile
from newsletter.ranking.encoders import DEFAULT
from newsletter.ranking.profiles import profiles
from newsletter.ranking.standing import Share, Standing, changed_since, stand

# Candidates first seen in the 30 days up to a moment, as ranking takes them.
Load = Callable[[Session, datetime], Candidates]


class Outcome(StrEnum):
    """What became of a paper for one reader on one date."""

    MAILED = "mailed"
    SELECTED = "selected"
    RANKED_BELOW = "ranked_below"
    UNDER_BAR = "under_bar"
    MUTED = "muted"
    BUDGET = "budget"
    ALREADY_SENT = "already_sent"
    TOO_OLD = "too_old"
    RETRACTED = "retracted"
    NOT_INGESTED = "not_ingested"


_OUTCOMES = {
    "selected": Outcome.SELECTED,
    "ranked_below": Outcome.RANKED_BELOW,
    "under_bar": Outcome.UNDER_BAR,
    "muted": Outcome.MUTED,
    "budget": Outcome.BUDGET,
    # What a reader named or judged is not sent to them either.
    "known": Outcome.ALREADY_SENT,
    "too_old": Outcome.TOO_OLD,
}
_ARRIVED = {DeliveryStatus.SENT, DeliveryStatus.BOUNCED, DeliveryStatus.COMPLAINED}
_ON_ITS_WAY = {
    DeliveryStatus.QUEUED: N_("it waits to be sent"),
    DeliveryStatus.SENDING: N_("it is being sent"),
    DeliveryStatus.DEFERRED: N_("it will be tried again"),
    DeliveryStatus.UNCERTAIN: N_("the relay did not say whether it took the message"),
    DeliveryStatus.FAILED: N_("the message could not be delivered"),
    DeliveryStatus.SUPPRESSED: N_("the message was held back: this address gets no mail"),
    DeliveryStatus.EXPIRED: N_("the message was not sent in time"),
}
_NO_DIGESTS = {
    SubscriberStatus.PENDING: N_("The subscription is not confirmed yet, so no digest goes out."),
    SubscriberStatus.PAUSED: N_("The subscription is paused, so no digest goes out."),
    SubscriberStatus.UNSUBSCRIBED: N_("This reader has unsubscribed, so no digest goes out."),
}


@dataclass(frozen=True, slots=True)
class Why:
    """The answer. The points of ``shares`` add up to ``score``; there are none without a score."""

    paper_id: int | None
    title: str
    outcome: Outcome
    detail: str
    rank: int | None = None
    score: float | None = None
    match: float | None = None
    label: Label = Label.NONE
    shares: tuple[Share, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The answer as plain values."""
        return {
            "paper": {"id": self.paper_id, "title": self.title},
            "outcome": self.outcome.value,
            "rank": self.rank,
            "score": self.score,
            "match": self.match,
            "label": None if self.label is Label.NONE else self.label.value,
            "detail": self.detail,
            "shares": [{"what": each.what, "points": each.points} for each in self.shares],
        }


def loader(model: str = DEFAULT) -> Load:
    """Candidates out of the database, anew each time."""
    return lambda session, until: profiles.load_candidates(
        session, until - CANDIDATE_WINDOW, model, until
    )


class Frozen(NamedTuple):
    """A paper in a digest, as it was frozen."""

    item: DigestItem
    delivery: Delivery
    edition: Edition


@dataclass(frozen=True, slots=True)
class Asking:
    """Questions about one reader's digests. ``load`` gives the candidates up to a moment."""

    session: Session
    subscriber: Subscriber
    load: Load
    model: str = DEFAULT

    def why(self, paper: Paper | None, issue_date: date, asked: str = "") -> Why:
        """What became, or would become, of ``paper`` in the digest of a date.

        ``asked`` is what the paper was looked for by, told where it is not known.
        """
        if paper is None or paper.id is None:
            detail = _(
                "No source has listed a paper with this number, id, address or title so far."
            )
            return Why(None, asked, Outcome.NOT_INGESTED, detail)
        frozen = self.frozen(paper.id)
        delivery = self._delivery_of(issue_date)
        if frozen and delivery and frozen.delivery.id == delivery.id:
            return self.mailed(paper, frozen)
        at = delivery.created_at if delivery else utc_now()
        if delivery and paper.first_seen_at > at:
            came = f"{paper.first_seen_at:%Y-%m-%d %H:%M} UTC"
            detail = _(
                "It came in on {moment}, after the digest of {day} was prepared.",
                moment=came,
                day=issue_date,
            )
            return Why(paper.id, paper.title, Outcome.NOT_INGESTED, detail)
        if frozen and (delivery is None or frozen.delivery.created_at < at):
            return replace(self.mailed(paper, frozen), outcome=Outcome.ALREADY_SENT)
        found = None if paper.standing else self.standing(paper.id, delivery, issue_date)
        if found is None:
            return _not_a_candidate(paper, at)
        return self._computed(paper, found, issue_date, frozen=delivery is not None)

    def mailed(self, paper: Paper, frozen: Frozen) -> Why:
        """A paper in a frozen digest: place, score and match as they were frozen."""
        item, delivery, edition = frozen
        arrived = delivery.status in _ARRIVED
        detail = _(
            "Place {rank} in the digest of {day}, under {section}",
            rank=item.position,
            day=edition.issue_date,
            section=language.quoted(item.section),
        )
        if not arrived:
            detail += f"; {gettext(_ON_ITS_WAY.get(delivery.status, delivery.status.value))}"
        found = self.standing(item.paper_id, delivery)
        return Why(
            paper.id,
            paper.title,
            Outcome.MAILED if arrived else Outcome.SELECTED,
            f"{detail}.",
            item.position,
            item.score,
            item.match,
            item.label,
            changed_since(found.shares, item.score) if found and item.score else (),
        )

    def standing(
        self, paper_id: int, delivery: Delivery | None, issue_date: date | None = None
    ) -> Standing | None:
        """Where a paper stands now, or stood when a digest was prepared; None where it is gone.

        Of then are the papers and what had been mailed; what the reader told us is today's.
        """
        candidates = self.load(self.session, delivery.created_at if delivery else utc_now())
        if paper_id not in candidates.ids:
            return None
        return stand(candidates, self.profile(delivery, issue_date), paper_id)

    def profile(
        self, delivery: Delivery | None, issue_date: date | None = None
    ) -> SubscriberProfile:
        """What ranking needs of the reader: now, for a date, or as a digest was prepared."""
        at = delivery.created_at if delivery else None
        own = self.subscriber.id or 0
        [profile] = profiles.load_profiles(self.session, [own], self.model, at, at)
        edition = self.session.get(Edition, delivery.edition_id) if delivery else None
        made_at = at or utc_now()
        dated = edition.issue_date if edition else issue_date or made_at.date()
        return ordered_for(self.session, profile, dated, made_at)

    def frozen(self, paper_id: int) -> Frozen | None:
        """The one digest of this reader that holds the paper."""
        found = self.session.exec(
            select(DigestItem, Delivery, Edition)
            .join(Delivery, col(Delivery.id) == col(DigestItem.delivery_id))
            .join(Edition, col(Edition.id) == col(Delivery.edition_id))
            .where(DigestItem.subscriber_id == self.subscriber.id, DigestItem.paper_id == paper_id)
        ).first()
        return Frozen(*found) if found else None

    def _is_due(self, issue_date: date) -> bool:
        wish = self.subscriber
        return schedule.is_due(issue_date, wish.cadence, wish.weekday, wish.vacation_until)

    def _computed(self, paper: Paper, found: Standing, issue_date: date, *, frozen: bool) -> Why:
        outcome, detail = _OUTCOMES[found.verdict], found.detail
        today = utc_now().date()
        if outcome is Outcome.SELECTED:
            now = _(
                "Ranked just now: no digest of {day} is prepared for this reader.", day=issue_date
            )
            detail = f"{detail} {now}"
        if frozen and outcome is Outcome.SELECTED:
            # Preferences or votes changed since.
            outcome = Outcome.RANKED_BELOW
            detail = _(
                "It was not among the papers of the digest of {day} when that was prepared. "
                "With what is known now it would be.",
                day=issue_date,
            )
        no_digest = gettext(_NO_DIGESTS.get(self.subscriber.status, ""))
        if not no_digest and not frozen and not self._is_due(issue_date):
            no_digest = _("No digest is due for this reader on {day}.", day=issue_date)
        elif not (no_digest or frozen or outcome is Outcome.SELECTED) and issue_date < today:
            no_digest = _(
                "No digest of {day} went to this reader: this is as of now.", day=issue_date
            )
        return Why(
            paper.id,
            paper.title,
            outcome,
            f"{detail} {no_digest}".rstrip(),
            found.rank,
            found.score,
            found.match,
            found.label,
            found.shares,
        )

    def _delivery_of(self, issue_date: date) -> Delivery | None:
        return self.session.exec(
            select(Delivery)
            .join(Edition, col(Edition.id) == col(Delivery.edition_id))
            .where(
                Edition.issue_date == issue_date,
                Delivery.subscriber_id == self.subscriber.id,
                Delivery.kind == DeliveryKind.DIGEST,
                Delivery.status != DeliveryStatus.CANCELLED,
            )
        ).first()


def _not_a_candidate(paper: Paper, at: datetime) -> Why:
    """Why a paper that was not mailed could not be picked by anybody for a digest of then."""
    if paper.standing:
        is_retracted = paper.standing == "retracted"
        detail = (
            _("It was retracted, and such a paper is never picked.")
            if is_retracted
            else _("It was withdrawn, and such a paper is never picked.")
        )
        return Why(paper.id or 0, paper.title, Outcome.RETRACTED, detail)
    since = f"{at - CANDIDATE_WINDOW:%Y-%m-%d}"
    if paper.first_seen_at == paper.published_at:
        told = N_(
            "It was published on {day} and was no news when it came in; this digest holds what "
            "came in since {since}."
        )
    else:
        told = N_("It came in on {day}; this digest holds what came in since {since}.")
    detail = _(told, day=f"{paper.first_seen_at:%Y-%m-%d}", since=since)
    return Why(paper.id or 0, paper.title, Outcome.TOO_OLD, detail)
