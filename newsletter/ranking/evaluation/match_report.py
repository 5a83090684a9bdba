"""How true the labels are: days with known answers through the ranker that `prepare` calls."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from newsletter.core.models import Label
from newsletter.ranking import scoring, selection
from newsletter.ranking.candidates import SubscriberProfile
from newsletter.ranking.evaluation import mixed_stream
from newsletter.ranking.evaluation.mixed_stream import Reader, World
from newsletter.ranking.evaluation.system import EPOCH
from newsletter.ranking.feature_space import PaperText
from newsletter.ranking.match import MatchModel
from newsletter.ranking.ranker import Ranker

PAPERS = 20  # in a digest
BINS = 10
# Relevant papers of a day, and turned-down ones.
DAYS = ((0, 0), (1, 1), (3, 3), (10, 10), (10, 30))
CLAIMS = (Label.STRONG, Label.GOOD)


@dataclass
class Tally:
    """What was shown on some days: matches, whether relevant, labels; and what there was."""

    matches: list[float] = field(default_factory=list)
    relevant: list[bool] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    days: int = 0
    days_with_claims: int = 0
    days_with_labels: int = 0
    to_find: int = 0
    found_by_score: int = 0  # by the same selection, if every paper matched

    def add(self, other: "Tally") -> None:
        """Count the days of ``other`` too."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def precision(self, label: Label) -> tuple[int, int]:
        """Relevant papers with this label, of how many."""
        hits = [yes for yes, each in zip(self.relevant, self.labels, strict=True) if each is label]
        return sum(hits), len(hits)

    @property
    def found(self) -> int:
        """Relevant papers shown, with whatever label."""
        return sum(self.relevant)

    def reliability(self) -> list[tuple[float, float, int]]:
        """(mean match, share relevant, papers) of the labelled papers in each tenth."""
        pairs = [
            (match, yes)
            for match, yes, label in zip(self.matches, self.relevant, self.labels, strict=True)
            if label is not Label.NONE
        ]
        bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
        for match, yes in pairs:
            bins[min(BINS - 1, int(match * BINS))].append((match, yes))
        return [
            (float(np.mean([m for m, _ in own])), float(np.mean([y for _, y in own])), len(own))
            for _, own in sorted(bins.items())
        ]

    def calibration_error(self) -> float:
        """Expected calibration error of what was labelled (Naeini et al. 2015)."""
        parts = self.reliability()
        number = sum(count for _, _, count in parts)
        return sum(abs(m - y) * count for m, y, count in parts) / max(1, number)

    def as_json(self) -> dict[str, Any]:
        """The figures."""
        return {
            "days": self.days,
            "labels": {
                label.value: dict(zip(("relevant", "shown"), self.precision(label), strict=True))
                for label in Label
            },
            "relevant": self.to_find,
            "relevant_shown": self.found,
            "relevant_in_as_many_by_score": self.found_by_score,
            "days_with_claims": self.days_with_claims,
            "days_with_labels": self.days_with_labels,
            "calibration_error": round(self.calibration_error(), 4),
        }


def judge(
    world: World,
    models: dict[str, MatchModel],
    generator: np.random.Generator,
    days: Sequence[tuple[int, int]] = DAYS,
) -> dict[tuple[str, str, tuple[int, int]], Tally]:
    """Days of each reader, by way, review and kind of day; ``models`` are by review."""
    found: dict[tuple[str, str, tuple[int, int]], Tally] = {}
    for reader in world.readers:
        for kind in days:
            rows = reader.day(generator, *kind)
            tally = _day(world, reader, rows, models[reader.review])
            found.setdefault((reader.way, reader.review, kind), Tally()).add(tally)
    return found


def _day(world: World, reader: Reader, rows: Any, model: MatchModel) -> Tally:
    places = reader.rows[rows]
    candidates = world.candidates.part(places)
    profile = SubscriberProfile(
        subscriber_id=1,
        topics=(reader.topic,),
        max_papers=PAPERS,
        min_score=0,
        since=EPOCH,
        outside_picks=False,
    )
    [ranked] = Ranker(candidates, model).rank([profile])
    relevant = dict(zip(candidates.ids, reader.relevant[rows].tolist(), strict=True))
    scores, _ = scoring.steps(candidates, [profile])
    likeness = selection.Likeness(candidates)
    by_score = selection.pick(likeness, [profile], scores, lambda _, __, steps: np.ones_like(steps))
    best = by_score.papers[0][by_score.papers[0] >= 0]
    labels = [pick.label for pick in ranked.picks]
    return Tally(
        [pick.match or 0.0 for pick in ranked.picks],
        [relevant[pick.paper_id] for pick in ranked.picks],
        labels,
        1,
        int(any(label in CLAIMS for label in labels)),
        int(any(label is not Label.NONE for label in labels)),
        int(reader.relevant[rows].sum()),
        int(reader.relevant[rows][best].sum()),
    )


def empty_topics(
    days: dict[str, list[PaperText]],
    topics: Sequence[tuple[str, ...]],
    model: MatchModel,
    encoder: str,
) -> tuple[int, int, list[str]]:
    """Reader-days with a label, of how many, and examples, for keywords that nobody wrote about."""
    dates = sorted(days)
    first = [paper for date in dates[:5] for paper in days[date]]
    basis = mixed_stream.basis_of(first, encoder)
    readers = [
        SubscriberProfile(
            subscriber_id=number,
            topics=(mixed_stream.topic_of(basis, keywords, ()),),
            max_papers=PAPERS,
            min_score=0,
            since=EPOCH,
        )
        for number, keywords in enumerate(topics)
    ]
    labelled, total, examples = 0, 0, []
    for date in dates:
        candidates = mixed_stream.candidates_of(basis, days[date])
        for ranked in Ranker(candidates, model).rank(readers):
            claimed = [pick for pick in ranked.picks if pick.label is not Label.NONE]
            total += 1
            labelled += bool(claimed)
            examples += [
                f"{'; '.join(topics[ranked.subscriber_id])}: {pick.label}, "
                f"{candidates.titles[pick.paper_id - 1]} ({pick.explanation})"
                for pick in claimed[:1]
            ]
    return labelled, total, examples


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    return whole
