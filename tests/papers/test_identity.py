"""One paper is one row, in whatever source, under whatever name, in whatever order."""

from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core.database import session_scope
from newsletter.core.models import (
    Announcement,
    Cadence,
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    DigestItem,
    Edition,
    EditionPaper,
    EditionStatus,
    Feedback,
    FetchLog,
    FetchStatus,
    Paper,
    PaperAlias,
    Signal,
    Subscriber,
    SubscriberStatus,
)
from newsletter.messages import digest
from newsletter.papers import store as store_module
from newsletter.papers.identity import contradict, family_name, folded, title_keys
from newsletter.papers.ingest import ingest_pages
from newsletter.papers.store import Tally
from newsletter.ranking.profiles import profiles
from newsletter.sources import Page, PaperRecord
from tests.support.sources import NOW, record

JOURNAL: dict[str, Any] = {"source": "crossref", "arxiv_id": None, "published_at": None}


def store(engine: Engine, *records: PaperRecord, seen_at: datetime = NOW) -> Tally:
    with session_scope(engine) as session:
        return store_module.store(session, records, seen_at=seen_at)


def rows(engine: Engine) -> list[Paper]:
    with Session(engine) as session:
        return list(session.exec(select(Paper).order_by(col(Paper.id))).all())


def only(engine: Engine) -> Paper:
    (row,) = rows(engine)
    return row


def test_the_same_sighting_again_changes_nothing(engine: Engine) -> None:
    assert store(engine, record(1)) == Tally(new=1)
    assert store(engine, record(1), seen_at=NOW + timedelta(days=1)) == Tally(known=1)
    assert only(engine).first_seen_at == NOW


def test_one_arxiv_id_in_two_sources_is_one_paper_that_knows_what_both_know(
    engine: Engine,
) -> None:
    store(engine, record(1, categories=("cs.LG",), abstract=""))
    listed = record(
        1,
        source="hf",
        upvotes=42,
        code_url="https://github.com/ada/one",
        categories=("cs.LG", "cs.CL"),
        doi="10.1000/one",
        abstract="We count.",
    )
    assert store(engine, listed) == Tally(known=1)
    paper = only(engine)
    assert (paper.source, paper.upvotes, paper.doi) == ("arxiv", 42, "10.1000/one")
    assert (paper.code_url, paper.abstract) == ("https://github.com/ada/one", "We count.")
    assert paper.categories == ["cs.LG", "cs.CL"]


def test_upvotes_follow_the_source_up_and_down(engine: Engine) -> None:
    store(engine, record(1, source="hf", upvotes=42))
    store(engine, record(1, source="hf", upvotes=41))
    store(engine, record(1))
    assert only(engine).upvotes == 41


@pytest.mark.parametrize("order", ["together", "preprint first", "article first"])
def test_preprint_and_published_version_are_one_paper(engine: Engine, order: str) -> None:
    preprint = record(1, source="biorxiv", external_id="10.1101/1", arxiv_id=None, doi="10.1101/1")
    article = record(
        1,
        "An entirely different title in the journal",
        **JOURNAL,
        external_id="10.1016/x",
        doi="10.1016/x",
        related_dois=("10.1101/1",),
    )
    first, second = (article, preprint) if order == "article first" else (preprint, article)
    if order == "together":
        store(engine, first, second)
    else:
        store(engine, first)
        assert store(engine, second) == Tally(known=1)
    assert only(engine).source == first.source


def test_title_with_first_author_unites_where_no_id_does(engine: Engine) -> None:
    store(engine, record(1))
    title = "A Study of the Number 1, and its Many Uses"
    store(engine, record(1, title, **JOURNAL, external_id="10.1016/x", doi="10.1016/x"))
    assert only(engine).doi == "10.1016/x"


def test_the_same_title_by_others_or_under_another_arxiv_id_is_another_paper(
    engine: Engine,
) -> None:
    store(engine, record(1))
    same = "A study of the number 1 and its many uses"
    store(engine, record(2, same))
    store(engine, record(3, same, **JOURNAL, external_id="x", authors=("Grace Hopper",)))
    assert len(rows(engine)) == 3


def test_a_title_without_authors_meets_one_with_them_in_either_order(engine: Engine) -> None:
    bare = record(1, source="jsonl", external_id="title-1", arxiv_id=None, authors=())
    store(engine, bare)
    store(engine, record(1))
    assert only(engine).authors == ["Ada Lovelace", "Charles Babbage"]
    store(engine, bare)
    other = record(2, source="jsonl", external_id="title-2", arxiv_id=None, authors=())
    store(engine, record(2))
    store(engine, other)
    assert len(rows(engine)) == 2


def test_a_short_title_is_no_name(engine: Engine) -> None:
    first = record(1, "Editorial", **JOURNAL, external_id="10.1/a", doi="10.1000/a")
    second = record(2, "Editorial", **JOURNAL, external_id="10.1/b", doi="10.2000/b")
    store(engine, first, second)
    assert len(rows(engine)) == 2


