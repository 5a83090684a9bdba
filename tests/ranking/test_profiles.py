"""Profiles out of interests and feedback, through both databases."""

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select
from typer.testing import CliRunner

from newsletter.cli import make_app
from newsletter.core import database
from newsletter.core.models import (
    Announcement,
    Feedback,
    Interest,
    InterestKind,
    Paper,
    PaperVector,
    Profile,
    Signal,
    Space,
)
from newsletter.ranking import encoders, feature_space, feature_weights, ranker
from newsletter.ranking.encoders import DEFAULT
from newsletter.ranking.feature_weights import FeatureWeights
from newsletter.ranking.profiles import evidence, feature_store, profiles, training
from tests.support.profiles import (
    LENIENT,
    NOW,
    add_papers,
    add_subscriber,
    add_topic,
    give,
    rank_for,
    train,
)


@pytest.fixture(autouse=True)
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranker, "shipped", lambda: LENIENT)


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine, expire_on_commit=False) as session:
        yield session


def test_a_keyword_brings_its_papers_first_and_says_so(session: Session) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org")
    add_topic(session, reader, "Repair", (InterestKind.KEYWORD, "program repair", 1.0))
    [found] = rank_for(session, reader)
    assert {pick.paper_id for pick in found.picks[:2]} == set(papers[:2])
    assert found.picks[0].section == "Repair"
    assert "program repair" in found.picks[0].explanation


def test_feedback_moves_the_profile_at_once_and_the_explanation_names_the_paper(
    session: Session,
) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org", max_papers=3)
    topic = add_topic(session, reader, "Mine")
    train(session)
    session.add(
        Feedback(subscriber_id=reader, topic_id=topic, paper_id=papers[3], signal=Signal.RELEVANT)
    )
    session.flush()
    profiles.apply_feedback(session, reader, papers[3], Signal.RELEVANT)
    [found] = rank_for(session, reader)
    places = {pick.paper_id: pick for pick in found.picks}
    assert papers[4] in places
    assert "Protein folding" in places[papers[4]].explanation


def test_muted_words_and_authors_never_appear(session: Session) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org", max_papers=50)
    add_topic(
        session,
        reader,
        "Bugs",
        (InterestKind.KEYWORD, "bug", 1.0),
        (InterestKind.KEYWORD, "Compilers", -1.0),
        (InterestKind.AUTHOR, "author 0", -1.0),
    )
    [found] = rank_for(session, reader)
    assert found.picks
    assert not {papers[0], papers[2]} & {pick.paper_id for pick in found.picks}


def test_a_subscriber_without_interests_gets_what_is_popular(session: Session) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "new@example.org", max_papers=3)
    [found] = rank_for(session, reader)
    assert [pick.paper_id for pick in found.picks] == papers[:-4:-1]
    assert found.picks[0].section == "Popular"
    assert "you have not told us your interests" in found.picks[0].explanation


def test_nothing_to_send_has_a_reason(session: Session) -> None:
    reader = add_subscriber(session, "a@example.org", min_score=100)
    assert "no new papers" in rank_for(session, reader)[0].reason
    add_papers(session)
    topic = add_topic(session, reader, "T", (InterestKind.KEYWORD, "galaxies", 1.0))
    assert "minimum match of 100" in rank_for(session, reader)[0].reason
    for category in ("cs.SE", "q-bio.BM", "astro-ph"):
        session.add(Interest(topic_id=topic, kind=InterestKind.CATEGORY, value=category, weight=-1))
    session.add(Interest(topic_id=topic, kind=InterestKind.KEYWORD, value="untitled", weight=-1))
    session.flush()
    left = rank_for(session, reader)[0]
    assert not left.picks


