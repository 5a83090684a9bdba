"""Trials: two recipes compared on readers' judgements, and which recipe an edition uses.

An edition's recipe, or its trial, is settled when the edition is opened, so that every process that
prepares a share of it makes the same digests. A running trial is judged at that moment too, and
ends by itself: a worse challenger is gone from that edition on, a better one is kept.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import case, func, select
from sqlmodel import Session, col

from newsletter.core.errors import UsageError
from newsletter.core.models import (
    Delivery,
    DigestItem,
    Edition,
    Feedback,
    RecipeChoice,
    Signal,
    Team,
    Trial,
    TrialOutcome,
)
from newsletter.editions.trial_test import Preferences, preferences_of, verdict
from newsletter.ranking.recipes import AS_INSTALLED, RECIPES, STANDARD, Ordering, named

DAYS = 56
MARGIN = 0.05
PACE_DAYS = 28  # that tell how much readers judge


@dataclass(frozen=True, slots=True)
class Plan:
    """How the digests of one date are ordered: by a recipe, or by the two of a trial."""

    issue_date: date
    recipe: str = STANDARD.name
    challenger: str | None = None
    trial_id: int | None = None

    def ordering(self, subscriber_id: int) -> Ordering:
        """The ordering of one reader's digest: the same in every process."""
        if self.challenger is None:
            recipe = named(self.recipe)
            return AS_INSTALLED if recipe is STANDARD else Ordering(recipe)
        seed = f"{self.trial_id} {self.issue_date} {subscriber_id}"
        return Ordering(named(self.recipe), named(self.challenger), seed)


def running(session: Session, *, locked: bool = False) -> Trial | None:
    """The trial that runs now."""
    query = select(Trial).where(col(Trial.is_running).is_(True))
    return session.execute(query.with_for_update() if locked else query).scalars().first()


def latest(session: Session) -> Trial | None:
    """The trial that runs, else the last that ended."""
    return session.execute(select(Trial).order_by(col(Trial.id).desc())).scalars().first()


def current_recipe(session: Session) -> str:
    """The name of the recipe in use."""
    newest = select(col(RecipeChoice.recipe)).order_by(col(RecipeChoice.id).desc()).limit(1)
    return session.execute(newest).scalar() or STANDARD.name


def start(
    session: Session, challenger: str, now: datetime, *, days: int = DAYS, margin: float = MARGIN
) -> Trial:
    """Start a trial of the recipe in use against another, with the next edition that is opened.

    Raises:
        UsageError: there is no such recipe, it is in use already, or a trial is running.
    """
    _require_known(challenger)
    control = current_recipe(session)
    other = running(session, locked=True)
    if other is not None:
        raise UsageError(
            f"a trial of “{other.challenger}” is running since {other.started_at.date()}: "
            "end it first with `newsletter trial stop`"
        )
    if challenger == control:
        raise UsageError(f"“{challenger}” is the recipe in use: name another one")
    trial = Trial(control=control, challenger=challenger, days=days, margin=margin, started_at=now)
    session.add(trial)
    session.flush()
    return trial


def stop(session: Session, now: datetime) -> Trial:
    """End the running trial without an answer; the recipe from before it stays.

    Raises:
        UsageError: no trial is running.
    """
    trial = running(session, locked=True)
    if trial is None:
        raise UsageError("no trial is running")
    _end(session, trial, preferences(session, trial.id or 0), TrialOutcome.STOPPED, now)
    return trial


def use(session: Session, recipe: str, now: datetime) -> None:
    """Use a recipe from the next edition on, without a trial.

    Raises:
        UsageError: there is no such recipe, or a trial is running.
    """
    _require_known(recipe)
    if running(session, locked=True) is not None:
        raise UsageError("a trial is running: end it first with `newsletter trial stop`")
    session.add(RecipeChoice(recipe=recipe, chosen_at=now))


def _require_known(recipe: str) -> None:
    if recipe not in RECIPES:
        known = ", ".join(RECIPES)
        raise UsageError(f"there is no recipe “{recipe[:40]}”: it is one of {known}")


def settle(session: Session, now: datetime) -> tuple[str, int | None]:
    """End the running trial if it has its answer; the recipe and trial of an edition opened now."""
    trial = running(session, locked=True)
    if trial is None:
        return current_recipe(session), None
    seen = preferences(session, trial.id or 0)
    outcome = verdict(seen, trial.margin, is_over=is_over(trial, now))
    if outcome is None:
        return trial.control, trial.id
    _end(session, trial, seen, outcome, now)
    if outcome is not TrialOutcome.BETTER:
        return trial.control, None
    session.add(RecipeChoice(recipe=trial.challenger, trial_id=trial.id, chosen_at=now))
    return trial.challenger, None


def is_over(trial: Trial, now: datetime) -> bool:
    """Whether the days that a trial may take have passed."""
    return now >= trial.started_at + timedelta(days=trial.days)


def _end(
    session: Session, trial: Trial, seen: Preferences, outcome: TrialOutcome, now: datetime
) -> None:
    trial.is_running, trial.outcome, trial.ended_at = None, outcome, now
    trial.figures = stored(seen)
    session.add(trial)
    session.flush()


