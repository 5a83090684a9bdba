"""Interests and feedback of topics out of the database, as vectors that can be added up."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa
from scipy.sparse import csr_matrix
from sqlmodel import Session, col, select

from newsletter.core.batches import batched
from newsletter.core.identifiers import NUMBERED
from newsletter.core.models import (
    ClickBy,
    DeliveryEvent,
    DigestItem,
    EventKind,
    Feedback,
    Interest,
    InterestKind,
    Paper,
    PaperAlias,
    Signal,
    Subscriber,
    Topic,
)
from newsletter.ranking import topic_vectors
from newsletter.ranking.candidates import KINDS, Evidence, EvidenceKind, EvidenceMatrix
from newsletter.ranking.encoders import Vectors
from newsletter.ranking.explanations import short
from newsletter.ranking.feature_space import PaperText
from newsletter.ranking.profiles import feature_store, groups
from newsletter.ranking.topic_vectors import Basis, Learned, Part, Sums

# Interests drift: what was liked half a year ago counts half.
HALF_LIFE_DAYS = 180.0
# A click says less than a dislike does, which counts a quarter of a like: titles mislead, and
# some machines read like people.
CLICK = 0.1
PART_OF: dict[Signal, Part] = {
    Signal.RELEVANT: "likes",
    Signal.SAVED: "likes",
    Signal.NOT_RELEVANT: "dislikes",
}
_CODES = {kind: code for code, kind in enumerate(KINDS)}
_TEXTS = {InterestKind.KEYWORD, InterestKind.TEXT}


class _Piece(NamedTuple):
    kind: EvidenceKind
    label: str
    part: Part
    row: int  # of the pool
    weight: float
    kept: float = 1.0  # of what it gives, after "less of this"


@dataclass(frozen=True, slots=True)
class Gathered:
    """Pieces of evidence of some topics, by topic id, over one pool."""

    pool: EvidenceMatrix
    pieces: dict[int, list[_Piece]]

    def sums(self, topic_ids: Sequence[int]) -> Sums:
        """What the pieces of these topics add up to, in their order."""
        found: dict[Part, csr_matrix] = {}
        for part in ("likes", "dislikes", "texts"):
            several = [
                (index, piece.row, piece.weight)
                for index, topic in enumerate(topic_ids)
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

    def evidence(self, topic_id: int, learned: Learned, index: int) -> Evidence | None:
        """For explanations: the pieces of the topic that stands at ``index`` of ``learned``."""
        pieces = self.pieces[topic_id]
        if not pieces:
            return None
        content, factors = _coefficients(pieces, learned, index)
        kept = np.array([piece.kept for piece in pieces], np.float32)
        return Evidence(
            np.array([_CODES[piece.kind] for piece in pieces], np.int8),
            tuple(short(piece.label) for piece in pieces),
            self.pool,
            np.array([piece.row for piece in pieces]),
            kept * content,
            kept * factors if len(factors) else factors,
            (float(learned.content[index, 0]), float(learned.content[index, 1])),
        )

    def taken(self, topic_id: int, learned: Learned, index: int, ridge: Vectors) -> Vectors | float:
        """What "less of this" takes from the topic's vector: so much of what the pieces gave.

        Taken after all was scaled, so that a score falls by what the explanation showed, and
        the rest stays as it is.
        """
        pieces = [piece for piece in self.pieces[topic_id] if piece.kept < 1]
        if not pieces:
            return 0.0
        content, factors = _coefficients(pieces, learned, index)
        less = np.array([1 - piece.kept for piece in pieces], np.float32)
        rows, d = self.pool.vectors[[piece.row for piece in pieces]], len(ridge)
        mix = learned.content[index, 0] + learned.content[index, 1] * ridge
        found = ((less * content) @ rows[:, :d]) * mix
        if not len(factors):
            return np.asarray(found, np.float32)
        return np.hstack([found, (less * factors) @ rows[:, d:]])


def _coefficients(
    pieces: Sequence[_Piece], learned: Learned, index: int
) -> tuple[Vectors, Vectors]:
    """What each piece's products are multiplied with, of content and, where known, factors."""
    content = [piece.weight * learned.content_of[piece.part][index] for piece in pieces]
    factors = [
        piece.weight * learned.factors_of[piece.part][index] * learned.factors[index]
        for piece in pieces
        if learned.factors_of
    ]
    return np.array(content, np.float32), np.array(factors, np.float32)


