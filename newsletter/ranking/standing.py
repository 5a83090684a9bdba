"""Where one paper stands for one reader: its place, what keeps it out, its score in parts. Pure.

Whether a paper is picked is asked of the ranking itself, so that what is told here cannot differ
from what a digest does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from newsletter.core import language
from newsletter.core.language import N_, _, gettext
from newsletter.core.models import Label
from newsletter.ranking import explanations, scoring, selection
from newsletter.ranking.candidates import Candidates, Pick, SubscriberProfile, TopicProfile
from newsletter.ranking.encoders import Vectors
from newsletter.ranking.explanations import Split
from newsletter.ranking.match import WORTH, label_of
from newsletter.ranking.ranker import Ranker

Verdict = Literal["selected", "ranked_below", "under_bar", "muted", "budget", "known", "too_old"]

# A part of fewer points than this is told together with the others like it; no more are told
# alone than fit a telephone's screen twice.
SMALLEST_ALONE = 0.25
MOST_ALONE = 16
_EVER = datetime.fromtimestamp(0, UTC)
_SAID = {
    "keyword": N_("Your keyword “{what}”"),
    "absent": N_("Closeness to your keyword “{what}”, which it does not mention"),
    "text": N_("What you wrote: “{what}”"),
    "reference": N_("A paper of your bibliography that we do not have"),
    "seed_paper": N_("Your example paper “{what}”"),
    "relevant": N_("You marked “{what}” as relevant"),
    "saved": N_("You saved “{what}”"),
    "clicked": N_("You opened “{what}”"),
    "not_relevant": N_("You marked “{what}” as not relevant"),
    "author": N_("You follow the author {what}"),
    "category": N_("You follow the category {what}"),
    "cites": N_("It cites “{what}”"),
    "popularity": N_("Popularity, as much as you asked for: {what}"),
    "rest": N_("Everything else that you told us"),
    "start": N_("Starting point, the same for every paper in this topic"),
    "small": N_("{what} smaller parts together"),
    "changed": N_("What changed since it was mailed"),
}


@dataclass(frozen=True, slots=True)
class Share:
    """One part of a score in points; ``kind`` and ``key`` name what gave it."""

    what: str
    points: float
    kind: str = ""
    key: int | str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a paper stands. ``rank`` is its position if selected, else its place among all."""

    verdict: Verdict
    detail: str
    rank: int | None
    score: float | None
    match: float | None
    label: Label
    topic: TopicProfile | None
    shares: tuple[Share, ...]
    picks: tuple[Pick, ...]


def stand(candidates: Candidates, profile: SubscriberProfile, paper_id: int) -> Standing:
    """Where the paper, one of the candidates, stands in the digest of ``profile``."""
    ranker = Ranker(candidates)
    [ranked] = ranker.rank([profile])
    row = candidates.ids.index(paper_id)
    open_to_all = _without_limits(profile)
    known = tuple(topic for topic in open_to_all.topics if topic.vector.any() or _follows(topic))
    worth, home = _worth(candidates, replace(open_to_all, topics=known))
    match = ranker.match_of(profile, row)
    found = scoring.Matches(candidates)
    fresh = candidates.first_seen >= profile.since.timestamp()
    fresh &= ~np.isin(np.array(candidates.ids), list(profile.seen))
    allowed = fresh.copy()
    for rows in scoring.muted(profile, found):
        allowed[rows] = False
    place = 1 + int((allowed & (worth > worth[row])).sum())
    pick = next((each for each in ranked.picks if each.paper_id == paper_id), None)
    topic = None if home is None else known[int(home[row])]
    split = topic and explanations.split(candidates, profile, topic, row)
    # Popular papers are picked without comparing: of those no score is told.
    score = pick.score if pick else round(split.score, 1) if split else 0.0
    case = _Case(ranker, profile, row, ranked.picks, allowed, place, topic, match)
    verdict, detail = _kept_out(case) if pick is None else _selected(pick, case)
    told = pick.match if pick else match
    return Standing(
        verdict,
        detail,
        pick.position if pick else place if allowed[row] or verdict == "muted" else None,
        score,
        told,
        pick.label if pick else label_of(told),
        topic,
        shares_of(_as_mentioned(split, candidates, row), score) if split and score else (),
        ranked.picks,
    )


def _as_mentioned(split: Split, candidates: Candidates, row: int) -> Split:
    """The same with keywords that the paper only comes close to marked as absent from it."""
    parts = tuple(
        replace(part, kind="absent")
        if part.kind == "keyword" and not candidates.index.counts(str(part.key))[0][row]
        else part
        for part in split.parts
    )
    return replace(split, parts=parts)


