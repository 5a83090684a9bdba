"""Pages about ratings: what was rated, what was learned from it, and papers to rate."""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlmodel import Session, col, select

from newsletter.core.database import utc_now
from newsletter.core.errors import InputError
from newsletter.core.language import _
from newsletter.core.models import InterestKind, Paper, Signal, Subscriber
from newsletter.core.tokens import Purpose
from newsletter.messages.digest import CANDIDATE_WINDOW
from newsletter.ranking import explanations, ranker
from newsletter.ranking.profiles import evidence, feedback, profiles
from newsletter.subscribers import groups
from newsletter.subscribers.accounts import row_id
from newsletter.subscribers.preferences import (
    FULL,
    StatedInterest,
    interests_of,
    lessen,
    topics_of,
    weigh,
)
from newsletter.web.forms import FormDep, text_of
from newsletter.web.site import READ, RowId, Site, SiteDep

router = APIRouter()
RANKED = 50
# Three from the top, then every seventh: rating what is certain anyway teaches little, and what
# stands further down shows where the bounds are.
OFFERED = (0, 1, 2, 6, 13, 20, 27, 34, 41, 48)
NEW = timedelta(days=7)


class Back(StrEnum):
    """The page that a button stands on."""

    RATINGS = "ratings"
    SHARPEN = "sharpen"
    LEARNED = "learned"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing we learned from: an interest or a rating. ``share`` is in percent."""

    share: int
    interest: StatedInterest | None = None
    judged: feedback.Judged | None = None
    name: str = ""  # what the interest is called: of an example paper its title
    bar: str = ""  # what mails call it in their links


def subscriber_of(session: Session, site: Site, token: str) -> Subscriber:
    """Whose preferences link this is.

    Raises:
        HTTPException: 410, the subscriber was erased.
        TokenError: the link is not ours, or was signed out.
    """
    return site.subscriber_of(session, Purpose.PREFERENCES, token)


def _page(
    site: Site,
    token: str,
    name: str,
    undo: int | None,
    was: Signal | None,
    *,
    status: int = 200,
    **values: Any,
) -> HTMLResponse:
    """A page with an undo note for the last action above it."""
    with site.reading() as session:
        undone = session.get(Paper, undo) if undo and was else None
    action = f"{site.root}/preferences/{token}"
    return site.page(
        f"{name}.html", status=status, action=action, undone=undone, was=was, page=name, **values
    )


Undo = Annotated[int | None, Query(ge=1, lt=2**31)]


@router.api_route("/preferences/{token}/ratings", methods=READ)
def ratings_page(
    site: SiteDep, token: str, undo: Undo = None, was: Signal | None = None
) -> HTMLResponse:
    """Everything rated and saved, each with an undo button."""
    with site.reading() as session:
        subscriber = subscriber_of(session, site, token)
        judged = feedback.judged(session, row_id(subscriber))
    return _page(site, token, "ratings", undo, was, judged=judged)


@router.post("/preferences/{token}/papers/{paper_id}/{signal}")
def give(
    site: SiteDep, token: str, paper_id: RowId, signal: Signal, form: FormDep
) -> RedirectResponse:
    """Rate a paper."""
    with site.writing() as session:
        subscriber = subscriber_of(session, site, token)
        if session.get(Paper, paper_id) is None:
            raise HTTPException(404)
        feedback.record(session, row_id(subscriber), paper_id, signal)
    return RedirectResponse(f"{site.root}/preferences/{token}/{_back(form)}", 303)


@router.post("/preferences/{token}/papers/{paper_id}/{signal}/undo")
def take_back(
    site: SiteDep, token: str, paper_id: RowId, signal: Signal, form: FormDep
) -> RedirectResponse:
    """Undo a rating; the page then offers to redo it."""
    with site.writing() as session:
        subscriber = subscriber_of(session, site, token)
        feedback.withdraw(session, row_id(subscriber), paper_id, signal)
    address = f"{site.root}/preferences/{token}/{_back(form)}?undo={paper_id}&was={signal}"
    return RedirectResponse(address, 303)


def _back(form: FormDep) -> Back:
    named = text_of(form, "back")
    return Back(named) if named in set(Back) else Back.RATINGS


@router.api_route("/preferences/{token}/learned", methods=READ)
def learned_page(
    site: SiteDep, token: str, undo: Undo = None, was: Signal | None = None
) -> HTMLResponse:
    """What shapes the ranking, in words, each line with how much it counts."""
    return _learned(site, token, undo=undo, was=was)


def _learned(
    site: Site,
    token: str,
    *,
    undo: int | None = None,
    was: Signal | None = None,
    former: dict[int, int] | None = None,
    error: str = "",
) -> HTMLResponse:
    """``former``: in percent, what the interests counted that were just changed, by id."""
    with site.reading() as session:
        subscriber = subscriber_of(session, site, token)
        topics = _topics(session, row_id(subscriber), site.settings.feature_model)
        group = groups.membership(session, subscriber)
        reset = {
            "reset_at": subscriber.ratings_reset_at,
            "rated": feedback.counted(session, subscriber),
        }
    status = 422 if error else 200
    values = {"topics": topics, "former": former, "error": error, "group": group} | reset
    return _page(site, token, "learned", undo, was, status=status, **values)


@router.post("/preferences/{token}/learned")
def count(site: SiteDep, token: str, form: FormDep) -> HTMLResponse:
    """Save how much each interest counts; ``all`` counts every one in full. All or nothing."""
    former: dict[int, int] = {}
    try:
        with site.writing() as session:
            own = row_id(subscriber_of(session, site, token))
            for topic in topics_of(session, own):
                for each in interests_of(session, topic.id):
                    typed = "100" if "all" in form else text_of(form, f"weight-{each.id}").strip()
                    if each.weight <= 0 or not typed:
                        continue
                    percent = _percent(each, typed)
                    if percent != each.percent:
                        former[each.id] = each.percent
                        weigh(session, own, each.id, percent / 100)
    except InputError as error:
        return _learned(
            site, token, error=_("Nothing was saved. {what}.", what=f"{error.where}: {error.what}")
        )
    return _learned(site, token, former=former)


def _percent(interest: StatedInterest, typed: str) -> int:
    """How much an interest is to count.

    Raises:
        InputError: it is not a number of percent, or not one that this kind of interest can have.
    """
    percent = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 4 else 0
    where = explanations.short(interest.value)
    if not 1 <= percent <= 100:
        raise InputError(_("must be a whole number from 1 to 100"), where=where)
    if interest.is_followed and percent not in {50, 100}:
        raise InputError(_("an author or a category counts 50 or 100"), where=where)
    return percent


def _topics(session: Session, subscriber_id: int, model: str) -> list[tuple[str, list[Line]]]:
    """Interests and ratings by topic, with their share of its vector, largest first."""
    judged = feedback.judged(session, subscriber_id)
    signals = {(each.signal.value, each.paper.id): each for each in judged}
    topics = []
    for profile in profiles.load_profiles(session, [subscriber_id], model):
        for topic in profile.topics:
            shares = explanations.weights(topic.evidence)
            stated = interests_of(session, topic.topic_id or 0)
            seeds = evidence.seed_papers(
                session,
                [each.value for each in stated if each.kind is InterestKind.SEED_PAPER],
            )
            titles = _titles(session, seeds)
            lines = [
                Line(
                    shares.get(_piece(each, seeds), 0),
                    interest=each,
                    name=titles.get(each.value, each.value),
                    bar=explanations.bar(*_piece(each, seeds), topic.topic_id),
                )
                for each in stated
                if each.weight > 0
            ]
            lines += [
                Line(share, judged=signals[key], bar=explanations.bar(*key, topic.topic_id))
                for key, share in shares.items()
                if key in signals
            ]
            if lines:
                topics.append((topic.name, sorted(lines, key=lambda line: -abs(line.share))))
    return topics


def _titles(session: Session, seeds: dict[str, int]) -> dict[str, str]:
    """The titles of example papers, by what the reader typed."""
    papers = session.exec(
        select(Paper.id, Paper.title).where(col(Paper.id).in_(set(seeds.values())))
    )
    known = {paper_id: title for paper_id, title in papers if title}
    return {typed: known[paper_id] for typed, paper_id in seeds.items() if paper_id in known}


def _piece(interest: StatedInterest, seeds: dict[str, int]) -> tuple[str, int | str]:
    """How a profile names what it learned from an interest."""
    if interest.kind is InterestKind.TEXT and interest.is_of_library:
        return "reference", interest.value
    if interest.is_followed:
        return interest.kind.value, interest.value.casefold()
    return interest.kind.value, seeds.get(interest.value, interest.value)


@router.post("/preferences/{token}/interests/{interest_id}/less")
def less(site: SiteDep, token: str, interest_id: RowId) -> RedirectResponse:
    """Count an interest half as much."""
    with site.writing() as session:
        subscriber = subscriber_of(session, site, token)
        if not lessen(session, row_id(subscriber), interest_id):
            raise HTTPException(404)
    return RedirectResponse(f"{site.root}/preferences/{token}/{Back.LEARNED}", 303)


@router.post("/preferences/{token}/interests/{interest_id}/undo")
def as_before(site: SiteDep, token: str, interest_id: RowId) -> RedirectResponse:
    """Count an interest in full again."""
    with site.writing() as session:
        subscriber = subscriber_of(session, site, token)
        if not weigh(session, row_id(subscriber), interest_id, FULL):
            raise HTTPException(404)
    return RedirectResponse(f"{site.root}/preferences/{token}/{Back.LEARNED}", 303)


@router.api_route("/preferences/{token}/sharpen", methods=READ)
def sharpen_page(
    site: SiteDep, token: str, undo: Undo = None, was: Signal | None = None
) -> HTMLResponse:
    """Ten papers whose ratings teach us most. Viewing stores nothing."""
    with site.reading() as session:
        subscriber = subscriber_of(session, site, token)
        own = row_id(subscriber)
        judged = {each.paper.id: each.signal for each in feedback.judged(session, own)}
        offered = _offered(site, session, own, frozenset(judged))
    return _page(site, token, "sharpen", undo, was, offered=offered, count=len(judged))


def _offered(
    site: Site, session: Session, subscriber_id: int, judged: frozenset[int | None]
) -> list[Paper]:
    model = site.settings.feature_model
    [profile] = profiles.load_profiles(session, [subscriber_id], model)
    candidates = site.pool.candidates(session)
    ids: list[int] = []
    # This week's papers; after a quiet week, everything a digest could hold.
    for window in (NEW, CANDIDATE_WINDOW):
        wide = replace(
            profile,
            max_papers=RANKED,
            min_score=0,
            fill=True,  # where nothing matches there is something to rate all the same
            since=utc_now() - window,
            budget_left=None,
        )
        [ranked] = ranker.rank(candidates, [wide])
        ids = [pick.paper_id for pick in ranked.picks if pick.paper_id not in judged]
        if len(ids) >= len(OFFERED):
            break
    places = [index for index in OFFERED if index < len(ids)]
    chosen = [ids[index] for index in places]
    chosen += [paper_id for paper_id in ids if paper_id not in chosen][: len(OFFERED) - len(chosen)]
    found = {p.id: p for p in session.exec(select(Paper).where(col(Paper.id).in_(chosen)))}
    return [found[paper_id] for paper_id in chosen]
