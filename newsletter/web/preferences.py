"""The preferences page. Everything is one form, and saving it is one transaction.

Digests get forwarded with their links: this page shows no address or name (bulk-mail rule 28).
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import available_timezones

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup
from sqlmodel import Session

from newsletter.core import language
from newsletter.core.database import utc_now
from newsletter.core.errors import InputError, LimitError
from newsletter.core.language import _
from newsletter.core.models import (
    Cadence,
    Subscriber,
    SubscriberStatus,
)
from newsletter.ranking.profiles.draft import read_draft
from newsletter.subscribers import accounts, groups, profile
from newsletter.subscribers.accounts import row_id
from newsletter.subscribers.bibliography import IN_PREFERENCES
from newsletter.subscribers.preferences import (
    StatedTopic,
    preferences_of,
    set_preferences,
    set_topics,
    topics_of,
)
from newsletter.subscribers.validation import MOST_TOPICS, Preferences
from newsletter.web import forms, today, topic_examples
from newsletter.web.bodies import MOST_FIELDS, Form
from newsletter.web.library import part_of
from newsletter.web.ratings import subscriber_of
from newsletter.web.site import READ, Site, SiteDep

router = APIRouter()
# Some 600 names for 350 places; the old spellings (US/Eastern, GMT+5) only confuse.
TIME_ZONES = sorted(
    {"UTC"}
    | {
        zone
        for zone in available_timezones()
        if zone.split("/")[0]
        in {
            "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia",
            "Europe", "Indian", "Pacific",
        }
    }
)  # fmt: skip
# Rendered once: four hundred options took most of the page's time.
ZONE_OPTIONS = Markup("\n").join(Markup("<option>{}</option>").format(zone) for zone in TIME_ZONES)


FormWithProfile = Annotated[Form, Depends(forms.with_file(IN_PREFERENCES.largest_file))]


_HOURS = tuple((str(hour), f"{hour:02}:00") for hour in range(24))


class Tab(StrEnum):
    """A part of the page."""

    INTERESTS = "interests"
    DELIVERY = "delivery"
    ACCOUNT = "account"


# What stands under Delivery; all other fields are interests.
_IN_DELIVERY = frozenset(
    {"cadence", "weekday", "send_hour", "time_zone", "length", "tell_when_nothing", "language"}
)


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a form; ``field`` is the name of its field, "" where it is none."""

    said: str = ""
    what: str = ""
    field: str = ""


def _wrong(error: InputError) -> Wrong:
    return Wrong(
        forms.said(error), error.what, error.field if isinstance(error, forms.FieldError) else ""
    )


@router.api_route("/preferences/{token}", methods=READ)
def preferences_page(
    site: SiteDep,
    token: str,
    saved: bool = False,
    back: bool = False,
    tab: Tab = Tab.INTERESTS,
) -> HTMLResponse:
    """The form as it stands in the tables."""
    with site.reading() as session:
        subscriber = subscriber_of(session, site, token)
        stored = topics_of(session, row_id(subscriber))
        topics = [forms.topic_fields(topic) for topic in stored]
        beside = _beside(session, subscriber, topics, stored)
    fields = forms.preference_fields(preferences_of(subscriber))
    return _page(
        site,
        subscriber,
        token,
        fields,
        topics,
        beside=beside,
        saved=saved,
        back=back,
        tab=tab,
    )


@router.post("/preferences/{token}")
def save_preferences(site: SiteDep, token: str, form: forms.FormDep) -> Response:
    """Save the form, or show it again with what is wrong in it."""
    try:
        with site.writing() as session:
            subscriber = subscriber_of(session, site, token)
            _write(session, subscriber, form)
    except InputError as error:
        with site.reading() as session:
            subscriber = subscriber_of(session, site, token)
        typed = forms.typed_topics(form)
        wrong = _wrong(error)
        in_delivery = wrong.field in _IN_DELIVERY
        return _page(
            site,
            subscriber,
            token,
            forms.typed_preferences(form),
            typed,
            wrong=wrong,
            tab=Tab.DELIVERY if in_delivery else Tab.INTERESTS,
        )
    asked = forms.text_of(form, "tab")
    tab = f"&tab={asked}" if asked in {Tab.DELIVERY, Tab.ACCOUNT} else ""
    return RedirectResponse(f"{site.root}/preferences/{token}?saved=true{tab}", 303)


