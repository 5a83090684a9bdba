"""Interests and feedback of topics out of the database, as vectors that can be added up."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import sqlalchemy as sa
from scipy.sparse import csr_matrix
from sqlmodel import Session, col, select

from newsletter import learning, spaces
from newsletter.candidates import KINDS, Evidence, EvidenceKind, Pool
from newsletter.encoders import Vectors
from newsletter.explaining import short
from newsletter.features import PaperText
from newsletter.learning import Basis, Learned, Part, Sums
from newsletter.models import Feedback, Interest, InterestKind, Paper, PaperAlias, Signal, Topic

# Interests drift: what was liked half a year ago counts half.
HALF_LIFE_DAYS = 180.0
PART_OF: dict[Signal, Part] = {
    Signal.RELEVANT: "likes",
    Signal.SAVED: "likes",
    Signal.NOT_RELEVANT: "dislikes",
}
_TEXTS = {InterestKind.KEYWORD, InterestKind.TEXT}


@dataclass(frozen=True, slots=True)
class _Piece:
    kind: EvidenceKind
    label: str
    part: Part
    row: int  # of the pool
    weight: float


@dataclass(frozen=True, slots=True)
class Gathered:
    """Pieces of evidence of some topics, by topic id, over one pool."""

    pool: Pool
    pieces: dict[int, list[_Piece]]

    def sums(self, topic_ids: Sequence[int]) -> Sums:
        """What the pieces of these topics add up to, in their order."""
        found: dict[Part, csr_matrix] = {}
        for part in ("likes", "dislikes", "texts"):
            several = [
                (place, piece.row, piece.weight)
                for place, topic in enumerate(topic_ids)
                for piece in self.pieces[topic]
                if piece.part == part
            ]
            places, rows, weights = zip(*several, strict=True) if several else ((), (), ())
            shape = (len(topic_ids), len(self.pool.keys))
            found[part] = csr_matrix((np.array(weights, np.float32), (places, rows)), shape)
        likes, dislikes, texts = (
            np.asarray(found[part] @ self.pool.vectors, np.float32)
            for part in ("likes", "dislikes", "texts")
        )
        weight, against = (
            np.asarray(found[part].sum(axis=1), np.float32).ravel()
            for part in ("likes", "dislikes")
        )
        return Sums(likes, dislikes, texts, weight, against)

    def evidence(self, topic_id: int, learned: Learned, place: int) -> Evidence | None:
        """For explanations: the pieces of the topic that stands at ``place`` of ``learned``."""
        pieces = self.pieces[topic_id]
        if not pieces:
            return None
        content = [piece.weight * learned.content_of[piece.part][place] for piece in pieces]
        factors = [
            piece.weight * learned.factors_of[piece.part][place] * learned.factors[place]
            for piece in pieces
            if learned.factors_of
        ]
        return Evidence(
            np.array([KINDS.index(piece.kind) for piece in pieces], np.int8),
            tuple(short(piece.label) for piece in pieces),
            self.pool,
            np.array([piece.row for piece in pieces]),
            np.array(content, np.float32),
            np.array(factors, np.float32),
            (float(learned.content[place, 0]), float(learned.content[place, 1])),
        )


@dataclass
class _Gathering:
    """Papers and texts, each once, before they have vectors."""

    papers: dict[int, Paper]
    texts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = {paper: row for row, paper in enumerate(self.papers)}

    def row_of_text(self, text: str) -> int:
        return len(self.papers) + self.texts.setdefault(text, len(self.texts))

    def pool(self, session: Session, basis: Basis) -> Pool:
        content = spaces.content(session, basis, list(self.papers.values()))
        numbers = np.array(list(self.papers), np.int64)
        stated = basis.space.transform([PaperText(text) for text in self.texts])
        found = [basis.as_evidence(content, numbers)] if len(content) else []
        found += [basis.as_evidence(stated)] if len(stated) else []
        vectors = np.vstack(found) if found else np.zeros((0, basis.dimensions), np.float32)
        return Pool((*self.papers, *self.texts), vectors)


def gather(
    session: Session,
    basis: Basis,
    topics: Sequence[Topic],
    now: datetime,
    *,
    newest: int | None = None,
) -> Gathered:
    """Evidence of ``topics``; with ``newest`` only that many signals of each subscriber.

    A signal without a topic belongs to all of its subscriber's. Papers that are gone count no
    more. A topic that is in no row has an id below zero.
    """
    keys = [topic.id or 0 for topic in topics]
    interests: dict[int, list[Interest]] = defaultdict(list)
    for interest in spaces.rows(session, Interest, "topic_id", [key for key in keys if key > 0]):
        if interest.weight > 0:
            interests[interest.topic_id].append(interest)
    signals = _signals(session, sorted({topic.subscriber_id for topic in topics}), newest)
    seeds = _seed_papers(session, interests)
    wanted = {paper for several in signals.values() for _, paper, _, _ in several}
    found = spaces.rows(session, Paper, "id", sorted(wanted | set(seeds.values())))
    gathering = _Gathering({paper.id or 0: paper for paper in found})
    pieces: dict[int, list[_Piece]] = {}
    for key, topic in zip(keys, topics, strict=True):
        stated = [_stated(interest, gathering, seeds) for interest in interests[key]]
        given = [
            _given(gathering, paper, signal, (now - at).total_seconds() / 86_400)
            for number, paper, signal, at in signals[topic.subscriber_id]
            if number in {None, topic.id} and paper in gathering.papers
        ]
        # Liked and saved is one like: the first piece about a paper stands.
        once = {(piece.part, piece.row): piece for piece in (*given[::-1], *stated) if piece}
        pieces[key] = list(once.values())
    return Gathered(gathering.pool(session, basis), pieces)


def _stated(interest: Interest, gathering: _Gathering, seeds: dict[str, int]) -> _Piece | None:
    """A stated interest; categories and authors count by themselves, not in the vector."""
    if interest.kind in _TEXTS:
        kind: EvidenceKind = "text" if interest.kind is InterestKind.TEXT else "keyword"
        row = gathering.row_of_text(interest.value)
        return _Piece(kind, interest.value, "texts", row, interest.weight)
    paper = seeds.get(interest.value) if interest.kind is InterestKind.SEED_PAPER else None
    if paper is None or paper not in gathering.papers:
        return None
    title = gathering.papers[paper].title
    return _Piece("seed_paper", title, "likes", gathering.rows[paper], interest.weight)


def _given(gathering: _Gathering, paper: int, signal: Signal, age: float) -> _Piece:
    weight = float(0.5 ** (max(0.0, age) / HALF_LIFE_DAYS))
    title = gathering.papers[paper].title
    return _Piece(signal.value, title, PART_OF[signal], gathering.rows[paper], weight)


_Signal = tuple[int | None, int, Signal, datetime]


def _signals(
    session: Session, subscribers: Sequence[int], newest: int | None
) -> dict[int, list[_Signal]]:
    """(topic, paper, signal, moment) of each subscriber, newest first."""
    found: dict[int, list[_Signal]] = defaultdict(list)
    place = sa.func.row_number().over(
        partition_by=col(Feedback.subscriber_id), order_by=col(Feedback.id).desc()
    )
    for some in spaces.slices(subscribers):
        ranked = (
            sa.select(
                col(Feedback.subscriber_id),
                col(Feedback.topic_id),
                col(Feedback.paper_id),
                col(Feedback.signal),
                col(Feedback.created_at),
                place.label("place"),
            )
            .where(col(Feedback.subscriber_id).in_(some))
            .subquery()
        )
        query = sa.select(ranked).order_by(ranked.c.subscriber_id, ranked.c.place)
        if newest is not None:
            query = query.where(ranked.c.place <= newest)
        for subscriber, topic, paper, signal, at, _ in session.execute(query):
            found[subscriber].append((topic, paper, signal, at))
    return found


def _seed_papers(session: Session, interests: dict[int, list[Interest]]) -> dict[str, int]:
    """Papers by the arXiv id or DOI that somebody named; those not stored (yet) are left out."""
    named = sorted(
        {
            interest.value
            for several in interests.values()
            for interest in several
            if interest.kind is InterestKind.SEED_PAPER
        }
    )
    found: dict[str, int] = {}
    for some in spaces.slices(named):
        query = select(PaperAlias.external_id, PaperAlias.paper_id).where(
            col(PaperAlias.source).in_(("arxiv", "doi")), col(PaperAlias.external_id).in_(some)
        )
        found.update(session.exec(query).all())
    return found


def learn(basis: Basis, sums: Sums) -> tuple[Learned, Vectors, Vectors]:
    """Vectors of topics, with the mean and deviation of what ordinary papers score."""
    learned = learning.combine(basis, sums)
    return learned, *learning.calibrate(basis, learned.vectors)
