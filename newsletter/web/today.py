"""Previews of today's digest, ranked within the request. Nothing is stored."""

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlmodel import Session

from newsletter.core.database import utc_now
from newsletter.core.models import Subscriber
from newsletter.editions import preview
from newsletter.messages.digest import Digest
from newsletter.ranking import ranker
from newsletter.ranking.candidates import SubscriberProfile
from newsletter.ranking.profiles import profiles
from newsletter.subscribers.accounts import row_id
from newsletter.web.ratings import subscriber_of
from newsletter.web.site import READ, Site, SiteDep

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Today:
    """A digest, or why there would be none."""

    digest: Digest | None
    reason: str = ""


def profile_of(site: Site, session: Session, subscriber: Subscriber) -> SubscriberProfile:
    """What ranking needs of a subscriber, as the session sees it."""
    own = row_id(subscriber)
    [profile] = profiles.load_profiles(session, [own], site.settings.feature_model)
    return profile


def rank_today(site: Site, subscriber: Subscriber, profile: SubscriberProfile) -> Today:
    """Today's papers ranked by ``profile``."""
    with site.reading() as session:
        [ranked] = ranker.rank(site.pool.candidates(session), [profile])
        if not ranked.picks:
            return Today(None, ranked.reason)
        return Today(preview.build_unsaved(session, subscriber, ranked, utc_now().date()))


@router.api_route("/preferences/{token}/today", methods=READ)
def today_page(site: SiteDep, token: str) -> HTMLResponse:
    """Preview today's digest with the saved preferences."""
    with site.reading() as session:
        subscriber = subscriber_of(session, site, token)
        profile = profile_of(site, session, subscriber)
    today = rank_today(site, subscriber, profile)
    return site.page("today.html", today=today, action=f"{site.root}/preferences/{token}")