@dataclass
class _Gathering:
    """Papers and texts, each once, before they have vectors."""

    papers: dict[int, Paper]
    texts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = {paper: row for row, paper in enumerate(self.papers)}

    def row_of_text(self, text: str) -> int:
        return len(self.papers) + self.texts.setdefault(text, len(self.texts))

    def pool(self, session: Session, basis: Basis) -> EvidenceMatrix:
        content = feature_store.content(session, basis, list(self.papers.values()))
        numbers = np.array(list(self.papers), np.int64)
        stated = basis.space.transform([PaperText(text) for text in self.texts])
        found = [basis.as_evidence(content, numbers)] if len(content) else []
        found += [basis.as_evidence(stated)] if len(stated) else []
        vectors = np.vstack(found) if found else np.zeros((0, basis.dimensions), np.float32)
        said = (f"{paper.title}\n{paper.abstract}" for paper in self.papers.values())
        return EvidenceMatrix((*self.papers, *self.texts), vectors, (*said, *self.texts))


def gather(
    session: Session,
    basis: Basis,
    topics: Sequence[Topic],
    now: datetime,
    *,
    following: Mapping[int, Sequence[Interest]] | None = None,
    newest: int | None = None,
    liked: Sequence[int] = (),
) -> Gathered:
    """Evidence of ``topics``; with ``newest`` only that many signals of each subscriber.

    ``following`` are the interests by topic, where they have been read already. A signal without
    a topic belongs to all of its subscriber's. Papers that are gone count no more. A topic that
    is in no row has an id below zero. ``liked`` are papers that count as marked relevant now, for
    all of ``topics``.
    """
    keys = [topic.id or 0 for topic in topics]
    if following is None:
        following = interests_of(session, keys)
    interests = {
        number: [each for each in following.get(number, ()) if each.weight > 0] for number in keys
    }
    subscribers = sorted({topic.subscriber_id for topic in topics})
    reset = _resets(session, subscribers)
    signals = _since(reset, _signals(session, subscribers, newest))
    for number in subscribers:
        signals[number] += [(None, paper, Signal.RELEVANT, now) for paper in liked]
    clicks = _since(reset, _clicks(session, subscribers, newest))
    for number in groups.keepers(session, subscribers):
        signals[number], clicks[number] = [], []
    seeds = seed_papers(
        session,
        [
            each.value
            for several in interests.values()
            for each in several
            if each.kind is InterestKind.SEED_PAPER
        ],
    )
    wanted = {
        paper
        for found in (signals, clicks)
        for several in found.values()
        for _, paper, _, _ in several
    }
    found = feature_store.rows(session, Paper, "id", sorted(wanted | set(seeds.values())))
    gathering = _Gathering({paper.id or 0: paper for paper in found})
    pieces: dict[int, list[_Piece]] = {}
    for key, topic in zip(keys, topics, strict=True):
        stated = [_stated(interest, gathering, seeds) for interest in interests[key]]
        given = [
            _given(gathering, paper, signal, (now - at).total_seconds() / 86_400)
            for number, paper, signal, at in (
                *signals[topic.subscriber_id],
                *clicks[topic.subscriber_id],
            )
            if number in {None, topic.id} and paper in gathering.papers
        ]
        # Liked and saved is one like, and so is clicked and liked: the first piece stands.
        once = {(piece.part, piece.row): piece for piece in (*given[::-1], *stated) if piece}
        pieces[key] = list(once.values())
    return Gathered(gathering.pool(session, basis), pieces)


def interests_of(session: Session, topic_ids: Sequence[int]) -> dict[int, list[Interest]]:
    """Interests by topic, mutes among them."""
    found: dict[int, list[Interest]] = defaultdict(list)
    for each in feature_store.rows(session, Interest, "topic_id", [n for n in topic_ids if n > 0]):
        found[each.topic_id].append(each)
    return found


def _stated(interest: Interest, gathering: _Gathering, seeds: dict[str, int]) -> _Piece | None:
    """A stated interest; categories and authors count by themselves, not in the vector."""
    if interest.kind in _TEXTS:
        kind: EvidenceKind = "text" if interest.kind is InterestKind.TEXT else "keyword"
        if interest.reference is not None:
            kind = "reference"
        row = gathering.row_of_text(interest.value)
        return _Piece(kind, interest.value, "texts", row, *_weighed(interest))
    paper = seeds.get(interest.value) if interest.kind is InterestKind.SEED_PAPER else None
    if paper is None or paper not in gathering.papers:
        return None
    title = gathering.papers[paper].title
    return _Piece("seed_paper", title, "likes", gathering.rows[paper], *_weighed(interest))


def _weighed(interest: Interest) -> tuple[float, float]:
    """Its weight in the vector, and what "less of this" leaves of what it then gives."""
    return max(1.0, interest.weight), min(1.0, interest.weight)


def _given(gathering: _Gathering, paper: int, signal: Signal | None, age: float) -> _Piece:
    """A judgement, or without a signal a click."""
    weight = float(0.5 ** (max(0.0, age) / HALF_LIFE_DAYS))
    title, row = gathering.papers[paper].title, gathering.rows[paper]
    if signal is None:
        return _Piece("clicked", title, "likes", row, CLICK * weight)
    return _Piece(signal.value, title, PART_OF[signal], row, weight)


