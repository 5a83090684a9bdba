"""Matches: labels are ranges, nothing is claimed for what nobody wrote about, reasons are true."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from newsletter.core.models import Label
from newsletter.messages.digest import DigestPaper, FrozenPaper, sections_of
from newsletter.ranking import match, ranker
from newsletter.ranking.candidates import SubscriberProfile
from newsletter.ranking.encoders import DEFAULT
from newsletter.ranking.evaluation import match_report, mixed_stream
from newsletter.ranking.feature_space import PaperText
from tests.support.profiles import LENIENT

SUBJECTS = {
    "sparse autoencoders": "features of language models are found by sparse autoencoders",
    "robot locomotion": "a robot learns to walk and its locomotion is tested on ice",
    "program repair": "patches for bugs are written by program repair with tests",
    "protein folding": "structures of proteins are predicted and folding is simulated",
    "dark matter": "dark matter in dwarf galaxies is weighed by gravitational lensing",
}
PAPERS = [
    PaperText(
        f"Study {number} of {subject}",
        f"In study {number} {sentence}. We compare {number + 2} methods on {number + 9} data sets.",
    )
    for number in range(12)
    for subject, sentence in SUBJECTS.items()
]
BASIS = mixed_stream.basis_of(PAPERS)
CANDIDATES = mixed_stream.candidates_of(BASIS, PAPERS)


def ranked(*keywords: str, liked: Sequence[PaperText] = (), **changes: Any) -> ranker.Ranking:
    values: dict[str, Any] = {
        "subscriber_id": 1,
        "topics": (mixed_stream.topic_of(BASIS, keywords, liked),),
        "max_papers": 10,
        "min_score": 0,
        "since": datetime(1970, 1, 1, tzinfo=UTC),
    }
    return ranker.rank(CANDIDATES, [SubscriberProfile(**(values | changes))])[0]


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (None, Label.NONE),
        (0.0, Label.NONE),
        (match.WORTH - 0.001, Label.NONE),
        (match.WORTH, Label.WORTH),
        (match.GOOD - 0.001, Label.WORTH),
        (match.GOOD, Label.GOOD),
        (match.STRONG - 0.001, Label.GOOD),
        (match.STRONG, Label.STRONG),
        (1.0, Label.STRONG),
    ],
)
def test_a_label_is_a_range_of_the_match(value: float | None, label: Label) -> None:
    assert match.label_of(value) is label


@pytest.mark.parametrize(
    "keywords",
    [
        ("medieval pottery", "Byzantine coins"),
        ("C++", "C#", ".NET"),
        ("R",),
        ("x",),
        ("\u6d2a\u6c34", "\u4e2d\u4e16\u7eaa\u9676\u5668"),
        tuple(f"unheard of thing {number}" for number in range(200)),
    ],
    ids=["other field", "signs", "letter", "small letter", "Chinese", "two hundred"],
)
def test_nothing_is_claimed_for_keywords_that_nobody_wrote_about(keywords: tuple[str, ...]) -> None:
    found = ranked(*keywords)
    assert found.picks == ()
    assert found.reason == ranker.NO_MATCH


def test_a_reason_quotes_the_phrase_as_it_stands_in_this_paper() -> None:
    found = ranked("sparse autoencoder", "medieval pottery")
    assert found.picks
    for pick in found.picks:
        if pick.section == ranker.OUTSIDE:
            assert pick.label is Label.NONE
            continue
        assert "sparse autoencoders" in CANDIDATES.titles[pick.paper_id - 1]
        assert "Mentions “sparse autoencoders”, one of your keywords." in pick.explanation
        assert "pottery" not in pick.explanation


def test_the_words_that_a_liked_paper_shares_stand_in_both(monkeypatch: pytest.MonkeyPatch) -> None:
    liked = [
        PaperText(
            "Galaxies weighed by lensing",
            "Gravitational lensing weighs the dark matter of dwarf galaxies in clusters.",
        )
    ]
    monkeypatch.setattr(ranker, "shipped", lambda: LENIENT)
    found = ranked(liked=liked)
    lines = [pick.explanation for pick in found.picks if pick.label is not Label.NONE]
    assert lines
    for pick in found.picks:
        if "both mention" not in pick.explanation:
            continue
        text = f"{CANDIDATES.titles[pick.paper_id - 1]} {CANDIDATES.abstracts[pick.paper_id - 1]}"
        named = pick.explanation.split("both mention")[1].split("”")
        assert all(word.split("“")[1] in text for word in named if "“" in word)


def test_a_full_list_is_popular_papers_that_claim_nothing_and_stand_last() -> None:
    found = ranked("medieval pottery", fill=True, max_papers=5)
    assert [pick.section for pick in found.picks] == [ranker.POPULAR_TODAY] * 5
    assert {pick.label for pick in found.picks} == {Label.NONE}
    assert {pick.match for pick in found.picks} == {None}
    assert "you asked for a full list" in found.picks[0].explanation


def test_a_minimum_holds_for_who_has_no_interests_too() -> None:
    without = ranked(topics=())
    assert {pick.section for pick in without.picks} == {ranker.POPULAR}
    assert "you have not told us your interests" in without.picks[0].explanation
    assert ranked(topics=(), min_score=1).picks == ()


def test_the_order_of_matches_is_that_of_the_first_regression() -> None:
    for model in (match.shipped(), *match.left_out().values()):
        yes, no = model.day[:, 0], model.day[:, 1]
        assert (np.minimum(yes, no) >= 0).all()
        assert (yes + no > 0).all()


def test_a_day_is_told_by_how_many_papers_are_expected_and_how_close_the_ten_best_are() -> None:
    one = np.array([[4.0] + [-9.0] * 31], np.float32)
    many = np.full((1, 32), 4.0, np.float32)
    (expected_one, best_one), (expected_many, best_many) = match.of_day(one), match.of_day(many)
    assert np.expm1(expected_one) == pytest.approx(0.98, abs=0.01)
    assert np.expm1(expected_many) == pytest.approx(31.4, abs=0.1)
    assert best_one == pytest.approx((4 + 9 * match.UNRELATED) / 10)
    assert best_many == pytest.approx(4)
    alone = match.of_day(np.array([[4.0]], np.float32))
    assert np.allclose(alone, (expected_one, best_one)), (
        "papers that are missing count as unrelated"
    )


def paper(explanation: str) -> DigestPaper:
    frozen = FrozenPaper(1, "T", "", (), "arxiv", (), "", "")
    return DigestPaper(frozen, 1, Label.WORTH, explanation)


def test_what_all_papers_of_a_section_have_in_common_is_said_once() -> None:
    same = "In cs.RO, a category you follow."
    [section] = sections_of([("Robots", paper(same)), ("Robots", paper(same))])
    assert section.note == same
    assert [each.explanation for each in section.papers] == ["", ""]
    [mixed] = sections_of([("R", paper(f"Mentions “a”.\n{same}")), ("R", paper(same))])
    assert mixed.note == f"All of these: {same}"
    assert [each.explanation for each in mixed.papers] == ["Mentions “a”.", ""]
    [alone] = sections_of([("Robots", paper(same))])
    assert (alone.note, alone.papers[0].explanation) == ("", same)


def test_of_reader_days_of_topics_that_nobody_wrote_about_hardly_any_hold_a_label() -> None:
    days = {f"2026-11-{day:02}": PAPERS[day * 15 : day * 15 + 15] for day in range(4)}
    whose = ("medieval", "Byzantine", "baroque", "Etruscan", "Hanseatic", "Coptic", "Minoan")
    what = ("pottery", "coins", "liturgy", "harbours", "glass beads", "tax rolls", "fresco studies")
    strange = [(f"{one} {other}", other) for one in whose for other in what]
    labelled, reader_days, _ = match_report.empty_topics(days, strange, match.shipped(), DEFAULT)
    assert reader_days == 4 * len(strange)
    assert labelled <= reader_days / 100
    known = [(subject,) for subject in SUBJECTS]
    labelled, reader_days, _ = match_report.empty_topics(days, known, match.shipped(), DEFAULT)
    assert labelled == reader_days
