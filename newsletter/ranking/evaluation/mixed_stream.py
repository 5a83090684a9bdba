"""Days with known answers: a review's papers in a stream of others, for readers of all kinds. Pure.

A reader's topic is a systematic review, told by likes, by keywords or by both. A day is some
hundred papers of the stream, some that the review included, and some that its search found and
its authors turned down. On such days it is known which papers a digest should claim.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from newsletter.core.errors import InputError
from newsletter.ranking import feature_space as features
from newsletter.ranking import topic_vectors
from newsletter.ranking.candidates import (
    KINDS,
    STATED,
    Candidates,
    Evidence,
    EvidenceKind,
    EvidenceMatrix,
    TopicProfile,
)
from newsletter.ranking.encoders import DEFAULT
from newsletter.ranking.evaluation.datasets import Library, read_file
from newsletter.ranking.evaluation.review_words import KEYWORDS, TEXTS
from newsletter.ranking.feature_space import PaperText
from newsletter.ranking.topic_vectors import Basis

STREAM = 400  # papers of others a day
MOST_NEARLY = 150  # turned-down papers of a review in a world
FEWEST_LEFT = 10  # relevant papers that are not told


@dataclass(frozen=True, slots=True)
class Review:
    """A topic with answers: papers that belong to it, and papers that nearly do."""

    name: str
    relevant: tuple[PaperText, ...]
    irrelevant: tuple[PaperText, ...]
    keywords: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """A topic in a world, and what of the world's candidates it is judged on.

    ``rows`` are the stream's papers and those of the review that are not told; ``relevant`` and
    ``nearly`` (rows,) say which the review included and which it turned down.
    """

    review: str
    way: str  # keywords, text, likes or both
    likes: int
    topic: TopicProfile
    rows: NDArray[np.int64]
    relevant: NDArray[np.bool_]
    nearly: NDArray[np.bool_]

    def day(self, generator: np.random.Generator, relevant: int, nearly: int) -> NDArray[np.int64]:
        """Places in ``rows`` of one day's papers: the stream's, and so many of the review's."""
        others = np.flatnonzero(~self.relevant & ~self.nearly)
        parts = (
            (others, STREAM),
            (np.flatnonzero(self.relevant), relevant),
            (np.flatnonzero(self.nearly), nearly),
        )
        return np.concatenate([generator.permutation(part)[:most] for part, most in parts])


@dataclass(frozen=True, slots=True)
class World:
    """A site: a feature space fitted on what it has, papers that may come, and readers."""

    candidates: Candidates
    readers: tuple[Reader, ...]


def as_review(library: Library) -> Review:
    """A review read by `datasets.load`; papers without an abstract say too little and are out."""
    wanted = np.asarray(library.truth.toarray()[0] > 0)
    relevant = [*library.papers]
    relevant += [text for text, yes in zip(library.candidates, wanted, strict=True) if yes]
    others = [text for text, yes in zip(library.candidates, wanted, strict=True) if not yes]
    return Review(
        library.name,
        tuple(text for text in relevant if text.abstract),
        tuple(text for text in others if text.abstract),
        KEYWORDS.get(library.name, ()),
        TEXTS.get(library.name, ""),
    )


def read_stream(path: Path) -> dict[str, list[PaperText]]:
    """Papers of a JSON Lines file (.gz or not) with title, abstract and date, by date.

    Raises:
        InputError: the file cannot be read, or a line is not such a paper.
    """
    try:
        lines = read_file(path).decode().splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from error
    days: dict[str, list[PaperText]] = {}
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            text = PaperText(str(row["title"]), str(row["abstract"]))
            days.setdefault(str(row["date"])[:10], []).append(text)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                "needs title, abstract and date as JSON", where=f"{path}:{number}"
            ) from error
    return days


