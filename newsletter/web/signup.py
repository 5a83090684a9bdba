"""Sign-up: a form, a mail, a button. The answer never tells whether an address is known."""

import time
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.exc import IntegrityError

from newsletter.core import language
from newsletter.core.errors import InputError, LimitError
from newsletter.core.language import _
from newsletter.subscribers import bibliography, library, profile, signup
from newsletter.subscribers.bibliography.report import Report, report_of
from newsletter.subscribers.profile import Profile
from newsletter.subscribers.signup import SignUpRequest
from newsletter.subscribers.validation import (
    DEFAULT_TOPIC,
    Preferences,
    TopicRequest,
    TypedTopic,
    normalise_email,
)
from newsletter.web import forms, onboarding
from newsletter.web.bodies import Form, UploadedFile
from newsletter.web.fields import IN_WORDS
from newsletter.web.onboarding import Asked
from newsletter.web.papers import Short, line_of
from newsletter.web.preferences import ZONE_OPTIONS
from newsletter.web.rate_limit import FromHere, Limited, limit, may_mail
from newsletter.web.site import READ, Site, SiteDep
from newsletter.web.steady import SteadyPage
from newsletter.web.today import Today

router = APIRouter()
SECONDS_KEPT = 60
FIELDS = ("email", "text", "categories", "authors", "seed_papers", "cadence", "time_zone")
FormWithLibrary = Annotated[Form, Depends(forms.with_file(bibliography.AT_SIGN_UP.largest_file))]


@router.api_route("/sign-up", methods=READ)
def sign_up_page(
    site: SiteDep,
    request: Request,
    author: Short = "",
    category: Short = "",
    paper: Annotated[int, Query(ge=0, lt=2**31)] = 0,
) -> HTMLResponse:
    """The whole form; a paper's page fills in who or what it should bring."""
    if not (author or category or paper):
        return HTMLResponse(_offer_to_all(site))
    limit(site, request, Limited.FIRST_LOOK)
    typed = dict.fromkeys(FIELDS, "") | {
        "authors": line_of(author),
        "categories": line_of(category),
    }
    asked = Asked(
        categories=frozenset({typed["categories"].casefold()}) - {""},
        picked=(paper,) if paper else (),
    )
    with onboarding.one_visitor():
        return _form(site, asked, typed)