@router.post("/preferences/{token}/profile")
def fill_in_profile(site: SiteDep, token: str, form: FormWithProfile) -> HTMLResponse:
    """The form with what a profile of another site says, to look at. Nothing is stored."""
    with site.reading() as session:
        subscriber = subscriber_of(session, site, token)
        topics = topics_of(session, row_id(subscriber))
    stated, wrong = preferences_of(subscriber), Wrong()
    try:
        file = forms.file_of(form, "library")
        if file is None:
            raise InputError(_("no file was chosen"), where="profile")
        brought = profile.parse(file.data, IN_PREFERENCES, where=file.name)
        topics = _with_topics(topics, brought)
        stated = Preferences.read(brought.preferences, stated)
    except InputError as refused:
        wrong = _wrong(refused)
    return _page(
        site,
        subscriber,
        token,
        forms.preference_fields(stated),
        [forms.topic_fields(topic) for topic in topics],
        wrong=wrong,
        brought=not wrong.said,
    )


def _with_topics(own: list[StatedTopic], brought: profile.Profile) -> list[StatedTopic]:
    """One's topics with those of a profile; topics of one name become one.

    Raises:
        LimitError: together they are too many.
    """
    found = {topic.request.name.casefold(): topic for topic in own}
    for request in brought.topics:
        same = found.get(request.name.casefold())
        united = profile.united(same.request, request) if same else request
        # 0: a topic that has no row yet.
        found[request.name.casefold()] = StatedTopic(same.id if same else 0, united)
    if len(found) > MOST_TOPICS:
        raise LimitError(
            _(
                "together with yours, {count} topics; at most {most}",
                count=len(found),
                most=MOST_TOPICS,
            ),
            where="topics",
        )
    return list(found.values())


@router.post("/preferences/{token}/preview")
def preview(site: SiteDep, token: str, form: forms.FormDep) -> HTMLResponse:
    """The form as it was typed, and what today's digest would be with it. Nothing is stored."""
    shown, changed, wrong = None, None, Wrong()
    try:
        # Writers wait for one another: nothing is computed before the rows are given back.
        with site.trying() as session:
            subscriber = subscriber_of(session, site, token)
            _write(session, subscriber, form)
            session.refresh(subscriber)
            group = groups.membership(session, subscriber)
            # What a member types rests: the digest is the same with it.
            draft = read_draft(session, subscriber) if group is None or group.is_keeper else None
        with today.one_preview(row_id(subscriber)):
            with site.reading() as session:
                profile = today.profile_of(site, session, subscriber, draft)
                as_saved = today.profile_of(site, session, subscriber)
            shown = today.rank_today(site, subscriber, profile)
            changed = today.changes(today.rank_today(site, subscriber, as_saved), shown)
    except InputError as refused:
        wrong = _wrong(refused)
        with site.reading() as session:
            subscriber = subscriber_of(session, site, token)
    typed = forms.typed_topics(form)
    fields = forms.typed_preferences(form)
    return _page(site, subscriber, token, fields, typed, wrong=wrong, shown=shown, changed=changed)


def _write(session: Session, subscriber: Subscriber, form: Form) -> None:
    wanted = forms.read_preferences(form, preferences_of(subscriber))
    set_preferences(session, row_id(subscriber), wanted)
    set_topics(session, subscriber, forms.read_topics(form))


@router.post("/preferences/{token}/away")
def go_away(site: SiteDep, token: str, form: forms.FormDep) -> Response:
    """Set or end a vacation, and nothing else."""
    typed = forms.text_of(form, "vacation_until")
    try:
        with site.writing() as session:
            subscriber = subscriber_of(session, site, token)
            wanted = Preferences.read({"vacation_until": typed}, preferences_of(subscriber))
            set_preferences(session, row_id(subscriber), wanted)
    except InputError as refused:
        with site.reading() as session:
            subscriber = subscriber_of(session, site, token)
            topics = [forms.topic_fields(each) for each in topics_of(session, row_id(subscriber))]
        fields = forms.preference_fields(preferences_of(subscriber))
        wrong = Wrong(forms.said(refused), refused.what, "vacation_until")
        fields["vacation_until"] = typed
        return _page(site, subscriber, token, fields, topics, wrong=wrong)
    return RedirectResponse(f"{site.root}/preferences/{token}?saved=true", 303)


@router.post("/preferences/{token}/return")
def come_back(site: SiteDep, token: str) -> Response:
    """Start digests again at once, after unsubscribing."""
    with site.writing() as session:
        is_active = accounts.come_back(session, subscriber_of(session, site, token).public_id)
    if not is_active:
        return site.message(
            _("We cannot start your digests again here"),
            _(
                "Mail to your address came back, was marked as spam, or was stopped by the "
                "operator. Sign up again on the front page, or write to the operator."
            ),
            status=409,
        )
    return RedirectResponse(f"{site.root}/preferences/{token}?back=true", 303)