_Signal = tuple[int | None, int, Signal | None, datetime]


def _resets(session: Session, subscribers: Sequence[int]) -> dict[int, datetime]:
    """When subscribers reset what was learned from their ratings, of those who did."""
    found: dict[int, datetime] = {}
    for some in batched(subscribers):
        query = select(Subscriber.id, Subscriber.ratings_reset_at).where(
            col(Subscriber.id).in_(some), col(Subscriber.ratings_reset_at).is_not(None)
        )
        found |= {number: at for number, at in session.exec(query) if number and at}
    return found


def _since(
    reset: Mapping[int, datetime], signals: dict[int, list[_Signal]]
) -> dict[int, list[_Signal]]:
    """What came after each subscriber's reset."""
    for number, at in reset.items():
        signals[number] = [each for each in signals[number] if each[3] > at]
    return signals


def _signals(
    session: Session, subscribers: Sequence[int], newest: int | None
) -> dict[int, list[_Signal]]:
    """(topic, paper, signal, moment) of each subscriber, newest first."""
    found: dict[int, list[_Signal]] = defaultdict(list)
    place = sa.func.row_number().over(
        partition_by=col(Feedback.subscriber_id), order_by=col(Feedback.id).desc()
    )
    for some in batched(subscribers):
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


def _clicks(
    session: Session, subscribers: Sequence[int], newest: int | None
) -> dict[int, list[_Signal]]:
    """(topic, paper, nothing, moment) of each person's clicks, newest first.

    A paper that was judged is left out: what was said counts, not what was opened before.
    """
    found: dict[int, list[_Signal]] = defaultdict(list)
    item, event = col(DigestItem.paper_id), DeliveryEvent
    # The pages name a click by its delivery and its paper.
    name = sa.literal("click ") + sa.cast(DigestItem.delivery_id, sa.String) + " "
    judged = sa.exists().where(
        col(Feedback.subscriber_id) == col(DigestItem.subscriber_id),
        col(Feedback.paper_id) == item,
    )
    for some in batched(subscribers):
        query = (
            sa.select(
                col(DigestItem.subscriber_id),
                col(DigestItem.topic_id),
                item,
                col(event.occurred_at),
            )
            .join(event, col(event.delivery_id) == col(DigestItem.delivery_id))
            .where(
                col(DigestItem.subscriber_id).in_(some),
                col(event.kind) == EventKind.CLICKED,
                col(event.detail) == ClickBy.PERSON,
                col(event.provider_event_id) == name + sa.cast(item, sa.String),
                ~judged,
            )
            .order_by(col(DigestItem.subscriber_id), col(event.occurred_at).desc())
        )
        for subscriber, topic, paper, at in session.execute(query):
            if newest is None or len(found[subscriber]) < newest:
                found[subscriber].append((topic, paper, None, at))
    return found


def seed_papers(session: Session, names: Iterable[str]) -> dict[str, int]:
    """Papers by the arXiv id, DOI or PubMed number that a subscriber named, if they are stored."""
    found: dict[str, int] = {}
    names = set(names)
    for kind, source in NUMBERED.items():
        numbers = {name.partition(":")[2]: name for name in names if name.startswith(f"{kind}:")}
        for some in batched(sorted(numbers)):
            query = select(PaperAlias.external_id, PaperAlias.paper_id).where(
                PaperAlias.source == source, col(PaperAlias.external_id).in_(some)
            )
            found |= {numbers[number]: paper for number, paper in session.exec(query)}
    for some in batched(sorted(names)):
        query = select(PaperAlias.external_id, PaperAlias.paper_id).where(
            col(PaperAlias.source).in_(("arxiv", "doi")), col(PaperAlias.external_id).in_(some)
        )
        found.update(session.exec(query).all())
    return found


def learn(basis: Basis, sums: Sums) -> tuple[Learned, Vectors, Vectors]:
    """Vectors of topics, with the mean and deviation of what ordinary papers score."""
    learned = topic_vectors.combine(basis, sums)
    return learned, *topic_vectors.calibrate(basis, learned.vectors)


MOST_NAMES = 5  # words of a muted phrase that may be a person's name


def muted_people(mutes: Iterable[Interest]) -> tuple[str, ...]:
    """Muted authors; and muted words that can be a name, since one list takes both."""
    return tuple(
        interest.value
        for interest in mutes
        if interest.kind is InterestKind.AUTHOR
        or (interest.kind is InterestKind.KEYWORD and 1 < len(interest.value.split()) <= MOST_NAMES)
    )


def values_of(interests: Iterable[Interest], *kinds: InterestKind) -> tuple[str, ...]:
    """What the reader wrote of some kinds, in small letters."""
    return tuple(each.value.casefold() for each in interests if each.kind in kinds)
