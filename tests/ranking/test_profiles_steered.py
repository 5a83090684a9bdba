"""What subscribers do to their rankings: clicks, examples, less of this, a weekly budget."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core.models import (
    ClickBy,
    Delivery,
    DeliveryEvent,
    DeliveryKind,
    DeliveryStatus,
    DigestItem,
    Edition,
    EditionStatus,
    EventKind,
    Interest,
    InterestKind,
    Paper,
    PaperAlias,
    Profile,
    Signal,
)
from newsletter.ranking import explanations, ranker, scoring
from newsletter.ranking.profiles import evidence, feature_store, feedback, packing, profiles
from newsletter.subscribers.preferences import LESS, interests_of, weigh
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


def send(
    session: Session,
    subscriber: int,
    papers: list[int],
    days_ago: float,
    status: DeliveryStatus = DeliveryStatus.SENT,
) -> int:
    """A digest with these papers, prepared so many days ago; returns its delivery."""
    moment = NOW - timedelta(days=days_ago)
    edition = Edition(
        issue_date=moment.date(), status=EditionStatus.SENT, opened_at=moment, finished_at=moment
    )
    session.add(edition)
    session.flush()
    delivery = Delivery(
        edition_id=edition.id,
        subscriber_id=subscriber,
        kind=DeliveryKind.DIGEST,
        to_address="a@example.org",
        message_id=f"{subscriber}-{days_ago}@papers.example",
        status=status,
        created_at=moment,
        finished_at=moment,
    )
    session.add(delivery)
    session.flush()
    for position, paper in enumerate(papers, start=1):
        session.add(
            DigestItem(
                delivery_id=delivery.id or 0,
                subscriber_id=subscriber,
                paper_id=paper,
                position=position,
            )
        )
    session.flush()
    return delivery.id or 0


def click(session: Session, delivery: int, paper: int, who: ClickBy, days_ago: float = 0) -> None:
    session.add(
        DeliveryEvent(
            delivery_id=delivery,
            kind=EventKind.CLICKED,
            provider="pages",
            provider_event_id=f"click {delivery} {paper}",
            occurred_at=NOW - timedelta(days=days_ago),
            detail=who,
        )
    )
    session.flush()


def like_weight(session: Session, reader: int) -> float:
    """What was learned of likes, after a training."""
    train(session, reader)
    return float(session.exec(select(Profile)).one().like_weight)


def test_a_person_s_click_counts_a_little_and_a_machine_s_not_at_all(session: Session) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org", outside_picks=False)
    add_topic(session, reader, "Mine")
    delivery = send(session, reader, papers[:6], days_ago=0.1)
    train(session)
    click(session, delivery, papers[0], ClickBy.MACHINE)
    assert like_weight(session, reader) == 0
    click(session, delivery, papers[5], ClickBy.PERSON)
    assert like_weight(session, reader) == pytest.approx(evidence.CLICK, rel=0.01)
    [found] = rank_for(session, reader)
    assert found.picks[0].paper_id in {papers[6], papers[8]}
    assert "“Galaxy clusters in X-ray surveys”, which you opened" in found.picks[0].explanation


def test_an_old_click_has_faded_and_a_judged_paper_s_click_is_part_of_the_judgement(
    session: Session,
) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org")
    add_topic(session, reader, "Mine")
    delivery = send(session, reader, papers[:6], days_ago=0.1)
    train(session)
    click(session, delivery, papers[5], ClickBy.PERSON, days_ago=evidence.HALF_LIFE_DAYS)
    assert like_weight(session, reader) == pytest.approx(evidence.CLICK / 2, rel=0.01)
    give(session, reader, papers[5], Signal.RELEVANT)
    assert like_weight(session, reader) == pytest.approx(1, rel=0.01)


def test_papers_given_as_examples_and_judged_ones_do_not_come_back(session: Session) -> None:
    papers = add_papers(session)
    session.add(PaperAlias(paper_id=papers[5], source="arxiv", external_id="2401.00001"))
    reader = add_subscriber(session, "a@example.org", max_papers=50)
    topic = add_topic(session, reader, "Sky", (InterestKind.SEED_PAPER, "2401.00001", 1.0))
    give(session, reader, papers[8], Signal.NOT_RELEVANT, topic)
    [found] = rank_for(session, reader)
    shown = [pick.paper_id for pick in found.picks]
    assert shown[0] == papers[6]
    assert "“Galaxy clusters in X-ray surveys”, which you named" in found.picks[0].explanation
    assert not {papers[5], papers[8]} & set(shown)


@pytest.mark.parametrize("likes", [[], [3]], ids=["keywords only", "with a like"])
def test_less_of_an_interest_takes_away_what_the_explanation_shows(
    session: Session, likes: list[int]
) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org", popularity=0)
    keywords = [(InterestKind.KEYWORD, "galaxies", 1.0)]
    if not likes:
        keywords.append((InterestKind.KEYWORD, "proteins", 1.0))
    topic = add_topic(session, reader, "Mine", *keywords)
    for place in likes:
        give(session, reader, papers[place], Signal.RELEVANT, topic)
    train(session)
    before, score = share_of(session, reader, papers[6], "galaxies")
    [stated] = [each for each in interests_of(session, topic) if "gal" in each.value]
    assert weigh(session, reader, stated.id, LESS)
    after, lower = share_of(session, reader, papers[6], "galaxies")
    assert after == pytest.approx(LESS * before, rel=1e-3)
    steps = scoring.steps_for([score, lower])
    assert steps[0] - steps[1] == pytest.approx(before - after, rel=1e-2)


def share_of(session: Session, reader: int, paper: int, label: str) -> tuple[float, float]:
    """Steps that a piece of evidence gives a paper, and the paper's score."""
    candidates = profiles.load_candidates(session, NOW - timedelta(days=30))
    [profile] = profiles.load_profiles(session, [reader])
    row = candidates.ids.index(paper)
    split = explanations.split(candidates, profile, profile.topics[0], row)
    [part] = [part for part in split.parts if part.label == label]
    return part.steps, split.score


