"""Scores to picks, for many subscribers at once: sections, quotas, spread, the unusual. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from newsletter.core.models import Team
from newsletter.ranking.candidates import Candidates, SubscriberProfile
from newsletter.ranking.encoders import Vectors
from newsletter.ranking.interleaving import team_draft
from newsletter.ranking.match import SHORTLIST, WORTH
from newsletter.ranking.recipes import Recipe
from newsletter.ranking.scoring import NEVER, best

# Maximal marginal relevance (Carbonell & Goldstein 1998): each paper pays for its likeness to
# the most alike one already picked. Below this likeness papers merely share a field and pay
# nothing; a copy pays 4 steps.
ORDINARY_LIKENESS = 0.5
SPREAD = 8.0
# An unusual pick is one from just outside the topics: below the floor, and no further than this.
NEAR = 0.025
FEWEST_FOR_OUTSIDE = 5  # papers in a digest, before one of them is an unusual pick
FEWEST_FOR_TWO = 15
FEWEST_BESIDE = 3  # usual picks that an unusual one stands beside
SMALLEST = np.float32(1e-4)  # match whose log-odds still count for an order
COMPARED_AT_ONCE = 2_000  # papers; 16 MB
TEAMS = (None, Team.CONTROL, Team.CHALLENGER)
# Matches (T, p) of papers (T, p) at their steps, for all topics of some profiles.
MatchesOf = Callable[[Sequence[SubscriberProfile], NDArray[np.int64], Vectors], Vectors]


@dataclass(frozen=True, slots=True)
class Picks:
    """For B subscribers, P places each: rows or -1; topics; steps; matches; whether unusual.

    In reading order: topic after topic, unusual ones last. ``teams`` are places in `TEAMS`.
    """

    papers: NDArray[np.int64]
    topics: NDArray[np.int64]
    steps: Vectors
    matches: Vectors
    outside: NDArray[np.bool_]
    teams: NDArray[np.int64]


class Likeness:
    """What a paper costs beside one that is picked already, in steps: 0 up to ordinary likeness."""

    def __init__(self, candidates: Candidates) -> None:
        self._content = candidates.content
        self._whole: Vectors | None = None

    def among(self, found: NDArray[np.int64]) -> tuple[Vectors, NDArray[np.int64]]:
        """(m, m) costs among the m papers that stand in ``found``, and ``found`` as places there.

        Of a day's papers all are compared, once; of a month's only what is on somebody's list.
        """
        if len(self._content) <= COMPARED_AT_ONCE:
            if self._whole is None:
                self._whole = _costs(self._content)
            return self._whole, found
        listed = np.zeros(len(self._content), bool)
        listed[found] = True
        places = np.cumsum(listed) - 1
        return _costs(self._content[listed]), places[found]


def _costs(content: Vectors) -> Vectors:
    found = content @ content.T
    found -= np.float32(ORDINARY_LIKENESS)
    np.maximum(found, 0, out=found)
    found *= np.float32(SPREAD)
    return found


@dataclass(frozen=True, slots=True)
class Shortlists:
    """What B subscribers' papers are picked from: L places each, every topic's in a row.

    ``found`` (B, L) are places in ``costs``, ``owner`` (L,) the topics; ``room`` (B, T) is how many
    papers a topic may have, ``wanted`` (B,) how many a digest; ``above`` says what may be picked.
    """

    found: NDArray[np.int64]
    steps: Vectors
    matches: Vectors
    owner: NDArray[np.int64]
    costs: Vectors
    room: NDArray[np.int64]
    wanted: NDArray[np.int64]
    above: NDArray[np.bool_]

    def of(self, rows: NDArray[np.int64]) -> "Shortlists":
        """Those of some of the subscribers."""
        return replace(
            self,
            found=self.found[rows],
            steps=self.steps[rows],
            matches=self.matches[rows],
            room=self.room[rows],
            wanted=self.wanted[rows],
            above=self.above[rows],
        )

    def worth(self, recipes: Sequence[Recipe]) -> Vectors:
        """(B, L) what each subscriber's recipe orders papers by, in steps."""
        worth = np.where(self.above, self.steps, NEVER)
        certainty = np.array([recipe.certainty for recipe in recipes], np.float32)
        if certainty.any():
            # What may be picked has a match above 0; a match of 1 is as good as any close to it.
            match = np.clip(self.matches, SMALLEST, 1 - SMALLEST)
            worth += certainty[:, None] * (np.log(match) - np.log1p(-match))
        return worth


