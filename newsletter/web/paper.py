"""The page of one paper, and what a reader does there: save it, follow its authors and categories.

The same page serves three kinds of visitors. Without a token the buttons lead to the sign-up form.
With a preferences link, or with the link of a digest that the paper was in, they act at once.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple
from urllib.parse import quote, urlencode

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field
from sqlmodel import Session, col, select

from newsletter.core.errors import InputError, TokenError
from newsletter.core.identifiers import split_arxiv_id
from newsletter.core.language import N_, _
from newsletter.core.models import (
    DigestItem,
    Feedback,
    InterestKind,
    Paper,
    PaperChange,
    Signal,
    Subscriber,
    Topic,
)
from newsletter.core.tokens import Purpose
from newsletter.papers import browse
from newsletter.papers.differences import latest_difference
from newsletter.papers.orcids import orcids_of
from newsletter.ranking.profiles import feedback
from newsletter.subscribers import folders, following, groups
from newsletter.subscribers.accounts import row_id
from newsletter.subscribers.folders import Shelf
from newsletter.subscribers.following import Place
from newsletter.web.bodies import Form
from newsletter.web.fields import with_words
from newsletter.web.forms import FormDep, text_of
from newsletter.web.papers import Short
from newsletter.web.ratings import subscriber_of
from newsletter.web.site import READ, RowId, Site, SiteDep

router = APIRouter()
# Buttons beside a list of hundreds of authors help nobody.
MOST_AUTHORS, MOST_CATEGORIES = 12, 8
MOST_VERSIONS = 20
_PLACE = re.compile(r"([0-9]{1,9})(?:-(0\.(?!0+$)[0-9]{1,6}|1))?")
# Where up to 20 topics and weights are named.
_LONGEST_PLACES = 400


class Act(StrEnum):
    """What a button on the page does."""

    FOLLOW = "follow"
    UNFOLLOW = "unfollow"
    SAVE = "save"
    UNSAVE = "unsave"
    FILE = "file"


# What is said of it, what undoes it, and whether the paper is saved then.
_OF_PAPERS: dict[Act | None, tuple[str, Act | None, bool]] = {
    Act.SAVE: (N_("Saved."), Act.UNSAVE, True),
    Act.UNSAVE: (N_("No longer saved."), Act.SAVE, False),
    Act.FILE: (N_("Moved."), None, True),
}
_KINDS: dict[str, InterestKind] = {
    "author": InterestKind.AUTHOR,
    "category": InterestKind.CATEGORY,
}


class Told(BaseModel):
    """What was done before the page is shown: the act, on whom, and in which topics."""

    did: Act | None = None
    # A name of 200 characters, and what kind of name it is.
    of: Annotated[str, Field(max_length=300)] = ""
    at: Annotated[str, Field(max_length=_LONGEST_PLACES)] = ""


class ToldByMail(Told):
    """The same; ``why`` is the token of a digest that the paper was in."""

    why: Short = ""


_NOTHING = Told()


class Choice(NamedTuple):
    """An author or a category to follow; ``value`` is how the reader has it, or would."""

    field: Literal["author", "category"]
    name: str
    value: str
    is_followed: bool

    @property
    def label(self) -> str:
        """What the button calls it."""
        return self.name if self.field == "author" else with_words(self.name)


@dataclass(frozen=True, slots=True)
class Hand:
    """What a reader can do on the page, and has done; ``action`` is where its buttons post to."""

    action: str
    is_saved: bool
    folder: int | None
    shelves: Sequence[Shelf]
    topics: Sequence[tuple[int, str]]
    group: str  # whose interests the digest follows, so that those of the reader rest
    followed: dict[tuple[InterestKind, str], following.Followed]
    paused: frozenset[int]  # of the topics

    def said_of_following(self, places: Sequence[Place]) -> str:
        """What is true of the digests to come, after following in these places."""
        if all(place.topic_id in self.paused for place in places):
            return N_("You follow {name}. It counts when its topic is no longer paused.")
        return N_("You follow {name}. Your next digest takes it into account.")


class Done(NamedTuple):
    """What a button just did, to say so and to offer the way back, if there is one."""

    said: str
    undo: Act | None
    field: str = ""
    value: str = ""
    places: Sequence[str] = ()


@router.api_route("/paper/{paper_id}", methods=READ)
def paper_page(
    site: SiteDep, paper_id: RowId, told: Annotated[ToldByMail, Query()]
) -> HTMLResponse:
    """One paper, and those most like it."""
    hand, why = None, told.why
    with site.reading() as session:
        if why and (subscriber := _mailed_to(session, site, why, paper_id)):
            hand = _hand(session, subscriber, paper_id, f"{_receipt(site, why, paper_id)}/paper")
    why_url = _receipt(site, why, paper_id) if hand else ""
    return _page(site, paper_id, hand, f"{site.root}/paper", told, why_url=why_url)


def _receipt(site: Site, token: str, paper_id: int) -> str:
    return f"{site.root}/receipt/{token}/{paper_id}"


@router.api_route("/preferences/{token}/paper/{paper_id}", methods=READ)
def readers_page(
    site: SiteDep, token: str, paper_id: RowId, told: Annotated[Told, Query()]
) -> HTMLResponse:
    """The same for a reader: buttons that save and follow at once."""
    home = f"{site.root}/preferences/{token}/paper"
    with site.reading() as session:
        subscriber = subscriber_of(session, site, token)
        hand = _hand(session, subscriber, paper_id, f"{home}/{paper_id}")
    return _page(site, paper_id, hand, home, told)


@router.post("/preferences/{token}/paper/{paper_id}/{act}")
def act_as_reader(site: SiteDep, token: str, paper_id: RowId, act: Act, form: FormDep) -> Response:
    """Save or follow, or the opposite. Doing it twice changes nothing."""
    home = f"{site.root}/preferences/{token}/paper"
    try:
        with site.writing() as session:
            told = _act(session, subscriber_of(session, site, token), paper_id, act, form)
    except InputError as error:
        with site.reading() as session:
            subscriber = subscriber_of(session, site, token)
            hand = _hand(session, subscriber, paper_id, f"{home}/{paper_id}")
        return _page(site, paper_id, hand, home, error=error.what)
    return RedirectResponse(f"{home}/{paper_id}?{urlencode(told)}", 303)


@router.post("/receipt/{token}/{paper_id}/paper/{act}")
def act_from_digest(
    site: SiteDep, token: str, paper_id: RowId, act: Act, form: FormDep
) -> Response:
    """The same for somebody who came from the digest that the paper was in."""
    home, receipt = f"{site.root}/paper", _receipt(site, token, paper_id)
    try:
        with site.writing() as session:
            subscriber = _mailed_to(session, site, token, paper_id)
            if subscriber is None:
                raise HTTPException(410)
            told = _act(session, subscriber, paper_id, act, form)
    except InputError as error:
        with site.reading() as session:
            subscriber = _mailed_to(session, site, token, paper_id)
            hand = _hand(session, subscriber, paper_id, f"{receipt}/paper") if subscriber else None
        return _page(site, paper_id, hand, home, why_url=receipt, error=error.what)
    return RedirectResponse(f"{home}/{paper_id}?{urlencode({'why': token, **told})}", 303)


def _act(
    session: Session, subscriber: Subscriber, paper_id: int, act: Act, form: Form
) -> dict[str, str]:
    """Do it; returns what the page is to say of it.

    Raises:
        InputError: the topic cannot take it.
    """
    paper = session.get(Paper, paper_id)
    if paper is None:
        raise HTTPException(404)
    own = row_id(subscriber)
    if act is Act.SAVE:
        feedback.record(session, own, paper_id, Signal.SAVED)
        return {"did": act}
    if act is Act.FILE:
        to = text_of(form, "to")
        folder = int(to) if re.fullmatch(r"[0-9]{1,9}", to) else None
        if not folders.move(session, own, [paper_id], folder):
            raise HTTPException(404)
        return {"did": act}
    if act is Act.UNSAVE:
        feedback.withdraw(session, own, paper_id, Signal.SAVED)
        return {"did": act}
    field = next((name for name in _KINDS if name in form), "author")
    value, kind = text_of(form, field), _KINDS[field]
    if value not in _names(session, paper)[field]:
        raise HTTPException(422)
    if _group(session, subscriber):
        raise HTTPException(404)
    if act is Act.FOLLOW:
        typed = [each for each in form.getlist("topic") if isinstance(each, str)]
        following.follow(session, subscriber, kind, value, _places(typed))
        return {"did": act, "of": f"{field}:{value}"}
    places = following.unfollow(session, own, kind, value)
    at = ",".join(f"{place.topic_id}-{place.weight:g}" for place in places)
    return {"did": act, "of": f"{field}:{value}", "at": at[:_LONGEST_PLACES]}


def _places(typed: Sequence[str]) -> list[Place]:
    found = (_PLACE.fullmatch(each) for each in typed)
    return [Place(int(each[1]), float(each[2] or 1)) for each in found if each]


def _names(session: Session, paper: Paper) -> dict[str, dict[str, str]]:
    """What of this paper can be followed: names by value, ORCIDs of its authors among them."""
    orcids = orcids_of(session, paper.id or 0, paper.authors)
    authors = {name: name for name in paper.authors}
    authors |= {orcid: name for name, orcid in orcids.items()}
    return {"author": authors, "category": {name: with_words(name) for name in paper.categories}}


def _mailed_to(session: Session, site: Site, token: str, paper_id: int) -> Subscriber | None:
    """Who got the paper in the digest that the token is for; a bad token is for none."""
    try:
        delivery_id = site.delivery_of(session, Purpose.RECEIPT, token)
    except TokenError:
        return None
    mailed = (
        select(Subscriber)
        .join(DigestItem, col(DigestItem.subscriber_id) == col(Subscriber.id))
        .where(DigestItem.delivery_id == delivery_id, DigestItem.paper_id == paper_id)
    )
    return session.exec(mailed).first()


def _hand(session: Session, subscriber: Subscriber, paper_id: int, action: str) -> Hand:
    own = row_id(subscriber)
    topics = session.exec(
        select(Topic.id, Topic.name, Topic.paused)
        .where(Topic.subscriber_id == own)
        .order_by(col(Topic.id))
    ).all()
    kept = session.exec(
        select(Feedback).where(
            Feedback.subscriber_id == own,
            Feedback.paper_id == paper_id,
            Feedback.signal == Signal.SAVED,
        )
    ).first()
    return Hand(
        action=action,
        is_saved=kept is not None,
        folder=kept.folder_id if kept else None,
        shelves=folders.folders_of(session, own),
        topics=[(number or 0, name) for number, name, _paused in topics],
        group=_group(session, subscriber),
        followed=following.followed(session, own),
        paused=frozenset(number or 0 for number, _name, paused in topics if paused),
    )


def _group(session: Session, subscriber: Subscriber) -> str:
    """The group whose interests another member keeps for this one, "" where there is none."""
    group = groups.membership(session, subscriber)
    return group.name if group and not group.is_keeper else ""


def _choices(paper: Paper, orcids: dict[str, str], hand: Hand | None) -> list[Choice]:
    """What can be followed, authors first; nothing where another member keeps the interests."""
    if hand and hand.group:
        return []
    known = hand.followed if hand else {}
    found: list[Choice] = []
    for name in paper.authors[:MOST_AUTHORS]:
        own = known.get((InterestKind.AUTHOR, name.casefold()))
        by_orcid = known.get((InterestKind.AUTHOR, orcids.get(name, "").casefold()))
        value = orcids[name] if by_orcid and not own else name
        found.append(Choice("author", name, value, own is not None or by_orcid is not None))
    for name in [name for name in paper.categories if name != paper.venue][:MOST_CATEGORIES]:
        is_followed = (InterestKind.CATEGORY, name.casefold()) in known
        found.append(Choice("category", name, name, is_followed))
    return [each for each in found if _can_be_followed(each)]


def _can_be_followed(choice: Choice) -> bool:
    try:
        following.checked(_KINDS[choice.field], choice.value)
    except InputError:
        return False
    return True


def _done(names: dict[str, dict[str, str]], told: Told, hand: Hand) -> Done | None:
    """The note for what an address says was done; none where that is not so, or not any more."""
    if told.did in _OF_PAPERS:
        said, undo, is_saved = _OF_PAPERS[told.did]
        return Done(_(said), undo) if hand.is_saved == is_saved else None
    if hand.group:
        return None
    field, _colon, value = told.of.partition(":")
    name = names.get(field, {}).get(value)
    if name is None or told.did is None:
        return None
    own = hand.followed.get((_KINDS[field], value.casefold()))
    if (own is not None) != (told.did is Act.FOLLOW):
        return None
    if own is not None:
        said = _(hand.said_of_following(own.places), name=name)
        return Done(said, Act.UNFOLLOW, field, value)
    said = _("You no longer follow {name}.", name=name)
    return Done(said, Act.FOLLOW, field, value, told.at.split(","))


def _page(
    site: Site,
    paper_id: int,
    hand: Hand | None,
    home: str,
    told: Told = _NOTHING,
    *,
    why_url: str = "",
    error: str = "",
) -> HTMLResponse:
    with site.reading() as session:
        paper = session.get(Paper, paper_id)
        if paper is None:
            raise HTTPException(404)
        similar = browse.similar(session, paper_id)
        orcids = orcids_of(session, paper_id, paper.authors)
        changed = latest_difference(session, paper_id)
        names = _names(session, paper)
        changes = session.exec(
            select(PaperChange)
            .where(PaperChange.paper_id == paper_id)
            .order_by(col(PaperChange.at), col(PaperChange.id))
        ).all()
    arxiv_id = split_arxiv_id(paper.external_id)[0] if paper.source == "arxiv" else ""
    return site.page(
        "paper.html",
        status=422 if error else 200,
        paper=paper,
        similar=similar,
        orcids=orcids,
        changed=changed,
        changes=changes,
        hand=hand,
        done=_done(names, told, hand) if hand else None,
        error=error,
        choices=_choices(paper, orcids, hand),
        home=home,
        steer=home.removesuffix("/paper"),
        why_url=why_url,
        arxiv_id=arxiv_id,
        versions=range(1, min(paper.version, MOST_VERSIONS) + 1) if arxiv_id else (),
        doi_url=f"https://doi.org/{quote(paper.doi)}" if paper.doi else "",
    )
