"""Scores to picks, by hand: each rule with numbers that only it decides."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from newsletter.ranking.candidates import SubscriberProfile, TopicProfile
from newsletter.ranking.encoders import Vectors
from newsletter.ranking.match import SHORTLIST, WORTH
from newsletter.ranking.selection import (
    NEAR,
    ORDINARY_LIKENESS,
    SPREAD,
    Likeness,
    floors,
    pick,
    room_for,
)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
NOTHING = np.zeros(1, np.float32)


def profile(*quotas: int | None, **changes: Any) -> SubscriberProfile:
    topics = tuple(
        TopicProfile(topic_id=number, name=f"Topic {number}", vector=NOTHING, quota=quota)
        for number, quota in enumerate(quotas or (None,))
    )
    fields: dict[str, Any] = {
        "subscriber_id": 1,
        "topics": topics,
        "max_papers": 10,
        "min_score": 0,
        "since": LONG_AGO,
        "outside_picks": False,
    }
    return SubscriberProfile(**(fields | changes))


def unlike(count: int) -> Vectors:
    """Papers that have nothing in common."""
    return np.eye(count, dtype=np.float32)


def picked(
    scores: Sequence[Sequence[float]], *profiles: SubscriberProfile, content: Vectors | None = None
) -> list[list[tuple[int, int, bool]]]:
    """For each profile (paper, topic, whether unusual); ``scores`` are those of its topics.

    A paper's match is a tenth of its score.
    """
    table = np.array(scores, np.float32)
    several = np.repeat(table[None], len(profiles), axis=0)
    candidates: Any = SimpleNamespace(
        content=unlike(table.shape[1]) if content is None else content
    )

    def matches_of(_: object, papers: object, steps: Vectors) -> Vectors:
        return np.asarray(steps / 10, np.float32)

    found = pick(Likeness(candidates), profiles, several, matches_of)
    assert np.all(found.matches[found.papers >= 0] == found.steps[found.papers >= 0] / 10)
    return [
        [(int(p), int(t), bool(o)) for p, t, o in zip(*rows, strict=True) if p >= 0]
        for rows in zip(found.papers, found.topics, found.outside, strict=True)
    ]


def papers(
    scores: Sequence[Sequence[float]], *profiles: SubscriberProfile, **more: Any
) -> list[int]:
    [only] = picked(scores, *profiles, **more)
    return [paper for paper, _, _ in only]


def test_the_best_come_first_and_no_more_than_the_digest_holds() -> None:
    assert papers([[5, 7, 6, 9]], profile()) == [3, 1, 2, 0]
    assert papers([[5, 7, 6, 9]], profile(max_papers=2)) == [3, 1]
    assert papers([[5, 7, 6, 9]], profile(max_papers=0)) == []


def test_each_of_several_readers_has_their_own_length() -> None:
    found = picked([[5, 7, 6, 9]], profile(max_papers=1), profile(max_papers=3))
    assert [[paper for paper, _, _ in each] for each in found] == [[3], [3, 1, 2]]


def test_a_longer_digest_of_somebody_else_leaves_no_more_to_choose_from() -> None:
    scores = [[5 - number / 100 for number in range(SHORTLIST)] + [0.3] * 28]
    mine, longest = profile(outside_picks=True), profile(outside_picks=True, max_papers=50)
    [alone] = picked(scores, mine)
    together = picked(scores, longest, mine)
    assert together[1] == alone
    assert [paper for paper, _, _ in alone] == list(range(10))
    assert together[0][-1][2], "the longer list reaches papers from just outside"


def test_a_paper_needs_the_readers_minimum_and_never_less_than_the_floor() -> None:
    floor = WORTH * 10
    scores = [[floor * 1.01, floor * 0.99, 5, 4.9]]
    assert papers(scores, profile()) == [2, 3, 0]
    assert papers(scores, profile(min_score=50)) == [2]
    assert floors([profile(), profile(min_score=50)]).tolist() == pytest.approx([WORTH, 0.5])


def test_a_paper_goes_to_the_topic_where_it_scores_best_and_topics_are_read_in_order() -> None:
    scores = [[5, 7, 6, 4], [6, 5, 4, 9]]
    assert picked(scores, profile(None, None)) == [
        [(1, 0, False), (2, 0, False), (3, 1, False), (0, 1, False)]
    ]


def test_a_quota_holds_one_topic_back_and_leaves_its_places_to_others() -> None:
    scores = [[9, 8, 7, 1], [1, 1, 1, 6]]
    assert picked(scores, profile(1, None)) == [[(0, 0, False), (3, 1, False)]]
    assert picked(scores, profile(2, None, max_papers=2)) == [[(0, 0, False), (1, 0, False)]]
    assert picked(scores, profile(0, None)) == [[(3, 1, False)]]
    assert picked(scores, profile(None, 0)) == [[(number, 0, False) for number in range(3)]]


def test_what_is_like_a_picked_paper_pays_for_it() -> None:
    content = unlike(4)
    content[1] = content[0]  # a copy of the best
    cost = SPREAD * (1 - ORDINARY_LIKENESS)
    assert papers([[9, 8.9, 5.5, 3]], profile(max_papers=3), content=content) == [0, 2, 1]
    just_over = [[9, 8.9, 8.9 - cost - 0.1, 1]]
    assert papers(just_over, profile(max_papers=2), content=content) == [0, 1]
    just_under = [[9, 8.9, 8.9 - cost + 0.1, 1]]
    assert papers(just_under, profile(max_papers=2), content=content) == [0, 2]


def test_papers_of_one_field_pay_nothing() -> None:
    content = unlike(3)
    content[1] = [ORDINARY_LIKENESS, np.sqrt(1 - ORDINARY_LIKENESS**2), 0]
    assert papers([[9, 8, 7.9]], profile(), content=content) == [0, 1, 2]


def test_a_paper_pays_for_the_most_alike_one_and_only_once() -> None:
    content = unlike(5)
    content[1] = content[2] = content[0]
    # Two copies picked already cost the third no more than one does.
    assert papers([[9, 8.5, 8, 1.9, 1]], profile(max_papers=4), content=content) == [0, 1, 2, 3]


NEAR_MISS, FAR_MISS = WORTH * 9.9, NEAR * 9.9


@pytest.mark.parametrize(
    ("length", "usual", "unusual"), [(4, 4, 0), (5, 4, 1), (14, 13, 1), (15, 13, 2), (30, 28, 2)]
)
def test_the_last_place_or_two_go_to_the_unusual(length: int, usual: int, unusual: int) -> None:
    scores = [[9 - number / 10 for number in range(29)] + [NEAR_MISS, NEAR_MISS * 0.9, FAR_MISS]]
    [found] = picked(scores, profile(max_papers=length, outside_picks=True))
    assert [paper for paper, _, is_unusual in found if not is_unusual] == list(range(usual))
    assert [paper for paper, _, is_unusual in found if is_unusual] == [29, 30][:unusual]
    assert [is_unusual for *_, is_unusual in found] == [False] * usual + [True] * unusual


@pytest.mark.parametrize(
    ("scores", "changes"),
    [
        ([9, 8, 7, NEAR_MISS], {"outside_picks": False}),
        ([9, 8, 7, NEAR_MISS], {"min_score": 30}),
        ([9, 8, 7, FAR_MISS], {}),
    ],
)
def test_who_wants_nothing_unusual_or_set_a_minimum_gets_none(
    scores: list[float], changes: dict[str, Any]
) -> None:
    assert papers([scores], profile(**({"outside_picks": True} | changes))) == [0, 1, 2]


@pytest.mark.parametrize(("usual", "expected"), [(2, [0, 1]), (3, [0, 1, 2, 3])])
def test_an_unusual_paper_stands_beside_three_usual_ones(usual: int, expected: list[int]) -> None:
    scores = [9.0 - number for number in range(usual)] + [NEAR_MISS]
    assert papers([scores], profile(outside_picks=True)) == expected


def test_each_of_several_readers_gets_an_unusual_paper_after_as_many_as_they_have() -> None:
    scores = [[9 - number / 10 for number in range(29)] + [NEAR_MISS]]
    short, long = (profile(max_papers=length, outside_picks=True) for length in (5, 12))
    found = picked(scores, short, long, profile(max_papers=6))
    assert [[paper for paper, _, _ in rows] for rows in found] == [
        [*range(4), 29],
        [*range(11), 29],
        [*range(6)],
    ]


def test_the_unusual_comes_last_whichever_topics_the_others_are_of() -> None:
    scores: list[list[float]] = [[9, 0, 0, 0, NEAR_MISS], [0, 9, 0, 0, 0], [0, 0, 9, 8, 0]]
    [found] = picked(scores, profile(None, None, None, max_papers=5, outside_picks=True))
    assert [(topic, is_unusual) for _, topic, is_unusual in found] == [
        (0, False),
        (1, False),
        (2, False),
        (2, False),
        (0, True),
    ]


def test_an_unusual_paper_is_unlike_the_others() -> None:
    content = unlike(5)
    content[3] = content[0]
    scores = [[9, 8, 7, NEAR_MISS, NEAR_MISS * 0.9]]
    assert papers(scores, profile(outside_picks=True), content=content) == [0, 1, 2, 4]


@pytest.mark.parametrize(
    ("left", "room"), [(None, 10), (3, 3), (10, 10), (12, 10), (0, 0), (-4, 0)]
)
def test_a_digest_holds_what_the_week_leaves(left: int | None, room: int) -> None:
    assert room_for(profile(budget_left=left)) == room


def test_of_many_papers_only_the_listed_are_compared_and_to_the_same_effect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    content = rng.random((30, 4), np.float32)
    candidates: Any = SimpleNamespace(content=content)
    found = np.array([[3, 7, 11], [7, 2, 3]])
    whole, places = Likeness(candidates).among(found)
    assert places.tolist() == found.tolist()
    assert whole.shape == (30, 30)
    monkeypatch.setattr("newsletter.ranking.selection.COMPARED_AT_ONCE", 10)
    some, listed = Likeness(candidates).among(found)
    assert some.shape == (4, 4)
    assert np.allclose(some[listed[0]][:, listed[1]], whole[found[0]][:, found[1]])
    assert np.all(whole >= 0)