def plan_of(session: Session, issue_date: date, at: datetime) -> Plan:
    """How a digest of the date that is made at a moment is ordered. Reads only.

    Of an edition that is open the trial counts until it ends; before, what opening it would settle.
    """
    edition = (
        session.execute(select(Edition).where(col(Edition.issue_date) == issue_date))
        .scalars()
        .first()
    )
    if edition is not None:
        trial = session.get(Trial, edition.trial_id) if edition.trial_id else None
        if trial is None or (trial.ended_at is not None and at >= trial.ended_at):
            return Plan(issue_date, edition.recipe)
        return Plan(issue_date, trial.control, trial.challenger, trial.id)
    trial = running(session)
    if trial is None:
        return Plan(issue_date, current_recipe(session))
    outcome = verdict(preferences(session, trial.id or 0), trial.margin, is_over=is_over(trial, at))
    if outcome is None:
        return Plan(issue_date, trial.control, trial.challenger, trial.id)
    is_kept = outcome is TrialOutcome.BETTER
    return Plan(issue_date, trial.challenger if is_kept else trial.control)


def preferences(session: Session, trial_id: int) -> Preferences:
    """What readers have judged of a trial's digests so far: POSTed signals only, never clicks.

    A digest counts for the team with more papers relevant or saved, less those not relevant.
    """
    is_relevant = case((col(Feedback.signal) == Signal.NOT_RELEVANT, 0), else_=1)
    judged = (
        select(
            col(DigestItem.subscriber_id),
            col(DigestItem.delivery_id),
            col(DigestItem.team),
            func.max(is_relevant).label("relevant"),
        )
        .join(Delivery, col(Delivery.id) == col(DigestItem.delivery_id))
        .join(Edition, col(Edition.id) == col(Delivery.edition_id))
        .join(
            Feedback,
            (col(Feedback.subscriber_id) == col(DigestItem.subscriber_id))
            & (col(Feedback.paper_id) == col(DigestItem.paper_id)),
        )
        .where(col(Edition.trial_id) == trial_id, col(DigestItem.team).is_not(None))
        .group_by(col(DigestItem.id))
        .subquery()
    )
    side = case((judged.c.team == Team.CHALLENGER, 1), else_=-1)
    credit = func.sum(side * (2 * judged.c.relevant - 1))
    of_digest = (
        select(
            judged.c.subscriber_id,
            case((credit > 0, 1), (credit < 0, -1), else_=0).label("preference"),
        )
        .group_by(judged.c.subscriber_id, judged.c.delivery_id)
        .subquery()
    )
    preference = of_digest.c.preference
    by_reader = select(
        func.count(), func.sum(preference * preference), func.sum(preference)
    ).group_by(of_digest.c.subscriber_id)
    found = session.execute(by_reader)
    return preferences_of((int(judged), int(n), int(s)) for judged, n, s in found)


def reach(session: Session, trial_id: int) -> tuple[int, int]:
    """Digests of a trial with papers, and those with papers that only one of the recipes chose."""
    digests, different = session.execute(
        select(
            func.count(col(DigestItem.delivery_id).distinct()),
            func.count(
                case((col(DigestItem.team).is_not(None), col(DigestItem.delivery_id))).distinct()
            ),
        )
        .join(Delivery, col(Delivery.id) == col(DigestItem.delivery_id))
        .join(Edition, col(Edition.id) == col(Delivery.edition_id))
        .where(col(Edition.trial_id) == trial_id)
    ).one()
    return int(digests), int(different)


def pace(session: Session, now: datetime) -> tuple[int, int]:
    """Of the digests prepared in the last `PACE_DAYS`: readers who judged some, digests judged."""
    since = now - timedelta(days=PACE_DAYS)
    readers, digests = session.execute(
        select(
            func.count(col(DigestItem.subscriber_id).distinct()),
            func.count(col(DigestItem.delivery_id).distinct()),
        )
        .select_from(Feedback)
        .join(
            DigestItem,
            (col(Feedback.subscriber_id) == col(DigestItem.subscriber_id))
            & (col(Feedback.paper_id) == col(DigestItem.paper_id)),
        )
        .join(Delivery, col(Delivery.id) == col(DigestItem.delivery_id))
        .where(col(Delivery.created_at) >= since)
    ).one()
    return int(readers), int(digests)


def stored(seen: Preferences) -> dict[str, int]:
    """Counts as they are kept when a trial ends; `restored` reads them."""
    return {
        "readers": seen.readers,
        "judged": seen.judged,
        "count": seen.count,
        "total": seen.total,
        "squares": seen.squares,
        "products": seen.products,
        "squared_counts": seen.squared_counts,
    }


def restored(figures: dict[str, int] | None) -> Preferences:
    """The counts of a trial that ended."""
    return Preferences(**(figures or {}))


def seen_in(session: Session, trial: Trial) -> Preferences:
    """The counts of a trial: of now while it runs, else of when it ended."""
    if trial.is_running:
        return preferences(session, trial.id or 0)
    return restored(trial.figures)