@pytest.mark.parametrize(
    "title",
    [
        "Introduction to the special issue on learning",
        "Editorial: where the field stands today",
        "Correction to: A study of the number 1 and its many uses",
        "Message from the General Chairs of the conference",
        "Table of Contents and Editorial Board",
    ],
)
@pytest.mark.parametrize("authors", [("Ada Lovelace",), ()])
def test_a_title_that_every_issue_has_is_no_name(
    engine: Engine, title: str, authors: tuple[str, ...]
) -> None:
    for number in (1, 2):
        name = f"10.{number}000/a"
        more = {**JOURNAL, "external_id": name, "doi": name, "authors": authors}
        store(engine, record(number, title, **more))
    assert len(rows(engine)) == 2


def test_a_revision_raises_the_version_and_is_not_a_new_paper(engine: Engine) -> None:
    store(engine, record(1, abstract="Old."))
    revision = record(1, "A better title for the first study", version=2, abstract="New.")
    assert store(engine, revision, seen_at=NOW + timedelta(days=3)) == Tally(revised=1)
    paper = only(engine)
    assert (paper.version, paper.announcement) == (2, Announcement.REPLACE)
    assert (paper.title, paper.abstract) == ("A better title for the first study", "New.")
    assert paper.first_seen_at == NOW
    assert store(engine, record(1, abstract="Old.")) == Tally(known=1)
    assert only(engine).abstract == "New."


def test_a_revision_of_a_paper_from_before_our_time_is_no_candidate(engine: Engine) -> None:
    by_id = record(
        1,
        announcement="replace",
        version=3,
        published_at=None,
        external_id="2009.13987",
        arxiv_id="2009.13987",
    )
    by_date = record(2, announcement="replace", published_at=datetime(2024, 5, 1, tzinfo=UTC))
    unknown = record(3, announcement="replace", published_at=None, arxiv_id=None, source="biorxiv")
    assert store(engine, by_id, by_date, unknown) == Tally(revised=3)
    assert all(row.first_seen_at < NOW - timedelta(days=31) for row in rows(engine))
    assert rows(engine)[0].first_seen_at == datetime(2020, 9, 1, tzinfo=UTC)


def test_a_late_paper_is_a_candidate_from_the_day_it_came(engine: Engine) -> None:
    store(engine, record(1, published_at=NOW - timedelta(days=60)))
    assert only(engine).first_seen_at == NOW


def test_two_rows_that_turn_out_to_be_one_paper_become_one(engine: Engine) -> None:
    store(engine, record(1))
    store(engine, record(2, "Something else", **JOURNAL, external_id="d", doi="10.1016/x"))
    assert len(rows(engine)) == 2
    store(engine, record(1, doi="10.1016/x"))
    assert only(engine).external_id == "2609.00001"
    with Session(engine) as session:
        names = {alias.source for alias in session.exec(select(PaperAlias))}
    assert names == {"arxiv", "doi", "title", "crossref"}


def mailed(session: Session, paper: Paper, subscriber: Subscriber, number: int) -> None:
    """A digest that holds the paper, and the subscriber's opinion of it."""
    edition = Edition(issue_date=NOW.date() + timedelta(days=number), status=EditionStatus.SENT)
    session.add(edition)
    session.flush()
    delivery = Delivery(
        edition_id=edition.id,
        subscriber_id=subscriber.id or 0,
        kind=DeliveryKind.DIGEST,
        to_address=subscriber.email,
        message_id=f"<{number}@example.org>",
        status=DeliveryStatus.SENT,
    )
    session.add(delivery)
    session.flush()
    common: dict[str, Any] = {"subscriber_id": subscriber.id, "paper_id": paper.id}
    session.add(DigestItem(delivery_id=delivery.id or 0, **common))
    content = digest.content_of(paper)
    session.add(EditionPaper(edition_id=edition.id or 0, paper_id=paper.id or 0, content=content))
    session.add(Feedback(signal=Signal.RELEVANT, **common))


def reader(number: int) -> Subscriber:
    return Subscriber(
        public_id=str(number),
        email=f"r{number}@example.org",
        address_hash=str(number),
        status=SubscriberStatus.ACTIVE,
        cadence=Cadence.DAILY,
        confirmed_at=NOW,
    )


def test_of_two_rows_the_one_in_a_digest_stays_since_links_name_it(engine: Engine) -> None:
    store(engine, record(1))
    store(engine, record(2, "Something else", **JOURNAL, external_id="d", doi="10.1016/x"))
    sent = rows(engine)[1]
    with session_scope(engine) as session:
        session.add(subscriber := reader(1))
        session.flush()
        mailed(session, sent, subscriber, 1)
    store(engine, record(1, doi="10.1016/x"))
    assert only(engine).id == sent.id