def pick(
    likeness: Likeness,
    profiles: Sequence[SubscriberProfile],
    scores: Vectors,
    matches_of: MatchesOf,
) -> Picks:
    """The papers of each profile's digest from ``scores`` (B, T, n), which are used up."""
    size, topics, count = scores.shape
    if topics > 1:  # a paper goes where it scores best
        home = scores.argmax(axis=1)
        for index in range(topics):
            scores[:, index][home != index] = NEVER
    wanted = np.array([room_for(profile) for profile in profiles])
    lengths = np.maximum(SHORTLIST, wanted)
    columns, steps = best(scores.reshape(size * topics, count), int(lengths.max()))
    length = columns.shape[1]
    # Nobody gets more to choose from because somebody else wants a longer digest.
    steps[np.arange(length) >= np.repeat(lengths, topics)[:, None]] = NEVER
    wide = columns.astype(np.int64)
    matches = matches_of(profiles, wide, steps).reshape(size, topics * length)
    found = wide.reshape(size, topics * length)
    steps = steps.reshape(size, topics * length)
    owner = np.repeat(np.arange(topics), length)
    costs, places = likeness.among(found)
    lists = Shortlists(
        found=places,
        steps=steps,
        matches=matches,
        owner=owner,
        costs=costs,
        room=_room(profiles, topics),
        wanted=wanted,
        above=matches >= floors(profiles)[:, None],
    )
    chosen, paid = _spread_out(lists, [profile.ordering.recipe for profile in profiles])
    teams = np.zeros(chosen.shape, np.int64)
    _interleave(profiles, lists, chosen, paid, teams)
    chosen, outside = _outside(profiles, chosen, paid, matches, wanted)
    teams[outside] = 0
    absent = chosen < 0
    order = np.argsort(absent * 4.0 + outside * 2.0 + owner[chosen] / topics, kind="stable", axis=1)
    chosen = np.take_along_axis(chosen, order, axis=1)
    return Picks(
        np.where(
            np.take_along_axis(absent, order, axis=1),
            -1,
            np.take_along_axis(found, chosen, axis=1),
        ),
        owner[chosen],
        np.take_along_axis(steps, chosen, axis=1),
        np.take_along_axis(matches, chosen, axis=1),
        np.take_along_axis(outside, order, axis=1),
        np.take_along_axis(teams, order, axis=1),
    )


def floors(profiles: Sequence[SubscriberProfile]) -> Vectors:
    """(B,) the match that a paper needs: the reader's minimum, and never less than the floor."""
    return np.maximum(WORTH, np.array([p.min_score for p in profiles], np.float32) / 100)


def room_for(profile: SubscriberProfile) -> int:
    """How many papers a digest may hold: the subscriber's length, or what the week leaves."""
    left = profile.budget_left
    return profile.max_papers if left is None else max(0, min(left, profile.max_papers))


def _room(profiles: Sequence[SubscriberProfile], topics: int) -> NDArray[np.int64]:
    """(B, T) how many papers each topic may have."""
    return np.array(
        [
            [profile.max_papers if t.quota is None else t.quota for t in profile.topics]
            for profile in profiles
        ]
    ).reshape(len(profiles), topics)


