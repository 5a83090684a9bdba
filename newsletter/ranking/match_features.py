"""What the match of a paper and a topic is estimated from, for many pairs at once. Pure.

Words: how many of the stated interests stand in the paper, whether in its title, how often, and
how much of the best one is there when stems and near-synonyms count. Likeness: to what was liked,
disliked and stated; beside it what the paper has with unrelated papers (its own mean and spread
over them), with the nearest of the day (in a dense field a paper resembles every like), and what
unrelated papers have with the topic (the steps that order a digest).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from newsletter.ranking.attribution import ProductCache
from newsletter.ranking.candidates import KINDS, LIKED, STATED, Candidates, TopicProfile
from newsletter.ranking.encoders import Vectors
from newsletter.ranking.words import phrase_of, stems_of

NAMES = (
    "steps",
    "likes",
    "nearest",
    "three_nearest",
    "likes_mean",
    "likes_beside_others",
    "three_beside_others",
    "beside_crowd",
    "dislikes",
    "stated_nearest",
    "stated_mean",
    "stated_beside_others",
    "found",
    "found_share",
    "in_title",
    "mentions",
    "covered",
    "covered_mean",
)
NEAREST = 3
# Two words this close mean nearly the same; what is further away says little by itself.
SYNONYM = 0.6
MENTIONED, IN_TITLE, COVERED = 0, 1, 2
LONGEST_PHRASE = 6  # words; free text that is longer is a sentence
_KEYWORD, _REFERENCE = KINDS.index("keyword"), KINDS.index("reference")
_ROOM = 20_000_000  # numbers of word findings kept, 80 MB


@dataclass
class Words:
    """What of each stated interest stands in each candidate, found once and kept."""

    candidates: Candidates
    _rows: dict[str, int] = field(default_factory=dict)
    _near: dict[str, Vectors] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.candidates)
        self._most = max(1, _ROOM // (3 * max(1, n)))
        # Row 0 is an interest that is found nowhere. Memory not written to takes no room.
        self.found = np.zeros((1, n, 3), np.float32)

    def rows(self, values: Sequence[str]) -> NDArray[np.int64]:
        """Where ``values`` stand in ``found``."""
        if missing := list(dict.fromkeys(value for value in values if value not in self._rows)):
            if len(self._rows) + len(missing) > self._most:
                self._rows.clear()
                missing = list(dict.fromkeys(values))
            start = len(self._rows) + 1
            end = start + len(missing)
            if end > len(self.found):
                grown = np.zeros((max(end, 2 * len(self.found)), *self.found.shape[1:]), np.float32)
                grown[:start] = self.found[:start]
                self.found = grown
            for row, value in enumerate(missing, start=start):
                self.found[row] = self._look_for(value)
                self._rows[value] = row
        return np.array([self._rows[value] for value in values], np.int64)

    def _look_for(self, value: str) -> Vectors:
        count, in_title = self.candidates.index.counts(value)
        return np.stack([count, in_title.astype(np.float32), self._covered(value, count)], axis=1)

    def _covered(self, value: str, count: Vectors) -> Vectors:
        """(n,) 0 to 1: how much of ``value`` is there, as stems or as words of like meaning."""
        stems = stems_of(value)
        if not stems:
            return np.minimum(count, 1)
        rarity = np.array([self._rarity(each) for each in stems], np.float32)
        near = np.stack([self._nearest(each) for each in stems])
        near = np.clip((near - SYNONYM) / (1 - SYNONYM), 0, 1)
        found = (rarity[:, None] * near).sum(axis=0) / rarity.sum()
        return np.asarray(np.maximum(found, np.minimum(count, 1)), np.float32)

    def _rarity(self, key: str) -> float:
        count = self.candidates.vocabulary.count(key)
        return float(np.log((1 + len(self.candidates)) / (1 + count)) + 0.1)

    def _nearest(self, key: str) -> Vectors:
        """(n,) how close the closest word of each text is; the same stem is 1."""
        if key not in self._near:
            if len(self._near) >= self._most:
                self._near.clear()
            known, encode = self.candidates.vocabulary, self.candidates.word_vectors
            close = np.zeros(len(known.numbers) + 1, np.float32)
            if known.vectors is not None and encode is not None:
                close[:-1] = known.vectors @ encode([key])[0]
            if key in known.numbers:
                close[known.numbers[key]] = 1
            close[-1] = 0
            self._near[key] = np.maximum.reduceat(close[known.flat], known.starts)
        return self._near[key]


@dataclass
class MatchFeatures:
    """Makes the features; what belongs to the papers alone is found once."""

    products: ProductCache
    words: Words

    def __post_init__(self) -> None:
        self.candidates = self.products.candidates

    @cached_property
    def _among_others(self) -> tuple[Vectors, Vectors]:
        """(n,) each: mean and deviation of a paper's likeness to ordinary ones."""
        others = self.candidates.background
        if others is None or len(others) < 2:
            others = self.candidates.content
        likeness = self.candidates.content @ others.T
        return likeness.mean(axis=1), np.maximum(likeness.std(axis=1), 0.02)

    def of(
        self, topics: Sequence[TopicProfile], papers: NDArray[np.int64], steps: Vectors
    ) -> Vectors:
        """(T, p, len(NAMES)) of papers (T, p) that reach ``steps`` without votes and follows."""
        size, length = papers.shape
        found = np.zeros((size, length, len(NAMES)), np.float32)
        put = {name: found[:, :, index] for index, name in enumerate(NAMES)}
        put["steps"][:] = steps
        kinds, likeness = self._likeness(topics, papers)
        mean, spread = (part[papers] for part in self._among_others)
        liked = (kinds >= STATED) & (kinds < LIKED)
        like_count = liked.sum(axis=1)
        some = like_count > 0
        put["likes"][:] = np.log1p(like_count)[:, None]
        if some.any():
            mine = np.where(liked[some][:, :, None], likeness[some], 0)
            best = -np.partition(-mine, min(NEAREST, mine.shape[1]) - 1, axis=1)[:, :NEAREST]
            three = best.sum(axis=1) / np.minimum(NEAREST, like_count[some])[:, None]
            average = mine.sum(axis=1) / like_count[some][:, None]
            put["nearest"][some] = best.max(axis=1)
            put["three_nearest"][some] = three
            put["likes_mean"][some] = average
            put["beside_crowd"][some] = three - self.candidates.crowding[papers[some]]
            put["likes_beside_others"][some] = (average - mean[some]) / spread[some]
            put["three_beside_others"][some] = (three - mean[some]) / spread[some]
        against: NDArray[np.bool_] = kinds >= LIKED
        if against.any():
            put["dislikes"][:] = np.where(against[:, :, None], likeness, 0).max(axis=1, initial=0)
        stated: NDArray[np.bool_] = (kinds >= 0) & (kinds < STATED)
        if stated.any():
            mine = np.where(stated[:, :, None], likeness, 0)
            count = np.maximum(stated.sum(axis=1), 1)[:, None]
            average = mine.sum(axis=1) / count
            told = np.any(stated, axis=1, keepdims=True)
            put["stated_nearest"][:] = mine.max(axis=1)
            put["stated_mean"][:] = average
            put["stated_beside_others"][:] = np.where(told, (average - mean) / spread, 0)
            self._words(topics, papers, put)
        return found

    def _likeness(
        self, topics: Sequence[TopicProfile], papers: NDArray[np.int64]
    ) -> tuple[NDArray[np.int8], Vectors]:
        """Kinds (T, m) of each topic's pieces, -1 where it has fewer, and (T, m, p) likeness."""
        most = max((len(t.evidence.rows) for t in topics if t.evidence is not None), default=0)
        most = max(1, most)
        kinds = np.full((len(topics), most), -1, np.int8)
        likeness = np.zeros((len(topics), most, papers.shape[1]), np.float32)
        pools = {id(t.evidence.pool): t.evidence.pool for t in topics if t.evidence is not None}
        for key, pool in pools.items():
            places = [
                index
                for index, topic in enumerate(topics)
                if topic.evidence is not None and id(topic.evidence.pool) == key
            ]
            rows = np.zeros((len(places), most), np.int64)
            for row, index in zip(rows, places, strict=True):
                evidence = topics[index].evidence
                if evidence is not None:
                    row[: len(evidence.rows)] = evidence.rows
                    kinds[index, : len(evidence.rows)] = evidence.kinds
            known = self.products.rows(pool)
            if known is None:
                d = len(self.candidates.ridge)
                for index, row in zip(places, rows, strict=True):
                    content = self.candidates.content[papers[index]]
                    likeness[index] = pool.vectors[row, :d] @ content.T
                continue
            table = self.products.found
            whole, step = table.shape[1] * table.shape[2], table.shape[2]
            cells = (known[rows] * whole)[:, :, None] + (papers[places] * step)[:, None, :]
            likeness[places] = table.reshape(-1).take(cells, mode="clip")
        return kinds, likeness

    def _words(
        self, topics: Sequence[TopicProfile], papers: NDArray[np.int64], put: dict[str, Vectors]
    ) -> None:
        stated = [_stated(topic) for topic in topics]
        most = max(len(values) for values in stated)
        counts = np.array([[len(values)] for values in stated])
        rows = np.zeros((len(topics), most), np.int64)  # row 0 is found nowhere
        flat = self.words.rows([value for values in stated for value in values])
        rows[np.arange(most) < counts] = flat
        table = self.words.found
        cells = rows[:, :, None] * table.shape[1] + papers[:, None, :]
        hits = table.reshape(-1, 3).take(cells, axis=0)  # (T, s, p, 3)
        there = np.minimum(hits[..., MENTIONED], 1).sum(axis=1)
        words_stated = np.maximum(counts, 1)
        put["found"][:] = np.minimum(there, 3)
        put["found_share"][:] = there / words_stated
        put["in_title"][:] = np.minimum(hits[..., IN_TITLE].sum(axis=1), 2)
        put["mentions"][:] = np.log1p(hits[..., MENTIONED].sum(axis=1))
        put["covered"][:] = hits[..., COVERED].max(axis=1)
        put["covered_mean"][:] = hits[..., COVERED].sum(axis=1) / words_stated


def is_keyword(kind: int, value: str) -> bool:
    """Whether a stated interest is looked for as it stands; a sentence is not."""
    return kind == _KEYWORD or (kind != _REFERENCE and len(phrase_of(value)) <= LONGEST_PHRASE)


def _stated(topic: TopicProfile) -> list[str]:
    """The keywords and texts of a topic."""
    evidence = topic.evidence
    if evidence is None:
        return []
    keys = evidence.pool.keys
    return [
        str(keys[row])
        for kind, row in zip(evidence.kinds.tolist(), evidence.rows.tolist(), strict=True)
        if kind < STATED
    ]