def test_two_rows_in_digests_keep_every_link_and_share_one_name(engine: Engine) -> None:
    store(engine, record(1))
    store(engine, record(2, "Something else", **JOURNAL, external_id="d", doi="10.1016/x"))
    first, second = rows(engine)
    with session_scope(engine) as session:
        both, one = reader(1), reader(2)
        session.add_all([both, one])
        session.flush()
        mailed(session, first, both, 1)
        mailed(session, second, both, 2)
        mailed(session, second, one, 3)
    store(engine, record(1, doi="10.1016/x"))
    with Session(engine) as session:
        assert {a.paper_id for a in session.exec(select(PaperAlias))} == {first.id}
        items = session.exec(select(DigestItem).order_by(col(DigestItem.id))).all()
        # Never the same paper twice: the second reader has now had the first paper, too.
        assert [item.paper_id for item in items] == [first.id, second.id, first.id]
        # And every digest can be made again as it was.
        shown: list[digest.DigestPaper] = []
        for delivery in session.exec(select(Delivery).order_by(col(Delivery.id))):
            contents = digest.Contents(digest.load_contents(session, delivery.edition_id or 0))
            number = delivery.id or 0
            shown += digest.load(session, [number], contents)[number].papers
        assert [paper.title for paper in shown] == [first.title, second.title, second.title]


def test_of_two_mailed_rows_the_one_left_behind_is_no_candidate_any_more(engine: Engine) -> None:
    store(engine, record(1))
    store(engine, record(2, "Something else", **JOURNAL, external_id="d", doi="10.1016/x"))
    first, second = rows(engine)
    with session_scope(engine) as session:
        session.add(both := reader(1))
        session.flush()
        mailed(session, first, both, 1)
        mailed(session, second, both, 2)
    store(engine, record(1, doi="10.1016/x"))
    with session_scope(engine) as session:
        found = profiles.load_candidates(session, NOW - timedelta(days=30))
    assert found.ids == (first.id,)


def test_a_paper_that_is_just_being_put_into_a_digest_is_not_united_away(engine: Engine) -> None:
    store(engine, record(1))
    store(engine, record(2, "Something else", **JOURNAL, external_id="d", doi="10.1016/x"))
    chosen = rows(engine)[1]
    with session_scope(engine) as session:
        session.add(subscriber := reader(1))
        session.flush()
        mailed(session, chosen, subscriber, 1)
        session.flush()
        meanwhile = Thread(target=store, args=(engine, record(1, doi="10.1016/x")))
        meanwhile.start()
        meanwhile.join(0.5)
        assert meanwhile.is_alive(), "it waits until the digest is written"
    meanwhile.join(60)
    assert only(engine).id == chosen.id
    with Session(engine) as session:
        assert session.exec(select(DigestItem.paper_id)).all() == [chosen.id]
        assert len(session.exec(select(EditionPaper)).all()) == 1


def test_two_ingests_at_once_that_unite_the_same_rows_agree(engine: Engine) -> None:
    pairs = range(1, 60)
    for number in pairs:
        name = f"10.1016/{number}"
        store(engine, record(number))
        store(engine, record(number, f"Else {number}", **JOURNAL, external_id=name, doi=name))
    said = [record(number, doi=f"10.1016/{number}") for number in pairs]
    run = [
        Thread(target=ingest_pages, args=(engine, "arxiv", [Page(tuple(order))]))
        for order in (said, said[::-1])
    ]
    for thread in run:
        thread.start()
    for thread in run:
        thread.join(60)
    assert [row.doi for row in rows(engine)] == [f"10.1016/{number}" for number in pairs]
    with Session(engine) as session:
        assert {log.status for log in session.exec(select(FetchLog))} == {FetchStatus.OK}


def test_a_doi_that_two_arxiv_ids_claim_unites_nothing(engine: Engine) -> None:
    store(engine, record(1, doi="10.1016/x"))
    store(engine, record(2, doi="10.1016/x"))
    assert [row.external_id for row in rows(engine)] == ["2609.00001", "2609.00002"]


def test_thousands_at_once_are_as_one_by_one(engine: Engine) -> None:
    many = [record(number) for number in range(1, 1200)]
    assert store(engine, *many, *many) == Tally(new=1199, known=1199)


def test_names_and_titles_are_compared_without_accents_and_case() -> None:
    assert family_name("Ana María López") == family_name("LOPEZ, A.") == "lopez"
    assert folded("ℬ-Coder: Déjà vu!") == "bcoderdejavu"
    assert title_keys(record(1, "Reply")) == []


def test_another_doi_of_the_same_registrant_contradicts_and_of_another_does_not() -> None:
    article = record(1, **JOURNAL, external_id="d", doi="10.1016/a")
    assert contradict(article, [("doi", "10.1016/b")])
    assert not contradict(article, [("doi", "10.1101/b"), ("arxiv", "2609.00001")])
    assert contradict(record(1), [("arxiv", "2609.00002")])
