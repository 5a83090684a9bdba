"""One subscriber: look, change, move to another address, unsubscribe."""

from typing import Any

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import HTMLResponse
from sqlmodel import Session

from newsletter.core.errors import InputError
from newsletter.core.models import Subscriber, SubscriberStatus
from newsletter.subscribers import accounts, changes
from newsletter.subscribers.preferences import (
    preferences_of,
    set_preferences,
    set_topics,
    topics_of,
)
from newsletter.subscribers.suppression import suppressions
from newsletter.web import forms
from newsletter.web.bodies import Form
from newsletter.web.forms import text_of
from newsletter.web.operator.access import ChangeDep, Operator, OperatorDep
from newsletter.web.operator.shell import DoneDep, done, show
from newsletter.web.site import READ, RowId, Site, SiteDep

router = APIRouter()
HERE = "/subscribers"


def subscriber_of(session: Session, subscriber_id: int) -> Subscriber:
    """The subscriber with this key.

    Raises:
        HTTPException: 404, there is none, or none any more.
    """
    found = session.get(Subscriber, subscriber_id)
    if found is None:
        raise HTTPException(404)
    return found


@router.api_route("/subscribers/{subscriber_id}", methods=READ)
def subscriber_page(
    site: SiteDep, operator: OperatorDep, subscriber_id: RowId, done: DoneDep
) -> HTMLResponse:
    """What a subscriber asked for, in a form."""
    return _page(site, operator, subscriber_id, done=done)


@router.post("/subscribers/{subscriber_id}")
def save(site: SiteDep, operator: OperatorDep, subscriber_id: RowId, form: ChangeDep) -> Response:
    """Save the form, or show it again with what is wrong in it."""
    try:
        with site.writing() as session:
            subscriber = subscriber_of(session, subscriber_id)
            wanted = forms.read_preferences(form, preferences_of(subscriber))
            changes.change(session, subscriber, name=text_of(form, "name"))
            set_preferences(session, subscriber_id, wanted)
            set_topics(session, subscriber, forms.read_topics(form))
    except InputError as error:
        return _page(site, operator, subscriber_id, error=f"Not saved. {error}", typed=form)
    return done(site, f"/subscribers/{subscriber_id}", "saved")


@router.post("/subscribers/{subscriber_id}/address")
def move(site: SiteDep, operator: OperatorDep, subscriber_id: RowId, form: ChangeDep) -> Response:
    """Move the subscriber to another address, as `newsletter subscribers rename` does."""
    try:
        with site.writing() as session:
            subscriber = subscriber_of(session, subscriber_id)
            changes.rename(session, site.signer, subscriber, text_of(form, "email"))
    except InputError as error:
        return _page(site, operator, subscriber_id, error=f"Not changed. {error}")
    return done(site, f"/subscribers/{subscriber_id}", "address")


@router.api_route("/subscribers/{subscriber_id}/leave", methods=READ)
def ask(site: SiteDep, operator: OperatorDep, subscriber_id: RowId) -> HTMLResponse:
    """Ask first: an operator cannot bring anybody back."""
    with site.reading() as session:
        subscriber = subscriber_of(session, subscriber_id)
    return show(site, operator, "leave", here=HERE, subscriber=subscriber)


@router.post("/subscribers/{subscriber_id}/leave")
def leave(site: SiteDep, operator: OperatorDep, subscriber_id: RowId, form: ChangeDep) -> Response:
    """Unsubscribe somebody, as `newsletter subscribers unsubscribe` does."""
    with site.writing() as session:
        subscriber = subscriber_of(session, subscriber_id)
        was_gone = subscriber.status == SubscriberStatus.UNSUBSCRIBED
        accounts.unsubscribe(session, subscriber.public_id)
    return done(site, f"/subscribers/{subscriber_id}", "unchanged" if was_gone else "left")


def _page(
    site: Site,
    operator: Operator,
    subscriber_id: int,
    *,
    done: str = "",
    error: str = "",
    typed: Form | None = None,
) -> HTMLResponse:
    """The form; with ``typed``, as it was typed."""
    with site.reading() as session:
        subscriber = subscriber_of(session, subscriber_id)
        topics = topics_of(session, subscriber_id)
        hashes = [subscriber.address_hash]
        suppressed = suppressions(session, hashes).get(subscriber.address_hash)
    shown: list[dict[str, Any]] = (
        [forms.topic_fields(topic) for topic in topics]
        if typed is None
        else forms.typed_topics(typed)
    )
    return show(
        site,
        operator,
        "subscriber",
        here=HERE,
        status=422 if error else 200,
        done=done,
        error=error,
        subscriber=subscriber,
        suppressed=suppressed,
        typed={"name": subscriber.name if typed is None else text_of(typed, "name")},
        fields=forms.preference_fields(preferences_of(subscriber))
        if typed is None
        else forms.typed_preferences(typed),
        topics=shown,
    )
