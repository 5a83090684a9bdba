"""A digest leads with one story; the rest are rows, and plain text keeps its links at the end."""

import re
from dataclasses import replace
from datetime import date

import pytest

from newsletter.core.models import DigestLength, Label, Occasion
from newsletter.core.tokens import Purpose
from newsletter.messages import subjects, transactional, wording
from newsletter.messages.digest import DigestSection
from newsletter.messages.renderer import Renderer
from tests.support import digests as mails

LABELS = ("Strong match", "Good match", "Worth a look")


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(mails.settings(), mails.signer())


def blocks(text: str, titles: list[str]) -> list[list[str]]:
    """The lines of each paper: from its title to the next one's, or to the links."""
    lines = text[: text.index("\nLinks\n")].splitlines()
    starts = [lines.index(title) for title in titles]
    return [lines[a:b] for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]


def test_only_the_first_paper_is_told_at_length(renderer: Renderer) -> None:
    html, _ = renderer.parts(mails.digest(6))
    assert html.count('class="first"') == 1
    assert html.index('class="first"') < html.index('class="title"')
    # The third paper of these has no sentence that stands for it, so its abstract does.
    told = [card for card in html.split("<h3 ")[1:] if 'class="text"' in card]
    assert len(told) == 2
    assert mails.TITLES[0] in told[0]


@pytest.mark.parametrize("length", list(DigestLength))
def test_each_title_stands_alone_and_its_label_is_said_once_below(
    renderer: Renderer, length: DigestLength
) -> None:
    papers = [
        mails.paper(n, title=f"Title number {n}", label=label, in_short=(mails.FOUND,))
        for n, label in enumerate((Label.STRONG, Label.GOOD, Label.WORTH, Label.NONE), start=1)
    ]
    sections = (DigestSection("One", tuple(papers[:3])), DigestSection("Two", tuple(papers[3:])))
    _, text = renderer.parts(mails.digest(sections=sections, length=length))
    for block, label in zip(
        blocks(text, [paper.title for paper in papers]), (*LABELS, None), strict=True
    ):
        said = [line for line in block[1:] if any(name in line for name in LABELS)]
        assert [line.split(" · ")[0] for line in said] == ([label] if label else [])


def test_the_links_of_a_paper_are_one_footnote_with_one_rating(renderer: Renderer) -> None:
    made = mails.digest(6)
    _, text = renderer.parts(made)
    for number, paper in enumerate(made.papers, start=1):
        [line] = [line for line in text.splitlines() if line == f"Links: [{number}]"]
        note = text.split(f"\n[{number}] ")[1].split("\n[")[0].split("\n\n")[0]
        assert f"Paper: {paper.url}" in note
        ratings = re.findall(r"/feedback/\S+", note)
        assert [rating.rpartition("/")[2] for rating in ratings] == ["relevant"], line
        assert f"/{paper.paper_id}/" in ratings[0]
    assert "http" not in text[: text.index("\nLinks\n")]


def test_titles_lead_to_the_page_here_where_the_reader_chose_so(renderer: Renderer) -> None:
    html, text = renderer.parts(mails.digest(2, read_here=True))
    found = re.findall(r'href="https://papers\.example\.org/paper/1001\?why=([^"]+)"', html)
    assert len(found) == 1
    assert mails.signer().verify(Purpose.RECEIPT, found[0]) == "4711"
    assert f"/paper/1001?why={found[0]}" in text
    assert "arxiv.org" not in html
    plain, _ = renderer.parts(mails.digest(2))
    assert "/paper/1001" not in plain


def test_the_link_for_whoever_a_mail_was_forwarded_to_carries_nothing(renderer: Renderer) -> None:
    html, text = renderer.parts(mails.digest(2))
    assert re.findall(r'Forwarded to you\? <a href="([^"]+)"', html) == [
        "https://papers.example.org/sign-up"
    ]
    assert "Forwarded to you? Subscribe: https://papers.example.org/sign-up\n" in text
    note = renderer.confirmation(**mails.note_to()).data
    assert b"Forwarded to you" not in note


def test_what_is_inside_is_said_with_the_time_it_takes(renderer: Renderer) -> None:
    _, text = renderer.parts(mails.digest(8))
    assert "Program repair (5), Proof assistants (2), Outside your usual (1) · " in text
    one = mails.digest(3, sections=(DigestSection("T", (mails.paper(1),)),))
    assert "\n1 minute to read\n" in renderer.parts(one).text
    nothing = mails.digest(0, sections=(), occasion=Occasion.NOTHING, reason="none")
    assert "to read" not in renderer.parts(nothing).text
    words = 5 * wording.WORDS_A_MINUTE
    assert transactional.digest_contents(one, words) == "5 minutes to read"


def test_longer_digests_take_longer_to_read(renderer: Renderer) -> None:
    def minutes(length: DigestLength) -> int:
        text = renderer.parts(mails.digest(20, length=length)).text
        return int(re.findall(r"(\d+) minutes? to read", text)[0])

    assert minutes(DigestLength.COMPACT) < minutes(DigestLength.FULL)


def test_a_weekly_digest_is_titled_as_a_week(renderer: Renderer) -> None:
    html, text = renderer.parts(mails.digest(3, covers_from=date(2026, 11, 14)))
    assert "Your week, 14 to 20 November 2026" in html
    assert "\nYour week, 14 to 20 November 2026\n" in text
    assert "Your week" not in renderer.parts(mails.digest(3)).text
    assert (
        subjects.subject_line(["Bees", "Ants"], is_weekly=True) == "Your week: Bees + 1 more paper"
    )
    away = replace(mails.digest(3), occasion=Occasion.BEST_OF, covers_from=date(2026, 11, 1))
    assert "While you were away" in renderer.parts(away).text


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (date(2026, 11, 14), "14 to 20 November 2026"),
        (date(2026, 10, 30), "30 October to 20 November 2026"),
        (date(2025, 12, 28), "28 December 2025 to 20 November 2026"),
    ],
)
def test_a_span_of_days_names_what_differs(first: date, said: str) -> None:
    assert wording.days_in_words(first, date(2026, 11, 20)) == said


def test_a_row_names_three_authors_and_how_many_more() -> None:
    assert wording.first_authors(["A", "B", "C", "D"]) == "A, B, C, D"
    assert wording.first_authors(["A", "B", "C", "D", "E"]) == "A, B, C and 2 more"
    assert wording.first_authors([]) == ""
