"""New papers that cite what a reader named, liked or saved."""

from dataclasses import replace

import numpy as np
import pytest

from newsletter.ranking import ranker, scoring, standing
from newsletter.ranking.candidates import (
    KINDS,
    Candidates,
    Evidence,
    EvidenceKind,
    EvidenceMatrix,
    SubscriberProfile,
)
from tests.ranking.test_ranking import candidates_of, reader, topic_of, vectors_of

OLD = 7  # the paper that the reader knows


def known_as(kind: EvidenceKind) -> SubscriberProfile:
    vector = vectors_of(1, seed=4)[0]
    evidence = Evidence(
        np.array([KINDS.index(kind)], np.int8),
        ("Frogs of the north",),
        EvidenceMatrix((OLD,), np.asarray(vector, np.float32).reshape(1, -1)),
        np.array([0]),
        np.ones(1, np.float32),
        np.zeros(0, np.float32),
        (1.0, 0.0),
    )
    return reader(topic_of(vector, evidence=evidence), max_papers=10)


def papers(citing: int | None) -> Candidates:
    candidates = candidates_of(vectors_of(6))
    return candidates if citing is None else replace(candidates, cites={citing: [OLD, 12345]})


@pytest.mark.parametrize(
    ("kind", "verb"), [("seed_paper", "named"), ("relevant", "liked"), ("saved", "saved")]
)
def test_a_paper_that_cites_one_of_the_readers_says_so_and_gains(
    kind: EvidenceKind, verb: str
) -> None:
    profile = known_as(kind)
    [plain] = ranker.rank(papers(None), [profile])
    target = plain.picks[-1].paper_id
    [cited] = ranker.rank(papers(target), [profile])
    before = next(pick for pick in plain.picks if pick.paper_id == target)
    after = next(pick for pick in cited.picks if pick.paper_id == target)
    assert f"Cites “Frogs of the north”, which you {verb}." in after.explanation.split("\n")
    assert "Cites" not in before.explanation
    assert after.score > before.score
    assert (after.match or 0) > (before.match or 0)
    found = standing.stand(papers(target), profile, target)
    assert sum(round(10 * share.points) for share in found.shares) == round(10 * (found.score or 0))
    [share] = [share for share in found.shares if share.kind == "cites"]
    assert share.what == "It cites “Frogs of the north”"
    assert share.points > 0


@pytest.mark.parametrize("kind", ["not_relevant", "clicked"])
def test_citing_what_the_reader_only_opened_or_disliked_counts_for_nothing(
    kind: EvidenceKind,
) -> None:
    candidates, profile = papers(102), known_as(kind)
    [topic] = profile.topics
    assert not scoring.gains(topic, scoring.Matches(candidates))
    assert not scoring.follows(topic, scoring.Matches(candidates)).any()