def make_world(
    reviews: Sequence[Review],
    stream: Sequence[PaperText],
    generator: np.random.Generator,
    *,
    told: Sequence[tuple[str, int]],
    fitted_on: float,
    model: str = DEFAULT,
) -> World:
    """A site with a reader of each review for each of ``told``, a way and a number of likes.

    The feature space is fitted on a share of all papers, the same of each kind: were it more of
    the relevant ones, the words it knows would give them away.
    """
    papers = list(stream)
    spans = {}
    for review in reviews:
        start = len(papers)
        papers += [review.relevant[n] for n in generator.permutation(len(review.relevant))]
        middle = len(papers)
        some = generator.permutation(len(review.irrelevant))[:MOST_NEARLY]
        papers += [review.irrelevant[n] for n in some]
        spans[review.name] = (start, middle, len(papers))
    known = generator.random(len(papers)) < fitted_on
    basis = Basis(features.fit([papers[n] for n in np.flatnonzero(known)], model))
    readers = []
    for review in reviews:
        start, middle, end = spans[review.name]
        for way, likes in told:
            # Of a review with few relevant papers some must stay to be found.
            number = min(likes, max(1, middle - start - FEWEST_LEFT)) if likes else 0
            liked = generator.permutation(np.arange(start, middle))[:number]
            stated = {
                "keywords": review.keywords,
                "both": review.keywords,
                "text": (review.text,),
                "likes": (),
            }[way]
            topic = topic_of(
                basis,
                stated,
                [papers[row] for row in liked],
                kind="text" if way == "text" else "keyword",
            )
            rows = np.setdiff1d(np.r_[: len(stream), start:end], liked)
            readers.append(
                Reader(
                    review.name,
                    way,
                    number,
                    topic,
                    rows,
                    (rows >= start) & (rows < middle),
                    rows >= middle,
                )
            )
    return World(candidates_of(basis, papers), tuple(readers))


def candidates_of(basis: Basis, papers: Sequence[PaperText]) -> Candidates:
    """Papers as `load_candidates` gives them, without authors and votes."""
    content = basis.space.transform(papers).astype(np.float16).astype(np.float32)
    return Candidates(
        feature_space=basis.space.id,
        ids=tuple(range(1, len(papers) + 1)),
        titles=tuple(text.title for text in papers),
        abstracts=tuple(text.abstract for text in papers),
        authors=((),) * len(papers),
        categories=((),) * len(papers),
        upvotes=np.zeros(len(papers), np.int64),
        first_seen=np.zeros(len(papers)),
        vectors=basis.extend(content),
        ridge=topic_vectors.ridge_of(basis.space),
        background=basis.space.background,
        word_vectors=basis.space.word_vectors,
    )


def topic_of(
    basis: Basis,
    stated: Sequence[str],
    liked: Sequence[PaperText],
    *,
    kind: EvidenceKind = "keyword",
) -> TopicProfile:
    """A topic of these stated interests and likes, as a training makes it."""
    texts = [PaperText(keyword) for keyword in stated]
    content = basis.space.transform(liked).astype(np.float16).astype(np.float32)
    pool = EvidenceMatrix(
        (*range(1_000_001, 1_000_001 + len(liked)), *stated),
        np.vstack([basis.as_evidence(content), basis.as_evidence(basis.space.transform(texts))]),
    )
    sums = topic_vectors.nothing(1, basis.dimensions)
    for row in range(len(liked)):
        sums = sums.plus("likes", pool.vectors[row : row + 1])
    for row in range(len(liked), len(pool.keys)):
        sums = sums.plus("texts", pool.vectors[row : row + 1])
    learned = topic_vectors.combine(basis, sums)
    offsets, scales = topic_vectors.calibrate(basis, learned.vectors)
    kinds = [KINDS.index("relevant")] * len(liked) + [KINDS.index(kind)] * len(stated)
    weight = [learned.content_of["likes" if code >= STATED else "texts"][0] for code in kinds]
    evidence = Evidence(
        np.array(kinds, np.int8),
        (*(text.title for text in liked), *stated),
        pool,
        np.arange(len(pool.keys)),
        np.array(weight, np.float32),
        np.zeros(0, np.float32),
        (float(learned.content[0, 0]), float(learned.content[0, 1])),
    )
    return TopicProfile(
        topic_id=1,
        name="Topic",
        vector=learned.vectors[0],
        evidence=evidence if len(pool.keys) else None,
        offset=float(offsets[0]),
        scale=float(scales[0]),
    )


def for_fitting(days: dict[str, list[PaperText]]) -> list[PaperText]:
    """Papers of every other day; the days between are for judging."""
    return [paper for date in sorted(days)[::2] for paper in days[date]]


def for_judging(days: dict[str, list[PaperText]]) -> list[PaperText]:
    """Papers of the days that `for_fitting` leaves."""
    return [paper for date in sorted(days)[1::2] for paper in days[date]]


def basis_of(papers: Sequence[PaperText], model: str = DEFAULT) -> Basis:
    """A feature space fitted on ``papers``."""
    return Basis(features.fit(papers, model))
