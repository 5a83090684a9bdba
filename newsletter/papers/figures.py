"""First figures of papers, fetched from arXiv for the papers of an edition, kept as thumbnails.

Nothing is fetched when a page or a picture is asked for: only this step goes out.
"""

import base64
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from newsletter.core.batches import batched
from newsletter.core.database import session_scope, upsert, utc_now
from newsletter.core.errors import FetchError, InputError, SettingsError, SourceError
from newsletter.core.identifiers import split_arxiv_id
from newsletter.core.limited import run_limited
from newsletter.core.models import EditionPaper, Figure, Paper, PaperAlias
from newsletter.sources import Page, Request, Source
from newsletter.sources.http_client import Fetcher

ARXIV = "https://arxiv.org"
LARGEST = 20 * 1024 * 1024  # octets of a page, a picture or a document
LONGEST = 60.0  # seconds of an answer
MEMORY = 768 * 1024 * 1024  # of the child that reads one: 40 million pixels take 320 MB
SECONDS = 15
MOST_A_RUN = 300
_PACKAGES = {"html": ("PIL",), "pdf": ("PIL", "pypdfium2")}
_READERS = "newsletter.papers.thumbnail"
_OURS = re.compile(r"[1-9][0-9]{0,9}\.jpg")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A paper of an edition whose figure was not looked for yet; ``name`` is arXiv's."""

    paper_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Done:
    """How many papers were looked at, had a figure, had none, and what could not be read."""

    asked: int = 0
    made: int = 0
    none: int = 0
    removed: int = 0
    failures: tuple[str, ...] = ()


class _File(Source):
    """One file of arXiv's: the client asks for it as politely as for a feed."""

    name = "figures"

    def __init__(self, url: str, readable: str) -> None:
        self.url = url
        self.readable = re.compile(readable)
        self.body = b""

    def first_request(self, since: date | None = None, until: date | None = None) -> Request:
        return Request(self.url)

    def parse(self, body: bytes, *, where: str, request: Request | None = None) -> Page:
        self.body = body
        return Page()


def check_packages(places: Sequence[str]) -> None:
    """Check that what reads pictures and documents is installed.

    Raises:
        SettingsError: it is not; says how to install it.
    """
    missing = {each for place in places for each in _PACKAGES[place] if find_spec(each) is None}
    if missing:
        raise SettingsError(
            "NEWSLETTER_FIGURES needs packages that are not installed: "
            "pip install 'newsletter[figures]'"
        )


def wanted(session: Session, edition_id: int, most: int = MOST_A_RUN) -> list[Wanted]:
    """The papers of an edition that are on arXiv and were not looked at yet."""
    query = (
        select(Paper.id, PaperAlias.external_id, Paper.version)
        .join(EditionPaper, col(EditionPaper.paper_id) == col(Paper.id))
        .join(PaperAlias, col(PaperAlias.paper_id) == col(Paper.id))
        .outerjoin(Figure, col(Figure.paper_id) == col(Paper.id))
        .where(
            EditionPaper.edition_id == edition_id,
            PaperAlias.source == "arxiv",
            col(Figure.paper_id).is_(None),
        )
        .order_by(col(Paper.id))
    )
    found: dict[int, Wanted] = {}
    for number, external_id, version in session.exec(query):
        name = split_arxiv_id(external_id)[0]
        if number and name:
            found.setdefault(number, Wanted(number, f"{name}v{version}" if version else name))
    return list(found.values())[:most]


