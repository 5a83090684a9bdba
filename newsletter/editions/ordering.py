"""Give readers' profiles the ordering of an edition."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlmodel import Session

from newsletter.editions import trials
from newsletter.ranking.candidates import SubscriberProfile
from newsletter.ranking.recipes import AS_INSTALLED


def ordered(profiles: Sequence[SubscriberProfile], plan: trials.Plan) -> list[SubscriberProfile]:
    """The profiles, each with the ordering that its reader's digest has in the plan.

    A group takes no part in trials: its members get the same papers, and judgements of one list
    would count as those of many independent readers.
    """
    of_groups = replace(plan, challenger=None)
    return [
        profile if ordering is AS_INSTALLED else replace(profile, ordering=ordering)
        for profile in profiles
        for chosen in (of_groups if _is_of_group(profile) else plan,)
        for ordering in (chosen.ordering(profile.subscriber_id),)
    ]


def _is_of_group(profile: SubscriberProfile) -> bool:
    return any(topic.is_shared for topic in profile.topics)


def ordered_for(
    session: Session, profile: SubscriberProfile, issue_date: date, at: datetime
) -> SubscriberProfile:
    """One profile, for a digest of the date that is made at a moment."""
    return ordered([profile], trials.plan_of(session, issue_date, at))[0]
