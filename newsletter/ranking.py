"""Candidates and profiles to rankings: score, divide into sections, spread out, explain. Pure.

A score is a dot product of a paper's vector with a topic's vector, so a day of scores is one
matrix product, and an explanation is a split of a sum.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
EvidenceKind = Literal[
    "keyword", "text", "category", "author", "seed_paper", "relevant", "saved", "not_relevant"
]
TRENDING = "Trending"
CHUNK = 8_192  # subscribers scored at once: 500 candidates × 8,192 × 4 bytes = 16 MB
# How much likeness to what is already picked costs (Carbonell & Goldstein 1998); papers less
# alike than ORDINARY_LIKENESS are no duplicates of each other and cost nothing.
SPREAD = 60.0
ORDINARY_LIKENESS = 0.6
# Points for an author or a category that a topic follows.
FOLLOWED_AUTHOR = 25.0
FOLLOWED_CATEGORY = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Papers that may enter a digest; row ``i`` of every field is the same paper."""

    feature_space: str
    ids: tuple[int, ...]
    titles: tuple[str, ...]
    abstracts: tuple[str, ...]
    authors: tuple[tuple[str, ...], ...]
    categories: tuple[tuple[str, ...], ...]
    upvotes: NDArray[np.int64]
    first_seen: NDArray[np.float64]  # POSIX seconds
    vectors: Vectors  # (n, d), rows of length one or zero

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that shaped a topic's vector, and its share of it: the shares add up to it."""

    kind: EvidenceKind
    label: str
    share: Vectors  # (d,)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicProfile:
    """What ranking needs of one topic. A topic without evidence has a zero vector.

    ``offset`` and ``scale`` are the mean and deviation of the scores of ordinary papers.
    """

    topic_id: int | None
    name: str
    vector: Vectors
    evidence: tuple[Evidence, ...] = ()
    quota: int | None = None
    followed_categories: frozenset[str] = frozenset()
    followed_authors: frozenset[str] = frozenset()
    offset: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberProfile:
    """What ranking needs of one subscriber. Mutes are compared without case."""

    subscriber_id: int
    topics: tuple[TopicProfile, ...]
    max_papers: int
    min_score: float
    since: datetime
    seen: frozenset[int] = frozenset()
    muted_words: tuple[str, ...] = ()
    muted_authors: tuple[str, ...] = ()
    muted_categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pick:
    """One paper of a ranking. ``score`` is 0 to 100; ``highlights`` are sentences verbatim."""

    paper_id: int
    topic_id: int | None
    section: str
    position: int
    score: float
    explanation: str
    highlights: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ranking:
    """One subscriber's picks in reading order; ``reason`` says why there are none."""

    subscriber_id: int
    picks: tuple[Pick, ...] = ()
    reason: str = ""


@dataclass(slots=True)
class _Mutes:
    """Which candidates a muted word, author or category hits, each looked up once a batch."""

    candidates: Candidates
    _found: dict[tuple[str, str], NDArray[np.bool_]] = field(default_factory=dict)
    _texts: Mapping[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        papers = self.candidates
        self._texts = {
            "word": [
                " " + " ".join(_words(f"{title} {abstract}")) + " "
                for title, abstract in zip(papers.titles, papers.abstracts, strict=True)
            ],
            "author": [_names(names) for names in papers.authors],
            "category": [_names(names) for names in papers.categories],
        }

    def hits(self, kind: str, value: str) -> NDArray[np.bool_]:
        """(n,) true where the paper holds ``value`` as whole words, or as a whole name."""
        key = (kind, value)
        if key not in self._found:
            wanted = f" {' '.join(_words(value))} " if kind == "word" else _names([value])
            found = [bool(wanted.strip()) and wanted in text for text in self._texts[kind]]
            self._found[key] = np.array(found, dtype=bool)
        return self._found[key]


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.casefold()).split()


def _names(names: Sequence[str]) -> str:
    return "\n" + "\n".join(" ".join(name.casefold().split()) for name in names) + "\n"


def rank(candidates: Candidates, profiles: Sequence[SubscriberProfile]) -> list[Ranking]:
    """A ranking per profile, in their order; the whole batch is scored by matrix products."""
    if not len(candidates):
        return [Ranking(profile.subscriber_id, reason="no new papers") for profile in profiles]
    mutes = _Mutes(candidates)
    rankings: list[Ranking] = []
    for start in range(0, len(profiles), CHUNK):
        chunk = profiles[start : start + CHUNK]
        topics = [topic for profile in chunk for topic in profile.topics]
        vectors = np.array([topic.vector for topic in topics], dtype=np.float32)
        raw = vectors.reshape(len(topics), candidates.vectors.shape[1]) @ candidates.vectors.T
        row = 0
        for profile in chunk:
            scores = raw[row : row + len(profile.topics)]
            row += len(profile.topics)
            rankings.append(_rank_one(candidates, profile, scores, mutes))
    return rankings


