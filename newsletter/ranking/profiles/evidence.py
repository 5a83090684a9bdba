"""Interests and feedback of topics out of the database, as vectors that can be added up."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import sqlalchemy as sa
from sqlmodel import Session, col, select

from newsletter.core.batches import batched
from newsletter.core.identifiers import NUMBERED
from newsletter.core.models import (
    ClickBy,
    DeliveryEvent,
    DigestItem,
    EventKind,
    Feedback,
    InterestKind,
    Paper,
    PaperAlias,
    Signal,
    Subscriber,
    Topic,
)
from newsletter.core.one_of import one_of
from newsletter.ranking import topic_vectors
from newsletter.ranking.candidates import KINDS, EvidenceKind, EvidenceMatrix
from newsletter.ranking.encoders import Vectors
from newsletter.ranking.explanations import short
from newsletter.ranking.feature_space import PaperText
from newsletter.ranking.profiles import feature_store, groups
from newsletter.ranking.profiles.interests import Stated, interests_of
from newsletter.ranking.profiles.pieces import PARTS, Gathered, Piece
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
_TEXTS = {InterestKind.KEYWORD, InterestKind.TEXT}


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
    following: Mapping[int, Sequence[Stated]] | None = None,
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
    pieces: dict[int, list[Piece]] = {}
    piece_of: dict[int, Piece | None] = {}  # by object: one stands for all who stated the same
    for key, topic in zip(keys, topics, strict=True):
        stated = []
        for interest in interests[key]:
            if id(interest) not in piece_of:
                piece_of[id(interest)] = _stated(interest, gathering, seeds)
            stated.append(piece_of[id(interest)])
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


def _stated(interest: Stated, gathering: _Gathering, seeds: dict[str, int]) -> Piece | None:
    """A stated interest; categories and authors count by themselves, not in the vector."""
    if interest.kind in _TEXTS:
        kind: EvidenceKind = "text" if interest.kind is InterestKind.TEXT else "keyword"
        if interest.reference is not None:
            kind = "reference"
        row = gathering.row_of_text(interest.value)
        return _piece(kind, interest.value, "texts", row, _weighed(interest))
    paper = seeds.get(interest.value) if interest.kind is InterestKind.SEED_PAPER else None
    if paper is None or paper not in gathering.papers:
        return None
    title = gathering.papers[paper].title
    return _piece("seed_paper", title, "likes", gathering.rows[paper], _weighed(interest))


def _piece(
    kind: EvidenceKind, label: str, part: Part, row: int, weighed: tuple[float, float]
) -> Piece:
    return Piece(KINDS.index(kind), short(label), PARTS.index(part), row, *weighed)


def _weighed(interest: Stated) -> tuple[float, float]:
    """Its weight in the vector, and what "less of this" leaves of what it then gives."""
    return max(1.0, interest.weight), min(1.0, interest.weight)


def _given(gathering: _Gathering, paper: int, signal: Signal | None, age: float) -> Piece:
    """A judgement, or without a signal a click."""
    weight = float(0.5 ** (max(0.0, age) / HALF_LIFE_DAYS))
    title, row = gathering.papers[paper].title, gathering.rows[paper]
    if signal is None:
        return _piece("clicked", title, "likes", row, (CLICK * weight, 1.0))
    return _piece(signal.value, title, PART_OF[signal], row, (weight, 1.0))


_Signal = tuple[int | None, int, Signal | None, datetime]


def _resets(session: Session, subscribers: Sequence[int]) -> dict[int, datetime]:
    """When subscribers reset what was learned from their ratings, of those who did."""
    found: dict[int, datetime] = {}
    for some in batched(subscribers):
        query = select(Subscriber.id, Subscriber.ratings_reset_at).where(
            one_of(col(Subscriber.id), some), col(Subscriber.ratings_reset_at).is_not(None)
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
            .where(one_of(col(Feedback.subscriber_id), some))
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
                one_of(col(DigestItem.subscriber_id), some),
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