def test_a_judgement_on_a_page_is_learned_at_once_without_a_training(session: Session) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org")
    topic = add_topic(session, reader, "Mine", (InterestKind.KEYWORD, "galaxies", 1.0))
    train(session)
    version = session.exec(select(Profile)).one().version
    feedback.record(session, reader, papers[3], Signal.RELEVANT, topic_id=topic)
    row = session.exec(select(Profile)).one()
    assert row.version == version + 1
    assert row.like_weight == pytest.approx(1, rel=0.01)
    basis = feature_store.current(session)[1]
    learned = packing.unpack([row], basis.dimensions)
    train(session, reader)
    trained = packing.unpack([session.exec(select(Profile)).one()], basis.dimensions)
    assert learned.likes == pytest.approx(trained.likes, abs=1e-3)
    assert learned.texts == pytest.approx(trained.texts, abs=1e-3)
    assert learned.likes.any()
    assert learned.texts.any()
    feedback.record(session, reader, papers[3], Signal.NOT_RELEVANT, topic_id=topic)
    row = session.exec(select(Profile)).one()
    assert row.like_weight == 0
    assert row.dislike_weight == pytest.approx(1, rel=0.01)


def test_a_judgement_before_the_first_training_waits_for_it(session: Session) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org")
    add_topic(session, reader, "Mine")
    assert feedback.record(session, reader, papers[3], Signal.RELEVANT)
    assert not feature_store.is_stored(session)
    assert like_weight(session, reader) == pytest.approx(1, rel=0.01)


def test_a_week_s_papers_stop_at_the_budget_and_the_best_come_first(session: Session) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org", weekly_budget=4, outside_picks=False)
    add_topic(session, reader, "Repair", (InterestKind.KEYWORD, "program repair", 1.0))
    [whole] = rank_for(session, reader)
    assert whole.picks
    send(session, reader, papers[7:9], days_ago=3)
    session.get_one(Paper, papers[7]).first_seen_at = NOW - timedelta(days=4)
    [rest] = rank_for(session, reader)
    assert [pick.paper_id for pick in rest.picks] == [pick.paper_id for pick in whole.picks[:2]]
    send(session, reader, papers[3:5], days_ago=1)
    assert rank_for(session, reader) == [
        ranker.Ranking(reader, reason="your weekly budget of 4 papers is used up")
    ]


@pytest.mark.parametrize(
    ("days_ago", "status"),
    [(7, DeliveryStatus.SENT), (1, DeliveryStatus.FAILED), (1, DeliveryStatus.CANCELLED)],
    ids=str,
)
def test_papers_sent_a_week_ago_or_never_do_not_count(
    session: Session, days_ago: float, status: DeliveryStatus
) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org", weekly_budget=2)
    add_topic(session, reader, "Repair", (InterestKind.KEYWORD, "program repair", 1.0))
    send(session, reader, papers[7:9], days_ago, status)
    assert len(rank_for(session, reader)[0].picks) == 2


def test_who_only_gets_what_is_popular_has_a_budget_too(session: Session) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org", weekly_budget=3)
    assert len(rank_for(session, reader)[0].picks) == 3
    send(session, reader, papers[:3], days_ago=1)
    assert rank_for(session, reader)[0].reason == "your weekly budget of 3 papers is used up"


def test_titles_of_a_bibliography_rank_papers_and_are_never_quoted_as_interests(
    session: Session,
) -> None:
    papers = add_papers(session)
    reader = add_subscriber(session, "a@example.org")
    topic = add_topic(session, reader, "Library", (InterestKind.TEXT, "Program repair", 1.0))
    session.exec(select(Interest)).one().reference = "10.1000/1"
    session.flush()
    [found] = rank_for(session, reader)
    assert {pick.paper_id for pick in found.picks[:2]} == set(papers[:2])
    for pick in found.picks:
        assert "repair" not in pick.explanation.lower()
        assert "keyword" not in pick.explanation
    assert found.picks[0].match is not None
    [profile] = profiles.load_profiles(session, [reader])
    candidates = profiles.load_candidates(session, NOW - timedelta(days=30))
    place = candidates.ids.index(papers[0])
    parts = explanations.split(candidates, profile, profile.topics[0], place).parts
    assert [part.kind for part in parts if part.kind in {"text", "keyword"}] == []
    assert "reference" in {part.kind for part in parts}
    assert topic == profile.topics[0].topic_id
