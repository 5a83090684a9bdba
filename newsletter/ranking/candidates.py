"""The values that ranking takes and returns: no database, no behaviour."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from newsletter.core.language import SOURCE
from newsletter.core.models import Label, Team
from newsletter.core.persons import PersonIndex
from newsletter.ranking.calibration import AS_SHIPPED, Calibration
from newsletter.ranking.encoders import Vectors
from newsletter.ranking.recipes import AS_INSTALLED, Ordering
from newsletter.ranking.words import TextIndex, Vocabulary, WordVectors, vocabulary_of

T = TypeVar("T")

EvidenceKind = Literal[
    "keyword", "text", "reference", "seed_paper", "relevant", "saved", "clicked", "not_relevant"
]
# Codes of kinds are places in this tuple: stated ones first, then likes, then the dislike. A
# reference is the title of a paper that is not here: it counts like a text and is never quoted.
KINDS: tuple[EvidenceKind, ...] = (
    "keyword",
    "text",
    "reference",
    "seed_paper",
    "relevant",
    "saved",
    "clicked",
    "not_relevant",
)
CROWD = 10  # papers that a paper is compared with most closely
COMPARED = 1_000  # papers at most that it is compared with at all
ITSELF = 0.995  # so alike that it is the same paper
STATED, LIKED = 3, 7  # codes below the first are stated, from there below the second liked


class Sentences(NamedTuple):
    """An abstract's sentences; for each a content vector, and how well it says what was found."""

    texts: tuple[str, ...]
    vectors: Vectors  # (s, d)
    worth: Vectors  # (s,) 0 to 1
    background: NDArray[np.bool_]  # (s,) whether it tells what was known before