def _spread_out(lists: Shortlists, recipes: Sequence[Recipe]) -> tuple[NDArray[np.int64], Vectors]:
    """(B, P) places in the shortlists, in the order picked; -1 where there is nothing more.

    And (B, L) what each paper of the shortlist pays for being like one that is picked.
    """
    found, owner, wanted = lists.found, lists.owner, lists.wanted
    everyone = np.arange(len(found))
    room = lists.room.copy()
    worth = lists.worth(recipes)
    worth[room[:, owner] <= 0] = NEVER
    paid = np.zeros_like(worth)
    spread = np.array([recipe.spread for recipe in recipes], np.float32)[:, None]
    is_ordinary = bool((spread == 1).all())
    chosen = np.full((len(found), int(wanted.max())), -1)
    flat, width = lists.costs.ravel(), lists.costs.shape[1]
    for position in range(chosen.shape[1]):
        now = (worth - (paid if is_ordinary else spread * paid)).argmax(axis=1)
        there = (worth[everyone, now] > NEVER) & (position < wanted)
        if not there.any():
            break
        chosen[there, position] = now[there]
        worth[everyone, now] = NEVER
        topic = owner[now]
        room[everyone[there], topic[there]] -= 1
        full = there & (room[everyone, topic] <= 0)
        if full.any():
            worth[full] = np.where(owner[None, :] == topic[full, None], NEVER, worth[full])
        some = slice(None) if there.all() else there
        rows = found[everyone, now][some] * width
        paid[some] = np.maximum(paid[some], flat.take(rows[:, None] + found[some], mode="clip"))
    return chosen, paid


def _interleave(
    profiles: Sequence[SubscriberProfile],
    lists: Shortlists,
    chosen: NDArray[np.int64],
    paid: Vectors,
    teams: NDArray[np.int64],
) -> None:
    """Where a reader's edition has a trial, draft from both recipes' picks; all in place."""
    rivals = {
        place: profile.ordering.challenger
        for place, profile in enumerate(profiles)
        if profile.ordering.challenger is not None
    }
    if not rivals:
        return
    rows = np.array(list(rivals))
    others, _ = _spread_out(lists.of(rows), list(rivals.values()))
    owner = lists.owner.tolist()
    for row, other in zip(rows.tolist(), others, strict=True):
        own = chosen[row]
        drafted = team_draft(
            own[own >= 0].tolist(),
            other[other >= 0].tolist(),
            profiles[row].ordering.seed,
            owner=owner,
            room=lists.room[row].tolist(),
            limit=int(lists.wanted[row]),
        )
        places = np.array([place for place, _ in drafted], np.int64)
        chosen[row], teams[row] = -1, 0
        chosen[row, : len(places)] = places
        teams[row, : len(places)] = [TEAMS.index(team) for _, team in drafted]
        alike = lists.costs[np.ix_(lists.found[row][places], lists.found[row])]
        paid[row] = alike.max(axis=0, initial=0)


def _outside(
    profiles: Sequence[SubscriberProfile],
    chosen: NDArray[np.int64],
    paid: Vectors,
    matches: Vectors,
    wanted: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give the last place or two to papers from just outside the topics, unlike the picks."""
    everyone = np.arange(len(chosen))
    chosen = chosen.copy()
    outside = np.zeros(chosen.shape, bool)
    asked = np.array([profile.outside_picks for profile in profiles])
    # A minimum is a minimum: who set one above the floor gets nothing from below it.
    asked &= floors(profiles) <= WORTH
    places = asked * ((wanted >= FEWEST_FOR_OUTSIDE) * 1 + (wanted >= FEWEST_FOR_TWO) * 1)
    taken = (chosen >= 0).sum(axis=1)
    near = (matches >= NEAR) & (matches < WORTH) & (paid <= 0)
    worth = np.where(near, matches, NEVER).astype(np.float32)
    for column in range(chosen.shape[1]):  # a paper without content is not even like itself
        there = chosen[:, column] >= 0
        worth[everyone[there], chosen[there, column]] = NEVER
    for pick_index in range(int(places.max(initial=0))):
        slot = np.minimum(taken, wanted - places) + pick_index
        now = worth.argmax(axis=1)
        there = (pick_index < places) & (taken >= FEWEST_BESIDE) & (worth[everyone, now] > NEVER)
        chosen[everyone[there], slot[there]] = now[there]
        outside[everyone[there], slot[there]] = True
        worth[everyone, now] = NEVER
    return chosen, outside
