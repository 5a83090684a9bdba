"""A training that ends while digests are prepared: the rest are ranked in the new space."""

from datetime import datetime

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import DigestItem, Interest, InterestKind, Topic
from newsletter.editions import preparation, rehearsal
from newsletter.ranking.encoders import DEFAULT
from newsletter.ranking.profiles import feature_store, profiles, training
from newsletter.ranking.ranker import Ranker
from tests.support import factories
from tests.support.factories import ISSUE_DATE

SUBJECTS = ("program repair", "dark matter halos", "protein folding", "speech recognition")
LATER = ", found while other readers' digests were being made ready"


def stock(engine: Engine, papers: range, said: str = "") -> None:
    with session_scope(engine) as session:
        for number in papers:
            title = f"{SUBJECTS[number % 4].capitalize()} by means of method {number}{said}"
            factories.make_paper(session, number, title=title, abstract=f"We study {title}.")


def begin(engine: Engine) -> list[int]:
    """Papers, a reader of each subject, and a training; the readers' ids."""
    stock(engine, range(1, 13))
    readers: list[int] = []
    with session_scope(engine) as session:
        for number, words in enumerate(SUBJECTS):
            reader = factories.make_subscriber(session, f"reader{number}@reader.example")
            readers.append(reader.id or 0)
            topic = Topic(subscriber_id=reader.id or 0, name=words)
            session.add(topic)
            session.flush()
            keyword = Interest(topic_id=topic.id or 0, kind=InterestKind.KEYWORD, value=words)
            session.add(keyword)
    training.train(engine)
    return readers


def test_a_rehearsal_goes_on_after_a_training(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(engine)
    monkeypatch.setattr(rehearsal, "CHUNK", 1)
    digests = rehearsal.rehearse(engine, ISSUE_DATE, message_domain="papers.example")
    assert max(len(paper.title) for paper in next(digests).papers) < len(LATER)
    stock(engine, range(13, 40), LATER)
    training.train(engine)
    for digest in digests:
        assert any(LATER in paper.title for paper in digest.papers)


def test_digests_after_a_training_are_ranked_in_its_space(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = begin(engine)
    spaces: list[str] = []
    loaded: list[Ranker] = []
    load_ranker = preparation.load_ranker

    def train_once(done: int, _total: int) -> None:
        with read_scope(engine) as session:
            spaces.append(feature_store.current(session)[0])
        if done == 1:
            stock(engine, range(13, 40))
            training.train(engine)

    def load(engine: Engine, now: datetime, model: str) -> Ranker:
        loaded.append(load_ranker(engine, now, model))
        return loaded[-1]

    monkeypatch.setattr(preparation, "load_ranker", load)
    monkeypatch.setattr(preparation, "CHUNK", 1)
    now = utc_now()
    done = preparation.prepare(
        engine, ISSUE_DATE, message_domain="papers.example", now=now, progress=train_once
    )
    assert done.new == 4
    assert (len(set(spaces)), len(loaded)) == (2, 2), "papers are read again once"
    ranker = load_ranker(engine, now, DEFAULT)
    with read_scope(engine) as session:
        again = ranker.rank(profiles.load_profiles(session, readers[1:], now=now, before=now))
        for subscriber_id, expected in zip(readers[1:], again, strict=True):
            query = select(DigestItem).where(DigestItem.subscriber_id == subscriber_id)
            items = session.exec(query.order_by(col(DigestItem.position))).all()
            assert [(item.paper_id, item.score) for item in items] == [
                (pick.paper_id, pick.score) for pick in expected.picks
            ]