def test_train_is_a_command_and_names_an_unknown_address(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", str(sqlite_engine.url))
    with database.session_scope(sqlite_engine) as session:
        add_papers(session)
        reader = add_subscriber(session, "a@example.org")
        add_topic(session, reader, "Repair", (InterestKind.KEYWORD, "program repair", 1.0))
    done = CliRunner().invoke(make_app(), ["train"])
    assert done.exit_code == 0, done.output
    assert "1 topics trained on 10 papers" in done.output
    missing = CliRunner().invoke(make_app(), ["train", "--subscriber", "b@example.org"])
    assert "b@example.org" in str(missing.exception)


def test_signals_one_by_one_give_the_same_profile_as_a_training(session: Session) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org")
    topic = add_topic(session, reader, "Mine", (InterestKind.KEYWORD, "galaxies", 1.0))
    train(session)
    for paper, signal in (
        (papers[3], Signal.RELEVANT),
        (papers[4], Signal.SAVED),
        (papers[0], Signal.NOT_RELEVANT),
    ):
        give(session, reader, paper, signal, topic)
        profiles.apply_feedback(session, reader, paper, signal)
    [updated] = profiles.load_profiles(session, [reader])
    train(session, reader)
    [trained] = profiles.load_profiles(session, [reader])
    assert updated.topics[0].vector == pytest.approx(trained.topics[0].vector, abs=1e-3)
    assert updated.topics[0].scale == pytest.approx(trained.topics[0].scale, abs=1e-3)


def test_likes_of_one_moment_count_alike_and_as_much_as_likes_spread_over_a_day(
    session: Session,
) -> None:
    papers = add_papers(session)
    at_once, apart = (add_subscriber(session, f"{name}@example.org") for name in "ab")
    for hour, paper in enumerate(papers[3:7]):
        for reader, moment in ((at_once, NOW), (apart, NOW - timedelta(hours=6 * hour))):
            session.add(
                Feedback(
                    subscriber_id=reader,
                    paper_id=paper,
                    signal=Signal.RELEVANT,
                    created_at=moment,
                )
            )
    train(session)
    one, other = profiles.load_profiles(session, [at_once, apart])
    assert np.isfinite(one.topics[0].vector).all()
    assert one.topics[0].vector == pytest.approx(other.topics[0].vector, abs=5e-3)
    [first, second] = rank_for(session, at_once, apart)
    assert [pick.paper_id for pick in first.picks] == [pick.paper_id for pick in second.picks]
    assert first.picks


def test_feedback_without_a_topic_makes_a_section_of_its_own(session: Session) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org", outside_picks=False)
    give(session, reader, papers[5], Signal.RELEVANT)
    [found] = rank_for(session, reader)
    assert found.picks[0].section == profiles.FOR_YOU
    assert found.picks[0].paper_id in {papers[6], papers[8]}
    assert papers[5] not in {pick.paper_id for pick in found.picks}
    assert "“Galaxy clusters in X-ray surveys”, which you liked" in found.picks[0].explanation


def test_a_liked_paper_that_is_deleted_is_forgotten(session: Session) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org")
    topic = add_topic(session, reader, "Mine")
    give(session, reader, papers[3], Signal.RELEVANT, topic)
    session.delete(session.get_one(Paper, papers[3]))
    session.flush()
    train(session)
    [found] = rank_for(session, reader)
    assert found.picks
    assert found.picks[0].section == "Popular"


def test_a_topic_of_nothing_but_mutes_gets_what_is_popular_without_them(
    session: Session,
) -> None:
    add_papers(session)
    reader = add_subscriber(session, "a@example.org", max_papers=50)
    add_topic(session, reader, "No", (InterestKind.KEYWORD, "galaxies", -1.0))
    [found] = rank_for(session, reader)
    assert len(found.picks) == 8, "a muted word takes its singular along"
    assert {pick.section for pick in found.picks} == {"Popular"}


def test_an_author_and_a_category_count_without_any_keyword(session: Session) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org", outside_picks=False, popularity=0)
    add_topic(
        session,
        reader,
        "People",
        (InterestKind.AUTHOR, "Author 6", 1.0),
        (InterestKind.CATEGORY, "q-bio.BM", 1.0),
    )
    [found] = rank_for(session, reader)
    assert found.picks[0].paper_id == papers[6]
    assert "By Author 6, whom you follow" in found.picks[0].explanation
    assert {pick.paper_id for pick in found.picks[1:3]} == set(papers[3:5])
    assert "In q-bio.BM, a category you follow" in found.picks[1].explanation


def test_half_as_many_papers_again_refit_the_space_and_train_says_so(session: Session) -> None:
    add_papers(session)
    first = train(session)
    assert first.rebuilt == "first training"
    assert train(session).rebuilt == ""
    session.add_all(
        Paper(
            source="test",
            external_id=f"more-{number}",
            title=f"Coral reef {number} in warm water",
            announcement=Announcement.NEW,
        )
        for number in range(5)
    )
    session.flush()
    again = train(session)
    assert again.rebuilt == "papers grew from 10 to 15"
    assert again.feature_space != first.feature_space


def test_weights_that_a_new_version_brings_refit_the_space_once(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_papers(session)
    first = train(session)
    monkeypatch.setattr(feature_weights, "shipped", lambda: FeatureWeights(1.0, 0.3, 4.0, 0.9))
    monkeypatch.setattr(feature_space, "shipped", feature_weights.shipped)
    again = train(session)
    assert again.rebuilt == "this version weighs words differently"
    assert again.feature_space != first.feature_space
    assert train(session).rebuilt == ""


def test_a_signal_that_comes_while_a_training_computes_is_neither_held_up_nor_lost(
    session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org")
    topic = add_topic(session, reader, "Mine", (InterestKind.KEYWORD, "galaxies", 1.0))
    train(session)
    gather, calls = evidence.gather, []

    def gather_and_like(*arguments: Any, **options: Any) -> Any:
        gathered = gather(*arguments, **options)
        calls.append(1)
        if len(calls) == 1:
            with database.session_scope(engine) as other:
                give(other, reader, papers[3], Signal.RELEVANT, topic)
                profiles.apply_feedback(other, reader, papers[3], Signal.RELEVANT)
        return gathered

    monkeypatch.setattr(evidence, "gather", gather_and_like)
    train(session)
    [kept] = profiles.load_profiles(session, [reader])
    monkeypatch.undo()
    train(session)
    [trained] = profiles.load_profiles(session, [reader])
    assert kept.topics[0].vector == pytest.approx(trained.topics[0].vector, abs=1e-3)


def test_two_that_fit_the_first_space_at_once_store_it_once(engine: Engine) -> None:
    with database.session_scope(engine) as session:
        add_papers(session)
    with database.read_scope(engine) as session:
        fitted = [feature_store.fit(session, DEFAULT), feature_store.fit(session, DEFAULT)]
    for one in fitted:
        with database.session_scope(engine) as session:
            feature_store.put(session, one)
    with database.read_scope(engine) as session:
        assert feature_store.current(session)[0] == fitted[0].basis.space.id
        assert len(session.exec(select(Space)).all()) == 1


def test_vectors_are_computed_once_and_kept_for_the_next_preparation(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.session_scope(engine) as session:
        papers = add_papers(session)
    since = NOW - timedelta(days=30)
    feature_store.ensure_vectors(engine, since)
    with database.read_scope(engine) as session:
        assert len(session.exec(select(PaperVector)).all()) == len(papers)
        stored = feature_store.load_candidates(session, since).vectors
    monkeypatch.setattr(feature_store, "_put_vectors", None)  # nothing is left to put
    feature_store.ensure_vectors(engine, since)
    with database.read_scope(engine) as session:
        assert (feature_store.load_candidates(session, since).vectors == stored).all()


def test_another_model_refits_the_space_rebuilds_profiles_and_says_so(
    session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org")
    topic = add_topic(session, reader, "Mine", (InterestKind.KEYWORD, "galaxies", 1.0))
    give(session, reader, papers[3], Signal.RELEVANT, topic)
    first = train(session)
    # A stand-in for a model of the operator's: the same words under another name and length.
    ours = encoders.encoder(DEFAULT)
    other = SimpleNamespace(
        name="other",
        dimensions=64,
        lexical_of_title=ours.lexical_of_title,
        encode=lambda texts: encoders.unit(ours.encode(texts)[:, :64]),
        words=lambda text: None,
    )
    monkeypatch.setattr(feature_space, "encoder", lambda name: other if name == "other" else ours)
    again = training.train(engine, model="other")
    session.expire_all()
    assert again.rebuilt == f"the feature model is now other, not {DEFAULT}"
    assert again.feature_space.startswith("other-")
    stored = session.exec(select(Profile)).one()
    assert stored.feature_space == again.feature_space != first.feature_space
    candidates = profiles.load_candidates(session, NOW - timedelta(days=30), "other")
    [profile] = profiles.load_profiles(session, [reader], "other")
    assert candidates.vectors.shape[1] == len(profile.topics[0].vector) < 100
