"""Papers that readers named and that are not here: asked for by name at arXiv, Crossref, PubMed.

A few names each run, each name a few times: what no source knows stays a title of the reader's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core.batches import batched
from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.errors import FetchError, SourceError
from newsletter.core.identifiers import NUMBERED, split_arxiv_id
from newsletter.core.models import Interest, InterestKind, PaperAlias, PaperLookup
from newsletter.papers.ingest import ATTEMPTS, LOST_RACES
from newsletter.papers.store import store
from newsletter.sources import Page, PaperRecord, Request, Source
from newsletter.sources.arxiv_api import ArxivApi
from newsletter.sources.crossref import Crossref
from newsletter.sources.http_client import Fetcher
from newsletter.sources.pubmed import PubMed

MOST_A_RUN = 200
MOST_TIMES = 3
# Registries know a new paper after a day or two.
PAUSE = timedelta(hours=20)
# PubMed Central's numbers are searched for one by one.
MOST_SINGLE = 10
TOGETHER = {"arxiv": 100, "crossref": 40, "pubmed": 100}
# Digests reach back so far: an older paper is no news, and a newer one is like any other.
NEWS = timedelta(days=30)

_ARXIV = "https://export.arxiv.org/api/query"
_CROSSREF = "https://api.crossref.org/works"
_PUBMED = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/"


@dataclass(frozen=True, slots=True)
class LookedUp:
    """How many names were asked for, how many papers came, and which sources gave no answer."""

    asked: int = 0
    found: int = 0
    failures: tuple[str, ...] = ()


@dataclass(slots=True)
class _Batch:
    source: Source
    names: list[str]
    request: Request
    records: list[PaperRecord] = field(default_factory=list)


def wanted(session: Session, now: datetime) -> list[str]:
    """Names of papers that are not here and may be asked for now, those never asked first."""
    reference, value = col(Interest.reference), col(Interest.value)
    named = sa.union(
        sa.select(reference.label("name")).where(
            col(Interest.kind) == InterestKind.TEXT, reference.is_not(None), reference != ""
        ),
        sa.select(value.label("name")).where(
            col(Interest.kind) == InterestKind.SEED_PAPER, col(Interest.weight) > 0
        ),
    ).subquery()
    asked = sa.func.coalesce(col(PaperLookup.asked), 0)
    is_here = sa.exists().where(
        col(PaperAlias.external_id) == named.c.name, col(PaperAlias.source).in_(("arxiv", "doi"))
    )
    query = (
        sa.select(named.c.name)
        .outerjoin(PaperLookup, col(PaperLookup.name) == named.c.name)
        .where(
            asked < MOST_TIMES,
            sa.or_(col(PaperLookup.asked_at).is_(None), col(PaperLookup.asked_at) < now - PAUSE),
            ~is_here,
        )
        .order_by(asked, named.c.name)
        .limit(MOST_A_RUN)
    )
    names = [str(name) for (name,) in session.execute(query)]
    here = _numbers_here(session, names)
    return [name for name in names if name not in here]


def _numbers_here(session: Session, names: Sequence[str]) -> set[str]:
    found = set()
    for kind, source in NUMBERED.items():
        numbers = [name.removeprefix(f"{kind}:") for name in names if name.startswith(f"{kind}:")]
        query = select(PaperAlias.external_id).where(
            PaperAlias.source == source, col(PaperAlias.external_id).in_(numbers)
        )
        found |= {f"{kind}:{number}" for number in session.exec(query)}
    return found


def look_up(engine: Engine, fetcher: Fetcher, *, now: datetime | None = None) -> LookedUp:
    """Ask for the wanted papers, and store what comes.

    A source that gives no answer is not asked again in this run; its names wait for the next.
    """
    now = now or utc_now()
    with read_scope(engine) as session:
        names = wanted(session, now)
    done = LookedUp()
    silent: set[str] = set()
    for batch in _batches(names):
        if batch.source.name in silent:
            continue
        try:
            _ask(batch, fetcher)
        except SourceError as error:
            if isinstance(error, FetchError) and error.transient:
                silent.add(batch.source.name)
                done = replace(done, failures=(*done.failures, str(error)))
                continue
        found = _stored(engine, batch, now)
        done = replace(done, asked=done.asked + len(batch.names), found=done.found + found)
    return done


def _batches(names: Sequence[str]) -> Iterator[_Batch]:
    arxiv, crossref, pubmed = ArxivApi(), Crossref(), PubMed()
    ids = [name for name in names if split_arxiv_id(name)[0]]
    for some in batched(ids, TOGETHER["arxiv"]):
        params = {"id_list": ",".join(some), "max_results": str(len(some))}
        yield _Batch(arxiv, list(some), Request(_ARXIV, params))
    dois = [name for name in names if name.startswith("10.")]
    # A comma ends a DOI in a filter.
    plain = [doi for doi in dois if "," not in doi]
    for some in batched(plain, TOGETHER["crossref"]):
        params = {"filter": ",".join(f"doi:{doi}" for doi in some), "rows": str(len(some))}
        yield _Batch(crossref, list(some), Request(_CROSSREF, params, {"terms": ""}))
    for doi in [doi for doi in dois if "," in doi][:MOST_SINGLE]:
        yield _Batch(
            crossref, [doi], Request(f"{_CROSSREF}/{quote(doi, safe='')}", {}, {"terms": ""})
        )
    common = {"db": "pubmed", "tool": "newsletter"}
    numbers = [name for name in names if name.startswith("pmid:")]
    for some in batched(numbers, TOGETHER["pubmed"]):
        listed = ",".join(name.removeprefix("pmid:") for name in some)
        fetch = {**common, "retmode": "xml", "id": listed}
        yield _Batch(pubmed, list(some), Request(f"{_PUBMED}efetch.fcgi", fetch))
    for name in [name for name in names if name.startswith("pmc:")][:MOST_SINGLE]:
        search = {**common, "retmode": "json", "term": f"PMC{name.removeprefix('pmc:')}[pmcid]"}
        yield _Batch(pubmed, [name], Request(f"{_PUBMED}esearch.fcgi", search))


def _ask(batch: _Batch, fetcher: Fetcher) -> None:
    """Fill in the batch's records; a search takes a second request.

    Raises:
        SourceError: no usable answer came.
    """
    request: Request | None = batch.request
    for _ in range(2):
        if request is None:
            return
        page: Page = fetcher.page(batch.source, request)[0]
        batch.records += page.records
        request = page.next


def _stored(engine: Engine, batch: _Batch, now: datetime) -> int:
    """Store what came, and that these names were asked for; returns how many names were found."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with session_scope(engine) as session:
                _note(session, batch.names, now)
                # Without a date nobody knows how old it is: it must not pass for new.
                records = [
                    each if each.published_at else replace(each, announcement="replace")
                    for each in batch.records
                ]
                store(session, records, seen_at=now, max_age=NEWS)
                _name_by_central(session, batch)
                return _found(session, batch.names)
        except LOST_RACES:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _note(session: Session, names: Sequence[str], now: datetime) -> None:
    known = {
        row.name: row
        for row in session.exec(select(PaperLookup).where(col(PaperLookup.name).in_(names)))
    }
    for name in names:
        row = known.get(name) or PaperLookup(name=name, asked_at=now)
        row.asked, row.asked_at = row.asked + 1, now
        session.add(row)
    session.flush()


def _name_by_central(session: Session, batch: _Batch) -> None:
    """The one article that a search for a number of PubMed Central gave is known by it too."""
    name = batch.names[0]
    if not name.startswith("pmc:") or len(batch.records) != 1:
        return
    paper = session.exec(
        select(PaperAlias.paper_id).where(
            PaperAlias.source == "pubmed", PaperAlias.external_id == batch.records[0].external_id
        )
    ).first()
    if paper is not None:
        number = name.removeprefix("pmc:")
        session.add(PaperAlias(paper_id=paper, source=NUMBERED["pmc"], external_id=number))
        session.flush()


def _found(session: Session, names: Sequence[str]) -> int:
    query = select(PaperAlias.external_id).where(
        col(PaperAlias.source).in_(("arxiv", "doi")), col(PaperAlias.external_id).in_(names)
    )
    return len(set(session.exec(query)) | _numbers_here(session, names))