def instead(
    candidates: Candidates, profile: SubscriberProfile, paper_id: int, had: Sequence[int]
) -> Pick | None:
    """The paper that a digest with the papers ``had`` would have held in this one's place."""
    without = replace(profile, seen=profile.seen | {paper_id})
    [ranked] = Ranker(candidates).rank([without])
    return next((pick for pick in ranked.picks if pick.paper_id not in had), None)


def shares_of(split: Split, score: float) -> tuple[Share, ...]:
    """A score's parts in points; rounded to tenths they add up to ``score``, rounded so too.

    A score is a curve of steps, so a step is not worth the same everywhere. Each part gets its
    part of the way from 0 steps to all (the integrated gradient along a straight line, which for
    a sum is the same number for each step: Sundararajan et al. 2017).
    """
    start = float(scoring.points(0.0))
    total = split.steps
    slope = start * (1 - start / 100)
    a_step = (split.score - start) / total if abs(total) > 1e-6 else slope
    told: list[tuple[str, str, int | str, float]] = []
    rest: list[tuple[str, str, int | str, float]] = []
    for part in split.parts:
        if part.kind == "ordinary":
            start += part.steps * a_step
        else:
            alone = abs(part.steps * a_step) >= SMALLEST_ALONE and len(told) < MOST_ALONE
            one = (part.kind, part.label, part.key, part.steps * a_step)
            (told if alone else rest).append(one)
    if len(rest) == 1:
        told += rest
    elif rest:
        told.append(("small", str(len(rest)), "", sum(each[3] for each in rest)))
    told.append(("start", "", "", start))
    points = tenths([each[3] for each in told], score)
    return tuple(
        Share(_(_SAID[kind], what=label), value, "keyword" if kind == "absent" else kind, key)
        for (kind, label, key, _steps), value in zip(told, points, strict=True)
        if value or kind == "start"
    )


def changed_since(shares: Sequence[Share], score: float) -> tuple[Share, ...]:
    """``shares`` of today's score with one more, so that they add up to the ``score`` of then."""
    difference = round(10 * score) - sum(round(10 * share.points) for share in shares)
    if not difference or not shares:
        return tuple(shares)
    return (*shares, Share(gettext(_SAID["changed"]), difference / 10, "changed"))


def tenths(values: Sequence[float], total: float) -> list[float]:
    """``values`` in tenths that add up to ``total`` in tenths: those cut most get what is left."""
    wanted = round(10 * total)
    exact = np.array(values, np.float64) * 10
    floors = np.floor(exact)
    left = wanted - int(floors.sum())
    by_rest = np.argsort(floors - exact, kind="stable")
    each, more = divmod(left, len(values))
    floors += each
    floors[by_rest[:more]] += 1
    return [float(value) / 10 for value in floors]


def _without_limits(profile: SubscriberProfile) -> SubscriberProfile:
    """The profile with nothing that keeps a paper out but what it is about."""
    return replace(
        profile,
        topics=tuple(replace(topic, quota=None) for topic in profile.topics),
        min_score=0.0,
        seen=frozenset(),
        since=_EVER,
        weekly_budget=None,
        budget_left=None,
        muted_words=(),
        muted_authors=(),
        muted_categories=(),
        outside_picks=False,
    )


def _worth(
    candidates: Candidates, profile: SubscriberProfile
) -> tuple[Vectors, NDArray[np.int64] | None]:
    """(n,) what candidates are ordered by, and the topic each does best in: None if they trend."""
    if not profile.topics:
        votes = candidates.upvotes.astype(np.float64)
        newest = candidates.first_seen / max(1.0, float(candidates.first_seen.max(initial=1)))
        return np.asarray(votes + newest / 2, np.float64), None
    scores, _ = scoring.steps(candidates, [profile])
    scoring.adjust(scores, candidates, [profile], scoring.Matches(candidates))
    return scores[0].max(axis=0), scores[0].argmax(axis=0)


def _follows(topic: TopicProfile) -> bool:
    return bool(topic.followed_authors or topic.followed_categories)


@dataclass(frozen=True, slots=True)
class _Case:
    """A paper that is not in a digest, and all that its place is told by."""

    ranker: Ranker
    profile: SubscriberProfile
    row: int
    picks: tuple[Pick, ...]
    allowed: NDArray[np.bool_]
    place: int
    topic: TopicProfile | None
    match: float | None

    @property
    def paper_id(self) -> int:
        return self.ranker.candidates.ids[self.row]


def _selected(pick: Pick, case: _Case) -> tuple[Verdict, str]:
    said = _(
        "Place {rank} of {count}, under {section}.",
        rank=pick.position,
        count=len(case.picks),
        section=language.quoted(pick.section),
    )
    return "selected", said