SentencesOf = Callable[[Sequence[int]], list[Sentences]]  # for some papers, by row


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Papers that may enter a digest; row ``i`` of every field is the same paper.

    ``vectors`` (n, D) hold ``len(ridge)`` content coordinates, of length one or zero in all,
    then factors of what others liked; ``ridge`` multiplies content where a topic's ridge
    direction is meant.
    """

    feature_space: str
    ids: tuple[int, ...]
    titles: tuple[str, ...]
    abstracts: tuple[str, ...]
    authors: tuple[tuple[str, ...], ...]
    categories: tuple[tuple[str, ...], ...]
    upvotes: NDArray[np.int64]
    first_seen: NDArray[np.float64]  # POSIX seconds
    vectors: Vectors
    ridge: Vectors
    sentences: SentencesOf | None = None
    background: Vectors | None = None  # (k, d) content of some ordinary papers
    word_vectors: WordVectors | None = None
    calibration: Calibration = AS_SHIPPED  # of the site's matches
    # By paper id: (name, ORCID) of the authors whose source tells one.
    orcids: Mapping[int, Sequence[tuple[str, str]]] = field(default_factory=dict)
    # By paper id: the papers that it cites, of those that are known here.
    cites: Mapping[int, Sequence[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, rows: NDArray[np.int64]) -> "Candidates":
        """The candidates that stand in ``rows``, without their sentences."""
        places = rows.tolist()

        def some(values: tuple[T, ...]) -> tuple[T, ...]:
            return tuple(values[place] for place in places)

        return replace(
            self,
            ids=some(self.ids),
            titles=some(self.titles),
            abstracts=some(self.abstracts),
            authors=some(self.authors),
            categories=some(self.categories),
            upvotes=self.upvotes[rows],
            first_seen=self.first_seen[rows],
            vectors=self.vectors[rows],
            sentences=None,
        )

    @cached_property
    def index(self) -> TextIndex:
        """The papers' words, found once."""
        return TextIndex(self.titles, self.abstracts)

    @cached_property
    def people(self) -> tuple[PersonIndex, dict[str, list[int]]]:
        """All authors, found once, and the rows of each."""
        rows_of: dict[str, list[int]] = {}
        for row, names in enumerate(self.authors):
            for name in names:
                rows_of.setdefault(name, []).append(row)
        return PersonIndex(rows_of), rows_of

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The papers' stems, and what their words mean, found once."""
        return vocabulary_of(self.index, self.word_vectors)

    @cached_property
    def crowding(self) -> Vectors:
        """(n,) how alike each paper is to the ten nearest others: much, where a field is dense."""
        some = self.content[:: max(1, len(self) // COMPARED)]
        likeness = self.content @ some.T
        likeness[likeness > ITSELF] = -1
        most = min(CROWD, likeness.shape[1])
        nearest = -np.partition(-likeness, most - 1, axis=1)[:, :most]
        return np.asarray(np.maximum(nearest, 0).mean(axis=1), np.float32)

    @property
    def content(self) -> Vectors:
        """(n, d) the papers' content alone."""
        return self.vectors[:, : len(self.ridge)]


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceMatrix:
    """Papers and texts that are evidence, each once; ``keys`` are paper ids and the texts."""

    keys: tuple[int | str, ...]
    vectors: Vectors  # (P, D)
    texts: tuple[str, ...] = ()  # what each says; may be left out


@dataclass(frozen=True, slots=True)
class Evidence:
    """What shaped a topic's vector, m pieces, and what each one's share of a score is.

    The share of piece ``i`` in the raw score of a paper x is ``content[i] · (mix[0] · e·x +
    mix[1] · e·(ridge∘x))`` over the content coordinates of e = ``pool.vectors[rows[i]]``, plus
    ``factors[i] · e·x`` over the factors. A whole batch of topics has one pool.
    """

    kinds: NDArray[np.int8]  # (m,) codes, see KINDS
    labels: tuple[str, ...]  # in one line, short enough for a sentence
    pool: EvidenceMatrix
    rows: NDArray[np.int64]
    content: Vectors  # (m,)
    factors: Vectors  # (m,)
    mix: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicProfile:
    """The data of one topic that ranking needs. A topic without evidence has a zero vector.

    ``offset`` and ``scale`` are the mean and deviation of the raw scores of ordinary papers.
    """

    topic_id: int | None
    name: str
    vector: Vectors
    evidence: Evidence | None = None
    quota: int | None = None
    followed_categories: frozenset[str] = frozenset()
    followed_authors: frozenset[str] = frozenset()
    halved: frozenset[str] = frozenset()  # of both, those that count half: "less of this"
    offset: float = 0.0
    scale: float = 1.0
    is_shared: bool = False  # by the members of a group


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberProfile:
    """The data of one subscriber that ranking needs. Mutes and follows ignore case.

    Authors are names as the reader wrote them, or ORCIDs; see `persons` for whom they fit.
    """

    subscriber_id: int
    topics: tuple[TopicProfile, ...]
    max_papers: int
    min_score: float
    since: datetime
    last_digest: datetime | None = None
    seen: frozenset[int] = frozenset()
    weekly_budget: int | None = None  # papers a week
    budget_left: int | None = None  # of these, after what was sent in the last days
    muted_words: tuple[str, ...] = ()
    muted_authors: tuple[str, ...] = ()
    muted_categories: tuple[str, ...] = ()
    popularity: float = 0.0  # 0 to 100
    outside_picks: bool = True
    fill: bool = False  # whether popular papers fill up what matches leave
    paused: bool = False  # all topics are, so that nothing is wanted
    language: str = SOURCE  # of the reasons
    ordering: Ordering = AS_INSTALLED


class Pick(NamedTuple):
    """One paper of a ranking.

    ``score`` is 0 to 100; ``match`` the probability that the paper is about the topic, None where
    nothing was compared; ``highlights`` are sentences verbatim, ``in_short`` the
    one that says what was found, or ""; ``bars`` name what each line of the explanation is about
    (`explanations.bar`); ``team`` says which recipe of a trial chose it.
    """

    paper_id: int
    topic_id: int | None
    section: str
    position: int
    score: float
    match: float | None
    label: Label
    explanation: str
    highlights: tuple[str, ...] = ()
    in_short: str = ""
    bars: str = ""
    team: Team | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """One subscriber's picks in reading order; ``reason`` says why there are none.

    ``message`` and ``number`` are what it was made of, to say it in another language.
    ``considered`` counts the papers that were first seen since the subscriber's last digest.
    """

    subscriber_id: int
    picks: tuple[Pick, ...] = ()
    reason: str = ""
    message: str = field(default="", compare=False)
    number: str = field(default="", compare=False)
    considered: int = field(default=0, compare=False)
