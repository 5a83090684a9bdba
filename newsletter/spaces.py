"""The feature space and the papers' vectors in the database; candidates out of it."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
from sqlmodel import Session, col, delete, func, select

from newsletter import collaboration, explaining, features, learning
from newsletter.candidates import Candidates, SentencesOf
from newsletter.collaboration import Collaboration
from newsletter.encoders import DEFAULT, Vectors
from newsletter.features import PaperText
from newsletter.learning import Basis
from newsletter.models import Paper, PaperVector, Space

Row = TypeVar("Row")

FITTED_ON = 20_000  # the newest papers are enough to know the words, and fit in minutes
IN_LIMIT = 500  # values in one IN (…); SQLite allows 32,766 variables, plans suffer sooner
# Loading takes a tenth of a second and an edition asks once a chunk. Ids are digests of the
# content, so what is kept here is never out of date.
_KEPT = 2
_loaded: dict[str, Basis] = {}
# By database and model: how many papers it was fitted on, its id, itself.
_unstored: dict[tuple[str, str], tuple[int, str, Basis]] = {}


def basis_id(space_id: str, collaboration_id: str) -> str:
    """Names a feature space together with what others liked: vectors of one never meet others."""
    return f"{space_id}/{collaboration_id}" if collaboration_id else space_id


def current(session: Session, model: str = DEFAULT, *, store: bool = True) -> tuple[str, Basis]:
    """The current basis and its id; fitted now on the stored papers where there is none.

    ``model`` counts only then; ``store=False`` keeps the database as it is.

    Raises:
        SettingsError: the encoder of the space is not installed.
    """
    newest = (
        select(Space.id, Space.collaboration_id, Space.papers)
        .order_by(col(Space.created_at).desc())
        .limit(1)
    )
    found = session.exec(newest).first()
    if found is None or not found[2]:  # one fitted on no papers knows no words
        return fit(session, model) if store else _for_now(session, model)
    key = basis_id(found[0], found[1])
    if key not in _loaded:
        row = session.get_one(Space, found[0])
        others = None if row.collaboration is None else collaboration.load(row.collaboration)
        _keep(key, Basis(features.load(row.id, row.parameters), others))
    return key, _loaded[key]


def _for_now(session: Session, model: str) -> tuple[str, Basis]:
    """A space that is in no row, for pages that look before the first training.

    Kept in this process until the papers have grown: fitting takes seconds.
    """
    papers = session.exec(select(func.count()).select_from(Paper)).one()
    place = (repr(session.get_bind().engine.url), model)
    fitted_on, key, basis = _unstored.get(place, (0, "", None))
    if basis is None or papers >= max(1, fitted_on) * features.GROWTH:
        key, basis = fit(session, model, store=False)
        _unstored[place] = (papers, key, basis)
    return key, basis


def _keep(key: str, basis: Basis) -> None:
    while len(_loaded) >= _KEPT:
        _loaded.pop(next(iter(_loaded)))
    _loaded[key] = basis


def fit(session: Session, model: str, *, store: bool = True) -> tuple[str, Basis]:
    """A space fitted on the newest papers, in place of the one there was.

    Raises:
        SettingsError: the encoder cannot be loaded.
    """
    papers = session.exec(select(Paper).order_by(col(Paper.id).desc()).limit(FITTED_ON)).all()
    space = features.fit([text_of(paper) for paper in papers], model)
    basis = Basis(space)
    if store:
        session.execute(delete(Space))
        session.add(Space(id=space.id, model=model, papers=len(papers), parameters=space.dump()))
        session.flush()
        _keep(space.id, basis)
    return space.id, basis


def put_collaboration(
    session: Session, basis: Basis, others: Collaboration | None
) -> tuple[str, Basis]:
    """Keep what others liked beside the current space, in place of what was kept before."""
    row = session.get_one(Space, basis.space.id)
    row.collaboration = None if others is None else others.dump()
    digest = "" if row.collaboration is None else hashlib.sha256(row.collaboration).hexdigest()
    row.collaboration_id = digest[:12]
    session.add(row)
    session.flush()
    key, joined = basis_id(row.id, row.collaboration_id), Basis(basis.space, others)
    _keep(key, joined)
    return key, joined


def load_candidates(
    session: Session, since: datetime, model: str = DEFAULT, *, store: bool = True
) -> Candidates:
    """Papers first seen since then; vectors that are missing are computed, and stored if asked.

    Raises:
        SettingsError: the encoder of the space is not installed.
    """
    key, basis = current(session, model, store=store)
    papers = session.exec(
        select(Paper).where(col(Paper.first_seen_at) >= since).order_by(col(Paper.id))
    ).all()
    return Candidates(
        feature_space=key,
        ids=tuple(paper.id or 0 for paper in papers),
        titles=tuple(paper.title for paper in papers),
        abstracts=tuple(paper.abstract for paper in papers),
        authors=tuple(tuple(paper.authors) for paper in papers),
        categories=tuple(tuple(paper.categories) for paper in papers),
        upvotes=np.array([paper.upvotes for paper in papers], np.int64),
        first_seen=np.array([paper.first_seen_at.timestamp() for paper in papers], np.float64),
        vectors=basis.extend(content(session, basis, papers, store=store)),
        ridge=learning.ridge_of(basis.space),
        sentences=sentences_of([paper.abstract for paper in papers], basis),
    )


def sentences_of(abstracts: Sequence[str], basis: Basis) -> SentencesOf:
    """Sentences and their vectors, computed for the papers that are picked, once each."""
    known: dict[int, tuple[tuple[str, ...], Vectors]] = {}

    def find(papers: Sequence[int]) -> list[tuple[tuple[str, ...], Vectors]]:
        missing = [paper for paper in papers if paper not in known]
        texts = [explaining.sentences(abstracts[paper]) for paper in missing]
        flat = [PaperText(sentence) for several in texts for sentence in several]
        vectors = basis.space.transform(flat)
        edges = np.cumsum([len(several) for several in texts])[:-1]
        split = np.split(vectors, edges) if missing else []
        known.update(zip(missing, zip(texts, split, strict=True), strict=True))
        return [known[paper] for paper in papers]

    return find


def content(
    session: Session, basis: Basis, papers: Sequence[Paper], *, store: bool = True
) -> Vectors:
    """(n, d) content vectors of ``papers``; missing ones are computed, and stored if asked."""
    space = basis.space
    numbers = [paper.id or 0 for paper in papers]
    stored = {row.paper_id: row for row in rows(session, PaperVector, "paper_id", numbers)}
    missing = [
        paper
        for paper in papers
        if paper.id not in stored or stored[paper.id].feature_space != space.id
    ]
    computed = space.transform([text_of(paper) for paper in missing]).astype("<f2")
    found = {number: row.vector for number, row in stored.items()}
    for paper, vector in zip(missing, computed, strict=True):
        found[paper.id or 0] = vector.tobytes()
        if store:
            row = stored.get(paper.id or 0) or PaperVector(
                paper_id=paper.id or 0, feature_space="", vector=b""
            )
            row.feature_space, row.vector = space.id, vector.tobytes()
            session.add(row)
    if store:
        session.flush()
    joined = b"".join(found[number] for number in numbers)
    return np.frombuffer(joined, "<f2").reshape(-1, space.dimensions).astype(np.float32)


def text_of(paper: Paper) -> PaperText:
    """What of a stored paper is turned into features."""
    return PaperText(paper.title, paper.abstract, tuple(paper.categories))


def rows(session: Session, table: type[Row], column: str, values: Sequence[int]) -> list[Row]:
    """Rows of ``table`` whose ``column`` is one of ``values``, any number of them."""
    found: list[Row] = []
    for some in slices(values):
        found += session.exec(select(table).where(getattr(table, column).in_(some))).all()
    return found


def slices(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """``values`` in pieces that fit one IN (…)."""
    return (values[start : start + IN_LIMIT] for start in range(0, len(values), IN_LIMIT))
