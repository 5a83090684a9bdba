"""A reader's saved papers: folders, and files for a reference manager."""

import re
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Annotated, NamedTuple

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from newsletter.core.errors import InputError
from newsletter.core.language import N_, _, gettext
from newsletter.core.models import Paper, Signal
from newsletter.ranking.profiles import feedback
from newsletter.subscribers import folders
from newsletter.subscribers.accounts import row_id
from newsletter.subscribers.bibliography.exchange import as_csl, as_ris
from newsletter.subscribers.bibliography.writing import as_bibtex
from newsletter.subscribers.folders import ALL, UNFILED, Shelf, Which
from newsletter.web.account import attachment
from newsletter.web.bodies import Form
from newsletter.web.forms import FormDep, numbers, text_of
from newsletter.web.papers import PageNumber
from newsletter.web.ratings import subscriber_of
from newsletter.web.site import READ, RowId, Site, SiteDep

router = APIRouter()
# "all", "none", or the number of a folder; "" in a download means all that was saved or liked.
Asked = Annotated[str, Query(pattern=r"^(all|none|[1-9][0-9]{0,8})?$")]


class Said(StrEnum):
    """What was just done, for the note on the page."""

    CREATED = "created"
    RENAMED = "renamed"
    DELETED = "deleted"
    MOVED = "moved"
    REMOVED = "removed"


class Format(NamedTuple):
    """A file that reference managers read."""

    write: Callable[[Iterable[Paper]], str]
    media_type: str
    ending: str


BIBTEX = Format(as_bibtex, "application/x-bibtex", "bib")
RIS = Format(as_ris, "application/x-research-info-systems", "ris")
CSL = Format(as_csl, "application/vnd.citationstyles.csl+json", "json")
SAID = {
    Said.CREATED: N_("The folder is created."),
    Said.RENAMED: N_("The folder is renamed."),
    Said.DELETED: N_("The folder is deleted. Its papers are still saved."),
    Said.MOVED: N_("Moved."),
    Said.REMOVED: N_("Removed from your saved papers."),
}


@router.api_route("/preferences/{token}/saved", methods=READ)
def saved_page(
    site: SiteDep,
    token: str,
    folder: Asked = "all",
    page: PageNumber = 1,
    said: Said | None = None,
) -> HTMLResponse:
    """Saved papers of one folder, of none or all, to move about."""
    return _page(site, token, folder, page=page, note=gettext(SAID[said]) if said else "")


@router.post("/preferences/{token}/saved/folders")
def create(site: SiteDep, token: str, form: FormDep) -> Response:
    """Make a folder."""
    try:
        with site.writing() as session:
            own = row_id(subscriber_of(session, site, token))
            made = folders.create(session, own, text_of(form, "name"))
    except InputError as error:
        return _page(site, token, "all", error=error.what, typed=text_of(form, "name"))
    return _back(site, token, str(made), Said.CREATED)


@router.post("/preferences/{token}/saved/folders/{folder_id}/rename")
def rename(site: SiteDep, token: str, folder_id: RowId, form: FormDep) -> Response:
    """Give a folder another name."""
    try:
        with site.writing() as session:
            own = row_id(subscriber_of(session, site, token))
            if not folders.rename(session, own, folder_id, text_of(form, "name")):
                raise HTTPException(404)
    except InputError as error:
        return _page(site, token, str(folder_id), error=error.what)
    return _back(site, token, str(folder_id), Said.RENAMED)


@router.post("/preferences/{token}/saved/folders/{folder_id}/delete")
def delete(site: SiteDep, token: str, folder_id: RowId) -> Response:
    """Delete a folder; what was in it stays saved."""
    with site.writing() as session:
        folders.remove(session, row_id(subscriber_of(session, site, token)), folder_id)
    return _back(site, token, "all", Said.DELETED)


@router.post("/preferences/{token}/saved/move")
def move(site: SiteDep, token: str, form: FormDep) -> Response:
    """Put the ticked papers into a folder, or into none."""
    here, to = _folder_in(form, "folder"), _folder_in(form, "to")
    chosen = numbers(form, "paper")
    try:
        if not chosen:
            raise InputError(_("tick at least one paper first"), where="papers")
        with site.writing() as session:
            own = row_id(subscriber_of(session, site, token))
            if not folders.move(session, own, chosen, int(to) if to.isdigit() else None):
                raise InputError(_("these papers are not saved any more"), where="papers")
    except InputError as error:
        return _page(site, token, here, error=error.what)
    return _back(site, token, here, Said.MOVED)


