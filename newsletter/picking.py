"""Scores to picks, for many subscribers at once: sections, quotas, spread, the unusual. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from newsletter.candidates import Candidates, SubscriberProfile
from newsletter.encoders import Vectors
from newsletter.scoring import HALF, NEVER, best, steps_for

# Maximal marginal relevance (Carbonell & Goldstein 1998): each paper pays for its likeness to
# the most alike one already picked. Below this likeness papers merely share a field and pay
# nothing; a copy pays 4 steps.
ORDINARY_LIKENESS = 0.5
SPREAD = 8.0
SHORTLIST = 48  # a topic: what picks can come from; digests hold at most 50 papers
# An unusual pick is one the model is least sure of, near 50 points; further away than this it
# is sure enough that it is none.
UNSURE = 1.5
FEWEST_FOR_OUTSIDE = 5  # papers in a digest, before one of them is an unusual pick
FEWEST_FOR_TWO = 15
FEWEST_BESIDE = 3  # usual picks that an unusual one stands beside


@dataclass(frozen=True, slots=True)
class Picks:
    """For B subscribers, P places each: candidate rows, or -1; topics; steps; and whether unusual.

    In reading order: topic after topic, unusual ones last.
    """

    papers: NDArray[np.int64]
    topics: NDArray[np.int64]
    steps: Vectors
    outside: NDArray[np.bool_]


def pick(candidates: Candidates, profiles: Sequence[SubscriberProfile], scores: Vectors) -> Picks:
    """The papers of each profile's digest from ``scores`` (B, T, n), which are used up."""
    size, topics, count = scores.shape
    if topics > 1:  # a paper goes where it scores best
        home = scores.argmax(axis=1)
        for place in range(topics):
            scores[:, place][home != place] = NEVER
    wanted = np.array([profile.max_papers for profile in profiles])
    length = max(SHORTLIST, int(wanted.max()))
    found, steps = best(scores.reshape(size * topics, count), length)
    length = found.shape[1]
    found, steps = found.reshape(size, topics * length), steps.reshape(size, topics * length)
    owner = np.repeat(np.arange(topics), length)
    # Only what is on somebody's list is compared: of a month's papers that is a small part.
    listed, places = np.unique(found, return_inverse=True)
    content = candidates.content[listed]
    floor = steps_for([profile.min_score for profile in profiles])
    chosen, alike = _spread_out(
        found=places.reshape(found.shape).astype(found.dtype),
        steps=steps,
        owner=owner,
        likeness=content @ content.T,
        room=_room(profiles, topics),
        wanted=wanted,
        floor=floor,
    )
    chosen, outside = _outside(profiles, chosen, alike, steps, wanted)
    absent = chosen < 0
    order = np.argsort(absent * 4.0 + outside * 2.0 + owner[chosen] / topics, kind="stable", axis=1)
    chosen = np.take_along_axis(chosen, order, axis=1)
    papers = np.take_along_axis(found, chosen, axis=1).astype(np.int64)
    return Picks(
        np.where(np.take_along_axis(absent, order, axis=1), -1, papers),
        owner[chosen],
        np.take_along_axis(steps, chosen, axis=1),
        np.take_along_axis(outside, order, axis=1),
    )


def _room(profiles: Sequence[SubscriberProfile], topics: int) -> NDArray[np.int64]:
    """(B, T) how many papers each topic may have."""
    return np.array(
        [
            [profile.max_papers if t.quota is None else t.quota for t in profile.topics]
            for profile in profiles
        ]
    ).reshape(len(profiles), topics)


def _spread_out(
    *,
    found: NDArray[np.int32],
    steps: Vectors,
    owner: NDArray[np.int64],
    likeness: Vectors,
    room: NDArray[np.int64],
    wanted: NDArray[np.int64],
    floor: Vectors,
) -> tuple[NDArray[np.int64], Vectors]:
    """(B, P) places in the shortlists, in the order picked; -1 where there is nothing more.

    And (B, L) how alike each paper of the shortlist is to the most alike one picked.
    """
    everyone = np.arange(len(found))
    worth = np.where((steps > NEVER) & (steps >= floor[:, None]), steps, NEVER)
    worth[room[:, owner] <= 0] = NEVER
    alike = np.zeros_like(worth)
    chosen = np.full((len(found), int(wanted.max())), -1)
    for place in range(chosen.shape[1]):
        now = (worth - SPREAD * np.maximum(alike - ORDINARY_LIKENESS, 0)).argmax(axis=1)
        there = (worth[everyone, now] > NEVER) & (place < wanted)
        if not there.any():
            break
        chosen[there, place] = now[there]
        worth[everyone, now] = NEVER
        topic = owner[now]
        room[everyone[there], topic[there]] -= 1
        full = there & (room[everyone, topic] <= 0)
        if full.any():
            worth[full] = np.where(owner[None, :] == topic[full, None], NEVER, worth[full])
        nearer = likeness[found[there, now[there]][:, None], found[there]]
        alike[there] = np.maximum(alike[there], nearer)
    return chosen, alike


def _outside(
    profiles: Sequence[SubscriberProfile],
    chosen: NDArray[np.int64],
    alike: Vectors,
    steps: Vectors,
    wanted: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give the last place or two to papers that the model is least sure of, unlike the picks."""
    everyone = np.arange(len(chosen))
    chosen = chosen.copy()
    outside = np.zeros(chosen.shape, bool)
    asked = np.array([profile.outside_picks for profile in profiles])
    places = asked * ((wanted >= FEWEST_FOR_OUTSIDE) * 1 + (wanted >= FEWEST_FOR_TWO) * 1)
    taken = (chosen >= 0).sum(axis=1)
    doubt = np.abs(steps - HALF)
    worth = np.where((doubt <= UNSURE) & (alike <= ORDINARY_LIKENESS), -doubt, NEVER)
    for column in range(chosen.shape[1]):  # a paper without content is not even like itself
        there = chosen[:, column] >= 0
        worth[everyone[there], chosen[there, column]] = NEVER
    for number in range(int(places.max(initial=0))):
        slot = np.minimum(taken, wanted - places) + number
        now = worth.argmax(axis=1)
        there = (number < places) & (taken >= FEWEST_BESIDE) & (worth[everyone, now] > NEVER)
        chosen[everyone[there], slot[there]] = now[there]
        outside[everyone[there], slot[there]] = True
        worth[everyone, now] = NEVER
    return chosen, outside
