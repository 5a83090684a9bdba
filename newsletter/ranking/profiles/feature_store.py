"""The feature space and the papers' vectors in the database; candidates out of it."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel, col, delete, func, select

from newsletter.core.batches import batched
from newsletter.core.database import read_scope, session_scope, upsert, utc_now
from newsletter.core.models import AuthorOrcid, Citation, Paper, PaperVector, Space
from newsletter.core.one_of import one_of
from newsletter.core.sentences import sentences
from newsletter.ranking import collaborative, feature_space, sentence_roles, topic_vectors
from newsletter.ranking.candidates import Candidates, Sentences, SentencesOf
from newsletter.ranking.collaborative import Collaboration
from newsletter.ranking.encoders import DEFAULT, Vectors
from newsletter.ranking.feature_space import PaperText
from newsletter.ranking.profiles import judgements
from newsletter.ranking.topic_vectors import Basis

Row = TypeVar("Row")

FITTED_ON = 20_000  # the newest papers are enough to know the words, and fit in minutes
# Loading takes a tenth of a second and an edition asks once a chunk. Ids are digests of the
# content, so what is stored here is never out of date.
_KEPT = 2
_loaded: dict[str, Basis] = {}
_unstored: dict[tuple[str, str], "Fitted"] = {}  # by database and model


def basis_id(space_id: str, collaboration_id: str) -> str:
    """Names a feature space together with what others liked: vectors of one never meet others."""
    return f"{space_id}/{collaboration_id}" if collaboration_id else space_id


@dataclass(frozen=True, slots=True)
class Fitted:
    """A feature space fitted on so many papers, and not stored yet."""

    basis: Basis
    model: str
    papers: int


def current(session: Session, model: str = DEFAULT) -> tuple[str, Basis]:
    """The current basis and its id; where none is stored, one fitted now. Reads only.

    ``model`` counts only then.

    Raises:
        SettingsError: the encoder of the space is not installed.
    """
    stored = _newest(session)
    if stored is None:
        basis = _for_now(session, model)
        return basis.space.id, basis
    key = basis_id(*stored)
    if key not in _loaded:
        row = session.get_one(Space, stored[0])
        others = None if row.collaboration is None else collaborative.load(row.collaboration)
        _keep(key, Basis(feature_space.load(row.id, row.parameters), others))
    return key, _loaded[key]


def is_stored(session: Session) -> bool:
    """Whether a feature space is stored."""
    return _newest(session) is not None


def _for_now(session: Session, model: str) -> Basis:
    """An unsaved space, for pages that are opened before any training.

    Kept in this process until the papers have grown: fitting takes seconds.
    """
    papers = min(FITTED_ON, session.exec(select(func.count()).select_from(Paper)).one())
    place = (repr(session.get_bind().engine.url), model)
    kept = _unstored.get(place)
    if kept is None or not kept.papers <= papers < max(1, kept.papers) * feature_space.GROWTH:
        _unstored[place] = kept = fit(session, model)
    return kept.basis


def _newest(session: Session) -> tuple[str, str] | None:
    """Ids of the current space and of what others liked; one fitted on no papers is none."""
    found = session.exec(
        select(Space.id, Space.collaboration_id, Space.papers)
        .order_by(col(Space.created_at).desc())
        .limit(1)
    ).first()
    return (found[0], found[1]) if found and found[2] else None


def _keep(key: str, basis: Basis) -> None:
    while len(_loaded) >= _KEPT:
        _loaded.pop(next(iter(_loaded)))
    _loaded[key] = basis


def fit(session: Session, model: str) -> Fitted:
    """A space fitted on the newest papers. Reads only; `put` stores it.

    Raises:
        SettingsError: the encoder cannot be loaded.
    """
    papers = session.exec(select(Paper).order_by(col(Paper.id).desc()).limit(FITTED_ON)).all()
    space = feature_space.fit([text_of(paper) for paper in papers], model)
    return Fitted(Basis(space), model, len(papers))


def put(session: Session, fitted: Fitted) -> None:
    """Store a space in place of the previous one; two processes may store the same one."""
    space = fitted.basis.space
    session.execute(delete(Space).where(col(Space.id) != space.id))
    # Values in the statement itself would be kept with it, and these are tens of megabytes.
    row = {
        "id": space.id,
        "model": fitted.model,
        "papers": fitted.papers,
        "parameters": space.dump(),
        "collaboration_id": "",
        "created_at": utc_now(),
    }
    session.connection().execute(upsert(session, "feature_space").on_conflict_do_nothing(), row)
    _keep(space.id, fitted.basis)


def ensure_vectors(
    engine: Engine, since: datetime, model: str = DEFAULT, *, within: range | None = None
) -> None:
    """Store what ranking the papers first seen since then needs: the space, and their vectors.

    ``within`` takes the papers with these ids only.

    Computed from a reading view, which holds up nobody, and written in one short transaction.

    Raises:
        SettingsError: the encoder of the space is not installed.
    """
    with read_scope(engine) as session:
        fitted = None if _newest(session) else fit(session, model)
        basis = fitted.basis if fitted else current(session, model)[1]
        wanted = select(Paper).where(col(Paper.first_seen_at) >= since)
        if within is not None:
            wanted = wanted.where(col(Paper.id) >= within.start, col(Paper.id) < within.stop)
        papers = session.exec(wanted).all()
        _, computed = _vectors(session, basis, papers)
    if fitted is None and not computed:
        return
    with session_scope(engine) as session:
        if fitted is not None:
            put(session, fitted)
        for some in batched(sorted(computed)):
            # A paper may have been found to be another one meanwhile.
            present = session.exec(select(Paper.id).where(col(Paper.id).in_(some)))
            _put_vectors(session, basis.space.id, {i: computed[i] for i in present if i})


def _put_vectors(session: Session, space_id: str, vectors: Mapping[int, bytes]) -> None:
    if not vectors:
        return
    new = upsert(session, "paper_vector")
    changed = {"feature_space": new.excluded.feature_space, "vector": new.excluded.vector}
    session.connection().execute(
        new.on_conflict_do_update(index_elements=["paper_id"], set_=changed),
        [
            {"paper_id": number, "feature_space": space_id, "vector": vector}
            for number, vector in vectors.items()
        ],
    )


def put_collaboration(
    session: Session, basis: Basis, others: Collaboration | None
) -> tuple[str, Basis]:
    """Store what others liked with the current space, replacing the previous value."""
    stored = None if others is None else others.dump()
    digest = "" if stored is None else hashlib.sha256(stored).hexdigest()[:12]
    # Through the table: its row would bring all parameters of the space along.
    space = SQLModel.metadata.tables["feature_space"]
    session.connection().execute(
        space.update().where(space.c.id == basis.space.id),
        {"collaboration": stored, "collaboration_id": digest},
    )
    key, joined = basis_id(basis.space.id, digest), Basis(basis.space, others)
    _keep(key, joined)
    return key, joined


def load_candidates(
    session: Session, since: datetime, model: str = DEFAULT, until: datetime | None = None
) -> Candidates:
    """Papers first seen since then, and not after ``until``; missing vectors are computed.

    What was retracted or withdrawn is left out. Reads only.

    Raises:
        SettingsError: the encoder of the space is not installed.
    """
    key, basis = current(session, model)
    wanted = (
        select(Paper)
        .where(col(Paper.first_seen_at) >= since, Paper.standing == "")
        .order_by(col(Paper.id))
    )
    if until is not None:
        wanted = wanted.where(col(Paper.first_seen_at) <= until)
    papers = session.exec(wanted).all()
    return Candidates(
        feature_space=key,
        ids=tuple(paper.id or 0 for paper in papers),
        titles=tuple(paper.title for paper in papers),
        abstracts=tuple(paper.abstract for paper in papers),
        authors=tuple(tuple(paper.authors) for paper in papers),
        categories=tuple(tuple(paper.categories) for paper in papers),
        upvotes=np.array([paper.upvotes for paper in papers], np.int64),
        first_seen=np.array([paper.first_seen_at.timestamp() for paper in papers], np.float64),
        vectors=basis.extend(content(session, basis, papers)),
        ridge=topic_vectors.ridge_of(basis.space),
        sentences=sentences_of([paper.abstract for paper in papers], basis),
        background=basis.space.background,
        word_vectors=basis.space.word_vectors,
        calibration=judgements.current(session),
        orcids=_orcids(session, [paper.id or 0 for paper in papers]),
        cites=_cites(session, [paper.id or 0 for paper in papers]),
    )


def _orcids(session: Session, paper_ids: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    """(name, ORCID) of authors whose source tells one, by paper id."""
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for row in rows(session, AuthorOrcid, "paper_id", paper_ids):
        found[row.paper_id].append((row.name, row.orcid))
    return found


def _cites(session: Session, paper_ids: Sequence[int]) -> dict[int, list[int]]:
    """The papers that these cite, of those that are known here, by id."""
    found: dict[int, list[int]] = defaultdict(list)
    for row in rows(session, Citation, "paper_id", paper_ids):
        found[row.paper_id].append(row.cited_id)
    return found


def sentences_of(abstracts: Sequence[str], basis: Basis) -> SentencesOf:
    """Sentences, their vectors and roles, computed for the papers that are picked, once each."""
    known: dict[int, Sentences] = {}

    def find(papers: Sequence[int]) -> list[Sentences]:
        missing = [paper for paper in papers if paper not in known]
        texts = [sentences(abstracts[paper]) for paper in missing]
        flat = [PaperText(sentence) for several in texts for sentence in several]
        vectors = basis.space.transform(flat)
        edges = np.cumsum([len(several) for several in texts])[:-1]
        split = np.split(vectors, edges) if missing else []
        for paper, several, rows in zip(missing, texts, split, strict=True):
            known[paper] = Sentences(several, rows, *sentence_roles.worth_and_background(several))
        return [known[paper] for paper in papers]

    return find


def content(session: Session, basis: Basis, papers: Sequence[Paper]) -> Vectors:
    """(n, d) content vectors of ``papers``; those that are not stored are computed. Reads only."""
    stored, computed = _vectors(session, basis, papers)
    found = stored | computed
    joined = b"".join(found[paper.id or 0] for paper in papers)
    return np.frombuffer(joined, "<f2").reshape(-1, basis.space.dimensions).astype(np.float32)


def _vectors(
    session: Session, basis: Basis, papers: Sequence[Paper]
) -> tuple[dict[int, bytes], dict[int, bytes]]:
    """Vectors by paper id: those that are stored, and the others, computed."""
    numbers = [paper.id or 0 for paper in papers]
    stored = {
        row.paper_id: row.vector
        for row in rows(session, PaperVector, "paper_id", numbers)
        if row.feature_space == basis.space.id
    }
    missing = [paper for paper in papers if paper.id not in stored]
    computed = basis.space.transform([text_of(paper) for paper in missing]).astype("<f2")
    new = {p.id or 0: vector.tobytes() for p, vector in zip(missing, computed, strict=True)}
    return stored, new


def text_of(paper: Paper) -> PaperText:
    """The text of a stored paper that becomes features."""
    return PaperText(paper.title, paper.abstract, tuple(paper.categories))


def rows(
    session: Session,
    table: type[Row],
    column: str,
    values: Sequence[int],
    *,
    only: Sequence[str] = (),
) -> list[Row]:
    """Rows of ``table`` whose ``column`` is one of ``values``, any number of them; to read only.

    They have the columns, or the ``only`` ones that are wanted, for attributes, and are no objects
    of the session: to make those takes three times as long, and a preparation reads ten rows for
    every subscriber.
    """
    columns = SQLModel.metadata.tables[str(getattr(table, "__tablename__", ""))].c
    wanted = [columns[name] for name in only or columns.keys()]
    found: list[Any] = []
    for some in batched(values):
        found += session.execute(sa.select(*wanted).where(one_of(columns[column], some))).all()
    return found
