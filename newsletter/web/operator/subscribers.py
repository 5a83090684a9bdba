"""Subscribers: search and add."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from newsletter.core.errors import InputError
from newsletter.core.models import Cadence, SubscriberStatus
from newsletter.subscribers import accounts, directory
from newsletter.subscribers.accounts import row_id
from newsletter.subscribers.directory import Wanted
from newsletter.subscribers.validation import Preferences, TypedTopic
from newsletter.web import forms
from newsletter.web.forms import LISTS, text_of
from newsletter.web.operator.access import ChangeDep, OperatorDep
from newsletter.web.operator.shell import (
    PER_PAGE,
    DoneDep,
    PageDep,
    SearchDep,
    done,
    part_of,
    show,
)
from newsletter.web.site import READ, SiteDep

router = APIRouter()
HERE = "/subscribers"
# Where consent was given, in the consent record.
SOURCE = "operator's pages"
NEW = ("email", "name", "topic", "text", *LISTS)


@router.api_route("/subscribers", methods=READ)
def subscribers_page(
    site: SiteDep,
    operator: OperatorDep,
    *,
    search: SearchDep,
    status: Annotated[SubscriberStatus | None, Query()] = None,
    cadence: Annotated[Cadence | None, Query()] = None,
    page: PageDep = 1,
) -> HTMLResponse:
    """A page of those that match, by address."""
    wanted = Wanted(search, status, cadence)
    with site.reading() as session:
        shown = part_of(directory.count(session, wanted), page)
        rows = directory.page(session, wanted, offset=shown.offset, limit=PER_PAGE)
    return show(
        site,
        operator,
        "subscribers",
        here=HERE,
        wanted=wanted,
        shown=shown,
        rows=rows,
        statuses=list(SubscriberStatus),
        cadences=list(Cadence),
    )


@router.api_route("/subscribers/new", methods=READ)
def new_page(site: SiteDep, operator: OperatorDep, done: DoneDep) -> HTMLResponse:
    """The form for a new subscriber."""
    blank: dict[str, Any] = dict.fromkeys(NEW, "")
    fields = forms.preference_fields(Preferences())
    return show(
        site,
        operator,
        "subscriber_new",
        here=HERE,
        done=done,
        typed=blank,
        fields=fields,
        confirmed=False,
    )


@router.post("/subscribers/new")
def add(site: SiteDep, operator: OperatorDep, form: ChangeDep) -> Response:
    """Add a subscriber, as `newsletter subscribers add` does; never one who opted out."""
    confirmed = text_of(form, "confirmed") == "on"
    typed = {name: text_of(form, name) for name in NEW}
    try:
        topic = TypedTopic.read(
            {"name": typed["topic"], "text": typed["text"]}
            | {name: forms.split(name, typed[name]) for name in LISTS}
        )
        preferences = forms.read_preferences(form, Preferences())
        with site.writing() as session:
            added = accounts.add(
                session,
                site.signer,
                email=typed["email"],
                name=typed["name"],
                preferences=preferences,
                topics=[topic],
                confirmed=confirmed,
                source=SOURCE,
            )
            number = row_id(added)
    except InputError as error:
        return show(
            site,
            operator,
            "subscriber_new",
            here=HERE,
            status=422,
            error=f"Not added. {error}",
            typed=typed,
            fields=forms.typed_preferences(form),
            confirmed=confirmed,
        )
    return done(site, f"/subscribers/{number}", "added")
