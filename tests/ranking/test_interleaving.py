"""Team draft: both recipes get the same chances, and what they share counts for neither."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from newsletter.core.models import Team
from newsletter.ranking.interleaving import coins, team_draft

CONTROL, CHALLENGER = Team.CONTROL, Team.CHALLENGER


def drafted(
    control: list[int],
    challenger: list[int],
    seed: str = "1 2026-11-20 7",
    *,
    owner: list[int] | None = None,
    room: list[int] | None = None,
    limit: int = 10,
) -> list[tuple[int, Team | None]]:
    return team_draft(
        control, challenger, seed, owner=owner or [0] * 100, room=room or [50], limit=limit
    )


def test_what_both_lists_begin_with_belongs_to_neither() -> None:
    found = drafted([3, 1, 4, 5], [3, 1, 9, 2])
    assert found[:2] == [(3, None), (1, None)]
    assert {place for place, team in found[2:] if team is CONTROL} == {4, 5}
    assert {place for place, team in found[2:] if team is CHALLENGER} == {9, 2}


def test_two_lists_that_are_the_same_stay_as_they_are_and_say_nothing() -> None:
    assert drafted([3, 1, 4], [3, 1, 4]) == [(3, None), (1, None), (4, None)]
    assert drafted([], []) == []


def test_the_same_seed_gives_the_same_list_and_another_reader_another() -> None:
    control, challenger = list(range(10)), list(range(20, 30))
    lists = [drafted(control, challenger, f"1 2026-11-20 {reader}") for reader in range(50)]
    assert lists == [drafted(control, challenger, f"1 2026-11-20 {n}") for n in range(50)]
    assert len({tuple(each) for each in lists}) > 20


def test_each_team_comes_first_for_half_of_the_readers() -> None:
    first = Counter(drafted([1, 2], [3, 4], f"1 2026-11-20 {n}")[0][1] for n in range(2_000))
    assert first[CONTROL] + first[CHALLENGER] == 2_000
    assert 900 < first[CONTROL] < 1_100
    assert 220 < sum(next(coins(f"4 {n}")) for n in range(500)) < 280


def test_a_paper_that_both_want_goes_to_each_team_as_often() -> None:
    teams = Counter(dict(drafted([1, 2, 3], [4, 2, 5], f"x {n}"))[2] for n in range(2_000))
    assert 900 < teams[CONTROL] < 1_100
    assert teams[None] == 0


def test_a_topic_gets_no_more_than_its_quota_and_the_others_fill_up() -> None:
    owner = [0, 0, 0, 0, 1, 1, 1, 1]
    found = drafted([0, 1, 4, 5], [2, 3, 6, 7], owner=owner, room=[2, 9], limit=6)
    assert Counter(owner[place] for place, _ in found) == {0: 2, 1: 4}


def test_what_is_left_when_one_team_has_nothing_more_counts_for_neither() -> None:
    found = drafted([1, 2, 3, 4, 5], [9])
    assert [place for place, _ in found if place != 9] == [1, 2, 3, 4, 5]
    assert sum(team is CONTROL for _, team in found) <= 2
    assert found[-1] == (5, None)


@given(
    lists=st.lists(st.permutations(range(12)), min_size=2, max_size=2),
    limit=st.integers(0, 12),
    room=st.lists(st.integers(0, 6), min_size=3, max_size=3),
    seed=st.text(max_size=20),
)
def test_a_draft_holds_no_paper_twice_and_is_fair_and_within_its_bounds(
    lists: list[list[int]], limit: int, room: list[int], seed: str
) -> None:
    owner = [place % 3 for place in range(12)]
    one, other = lists
    found = drafted(one, other, seed, owner=owner, room=room, limit=limit)
    places = [place for place, _ in found]
    assert len(set(places)) == len(places) <= limit
    assert all(Counter(owner[p] for p in places)[topic] <= room[topic] for topic in range(3))
    assert len(places) == min(limit, sum(min(4, each) for each in room))
    counts = Counter(team for _, team in found)
    assert abs(counts[CONTROL] - counts[CHALLENGER]) <= 1