@router.post("/preferences/{token}/sign-out")
def sign_out(site: SiteDep, token: str) -> HTMLResponse:
    """End all links that were mailed so far, but for those that unsubscribe."""
    with site.writing() as session:
        accounts.end_links(session, subscriber_of(session, site, token).public_id)
    return site.message(
        _("All links are signed out"),
        _(
            "Links in earlier mails, and your private feed, no longer open anything. Links to "
            "unsubscribe still work."
        ),
        _(
            "Your next digest has new links. To come back before that, ask for a link by mail "
            "under Your data."
        ),
    )


@router.post("/preferences/{token}/pause")
def pause(site: SiteDep, token: str) -> RedirectResponse:
    """Pause digests until resumed."""
    with site.writing() as session:
        accounts.pause(session, subscriber_of(session, site, token).public_id)
    return RedirectResponse(f"{site.root}/preferences/{token}", 303)


@router.post("/preferences/{token}/weekly")
def weekly(site: SiteDep, token: str) -> RedirectResponse:
    """Change to one digest a week, offered to people who would otherwise leave."""
    with site.writing() as session:
        subscriber = subscriber_of(session, site, token)
        wanted = preferences_of(subscriber).model_copy(update={"cadence": Cadence.WEEKLY})
        set_preferences(session, row_id(subscriber), wanted)
    return RedirectResponse(f"{site.root}/preferences/{token}?saved=true", 303)


@router.post("/preferences/{token}/resume")
def resume(site: SiteDep, token: str) -> RedirectResponse:
    """Start digests again."""
    with site.writing() as session:
        accounts.resume(session, subscriber_of(session, site, token).public_id)
    return RedirectResponse(f"{site.root}/preferences/{token}", 303)


def _beside(
    session: Session,
    subscriber: Subscriber,
    topics: list[dict[str, Any]],
    stored: list[StatedTopic] | None = None,
) -> dict[str, Any]:
    """What the page shows beside the form's own fields."""
    named = [value for topic in topics for value in topic["seed_papers"].splitlines()]
    return {
        "library": part_of(session, subscriber, stored),
        "examples": topic_examples.examples_of(session, subscriber),
        "group": groups.membership(session, subscriber),
        "seeds": topic_examples.titles_of(session, named),
    }


def _page(
    site: Site,
    subscriber: Subscriber,
    token: str,
    fields: dict[str, Any],
    topics: list[dict[str, Any]],
    *,
    beside: dict[str, Any] | None = None,
    saved: bool = False,
    back: bool = False,
    tab: Tab = Tab.INTERESTS,
    wrong: Wrong = Wrong(),
    shown: today.Today | None = None,
    changed: today.Changes | None = None,
    brought: bool = False,
) -> HTMLResponse:
    if beside is None:
        with site.reading() as session:
            beside = _beside(session, subscriber, topics)
    return site.page(
        "preferences.html",
        **beside,
        status=422 if wrong.said else 200,
        wrong=wrong,
        tab=tab.value,
        tabs=[each.value for each in Tab],
        back=back,
        # What a file brought is text to look through and change, a line each.
        use_tags=not brought and _fits_as_tags(topics),
        changed=changed,
        away=_away(subscriber),
        action=f"{site.root}/preferences/{token}",
        fields=fields,
        topics=topics,
        saved=saved,
        today=shown,
        brought=brought,
        largest_profile=IN_PREFERENCES.largest_in_words,
        status_name=subscriber.status.value,
        paused=subscriber.status == SubscriberStatus.PAUSED,
        active=subscriber.status == SubscriberStatus.ACTIVE,
        hours=_HOURS,
        languages=[(name, language.name_of(name)) for name in language.languages()],
        zone_options=ZONE_OPTIONS,
        archive_url=f"{site.root}/archive/{token}",
        unsubscribe_url=site.unsubscribe_url(subscriber.public_id),
    )


# A form may have `bodies.MOST_FIELDS` fields, and each tag is one.
_FIELDS_OF_TOPIC, _OTHER_FIELDS = 12, 30


def _fits_as_tags(topics: list[dict[str, Any]]) -> bool:
    """Whether the lists can be shown as a box for each value."""
    tags = sum(len(topic[field].splitlines()) for topic in topics for field in forms.LISTS)
    return tags + _FIELDS_OF_TOPIC * (len(topics) + 1) + _OTHER_FIELDS <= MOST_FIELDS


def _away(subscriber: Subscriber) -> date | None:
    """The last day of a vacation that is not over."""
    until = subscriber.vacation_until
    return until if until is not None and until >= utc_now().date() else None
