"""Team draft: one list out of two, and which of the two each paper came from. Pure.

Radlinski, Kurup and Joachims 2008, "How does clickthrough data reflect retrieval quality?": the
team with fewer papers chooses next, its best one that is still free; a coin decides between equals.
What both lists begin with alike says nothing about either and belongs to no team (Chapelle et al.
2012, "Large-scale validation and analysis of interleaved search evaluation").
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b

from newsletter.core.models import Team

COINS = 512  # of one seed; a digest of 50 papers needs at most 50


def coins(seed: str) -> Iterator[bool]:
    """Fair coins that are the same for the same seed, in every process."""
    bits = int.from_bytes(blake2b(seed.encode(), digest_size=COINS // 8).digest(), "big")
    for place in range(COINS):
        yield bool(bits >> place & 1)


def team_draft(
    control: Sequence[int],
    challenger: Sequence[int],
    seed: str,
    *,
    owner: Sequence[int],
    room: Sequence[int],
    limit: int,
) -> list[tuple[int, Team | None]]:
    """At most ``limit`` places out of two lists, in the order chosen, with their teams.

    ``owner`` gives the topic of each place, ``room`` how many papers each topic may have. When one
    team has nothing left to choose, what the other adds belongs to neither.
    """
    left = list(room)
    drafted: list[tuple[int, Team | None]] = []
    taken: set[int] = set()
    counts = {Team.CONTROL: 0, Team.CHALLENGER: 0}
    lists = {Team.CONTROL: iter(control), Team.CHALLENGER: iter(challenger)}

    def add(place: int, team: Team | None) -> None:
        drafted.append((place, team))
        taken.add(place)
        left[owner[place]] -= 1
        if team is not None:
            counts[team] += 1

    def next_of(team: Team) -> int | None:
        return next((p for p in lists[team] if p not in taken and left[owner[p]] > 0), None)

    for one, other in zip(control, challenger, strict=False):
        if one != other or len(drafted) == limit or left[owner[one]] <= 0:
            break
        add(one, None)
    flips = coins(seed)
    while len(drafted) < limit:
        ahead = counts[Team.CONTROL] - counts[Team.CHALLENGER]
        if ahead == 0:
            ahead = 1 if next(flips) else -1
        team, rival = (
            (Team.CHALLENGER, Team.CONTROL) if ahead > 0 else (Team.CONTROL, Team.CHALLENGER)
        )
        place = next_of(team)
        if place is not None:
            add(place, team)
            continue
        place = next_of(rival)
        if place is None:
            break
        add(place, None)
    return drafted
