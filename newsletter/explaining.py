"""Why a paper is in a digest: a split of its score, a sentence out of it, and highlights. Pure.

A score is a sum over the topic's evidence, so the split is exact: its parts add up to the
steps that the paper was picked for, and what is not named is one part of its own.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from newsletter.candidates import Candidates, SubscriberProfile, TopicProfile
from newsletter.encoders import Vectors
from newsletter.scoring import POPULARITY, Matches, follows, points, popularity

# A sentence names at most one stated interest and one paper; a second one only if it gave at
# least this share of what the first did.
WORTH_NAMING = 0.3
LONGEST_LABEL = 70
# In an abstract of three sentences or fewer, bold is no help; of six or more, a second
# sentence is marked when it matters nearly as much as the first.
FEWEST_SENTENCES = 4
SENTENCES_FOR_TWO = 6
NEARLY = 0.85
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"“(\[]?[A-Z0-9])|(?<=[。！？])\s*(?=\S)")
_STATED = {"keyword", "text"}
_VERBS = {"relevant": "liked", "saved": "saved", "seed_paper": "named"}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a score, in steps; ``kind`` is an evidence kind, or what else counted."""

    kind: str
    label: str
    steps: float


@dataclass(frozen=True, slots=True)
class Split:
    """A score taken apart: the steps of ``parts`` add up to ``steps``, which make ``score``."""

    parts: tuple[Part, ...]
    steps: float
    score: float


def shares(topic: TopicProfile, candidates: Candidates, papers: NDArray[np.int64]) -> Vectors:
    """(m, p) what each piece of a topic's evidence gives each paper, in steps."""
    evidence = topic.evidence
    if evidence is None or not len(evidence.rows):
        return np.zeros((0, len(papers)), np.float32)
    d = len(candidates.ridge)
    rows, vectors = evidence.pool[evidence.rows], candidates.vectors[papers]
    content = vectors[:, :d]
    mixed = content * (evidence.mix[0] + evidence.mix[1] * candidates.ridge)
    found = evidence.content[:, None] * (rows[:, :d] @ mixed.T)
    if rows.shape[1] > d:
        found += evidence.factors[:, None] * (rows[:, d:] @ vectors[:, d:].T)
    return np.asarray(found / topic.scale, np.float32)


def split(
    candidates: Candidates, profile: SubscriberProfile, topic: TopicProfile, paper: int
) -> Split:
    """The score of candidate ``paper`` in one topic, taken apart, largest parts first."""
    raw = float(candidates.vectors[paper] @ topic.vector) / topic.scale
    given = shares(topic, candidates, np.array([paper]))[:, 0]
    labels = [] if topic.evidence is None else list(topic.evidence.labels)
    kinds = [] if topic.evidence is None else list(topic.evidence.kinds)
    parts = [
        Part(kind, label, float(share))
        for kind, label, share in zip(kinds, labels, given, strict=True)
    ]
    others = [
        Part("ordinary", "what an ordinary paper scores", -topic.offset / topic.scale),
        Part("rest", "everything else you told", raw - float(given.sum())),
        Part(
            "popularity",
            f"{int(candidates.upvotes[paper])} upvotes",
            profile.popularity / 100 * POPULARITY * float(popularity(candidates)[paper]),
        ),
        Part(
            "followed",
            "authors and categories you follow",
            float(follows(topic, Matches(candidates))[paper]),
        ),
    ]
    parts += [part for part in others if abs(part.steps) > 1e-6]
    parts.sort(key=lambda part: -abs(part.steps))
    total = sum(part.steps for part in parts)
    return Split(tuple(parts), total, float(points(total)))


def sentences_for(
    candidates: Candidates, topic: TopicProfile, papers: NDArray[np.int64]
) -> list[str]:
    """One plain sentence per paper: what of the topic's evidence speaks for it most."""
    given = shares(topic, candidates, papers)
    evidence = topic.evidence
    if evidence is None or not len(given):
        return [_followed(topic, candidates, int(paper)) or _close(topic) for paper in papers]
    stated = np.array([kind in _STATED for kind in evidence.kinds])
    liked = np.array([kind in _VERBS for kind in evidence.kinds])
    top_stated = np.where(stated[:, None], given, 0)
    top_liked = np.where(liked[:, None], given, 0)
    first, second = top_stated.argmax(axis=0), top_liked.argmax(axis=0)
    columns = np.arange(len(papers))
    by_text, by_paper = top_stated[first, columns].tolist(), top_liked[second, columns].tolist()
    found = []
    for number, paper in enumerate(papers.tolist()):
        followed = _followed(topic, candidates, paper) if topic.followed_authors else ""
        text, liking = by_text[number], by_paper[number]
        reasons = []
        if text > 0 and text >= WORTH_NAMING * liking:
            label = short(evidence.labels[first[number]])
            by_keyword = evidence.kinds[first[number]] == "keyword"
            reasons.append(f"you follow {label}" if by_keyword else f"you wrote “{label}”")
        if liking > 0 and liking >= WORTH_NAMING * text:
            place = second[number]
            subject = "" if reasons else "you "
            verb = _VERBS[evidence.kinds[place]]
            reasons.append(f"{subject}{verb} “{short(evidence.labels[place])}”")
        if followed or not reasons:
            found.append(followed or _followed(topic, candidates, paper) or _close(topic))
        else:
            found.append(f"Because {' and '.join(reasons)}.")
    return found


def _close(topic: TopicProfile) -> str:
    return f"Close to your topic {short(topic.name)}."


def _followed(topic: TopicProfile, candidates: Candidates, paper: int) -> str:
    for name in candidates.authors[paper]:
        if name.casefold() in topic.followed_authors:
            return f"Because you follow the author {short(name)}."
    for name in candidates.categories[paper]:
        if name.casefold() in topic.followed_categories:
            return f"Because you follow the category {short(name)}."
    return ""


def trending(upvotes: int) -> str:
    """The explanation for a subscriber of whom nothing is known yet."""
    said = f"Trending with {upvotes} upvotes" if upvotes > 1 else "New"
    return f"{said}; mark papers as relevant and this digest becomes yours."


def outside(explanation: str) -> str:
    """The explanation of an unusual pick."""
    nearest = explanation.replace("Because ", "What speaks for it: ", 1)
    return f"Outside your usual: we are not sure of this one. {nearest}"


def short(text: str) -> str:
    """``text`` in one line, cut at a word where it is long."""
    text = " ".join(text.split())
    if len(text) <= LONGEST_LABEL:
        return text
    return text[:LONGEST_LABEL].rsplit(" ", 1)[0] + "…"


def sentences(abstract: str) -> tuple[str, ...]:
    """The sentences of an abstract, verbatim."""
    return tuple(part.strip() for part in _SENTENCE_END.split(abstract) if part.strip())


def highlights(texts: Sequence[str], vectors: Vectors, readers: Vectors) -> list[tuple[str, ...]]:
    """For each reader (r, d) the one or two sentences (s, d) that matter most to them.

    In the order of the text; none where there is nothing to choose from.
    """
    if len(texts) < FEWEST_SENTENCES:
        return [()] * len(readers)
    scores = readers @ vectors.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :2]
    top = np.take_along_axis(scores, order, axis=1)
    two = (top[:, 1] >= NEARLY * top[:, 0]) & (len(texts) >= SENTENCES_FOR_TWO)
    return [
        () if score <= 0 else (texts[first],) if not both else (texts[min(pair)], texts[max(pair)])
        for (pair, both, score) in zip(
            order.tolist(), two.tolist(), top[:, 0].tolist(), strict=True
        )
        for first in (pair[0],)
    ]