def _kept_out(case: _Case) -> tuple[Verdict, str]:
    """What keeps it out: the first that holds, in the order in which a ranking asks."""
    for verdict, asked in _ASKED:
        if said := asked(case):
            return verdict, said
    return "ranked_below", _below(case)


def _too_old(case: _Case) -> str:
    if case.ranker.candidates.first_seen[case.row] >= case.profile.since.timestamp():
        return ""
    since = f"{case.profile.since:%Y-%m-%d %H:%M} UTC"
    return _("It came in before {moment}; this digest holds what came in since then.", moment=since)


def _known(case: _Case) -> str:
    known = case.paper_id in case.profile.seen
    return _("It was judged already, or given as an example.") if known else ""


def _mute(case: _Case) -> str:
    found = scoring.Matches(case.ranker.candidates)
    several = (
        ("word", _("The word {value} is muted"), case.profile.muted_words),
        ("author", _("The author {value} is muted"), case.profile.muted_authors),
        ("category", _("The category {value} is muted"), case.profile.muted_categories),
    )
    for kind, said, values in several:
        for value in values:
            if case.row not in found.rows(kind, value):
                continue
            named = found.by_person(value)[case.row].name if kind == "author" else value
            muted = said.format(value=language.quoted(value))
            if named.casefold() == value.casefold():
                return f"{muted}."
            return _("{muted}, and the paper names {name}.", muted=muted, name=named)
    return _("All topics are paused.") if case.profile.paused else ""


def _under_bar(case: _Case) -> str:
    bar = case.profile.min_score
    if case.match is None:
        said = _("Nothing can reach a minimum of {minimum} without interests.", minimum=f"{bar:g}")
        return said if bar else ""
    if case.match >= float(selection.floors([case.profile])[0]):
        return ""
    is_own = bar > 100 * WORTH
    match = language.decimal(100 * case.match)
    if is_own:
        return _(
            "Its match of {match} is below the minimum of {minimum}.",
            match=match,
            minimum=f"{bar:g}",
        )
    return _(
        "Its match of {match} is below {minimum}, the least that is shown.",
        match=match,
        minimum=f"{100 * WORTH:g}",
    )


def _budget(case: _Case) -> str:
    room = selection.room_for(case.profile)
    whole = replace(case.profile, weekly_budget=None, budget_left=None)
    if room >= case.profile.max_papers:
        return ""
    if all(pick.paper_id != case.paper_id for pick in case.ranker.rank([whole])[0].picks):
        return ""
    budget = case.profile.weekly_budget
    if not room:
        return _("The budget of {budget} papers a week leaves no room.", budget=budget)
    return _(
        "The budget of {budget} papers a week leaves room for {count} more.",
        budget=budget,
        count=room,
    )


def _below(case: _Case) -> str:
    said = _("Place {rank} of {count} new papers", rank=case.place, count=int(case.allowed.sum()))
    topic, picks, candidates = case.topic, case.picks, case.ranker.candidates
    if topic and topic.topic_id:
        quota = {each.topic_id: each.quota for each in case.profile.topics}.get(topic.topic_id)
        if quota is not None and sum(pick.topic_id == topic.topic_id for pick in picks) >= quota:
            return _(
                "{place}; the digest holds at most {count} under {topic}.",
                place=said,
                count=quota,
                topic=language.quoted(topic.name),
            )
    if not picks:
        return _("{place}; the digest holds none.", place=said)
    rows = [candidates.ids.index(pick.paper_id) for pick in picks]
    alike = candidates.content[rows] @ candidates.content[case.row]
    nearest = int(alike.argmax())
    if alike[nearest] > selection.ORDINARY_LIKENESS:
        title = explanations.short(candidates.titles[rows[nearest]])
        return _(
            "{place}; the digest holds {count}, among them {title}, which is much like it.",
            place=said,
            count=len(picks),
            title=language.quoted(title),
        )
    return _("{place}; the digest holds {count}.", place=said, count=len(picks))


_ASKED: tuple[tuple[Verdict, Callable[[_Case], str]], ...] = (
    ("too_old", _too_old),
    ("known", _known),
    ("muted", _mute),
    ("under_bar", _under_bar),
    ("budget", _budget),
)


def seen_until(candidates: Candidates, until: datetime) -> Candidates:
    """The candidates first seen up to a moment, without their sentences."""
    rows = np.flatnonzero(candidates.first_seen <= until.timestamp())
    if len(rows) == len(candidates):
        return candidates
    return candidates.part(rows)
