"""Previews of today's digest, ranked within the request. Nothing is stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse
from sqlmodel import Session

from newsletter.core.database import utc_now
from newsletter.core.models import Subscriber
from newsletter.editions import preview, quiet_day
from newsletter.editions.ordering import ordered_for
from newsletter.messages.digest import Digest, DigestPaper
from newsletter.ranking import ranker
from newsletter.ranking.candidates import SubscriberProfile
from newsletter.ranking.profiles import profiles
from newsletter.ranking.profiles.draft import Draft
from newsletter.subscribers.accounts import row_id
from newsletter.web.ratings import subscriber_of
from newsletter.web.site import READ, Site, SiteDep

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Today:
    """A digest, or why there would be none."""

    digest: Digest | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """What another digest would bring in and take out."""

    brought: tuple[DigestPaper, ...]
    gone: tuple[DigestPaper, ...]


def changes(before: Today, after: Today) -> Changes:
    """How ``after`` differs from ``before``, in papers."""
    old = before.digest.papers if before.digest else ()
    new = after.digest.papers if after.digest else ()
    old_ids, new_ids = ({paper.paper_id for paper in papers} for papers in (old, new))
    return Changes(
        brought=tuple(paper for paper in new if paper.paper_id not in old_ids),
        gone=tuple(paper for paper in old if paper.paper_id not in new_ids),
    )


# Ranking takes a processor each; other pages want one too.
MOST_PREVIEWS = 2
_running: set[int] = set()
_lock = Lock()


@contextmanager
def one_preview(subscriber_id: int) -> Iterator[None]:
    """Rank one preview for a subscriber at a time, and `MOST_PREVIEWS` in this process.

    Raises:
        HTTPException: 429, one of theirs is being ranked; 503, others' are.
    """
    with _lock:
        if subscriber_id in _running:
            raise HTTPException(429, headers={"Retry-After": "5"})
        if len(_running) >= MOST_PREVIEWS:
            raise HTTPException(503, headers={"Retry-After": "5"})
        _running.add(subscriber_id)
    try:
        yield
    finally:
        with _lock:
            _running.discard(subscriber_id)


def profile_of(
    site: Site,
    session: Session,
    subscriber: Subscriber,
    draft: Draft | None = None,
) -> SubscriberProfile:
    """What ranking needs of a subscriber, as the session sees it, or as ``draft`` has it."""
    own, model = row_id(subscriber), site.settings.feature_model
    [profile] = profiles.load_profiles(session, [own], model, draft=draft)
    now = utc_now()
    return ordered_for(session, profile, now.date(), now)


def rank_today(site: Site, subscriber: Subscriber, profile: SubscriberProfile) -> Today:
    """Today's papers ranked by ``profile``."""
    with site.reading() as session:
        [ranked] = ranker.rank(site.pool.candidates(session), [profile])
        if not ranked.picks:
            return Today(None, quiet_day.in_words(ranked))
        return Today(preview.build_unsaved(session, subscriber, ranked, utc_now().date()))


@router.api_route("/preferences/{token}/today", methods=READ)
def today_page(site: SiteDep, token: str) -> HTMLResponse:
    """Preview today's digest with the saved preferences."""
    with site.reading() as session:
        subscriber = subscriber_of(session, site, token)
    with one_preview(row_id(subscriber)):
        with site.reading() as session:
            profile = profile_of(site, session, subscriber)
        today = rank_today(site, subscriber, profile)
    return site.page("today.html", today=today, action=f"{site.root}/preferences/{token}")
