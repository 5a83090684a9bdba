"""Give readers' profiles the ordering of an edition."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlmodel import Session

from newsletter.editions import trials
from newsletter.ranking.candidates import SubscriberProfile
from newsletter.ranking.recipes import AS_INSTALLED


def ordered(profiles: Sequence[SubscriberProfile], plan: trials.Plan) -> list[SubscriberProfile]:
    """The profiles, each with the ordering that its reader's digest has in the plan."""
    return [
        profile if ordering is AS_INSTALLED else replace(profile, ordering=ordering)
        for profile in profiles
        for ordering in (plan.ordering(profile.subscriber_id),)
    ]


def ordered_for(
    session: Session, profile: SubscriberProfile, issue_date: date, at: datetime
) -> SubscriberProfile:
    """One profile, for a digest of the date that is made at a moment."""
    return ordered([profile], trials.plan_of(session, issue_date, at))[0]