def _offer_to_all(site: Site) -> bytes:
    """The form with nothing in it, kept for a minute.

    Not `Site.shared`, which makes a page anew after every commit, of which a send run makes many a
    second: choosing what to offer takes 30 ms, and nobody is limited in asking for it.
    """
    minute, spoken = int(time.monotonic() // SECONDS_KEPT), language.current()
    kept = site.offers.get(spoken)
    if kept is None or kept[0] != minute:
        kept = site.offers[spoken] = minute, _rendered(site, Asked())
    return kept[1]


@router.post("/sign-up", dependencies=[FromHere])
def sign_up(site: SiteDep, request: Request, form: FormWithLibrary) -> HTMLResponse:
    """Store the request, and ask the address to confirm it."""
    typed, asked = _read(form)
    # A person never sees this field; a script fills in every one.
    if forms.text_of(form, "website"):
        return _sent(site)
    begun = time.monotonic()
    limit(site, request, Limited.SIGN_UP)
    unused, report = "", None
    file = forms.file_of(form, "library")
    try:
        wanted = SignUpRequest(
            topic=_topic(typed),
            cadence=typed["cadence"],
            time_zone=typed["time_zone"],
            language=language.current(),
            liked=asked.picked,
        )
        if file is not None and profile.is_profile(file.name, file.data):
            try:
                brought = profile.parse(file.data, bibliography.AT_SIGN_UP, where=file.name)
                wanted = _with_profile(wanted, brought)
            except InputError as error:
                unused = forms.said(error)
        elif file is not None:
            try:
                wanted, report = _with_references(site, wanted, file)
            except LimitError as error:
                unused = forms.said(error)
                wanted = replace(
                    wanted, remark=_("Your file was not used: it {what}.", what=error.what)
                )
        _store(site, typed["email"], wanted)
    except InputError as error:
        return _form(site, asked, typed, error=forms.said(error))
    return SteadyPage(_sent(site, unused, report), begun=begun)


@router.post("/sign-up/papers", dependencies=[FromHere])
def more_papers(site: SiteDep, request: Request, form: FormWithLibrary) -> HTMLResponse:
    """The form as it was filled in, with other papers to pick from. Nothing is stored."""
    limit(site, request, Limited.FIRST_LOOK)
    typed, asked = _read(form)
    with onboarding.one_visitor():
        return _form(site, replace(asked, goes_on=True), typed)


@router.post("/sign-up/preview", dependencies=[FromHere])
def first_digest(site: SiteDep, request: Request, form: FormWithLibrary) -> HTMLResponse:
    """The form as it was filled in, and the digest that it would bring. Nothing is stored."""
    limit(site, request, Limited.FIRST_LOOK)
    typed, asked = _read(form)
    try:
        topic = _topic(typed)
    except InputError as error:
        return _form(site, asked, typed, error=forms.said(error))
    with onboarding.one_visitor():
        shown = onboarding.preview(site, topic, asked.picked)
        return _form(site, asked, typed, shown=shown)


def _read(form: Form) -> tuple[dict[str, str], Asked]:
    """The fields as they were typed, and what was said about papers and fields of research."""
    typed = {name: forms.text_of(form, name) for name in FIELDS}
    # Ticked fields of research and typed ones come under one name.
    typed["categories"] = forms.lines_of(form, "categories")
    picked = dict.fromkeys(forms.numbers(form, "pick"))
    return typed, Asked(
        categories=frozenset(
            name.strip().casefold() for name in forms.split("categories", typed["categories"])
        )
        - {""},
        picked=tuple(sorted(list(picked)[: onboarding.MOST_PICKED])),
        offered=tuple(dict.fromkeys(forms.numbers(form, "offered")))[-onboarding.MOST_OFFERED :],
    )


def _topic(typed: dict[str, str]) -> TopicRequest:
    lists = ("categories", "authors", "seed_papers")
    return TypedTopic.read(
        {"text": typed["text"], **{field: forms.split(field, typed[field]) for field in lists}}
    )


def _with_profile(wanted: SignUpRequest, brought: Profile) -> SignUpRequest:
    """``wanted`` with a profile of another site; what the form was changed to goes before it.

    Raises:
        LimitError: a typed topic and its namesake in the file are too large together.
    """
    name = wanted.topic.name.casefold()
    same = [topic for topic in brought.topics if topic.name.casefold() == name]
    others = tuple(topic for topic in brought.topics if topic not in same)
    untouched = Preferences()
    return replace(
        wanted,
        topic=profile.united(wanted.topic, same[0]) if same else wanted.topic,
        brought=others,
        preferences=brought.preferences,
        cadence=wanted.cadence if wanted.cadence != untouched.cadence else "",
        time_zone=wanted.time_zone if wanted.time_zone != untouched.time_zone else "",
    )


def _with_references(
    site: Site, wanted: SignUpRequest, file: UploadedFile
) -> tuple[SignUpRequest, Report]:
    """``wanted`` with the papers of a bibliography, and what came of it.

    Raises:
        LimitError: the file is over the limits at sign-up.
        InputError: there is no entry in it that can be read.
    """
    found = bibliography.parse(file.data, bibliography.AT_SIGN_UP, where=file.name)
    with site.reading() as session:
        brought = library.clues_of(session, found.references)
    topic = wanted.topic
    typed = {(clue.kind, clue.value) for clue in topic.clues}
    new = [clue for clue in brought if (clue.kind, clue.value) not in typed]
    report = report_of(found, brought)
    united = TopicRequest(DEFAULT_TOPIC, (*topic.clues, *new))
    return replace(wanted, topic=united, remark=report.in_mail()), report


def _store(site: Site, email: str, wanted: SignUpRequest) -> None:
    signup.check(email, wanted)
    if not may_mail(site, normalise_email(email)):
        return
    try:
        with site.writing() as session:
            signup.sign_up(
                session,
                site.signer,
                email=email,
                request=wanted,
                message_domain=site.settings.from_domain,
            )
    except IntegrityError:
        # The same address signed up at the same moment; one of the two is stored.
        return


def _form(
    site: Site,
    asked: Asked,
    typed: dict[str, str],
    *,
    error: str = "",
    shown: Today | None = None,
) -> HTMLResponse:
    body = _rendered(site, asked, typed, error=error, shown=shown)
    return HTMLResponse(body, 422 if error else 200)


def _rendered(
    site: Site,
    asked: Asked,
    typed: dict[str, str] | None = None,
    *,
    error: str = "",
    shown: Today | None = None,
) -> bytes:
    values = dict(typed or dict.fromkeys(FIELDS, ""))
    offer = onboarding.offer(site, asked)
    as_chips = {name.casefold() for name in offer.fields}
    # What no chip stands for stays in the text area.
    values["categories"] = "\n".join(
        name.strip()
        for name in forms.split("categories", values["categories"])
        if name.strip() and name.strip().casefold() not in as_chips
    )
    return site.rendered(
        "sign_up.html",
        fields=values,
        offer=offer,
        asked=asked,
        in_words=IN_WORDS,
        zone_options=ZONE_OPTIONS,
        error=error,
        today=shown,
    )


def _sent(site: Site, unused: str = "", report: Report | None = None) -> HTMLResponse:
    """The same page for every address; ``unused`` says why a file was not used."""
    return site.page("sign_up_sent.html", unused=unused, report=report)