@router.post("/preferences/{token}/saved/remove")
def remove(site: SiteDep, token: str, form: FormDep) -> Response:
    """Take the ticked papers off the list."""
    here, chosen = _folder_in(form, "folder"), numbers(form, "paper")
    if not chosen:
        return _page(site, token, here, error=_("tick at least one paper first"))
    with site.writing() as session:
        own = row_id(subscriber_of(session, site, token))
        for paper_id in dict.fromkeys(chosen):
            feedback.withdraw(session, own, paper_id, Signal.SAVED)
    return _back(site, token, here, Said.REMOVED)


def _folder_in(form: Form, name: str) -> str:
    typed = text_of(form, name)
    return typed if re.fullmatch(r"none|[1-9][0-9]{0,8}", typed) else "all"


def _back(site: Site, token: str, folder: str, said: Said) -> RedirectResponse:
    address = f"{site.root}/preferences/{token}/saved?folder={folder}&said={said}"
    return RedirectResponse(address, 303)


def _which(asked: str) -> Which:
    return {"all": ALL, "none": UNFILED}.get(asked) or Which(int(asked))


def _page(
    site: Site,
    token: str,
    asked: str,
    *,
    page: int = 1,
    note: str = "",
    error: str = "",
    typed: str = "",
) -> HTMLResponse:
    asked = asked or "all"
    with site.reading() as session:
        own = row_id(subscriber_of(session, site, token))
        shelves = folders.folders_of(session, own)
        here = _shelf(shelves, asked)
        found = folders.saved(session, own, _which(asked), page=page)
        everywhere = folders.count(session, own, ALL)
        unfiled = folders.count(session, own, UNFILED)
    total = here.papers if here else unfiled if asked == "none" else everywhere
    return site.page(
        "saved.html",
        status=422 if error else 200,
        action=f"{site.root}/preferences/{token}",
        shelves=shelves,
        here=here,
        asked=asked,
        papers=found,
        names={shelf.id: shelf.name for shelf in shelves},
        everywhere=everywhere,
        unfiled=unfiled,
        page=page,
        pages=max(1, -(-total // folders.PAGE)),
        note=note,
        error=error,
        typed=typed,
        longest=folders.LONGEST,
        room=len(shelves) < folders.MOST_FOLDERS,
    )


def _shelf(shelves: Sequence[Shelf], asked: str) -> Shelf | None:
    """The folder that is asked for.

    Raises:
        HTTPException: 404, the reader has no such folder.
    """
    if not asked.isdigit():
        return None
    found = next((shelf for shelf in shelves if shelf.id == int(asked)), None)
    if found is None:
        raise HTTPException(404)
    return found


@router.api_route("/preferences/{token}/saved.bib", methods=READ)
def saved_bibtex(site: SiteDep, token: str, folder: Asked = "") -> Response:
    """As BibTeX."""
    return _file(site, token, folder, BIBTEX)


@router.api_route("/preferences/{token}/saved.ris", methods=READ)
def saved_ris(site: SiteDep, token: str, folder: Asked = "") -> Response:
    """As RIS."""
    return _file(site, token, folder, RIS)


@router.api_route("/preferences/{token}/saved.json", methods=READ)
def saved_csl(site: SiteDep, token: str, folder: Asked = "") -> Response:
    """As CSL JSON."""
    return _file(site, token, folder, CSL)


def _file(site: Site, token: str, asked: str, form: Format) -> Response:
    with site.reading() as session:
        own = row_id(subscriber_of(session, site, token))
        if asked:
            here = _shelf(folders.folders_of(session, own), asked)
            text = form.write(each.paper for each in folders.saved(session, own, _which(asked)))
        else:
            here, text = None, form.write(feedback.liked(feedback.judged(session, own)))
    return attachment(text, form.media_type, f"{_file_name(here)}.{form.ending}")


def _file_name(shelf: Shelf | None) -> str:
    """The name of a folder in the letters that every system takes, or "my-papers"."""
    plain = re.sub(r"[^a-z0-9]+", "-", shelf.name.lower()).strip("-") if shelf else ""
    return plain or "my-papers"
