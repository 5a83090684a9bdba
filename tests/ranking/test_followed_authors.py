"""Authors whom a reader follows or mutes, as papers name them."""

from dataclasses import replace

import numpy as np
import pytest

from newsletter.core.models import InterestKind
from newsletter.ranking import explanations, ranker, scoring, standing
from newsletter.ranking.candidates import Candidates, SubscriberProfile
from newsletter.ranking.profiles.interests import Stated, muted_people
from tests.ranking.test_ranking import candidates_of, reader, topic_of, vectors_of

ORCID = "0000-0002-1825-0097"


def papers_by(*authors: str) -> Candidates:
    """Papers that resemble nothing, one by each author."""
    return replace(candidates_of(vectors_of(len(authors))), authors=tuple((a,) for a in authors))


def follower(*names: str, halved: tuple[str, ...] = ()) -> SubscriberProfile:
    topic = replace(
        topic_of(np.zeros_like(vectors_of(1)[0]), "People", evidence=None),
        followed_authors=frozenset(names),
        halved=frozenset(halved),
    )
    return reader(topic, max_papers=10)


def told(candidates: Candidates, profile: SubscriberProfile) -> dict[str, str]:
    """The reasons of a digest's papers, by their authors."""
    [ranking] = ranker.rank(candidates, [profile])
    by_id = dict(zip(candidates.ids, candidates.authors, strict=True))
    return {by_id[pick.paper_id][0]: pick.explanation for pick in ranking.picks}


def test_a_followed_author_is_found_in_other_spellings_and_named_as_the_paper_does() -> None:
    reasons = told(papers_by("Jane K. Rowe", "Jane Roe", "Ann Poe"), follower("Rowe, Jane"))
    assert reasons == {"Jane K. Rowe": "By Jane K. Rowe, whom you follow."}


def test_where_only_an_initial_agrees_the_reason_says_possibly() -> None:
    reasons = told(papers_by("Jane K. Rowe", "J. M. Rowe"), follower("J. K. Rowe"))
    assert reasons == {
        "Jane K. Rowe": "Possibly by J. K. Rowe, whom you follow: the paper names Jane K. Rowe."
    }


def test_several_persons_of_one_name_are_each_only_possible() -> None:
    reasons = told(papers_by("Jane K. Rowe", "Jane M. Rowe"), follower("Jane Rowe"))
    assert all(reason.startswith("Possibly by Jane Rowe") for reason in reasons.values())
    assert len(reasons) == 2
    # By their ORCIDs the same name is two persons.
    papers = papers_by("Jane Rowe", "Jane Rowe")
    first, second = papers.ids
    two = replace(
        papers,
        orcids={first: [("Jane Rowe", ORCID)], second: [("Jane Rowe", "0000-0002-1694-233X")]},
    )
    assert "several people have that name" in told(two, follower("Jane Rowe"))["Jane Rowe"]
    assert "Possibly" not in told(papers, follower("Jane Rowe"))["Jane Rowe"]


def test_an_orcid_follows_one_person_whatever_the_paper_calls_them() -> None:
    papers = papers_by("J. Rowe", "Jane Rowe")
    known = replace(papers, orcids={papers.ids[0]: [("J. Rowe", ORCID)]})
    assert told(known, follower(ORCID)) == {"J. Rowe": "By J. Rowe, whom you follow."}


def test_a_possible_author_counts_half() -> None:
    sure, possible = papers_by("Jane K. Rowe"), papers_by("J. Rowe")
    [topic] = follower("Jane K. Rowe").topics

    def steps(candidates: Candidates) -> float:
        return float(scoring.follow_steps(topic, scoring.Matches(candidates))[0, 0])

    assert steps(possible) == pytest.approx(steps(sure) / 2)


def test_the_parts_of_a_score_name_whom_the_reader_follows_and_add_up() -> None:
    candidates, profile = papers_by("Jane K. Rowe"), follower("J. K. Rowe")
    found = standing.stand(candidates, profile, candidates.ids[0])
    assert sum(round(10 * share.points) for share in found.shares) == round(10 * (found.score or 0))
    [author] = [share for share in found.shares if share.kind == "author"]
    assert author.what == "You follow the author J. K. Rowe (possibly Jane K. Rowe)"
    assert author.key == "j. k. rowe"
    [topic] = profile.topics
    parts = explanations.split(candidates, profile, topic, 0).parts
    assert sum(part.steps for part in parts if part.kind == "author") > 0


def test_a_muted_author_hides_what_fits_and_nothing_else() -> None:
    candidates = papers_by("Jane K. Rowe", "Jane M. Rowe", "Ann Poe")
    everyone = follower("Jane K. Rowe", "Jane M. Rowe", "Ann Poe")
    muted = replace(everyone, muted_authors=("J. K. Rowe",))
    assert set(told(candidates, everyone)) == {"Jane K. Rowe", "Jane M. Rowe", "Ann Poe"}
    assert set(told(candidates, muted)) == {"Jane M. Rowe", "Ann Poe"}
    found = standing.stand(candidates, muted, candidates.ids[0])
    assert found.verdict == "muted"
    assert found.detail == ("The author “J. K. Rowe” is muted, and the paper names Jane K. Rowe.")


def test_a_muted_phrase_that_is_a_name_mutes_the_author_too() -> None:
    def mute(kind: InterestKind, value: str) -> Stated:
        return Stated(kind, value, -1.0, None)

    mutes = [
        mute(InterestKind.KEYWORD, "Rowe JK"),
        mute(InterestKind.KEYWORD, "blockchain"),
        mute(InterestKind.AUTHOR, "Plato"),
        mute(InterestKind.CATEGORY, "cs.CR"),
    ]
    assert muted_people(mutes) == ("Rowe JK", "Plato")