def _rank_one(
    candidates: Candidates, profile: SubscriberProfile, raw: Vectors, mutes: _Mutes
) -> Ranking:
    fresh = candidates.first_seen >= profile.since.timestamp()
    fresh &= ~np.isin(np.array(candidates.ids), list(profile.seen))
    if not fresh.any():
        return Ranking(profile.subscriber_id, reason="no new papers")
    allowed = fresh.copy()
    for kind, values in (
        ("word", profile.muted_words),
        ("author", profile.muted_authors),
        ("category", profile.muted_categories),
    ):
        for value in values:
            allowed &= ~mutes.hits(kind, value)
    if not allowed.any():
        return Ranking(profile.subscriber_id, reason="all candidates muted")
    known = [
        number
        for number, topic in enumerate(profile.topics)
        if topic.vector.any() or topic.followed_authors or topic.followed_categories
    ]
    if not known:
        return _trending(candidates, profile, allowed)
    scores = np.array([_calibrated(profile.topics[number], raw[number], mutes) for number in known])
    topics = [profile.topics[number] for number in known]
    picks = _pick(candidates, profile, topics, scores, allowed)
    reason = "" if picks else f"nothing above the bar of {profile.min_score:g}"
    return Ranking(profile.subscriber_id, tuple(picks), reason)


def _calibrated(topic: TopicProfile, raw: Vectors, mutes: _Mutes) -> Vectors:
    """Scores 0 to 100 against ordinary papers, so that they mean the same on every day.

    Two deviations above an ordinary paper is 50, four is 88.
    """
    steps = (raw - topic.offset) / topic.scale if topic.vector.any() else np.full_like(raw, 0.5)
    scores = 100 / (1 + np.exp(2 - steps))
    for author in topic.followed_authors:
        scores += FOLLOWED_AUTHOR * mutes.hits("author", author)
    for category in topic.followed_categories:
        scores += FOLLOWED_CATEGORY * mutes.hits("category", category)
    return np.asarray(np.minimum(scores, 100), np.float32)


def _pick(
    candidates: Candidates,
    profile: SubscriberProfile,
    topics: Sequence[TopicProfile],
    scores: Vectors,
    allowed: NDArray[np.bool_],
) -> list[Pick]:
    """The best papers, each in the topic where it scores best, unlike those before it."""
    home, best = scores.argmax(axis=0), scores.max(axis=0)
    worth = np.where(allowed & (best >= profile.min_score), best, -np.inf)
    room = [topic.quota if topic.quota is not None else profile.max_papers for topic in topics]
    chosen: list[int] = []
    while len(chosen) < profile.max_papers and worth.max() > -np.inf:
        paper = int(worth.argmax())
        worth[paper] = -np.inf
        if room[home[paper]] <= 0:
            continue
        room[home[paper]] -= 1
        chosen.append(paper)
        likeness = candidates.vectors @ candidates.vectors[paper]
        worth -= SPREAD * np.maximum(likeness - ORDINARY_LIKENESS, 0)
    chosen.sort(key=lambda paper: int(home[paper]))  # stable: within a section, as picked
    return [
        Pick(
            candidates.ids[paper],
            topics[home[paper]].topic_id,
            topics[home[paper]].name,
            position,
            round(float(best[paper]), 1),
            explain(candidates, paper, topics[home[paper]]),
        )
        for position, paper in enumerate(chosen, start=1)
    ]


def _trending(
    candidates: Candidates, profile: SubscriberProfile, allowed: NDArray[np.bool_]
) -> Ranking:
    order = [int(i) for i in np.lexsort((-candidates.first_seen, -candidates.upvotes))]
    order = [paper for paper in order if allowed[paper]][: profile.max_papers]
    top = max(1, int(candidates.upvotes.max()))
    return Ranking(
        profile.subscriber_id,
        tuple(
            Pick(
                candidates.ids[paper],
                None,
                TRENDING,
                position,
                round(100 * float(candidates.upvotes[paper]) / top, 1),
                _trending_explanation(int(candidates.upvotes[paper])),
            )
            for position, paper in enumerate(order, start=1)
        ),
    )


def _trending_explanation(upvotes: int) -> str:
    said = f"Trending with {upvotes} upvotes" if upvotes > 1 else "New today"
    return f"{said}; mark papers as relevant and this digest becomes yours."


def explain(candidates: Candidates, paper: int, topic: TopicProfile) -> str:
    """One plain sentence: what of the topic's evidence speaks for this paper."""
    authors = {name.casefold(): name for name in candidates.authors[paper]}
    followed = [authors[name] for name in sorted(topic.followed_authors) if name in authors]
    if followed:
        return f"Because you follow the author {followed[0]}."
    vector = candidates.vectors[paper]
    shares = [(float(evidence.share @ vector), evidence) for evidence in topic.evidence]
    shares = sorted((s for s in shares if s[0] > 0), key=lambda s: -s[0])
    stated = [e.label for _, e in shares if e.kind in {"keyword", "text"}]
    papers = [e for _, e in shares if e.kind in {"relevant", "saved", "seed_paper"}]
    parts = []
    if stated:
        parts.append(f"you follow {_short(stated[0])}")
    if papers:
        verb = {"saved": "saved", "seed_paper": "named"}.get(papers[0].kind, "liked")
        parts.append(f"{'' if stated else 'you '}{verb} “{_short(papers[0].label)}”")
    if parts:
        return f"Because {' and '.join(parts)}."
    shown = [c for c in candidates.categories[paper] if c.casefold() in topic.followed_categories]
    if shown:
        return f"Because you follow the category {shown[0]}."
    return f"Close to your topic {topic.name}."


def _short(text: str, length: int = 70) -> str:
    """``text`` cut at a word, so that an explanation stays one line."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[:length].rsplit(" ", 1)[0] + "…"
