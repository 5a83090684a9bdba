"""A reader's bibliography: upload a file, look at what it changes, save that.

Viewing stores nothing. What is to be saved travels in the form, and is checked like anything
typed. A first file may be used at once; a second one is shown as a difference from the first.
"""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlmodel import Session

from newsletter.core.errors import InputError
from newsletter.core.language import _
from newsletter.core.models import Subscriber
from newsletter.subscribers import bibliography, library
from newsletter.subscribers.accounts import row_id
from newsletter.subscribers.bibliography import IN_PREFERENCES, Reference
from newsletter.subscribers.bibliography.report import Report, report_of
from newsletter.subscribers.library import MOST_PAPERS, Difference
from newsletter.subscribers.preferences import StatedTopic, topics_of
from newsletter.subscribers.validation import LONGEST_VALUE, clean_line
from newsletter.web import forms
from newsletter.web.bodies import Form
from newsletter.web.ratings import subscriber_of
from newsletter.web.site import READ, Site, SiteDep

router = APIRouter()
FormWithLibrary = Annotated[Form, Depends(forms.with_file(IN_PREFERENCES.largest_file))]
# Names and titles of 150 papers; the longest name has 300 characters.
_LONGEST_FORM = MOST_PAPERS * (LONGEST_VALUE + 1000)


@router.api_route("/preferences/{token}/library", methods=READ)
def library_page(site: SiteDep, token: str, saved: bool = False) -> HTMLResponse:
    """What the reader's bibliography holds, and the form that uploads one."""
    return _page(site, token, saved=saved)


@router.post("/preferences/{token}/library")
def look(site: SiteDep, token: str, form: FormWithLibrary) -> HTMLResponse:
    """What a file would change. Nothing is stored, but for a first file to be used at once."""
    try:
        with site.reading() as session:
            subscriber_of(session, site, token)
        file = forms.file_of(form, "library")
        if file is None:
            raise InputError(_("no file was chosen"), where="bibliography")
        found = bibliography.parse(file.data, IN_PREFERENCES, where=file.name)
        with site.writing() if "now" in form else site.reading() as session:
            subscriber = subscriber_of(session, site, token)
            wanted = library.clues_of(session, found.references)
            change = library.difference(session, subscriber, wanted)
            # What a file replaces is looked at first.
            is_used = "now" in form and not (change.gone or change.kept)
            if is_used:
                library.apply(session, subscriber, _topic(form), wanted)
    except InputError as error:
        return _page(site, token, error=forms.said(error))
    newest = found.references[-MOST_PAPERS:]
    if is_used:
        return _page(site, token, saved=True, report=report_of(found, newest))
    return _page(
        site,
        token,
        report=report_of(found, newest),
        change=change,
        papers="\n".join(f"{' '.join(each.names)}\t{each.title}" for each in newest),
        topic=forms.text_of(form, "topic"),
    )


@router.post("/preferences/{token}/library/save")
def save(site: SiteDep, token: str, form: forms.FormDep) -> Response:
    """Make the bibliography what was looked at; with no papers, remove it."""
    try:
        references = _references(forms.text_of(form, "papers"))
        with site.writing() as session:
            subscriber = subscriber_of(session, site, token)
            wanted = library.clues_of(session, references)
            library.apply(session, subscriber, _topic(form), wanted)
    except InputError as error:
        return _page(site, token, error=forms.said(error))
    return RedirectResponse(f"{site.root}/preferences/{token}/library?saved=true", 303)


def _topic(form: Form) -> int | None:
    typed = forms.text_of(form, "topic")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else None


def _references(typed: str) -> list[Reference]:
    """The papers in a form that `look` gave: names and a title a line.

    Raises:
        InputError: a line is not what `look` writes.
    """
    if len(typed) > _LONGEST_FORM:
        what = _("has more than the form held; upload the file again")
        raise InputError(what, where="bibliography")
    found = []
    for line in typed.splitlines():
        named, _tab, title = line.partition("\t")
        names = tuple(name for name in named.split() if library.is_name(name))
        title = clean_line(title, where="title")
        if names or title:
            found.append(Reference(names, title))
    return found[:MOST_PAPERS]


def _page(
    site: Site,
    token: str,
    *,
    saved: bool = False,
    error: str = "",
    report: Report | None = None,
    change: Difference | None = None,
    papers: str = "",
    topic: str = "",
) -> HTMLResponse:
    with site.reading() as session:
        subscriber = subscriber_of(session, site, token)
        part = part_of(session, subscriber)
    return site.page(
        "library.html",
        status=422 if error else 200,
        action=f"{site.root}/preferences/{token}",
        saved=saved,
        error=error,
        report=report,
        change=change,
        papers=papers,
        topic=topic,
        library=part,
    )


def part_of(
    session: Session, subscriber: Subscriber, topics: list[StatedTopic] | None = None
) -> dict[str, object]:
    """What the template part ``upload_form`` needs; ``topics`` if the page has read them."""
    topics = topics_of(session, row_id(subscriber)) if topics is None else topics
    clues = [clue for topic in topics for clue in topic.request.clues]
    has_papers = any(clue.reference is not None for clue in clues)
    return {
        "papers": library.papers_of(session, subscriber) if has_papers else [],
        "topics": topics,
        "largest": IN_PREFERENCES.largest_in_words,
    }
