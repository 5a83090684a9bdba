"""Rankings of made-up candidates: scores, sections, spread, the unusual, explanations."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.core.models import Label
from newsletter.core.sentences import sentences
from newsletter.ranking import attribution, explanations, reasons, scoring
from newsletter.ranking import ranker as ranking
from newsletter.ranking.candidates import (
    LIKED,
    Candidates,
    Evidence,
    EvidenceMatrix,
    Sentences,
    SubscriberProfile,
    TopicProfile,
)
from newsletter.ranking.encoders import Vectors, unit
from newsletter.ranking.match import WAYS, MatchModel
from newsletter.ranking.match_features import NAMES

# Matches by the score alone: .08 for an ordinary paper, .38 for one that reaches 2 steps.
BY_STEPS = MatchModel(
    np.array([[1.0 * (name == "steps") for name in NAMES]] * len(WAYS), np.float32),
    np.full(len(WAYS), -2.5, np.float32),
)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
D = 16


@pytest.fixture(autouse=True)
def matches_by_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "shipped", lambda: BY_STEPS)


def vectors_of(count: int, seed: int = 0) -> Vectors:
    return unit(np.random.default_rng(seed).standard_normal((count, D), np.float32))


def candidates_of(vectors: Vectors, **changes: Any) -> Candidates:
    count = len(vectors)
    fields: dict[str, Any] = {
        "feature_space": "test",
        "ids": tuple(range(100, 100 + count)),
        "titles": tuple(f"Title {number}" for number in range(count)),
        "abstracts": ("",) * count,
        "authors": (("Ada Lovelace",),) * count,
        "categories": (("cs.LG",),) * count,
        "upvotes": np.zeros(count, np.int64),
        "first_seen": np.full(count, 1.7e9),
        "vectors": vectors,
        "ridge": np.linspace(1, 0.2, D, dtype=np.float32),
    }
    return Candidates(**(fields | changes))


def topic_of(vector: Vectors, name: str = "Topic", **changes: Any) -> TopicProfile:
    fields: dict[str, Any] = {
        "topic_id": 1,
        "name": name,
        "vector": vector,
        "scale": 0.25,
        "evidence": Evidence(
            np.array([3], np.int8),
            ("a liked paper",),
            EvidenceMatrix(
                (hash(vector.tobytes()),), np.asarray(vector, np.float32).reshape(1, -1)
            ),
            np.array([0]),
            np.ones(1, np.float32),
            np.zeros(0, np.float32),
            (1.0, 0.0),
        ),
    }
    return TopicProfile(**(fields | changes))


def reader(*topics: TopicProfile, **changes: Any) -> SubscriberProfile:
    fields: dict[str, Any] = {
        "subscriber_id": 7,
        "topics": topics,
        "max_papers": 10,
        "min_score": 0,
        "since": LONG_AGO,
        "outside_picks": False,
    }
    return SubscriberProfile(**(fields | changes))


def with_evidence(pool: Vectors, seed: int = 3) -> TopicProfile:
    """A topic whose vector is exactly the sum over its evidence."""
    generator = np.random.default_rng(seed)
    weights = generator.uniform(0.2, 1, len(pool)).astype(np.float32)
    mix = (1.0, 0.5)
    ridge = np.linspace(1, 0.2, D, dtype=np.float32)
    vector = (weights @ pool) * (mix[0] + mix[1] * ridge)
    kinds = np.array([number % LIKED for number in range(len(pool))], np.int8)
    evidence = Evidence(
        kinds,
        tuple(f"piece {number}" for number in range(len(pool))),
        EvidenceMatrix(tuple(f"piece {number}" for number in range(len(pool))), pool),
        np.arange(len(pool)),
        weights,
        np.zeros(0, np.float32),
        mix,
    )
    return topic_of(vector, evidence=evidence, offset=0.1)


@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 4),
    columns=st.integers(1, 700),
    count=st.integers(1, 30),
    seed=st.integers(),
)
def test_best_gives_the_same_as_sorting(rows: int, columns: int, count: int, seed: int) -> None:
    scores = np.random.default_rng(abs(seed)).normal(0, 3, (rows, columns)).astype(np.float32)
    scores[:, ::7] = scoring.NEVER
    places, found = scoring.best(scores, count)
    expected = -np.sort(-scores, axis=1)[:, :count]
    allowed = expected > scoring.NEVER
    assert found[allowed] == pytest.approx(expected[allowed], abs=1e-3)
    assert not (found[~allowed] > scoring.NEVER).any()
    assert (np.take_along_axis(scores, places, axis=1) == found).all()


def test_a_score_means_the_same_on_a_quiet_day_and_a_busy_one() -> None:
    papers = vectors_of(300)
    profile = reader(topic_of(papers[0]), max_papers=5)
    [busy] = ranking.rank(candidates_of(papers), [profile])
    [quiet] = ranking.rank(candidates_of(papers[:3]), [profile])
    score = {pick.paper_id: pick.score for pick in busy.picks}
    assert quiet.picks[0].paper_id == busy.picks[0].paper_id == 100
    assert quiet.picks[0].score == score[100]
    assert 0 < score[100] < 100


def test_a_paper_stands_in_the_topic_where_it_scores_best_and_quotas_hold() -> None:
    papers = unit(np.vstack([np.eye(D)[0] + 0.1 * v for v in vectors_of(5)] + [np.eye(D)[1]] * 1))
    first = topic_of(np.eye(D, dtype=np.float32)[0], "First", quota=2)
    second = topic_of(np.eye(D, dtype=np.float32)[1], "Second", topic_id=2)
    [found] = ranking.rank(candidates_of(papers), [reader(first, second)])
    sections = [pick.section for pick in found.picks]
    assert sections == ["First", "First", "Second"]
    assert found.picks[-1].paper_id == 105
    assert [pick.position for pick in found.picks] == [1, 2, 3]


def test_copies_of_a_paper_do_not_fill_the_digest() -> None:
    other = unit(np.array([[0.9, 0.45, *[0.0] * (D - 2)]], np.float32))
    copy = np.eye(D, dtype=np.float32)[:1]
    papers = np.vstack([copy, copy, copy, other])
    [found] = ranking.rank(candidates_of(papers), [reader(topic_of(copy[0]), max_papers=2)])
    assert [pick.paper_id for pick in found.picks] == [100, 103]


def test_the_unusual_pick_is_labelled_stands_last_and_can_be_switched_off() -> None:
    papers = vectors_of(200)
    topic = topic_of(papers[:40].sum(axis=0), scale=1.0, offset=2.4)
    [with_one] = ranking.rank(candidates_of(papers), [reader(topic, outside_picks=True)])
    [without] = ranking.rank(candidates_of(papers), [reader(topic)])
    outside = [pick for pick in with_one.picks if pick.section == ranking.OUTSIDE]
    assert len(outside) == 1
    assert outside[0] == with_one.picks[-1]
    assert outside[0].explanation.startswith("Just outside your topics")
    assert outside[0].label is Label.NONE
    assert len(with_one.picks) == len(without.picks) == 10
    assert all(pick.section == "Topic" for pick in without.picks)


def test_the_parts_of_a_score_add_up_to_it() -> None:
    papers, pool = vectors_of(50), vectors_of(6, seed=9)
    candidates = candidates_of(papers, upvotes=np.arange(50))
    topic = with_evidence(pool)
    profile = reader(topic, popularity=40)
    [found] = ranking.rank(candidates, [profile])
    for pick in found.picks:
        split = explanations.split(candidates, profile, topic, pick.paper_id - 100)
        assert sum(part.steps for part in split.parts) == pytest.approx(split.steps)
        assert split.score == pytest.approx(pick.score, abs=0.06)
        rest = [part.steps for part in split.parts if part.kind == "rest"]
        assert rest == pytest.approx([0] * len(rest), abs=1e-4)


@pytest.mark.parametrize("kept", [0, 10**6], ids=["multiplied", "looked up"])
def test_one_by_one_and_all_at_once_explain_alike(
    kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidates, pool = candidates_of(vectors_of(60)), vectors_of(9, seed=9)
    profiles = [
        reader(with_evidence(pool[: 1 + seed % 9], seed), topic_of(vectors_of(1, seed)[0]))
        for seed in range(20)
    ]
    together = ranking.rank(candidates, profiles)
    monkeypatch.setattr(attribution, "KEPT", kept)
    ranker = ranking.Ranker(candidates)
    assert [ranker.rank([profile])[0] for profile in profiles] == together
    assert any("which you saved" in p.explanation for ranked in together for p in ranked.picks)


def test_what_is_kept_of_other_readers_changes_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates, pool = candidates_of(vectors_of(60)), vectors_of(9, seed=9)
    profiles = [reader(with_evidence(pool[: 1 + seed], seed)) for seed in range(9)]
    together = ranking.rank(candidates, profiles)
    for bound in ("KEPT_TEXTS", "KEPT_PAIRS", "KEPT_SPELLINGS"):
        monkeypatch.setattr(reasons, bound, 1)
    for bound in ("KEPT", "KEPT_VALUES"):
        monkeypatch.setattr(scoring, bound, 0)
    assert ranking.rank(candidates, profiles) == together
    assert len({p.explanation for ranked in together for p in ranked.picks}) > 1


def test_what_is_kept_of_other_readers_takes_no_more_room_for_more_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = " ".join(f"word{number}" for number in range(60))
    candidates = replace(candidates_of(vectors_of(5)), abstracts=(words,) * 5)
    monkeypatch.setattr(scoring, "KEPT_VALUES", 20)
    monkeypatch.setattr(reasons, "KEPT_SPELLINGS", 20)
    monkeypatch.setattr(scoring, "KEPT", 4_000)
    ranker = ranking.Ranker(candidates)
    for number in range(60):
        text = EvidenceMatrix((f"word{number}",), np.eye(1, D, dtype=np.float32))
        follows = frozenset({f"Ada Lovelace {number}", "Ada Lovelace"})
        topic = topic_of(vectors_of(1, number)[0], followed_authors=follows)
        assert topic.evidence is not None
        keyword = replace(topic.evidence, kinds=np.zeros(1, np.int8), pool=text)
        assert ranker.rank([reader(replace(topic, evidence=keyword))])[0].picks
    found, told = ranker._found, ranker._reasons
    assert 1 <= len(found._persons) <= 20
    assert 1 <= len(found._followed) <= 13
    assert 1 <= sum(map(len, told._spelled)) <= 20


def test_highlights_are_the_sentences_closest_to_the_reader_verbatim() -> None:
    abstract = "We study graphs. Galaxies are far. Repair of programs works! It is new. Fine? Yes."
    texts = sentences(abstract)
    assert "Repair of programs works!" in texts
    vectors = np.eye(D, dtype=np.float32)[: len(texts)]
    candidates = candidates_of(
        np.eye(D, dtype=np.float32)[2:3],
        abstracts=(abstract,),
        sentences=lambda papers: [
            Sentences(texts, vectors, vectors[:, 0], vectors[:, 1] > 0) for _ in papers
        ],
    )
    [found] = ranking.rank(candidates, [reader(topic_of(np.eye(D, dtype=np.float32)[2]))])
    assert found.picks[0].highlights == ("Repair of programs works!",)
    assert all(sentence in abstract for sentence in found.picks[0].highlights)


def test_popularity_moves_papers_only_as_far_as_the_slider_says() -> None:
    papers = np.repeat(unit(np.ones((1, D), np.float32)), 2, axis=0)
    papers[1] *= 0.95
    candidates = candidates_of(papers, upvotes=np.array([0, 500]))
    topic = topic_of(papers[0], scale=0.2)
    [plain] = ranking.rank(candidates, [reader(topic, max_papers=1)])
    [popular] = ranking.rank(candidates, [reader(topic, max_papers=1, popularity=100)])
    assert (plain.picks[0].paper_id, popular.picks[0].paper_id) == (100, 101)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"min_score": 100}, "no new paper reached your minimum match of 100"),
        ({"muted_words": ("title",)}, "what you muted hides every new paper"),
        ({"muted_authors": ("ada lovelace",)}, "what you muted hides every new paper"),
        ({"since": datetime(2030, 1, 1, tzinfo=UTC)}, ranking.NO_NEW),
        ({"seen": frozenset(range(100, 110))}, ranking.NO_NEW),
        ({"last_digest": datetime(2030, 1, 1, tzinfo=UTC), "min_score": 100}, ranking.NO_NEW),
        ({"topics": (), "paused": True}, ranking.PAUSED),
        ({"topics": (), "min_score": 40}, "no new paper reached your minimum match of 40"),
    ],
    ids=str,
)
def test_a_subscriber_without_papers_has_a_reason(changes: dict[str, Any], reason: str) -> None:
    papers = vectors_of(10)
    profile = reader(topic_of(papers[0]), **({} if "topics" in changes else changes))
    if "topics" in changes:
        profile = reader(**{key: value for key, value in changes.items() if key != "topics"})
    assert ranking.rank(candidates_of(papers), [profile])[0] == ranking.Ranking(7, reason=reason)


def test_rankings_come_back_in_the_order_asked_however_many_topics_each_has() -> None:
    papers = vectors_of(30)
    topics = [topic_of(papers[number], str(number)) for number in range(3)]
    profiles = [
        reader(*topics[: number % 4], subscriber_id=number, max_papers=3) for number in range(9)
    ]
    found = ranking.rank(candidates_of(papers), profiles)
    assert [ranked.subscriber_id for ranked in found] == list(range(9))
    alone = [ranking.rank(candidates_of(papers), [profile])[0] for profile in profiles]
    assert found == alone
    assert found[0].picks[0].section == ranking.POPULAR


def test_subscribers_with_and_without_picks_share_a_batch() -> None:
    pools = [vectors_of(6, seed=seed) for seed in (8, 9)]
    strict = reader(with_evidence(pools[0]), subscriber_id=1, min_score=100)
    other = reader(with_evidence(pools[1]), subscriber_id=2)
    candidates = candidates_of(vectors_of(20))
    first, second = ranking.rank(candidates, [strict, other])
    assert first.reason == "no new paper reached your minimum match of 100"
    assert second.picks
    assert ranking.rank(candidates, [strict]) == [first]
