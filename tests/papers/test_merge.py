"""Single rules of identity and of merging, each with an input that only it decides."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core.database import session_scope
from newsletter.core.models import (
    DigestItem,
    EditionPaper,
    Feedback,
    Paper,
    PaperAlias,
    Signal,
    Subscriber,
    SubscriberStatus,
)
from newsletter.papers import store as store_module
from newsletter.papers.identity import (
    contradict,
    family_name,
    folded,
    is_another,
    strong_keys,
    title_keys,
)
from newsletter.papers.merge import PaperGoneError, unite
from newsletter.sources import PaperRecord
from tests.support import factories
from tests.support.sources import NOW, record

JOURNAL: dict[str, Any] = {"source": "crossref", "arxiv_id": None, "published_at": None}
FEED: dict[str, Any] = {"source": "feed:lab.example", "arxiv_id": None}
SAME = "A study of the number 1 and its many uses"


def store(engine: Engine, *records: PaperRecord, seen_at: datetime = NOW) -> None:
    with session_scope(engine) as session:
        store_module.store(session, records, seen_at=seen_at)


def rows(engine: Engine) -> list[Paper]:
    with Session(engine) as session:
        return list(session.exec(select(Paper).order_by(col(Paper.id))).all())


def test_another_id_in_the_same_source_is_another_paper_whatever_its_title(engine: Engine) -> None:
    store(engine, record(1, SAME, **FEED, external_id="post-1"))
    store(engine, record(2, SAME, **FEED, external_id="post-2"))
    assert [row.external_id for row in rows(engine)] == ["post-1", "post-2"]
    store(engine, record(2, SAME, source="feed:other.example", arxiv_id=None, external_id="post-9"))
    assert len(rows(engine)) == 2, "another source may list either under an id of its own"


@pytest.mark.parametrize(
    ("source", "papers"),
    [("crossref", 1), ("openalex", 1), ("pubmed", 1), ("semantic-scholar", 1), ("jsonl", 2)],
)
def test_services_that_list_one_paper_under_several_ids_do_not_contradict_themselves(
    engine: Engine, source: str, papers: int
) -> None:
    for name in ("a", "b"):
        store(engine, record(1, SAME, source=source, arxiv_id=None, external_id=name))
    assert len(rows(engine)) == papers


@pytest.mark.parametrize(
    ("title", "is_name"),
    [
        ("On the use of rats", False),  # 18 characters
        ("On the use of a rats", True),  # 20, the fewest
        ("On the use of a rat", False),  # 19
        ("Electroencephalography reconsidered thoroughly", False),  # three words
        ("Electroencephalography reconsidered thoroughly again", True),
        ("Editorial: where the field stands today", False),
        ("Editorials considered as a literary genre", True),
    ],
)
def test_a_title_counts_as_a_name_from_twenty_characters_and_four_words_on(
    title: str, is_name: bool
) -> None:
    assert bool(title_keys(record(1, title))) is is_name


def test_two_papers_with_one_short_title_and_author_stay_two(engine: Engine) -> None:
    for name in ("a", "b"):
        store(engine, record(1, "Sorting networks", **JOURNAL, external_id=name))
    assert len(rows(engine)) == 2


def test_a_title_is_looked_for_with_its_first_author_and_then_alone() -> None:
    both = title_keys(record(1, SAME))
    alone = title_keys(record(1, SAME, authors=()))
    assert len(both) == 2
    assert alone == both[1:]
    other = title_keys(record(1, SAME, authors=("Charles Babbage", "Ada Lovelace")))
    assert other[0] != both[0]
    assert other[1] == both[1]
    assert title_keys(record(1, SAME.upper(), authors=("LOVELACE, A.",))) == both


def test_the_surest_name_comes_first_and_each_once() -> None:
    found = record(1, doi="10.1000/a", related_dois=("10.1000/b", "10.1000/a"))
    assert strong_keys(found) == [
        ("arxiv", "2609.00001"),
        ("doi", "10.1000/a"),
        ("doi", "10.1000/b"),
    ]
    listed = record(1, **FEED, external_id="post-1")
    assert strong_keys(listed) == [("feed:lab.example", "post-1")]


@pytest.mark.parametrize(
    ("aliases", "is_other"),
    [
        ([], False),
        ([("arxiv", "2609.00001")], False),
        ([("arxiv", "2609.00002")], True),
        ([("doi", "10.1000/a")], False),
        ([("doi", "10.1000/b")], False),
        ([("doi", "10.1000/c")], True),
        ([("doi", "10.2000/c")], False),
        ([("title", "anything"), ("crossref", "x")], False),
        ([("title", "anything"), ("doi", "10.1000/c")], True),
    ],
)
def test_what_contradicts(aliases: list[tuple[str, str]], is_other: bool) -> None:
    found = record(1, doi="10.1000/a", related_dois=("10.1000/b",))
    assert contradict(found, aliases) is is_other


def test_a_paper_without_an_arxiv_id_may_be_one_that_has_one() -> None:
    assert not contradict(record(1, **JOURNAL, external_id="x"), [("arxiv", "2609.00002")])
    assert contradict(record(1, **FEED, external_id="x"), [("feed:lab.example", "y")])
    assert not contradict(record(1, **JOURNAL, external_id="x"), [("crossref", "y")])


@pytest.mark.parametrize(
    ("changes", "is_it"),
    [
        ({}, True),
        ({"source": "arxiv"}, False),  # its ids are never used again
        ({"title": SAME.upper() + "!"}, False),  # the paper moved
        ({"url": "https://lab.example/known"}, False),  # its title was changed
        ({"url": ""}, False),
    ],
)
def test_a_feed_uses_an_id_again_where_neither_link_nor_title_stayed(
    changes: dict[str, Any], is_it: bool
) -> None:
    new: dict[str, Any] = {"url": "https://lab.example/new"} | FEED | changes
    again = record(1, new.pop("title", "Another study of something else"), **new)
    assert is_another(again, SAME, "https://lab.example/known") is is_it
    assert not is_another(again, SAME, ""), "nothing is known of where it was"


@pytest.mark.parametrize(
    ("author", "name"),
    [
        ("Ana María López", "lopez"),
        ("López, A. M.", "lopez"),
        ("van der Berg, Jan", "berg"),
        ("Émilie du Châtelet", "chatelet"),
        ("", ""),
        (" , ", ""),
    ],
)
def test_the_family_name_is_found_in_either_order(author: str, name: str) -> None:
    assert family_name(author) == name


def test_letters_and_digits_are_all_that_counts() -> None:
    assert folded("Größe: 3_D-Naïve") == folded("GROSSE 3D naive") == "grosse3dnaive"


def pair(session: Session, **fields: Any) -> tuple[int, int]:
    """Two stored papers; ``fields`` are of the younger one."""
    first = factories.make_paper(session, 1, first_seen_at=NOW, abstract="")
    second = factories.make_paper(session, 2, **({"first_seen_at": NOW} | fields))
    return first.id or 0, second.id or 0


@pytest.mark.parametrize("days", [-3, 3])
def test_a_merged_paper_was_first_seen_when_the_earlier_of_the_two_was(
    engine: Engine, days: int
) -> None:
    other = NOW + timedelta(days=days)
    with session_scope(engine) as session:
        assert unite(session, *pair(session, first_seen_at=other)) == 1
    [row] = rows(engine)
    assert row.first_seen_at == min(NOW, other)


def test_a_merged_paper_keeps_its_abstract_and_takes_one_where_it_had_none(engine: Engine) -> None:
    with session_scope(engine) as session:
        first, second = pair(session, abstract="We count.")
        third = factories.make_paper(session, 3, abstract="We count again.").id or 0
        assert unite(session, second, first) == first
        assert unite(session, first, third) == first
    [row] = rows(engine)
    assert row.abstract == "We count."


def test_merging_what_is_gone_says_so(engine: Engine) -> None:
    with session_scope(engine) as session:
        first, second = pair(session)
        with pytest.raises(PaperGoneError):
            unite(session, first, second + 1)


def test_opinions_move_to_the_merged_paper_and_none_is_there_twice(engine: Engine) -> None:
    with session_scope(engine) as session:
        first, second = pair(session)
        ada, bob = (
            factories.make_subscriber(session, f"{name}@reader.example") for name in ("ada", "bob")
        )
        for reader, paper, signal in (
            (ada, first, Signal.RELEVANT),
            (ada, second, Signal.RELEVANT),
            (ada, second, Signal.SAVED),
            (bob, second, Signal.RELEVANT),
        ):
            session.add(Feedback(subscriber_id=reader.id or 0, paper_id=paper, signal=signal))
        session.flush()
        unite(session, first, second)
        session.expire_all()
        found = session.exec(select(Feedback.subscriber_id, Feedback.signal, Feedback.paper_id))
        assert sorted(found) == sorted(
            [
                (ada.id, Signal.RELEVANT, first),
                (ada.id, Signal.SAVED, first),
                (bob.id, Signal.RELEVANT, first),
            ]
        )
        everybody = session.exec(select(Subscriber.status)).all()
        assert everybody == [SubscriberStatus.ACTIVE] * 2


def test_merging_two_papers_touches_nothing_of_a_third(engine: Engine) -> None:
    with session_scope(engine) as session:
        first, second = pair(session)
        third = factories.make_paper(session, 3)
        ada = factories.make_subscriber(session)
        session.add(PaperAlias(source="doi", external_id="10.1/third", paper_id=third.id or 0))
        for paper in (second, third.id or 0):
            session.add(Feedback(subscriber_id=ada.id or 0, paper_id=paper, signal=Signal.RELEVANT))
        factories.make_digest(session, factories.make_edition(session), ada, [third])
        unite(session, first, second)
        session.expire_all()
        assert sorted(session.exec(select(Feedback.paper_id))) == [first, third.id]
        assert session.exec(select(PaperAlias.paper_id)).all() == [third.id]
        assert session.exec(select(DigestItem.paper_id)).all() == [third.id]
        assert session.exec(select(EditionPaper.paper_id)).all() == [third.id]


def test_two_papers_that_were_mailed_stay_as_each_edition_showed_them(engine: Engine) -> None:
    with session_scope(engine) as session:
        papers = [factories.make_paper(session, number) for number in (1, 2, 3)]
        first, second, third = (paper.id or 0 for paper in papers)
        ada, bob = (
            factories.make_subscriber(session, f"{name}@reader.example") for name in ("ada", "bob")
        )
        both, alone = (
            factories.make_edition(session, factories.ISSUE_DATE + timedelta(days=days))
            for days in (0, 1)
        )
        factories.make_digest(session, both, ada, [papers[0], papers[1]])
        factories.make_digest(session, alone, bob, [papers[1], papers[2]])
        unite(session, second, first)
        session.expire_all()
        frozen = session.exec(select(EditionPaper.edition_id, EditionPaper.paper_id)).all()
        assert sorted(frozen) == sorted(
            [
                (both.id, first),
                (both.id, second),
                (alone.id, first),  # a copy of how the edition showed the other
                (alone.id, second),
                (alone.id, third),
            ]
        )
        shown = {
            (row.edition_id, row.paper_id): row.content["title"]
            for row in session.exec(select(EditionPaper))
        }
        assert shown[both.id or 0, first] == papers[0].title
        assert shown[alone.id or 0, first] == papers[1].title
        items = session.exec(select(DigestItem.subscriber_id, DigestItem.paper_id)).all()
        # The reader who had both keeps both: the row of the other paper stays behind.
        assert sorted(items) == sorted(
            [(ada.id, first), (ada.id, second), (bob.id, first), (bob.id, third)]
        )


@pytest.mark.parametrize(
    "start",
    """Editorial|Guest editorial|Preface|Foreword|Erratum|Corrigendum|Corrigenda|Retraction
    Correction|Author correction|Publisher correction|Expression of concern|Withdrawn
    In memoriam|Obituary
    Book review|Book reviews|Letter to the editor|Letters to the editors|Message from
    Welcome message|Welcome from|Welcome to|Table of contents|Front matter|Frontmatter|Back matter
    Issue information|Cover|Front cover|Back cover|Masthead|Editorial board|List of reviewers
    List of contributors|Acknowledgements to|Acknowledgments to|Introduction to the|Proceedings of
    Report of the|Minutes of""".replace("\n", "|").split("|"),
)
def test_what_every_issue_has_is_no_name_in_any_case(start: str) -> None:
    title = f"{start.strip()} of the twelfth volume and year"
    for written in (title, title.upper(), title.lower()):
        assert title_keys(record(1, written)) == []
    assert title_keys(record(1, f"On {title}"))