def make(
    engine: Engine,
    fetcher: Fetcher,
    papers: Sequence[Wanted],
    folder: Path,
    *,
    places: Sequence[str],
    megabytes: int,
    address: str = ARXIV,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Done:
    """Make the thumbnails of ``papers`` from the ``places`` that the operator allows.

    A paper without a figure, or whose thumbnail had to go, is not looked at again. One whose host
    gives no answer is: the run then ends, so that nothing waits for it.

    Raises:
        InputError: the folder cannot be written.
    """
    done = Done()
    for number, paper in enumerate(papers):
        progress(number, len(papers))
        try:
            found = _of_paper(fetcher, paper, places, address)
        except FetchError as error:  # only one that may pass comes here
            done = replace(done, failures=(*done.failures, str(error)))
            break
        done = replace(done, asked=done.asked + 1)
        if found is None:
            done = replace(done, none=done.none + 1)
            _note(engine, Figure(paper_id=paper.paper_id))
            continue
        _write(folder, paper.paper_id, base64.b64decode(found["jpeg"]))
        figure = {name: found[name] for name in ("width", "height", "caption")}
        _note(engine, Figure(paper_id=paper.paper_id, **figure))
        done = replace(done, made=done.made + 1)
    removed = _bound(folder, megabytes * 1024 * 1024)
    _forget(engine, removed)
    return replace(done, removed=len(removed))


def _of_paper(
    fetcher: Fetcher, paper: Wanted, places: Sequence[str], address: str
) -> dict[str, Any] | None:
    """The thumbnail with its caption; None where there is none.

    Raises:
        FetchError: the host gave no answer, and may do so later.
    """
    for place, read in (("html", _from_html), ("pdf", _from_pdf)):
        if place not in places:
            continue
        try:
            return read(fetcher, paper.name, address)
        except (InputError, SourceError) as error:
            if isinstance(error, FetchError) and error.transient:
                raise
    return None


def _from_html(fetcher: Fetcher, name: str, address: str) -> dict[str, Any]:
    page = f"{address}/html/{name}"
    body = _fetched(fetcher, page, r"^text/html$|^application/xhtml\+xml$")
    figure = run_limited(
        f"{_READERS}:first_figure", body, where=page, seconds=SECONDS, memory=MEMORY
    )
    picture = _address_of(figure, page)
    image = _fetched(fetcher, picture, r"^image/(png|jpeg|gif)$")
    made = run_limited(f"{_READERS}:of_image", image, where=picture, seconds=SECONDS, memory=MEMORY)
    return {**made, "caption": figure["caption"]}


def _address_of(figure: dict[str, str], page: str) -> str:
    """Where the picture is.

    Raises:
        InputError: on another host than the page, or nowhere.
    """
    try:
        picture = urljoin(urljoin(f"{page}/", figure["base"]), figure["src"])
        is_here = urlsplit(picture)[:2] == urlsplit(page)[:2]
    except ValueError as error:
        raise InputError("the figure has no valid address", where=page) from error
    if not is_here:
        raise InputError("the figure is on another host", where=page)
    return picture


def _from_pdf(fetcher: Fetcher, name: str, address: str) -> dict[str, Any]:
    url = f"{address}/pdf/{name}"
    body = _fetched(fetcher, url, r"^application/pdf$")
    made = run_limited(f"{_READERS}:of_pdf", body, where=url, seconds=SECONDS, memory=MEMORY)
    return {**made, "caption": ""}


def _fetched(fetcher: Fetcher, url: str, readable: str) -> bytes:
    file = _File(url, readable)
    fetcher.page(file, file.first_request())
    return file.body


def _write(folder: Path, paper_id: int, jpeg: bytes) -> None:
    """Whole or not at all: a page may read it at any moment."""
    new = folder / f".{paper_id}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        new.write_bytes(jpeg)
        new.replace(path_of(folder, paper_id))
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise InputError(f"cannot be written: {error.strerror}", where=str(folder)) from error


def path_of(folder: Path, paper_id: int) -> Path:
    """The file of a paper's thumbnail."""
    return folder / f"{paper_id}.jpg"


def _bound(folder: Path, most: int) -> list[int]:
    """Remove the oldest thumbnails until the others take ``most`` octets; returns whose went.

    Other pictures in the folder are not ours: they stay, and do not count.

    Raises:
        InputError: the folder cannot be read or written.
    """
    removed = []
    try:
        found = [each for each in folder.glob("*.jpg") if _OURS.fullmatch(each.name)]
        files = [(each.stat(), each) for each in found]
        size = sum(stat.st_size for stat, _ in files)
        for stat, each in sorted(files, key=lambda pair: (pair[0].st_mtime, pair[1].name)):
            if size <= most:
                break
            each.unlink(missing_ok=True)
            size -= stat.st_size
            removed.append(int(each.stem))
    except OSError as error:
        raise InputError(f"cannot be tidied: {error.strerror}", where=str(folder)) from error
    return removed


def _forget(engine: Engine, papers: Sequence[int]) -> None:
    """Papers whose thumbnails went have none from now on: no mail is to show an empty frame."""
    with session_scope(engine) as session:
        for some in batched(papers):
            session.execute(update(Figure).where(col(Figure.paper_id).in_(some)).values(width=0))


def _note(engine: Engine, figure: Figure) -> None:
    values = {
        "paper_id": figure.paper_id,
        "width": figure.width,
        "height": figure.height,
        "caption": figure.caption,
        "tried_at": utc_now(),
    }
    with session_scope(engine) as session:
        # A paper that an ingest merged into another meanwhile has no figure.
        if session.get(Paper, figure.paper_id) is not None:
            added = upsert(session, "figure").values(values)
            session.execute(added.on_conflict_do_nothing(index_elements=["paper_id"]))
