"""The match on systematic reviews: worlds with known answers, judged by models that were not
fitted on the review."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from newsletter.ranking import match
from newsletter.ranking.encoders import DEFAULT
from newsletter.ranking.evaluation import match_report, mixed_stream
from newsletter.ranking.evaluation.match_report import DAYS, Tally
from newsletter.ranking.evaluation.mixed_stream import Review
from newsletter.ranking.feature_space import PaperText
from newsletter.ranking.match import MatchModel

LIKES = 10
KEPT = 1_000  # papers of the stream in a world
FEWEST_IN_STREAM = mixed_stream.STREAM
FEWEST_RELEVANT = LIKES + mixed_stream.FEWEST_LEFT
# The share of papers that the feature space was fitted on: a site that has grown since, a new one.
SITES = (0.5, 1.0)
Kind = tuple[int, int]


@dataclass(frozen=True, slots=True)
class MatchEvaluation:
    """Tallies by way and kind of day, and what they were judged with."""

    tallies: dict[tuple[str, Kind], Tally]
    split: str
    stream: str

    @property
    def ways(self) -> list[str]:
        """How interests were told, in the order asked."""
        return list(dict.fromkeys(way for way, _ in self.tallies))

    def of(self, way: str | None = None, kinds: Sequence[Kind] = DAYS) -> Tally:
        """The tallies of a way (of all unless named) on these kinds of days, as one."""
        return match_report.total(
            tally
            for (told, kind), tally in self.tallies.items()
            if way in {None, told} and kind in kinds
        )

    def as_json(self) -> dict[str, Any]:
        """The figures of all ways together, and of each."""
        whole, empty = self.of(), self.of(kinds=DAYS[:1])
        return {
            **whole.as_json(),
            "empty_days": empty.days,
            "days_with_false_claims": empty.days_with_claims,
            "reliability": [
                {"match": round(m, 4), "relevant": round(share, 4), "papers": papers}
                for m, share, papers in whole.reliability()
            ],
            "told": {way: self.of(way).as_json() for way in self.ways},
            "split": self.split,
            "stream": self.stream,
        }


def able(reviews: Iterable[Review]) -> list[Review]:
    """The reviews with enough relevant papers to tell some and look for others."""
    return [review for review in reviews if len(review.relevant) >= FEWEST_RELEVANT]


def stream_of(folder: Path) -> tuple[list[PaperText], str]:
    """Papers of the folder's JSON Lines files that no model was fitted on, and what they are."""
    papers: list[PaperText] = []
    paths = sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")])
    for path in paths:
        papers += mixed_stream.for_judging(mixed_stream.read_stream(path))
    names = ", ".join(path.name for path in paths)
    if not paths:
        return [], "what the other reviews turned down"
    return papers, f"{names}: days with an odd number; the model's had an even one"


def others_of(reviews: Sequence[Review], review: Review) -> list[PaperText]:
    """What the other reviews turned down, as a stream for this one."""
    return [paper for each in reviews if each is not review for paper in each.irrelevant]


def evaluate(
    reviews: Sequence[Review],
    stream: Sequence[PaperText],
    *,
    stream_is: str,
    rounds: int = 1,
    encoder: str = DEFAULT,
) -> MatchEvaluation | None:
    """Readers of each review, told by likes, keywords, both or a text where these are known.

    Without a stream a review's are the papers that the other reviews turned down. None where
    there are too few papers to make days of.
    """
    generator = np.random.default_rng(7)
    found: dict[tuple[str, Kind], Tally] = {}
    models = {review.name: _model_of(review.name) for review in reviews}
    several = [(reviews, stream)] if stream else [([r], others_of(reviews, r)) for r in reviews]
    for some, papers in several:
        if not some or len(papers) < FEWEST_IN_STREAM:
            return None
        for number in range(rounds):
            kept = [papers[n] for n in generator.permutation(len(papers))[:KEPT]]
            told = [each for each in _TOLD if all(_is_told(review, each[0]) for review in some)]
            world = mixed_stream.make_world(
                some,
                kept,
                generator,
                told=told,
                fitted_on=SITES[number % len(SITES)],
                model=encoder,
            )
            for (way, _, kind), tally in match_report.judge(world, models, generator).items():
                found.setdefault((way, kind), Tally()).add(tally)
    return MatchEvaluation(found, _split(reviews), stream_is)


_TOLD = (("likes", LIKES), ("keywords", 0), ("both", LIKES), ("text", 0))


def _is_told(review: Review, way: str) -> bool:
    known = {"keywords": review.keywords, "both": review.keywords, "text": review.text}
    return bool(known.get(way, True))


def _model_of(name: str) -> MatchModel:
    """The model that was fitted without the review."""
    return match.left_out().get(name) or match.shipped()


def _split(reviews: Sequence[Review]) -> str:
    fitted = [review.name for review in reviews if review.name in match.left_out()]
    fresh = [review.name for review in reviews if review.name not in match.left_out()]
    said = []
    if fitted:
        said.append(
            f"{', '.join(fitted)}: each by the model fitted without it, in the space as shipped"
        )
    if fresh:
        said.append(f"{', '.join(fresh)}: by the shipped model, which was not fitted on them")
    return "; ".join(said)
