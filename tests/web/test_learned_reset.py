"""Resetting what was learned: ratings count no more, interests stay, and one press undoes it."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import (
    ClickBy,
    DeliveryEvent,
    DigestItem,
    EventKind,
    Feedback,
    Interest,
    Profile,
    Signal,
    Subscriber,
)
from newsletter.core.tokens import Purpose
from newsletter.ranking.candidates import KINDS
from newsletter.ranking.profiles import feedback, profiles, training
from newsletter.subscribers import accounts, folders
from newsletter.subscribers.csv_writing import export_rows
from newsletter.subscribers.data_export import export
from tests.support.visits import (
    EMAIL,
    SIGNER,
    add_reader,
    everything,
    preferences,
    reader_of,
    send_digest,
    visit,
)


def kinds(engine: Engine, public_id: str) -> list[str]:
    """What a ranking of this moment would learn from."""
    with read_scope(engine) as session:
        [profile] = profiles.load_profiles(session, [reader_of(session, public_id).id or 0])
    learned = profile.topics[0].evidence
    return [] if learned is None else sorted(KINDS[kind] for kind in learned.kinds.tolist())


@pytest.fixture
def mailed(engine: Engine) -> tuple[str, list[int]]:
    public_id = add_reader(engine)
    _, papers = send_digest(engine, public_id)
    return public_id, papers


def test_a_reset_forgets_ratings_and_clicks_keeps_interests_and_is_undone(
    engine: Engine, mailed: tuple[str, list[int]]
) -> None:
    public_id, [first, second] = mailed
    base = preferences(public_id)
    with visit(engine) as client:
        assert "nothing to reset" in client.get(f"{base}/learned").text
        client.post(f"{base}/papers/{first}/relevant")
        training.train(engine)
        _click(engine, second)
        assert kinds(engine, public_id) == ["clicked", "keyword", "relevant"]
        before = everything(engine)
        page = client.get(f"{base}/learned").text
        assert "1 rating shapes your ranking" in page
        assert everything(engine) == before  # looking changes nothing
        answer = client.post(f"{base}/learned/reset")
        assert answer.status_code == 303
        assert kinds(engine, public_id) == ["keyword"]
        page = client.get(f"{base}/learned").text
        assert "Undo the reset" in page
        assert "You found relevant" not in page
        training.train(engine)
        assert kinds(engine, public_id) == ["keyword"]
        with read_scope(engine) as session:
            assert len(session.exec(select(Interest)).all()) == 1
            assert len(session.exec(select(Feedback)).all()) == 1  # still on the list of ratings
            # Mailed and rated papers stay known: nothing comes twice.
            own = [reader_of(session, public_id).id or 0]
            [profile] = profiles.load_profiles(session, own, now=datetime(2026, 11, 25, tzinfo=UTC))
            assert {first, second} <= profile.seen
            [row] = export_rows(session, EMAIL)
            assert "relevant" not in row
        client.post(f"{base}/learned/reset/undo")
        assert kinds(engine, public_id) == ["clicked", "keyword", "relevant"]
        assert "Undo the reset" not in client.get(f"{base}/learned").text


def _click(engine: Engine, paper_id: int) -> None:
    with session_scope(engine) as session:
        item = session.exec(select(DigestItem).where(DigestItem.paper_id == paper_id)).one()
        session.add(
            DeliveryEvent(
                delivery_id=item.delivery_id,
                kind=EventKind.CLICKED,
                provider="pages",
                provider_event_id=f"click {item.delivery_id} {paper_id}",
                detail=ClickBy.PERSON,
            )
        )


def test_what_is_rated_after_a_reset_counts_also_when_it_was_rated_before(
    engine: Engine, mailed: tuple[str, list[int]]
) -> None:
    public_id, [first, second] = mailed
    base = preferences(public_id)
    with visit(engine) as client:
        client.post(f"{base}/papers/{first}/relevant")
        client.post(f"{base}/papers/{second}/relevant")
        client.post(f"{base}/learned/reset")
        client.post(f"{base}/papers/{first}/relevant")
    assert kinds(engine, public_id) == ["keyword", "relevant"]
    with read_scope(engine) as session:
        reader = reader_of(session, public_id)
        assert feedback.counted(session, reader) == 1
        learned = session.exec(select(Profile)).all()
        assert [round(each.like_weight, 3) for each in learned] in ([], [1.0])


def test_only_a_reader_s_own_link_resets_and_only_their_own_ratings(
    engine: Engine, mailed: tuple[str, list[int]]
) -> None:
    public_id, [first, _] = mailed
    eve = add_reader(engine, "eve@reader.example")
    base = preferences(public_id)
    with visit(engine) as client:
        client.post(f"{base}/papers/{first}/relevant")
        client.post(f"{preferences(eve)}/learned/reset")
        assert kinds(engine, public_id) == ["keyword", "relevant"]
        untouched = everything(engine)
        for path in (f"{base}/learned/reset", f"{base}/learned/reset/undo"):
            for method in (client.get, client.head, client.options):
                assert method(path).status_code == 405
        damaged = base[:-1] + ("A" if base[-1] != "A" else "B")
        assert client.post(f"{damaged}/learned/reset").status_code == 404
        assert everything(engine) == untouched
        with session_scope(engine) as session:
            accounts.erase(session, public_id)
        assert client.post(f"{base}/learned/reset").status_code == 410


def test_a_reset_is_in_the_export_of_one_s_data(
    engine: Engine, mailed: tuple[str, list[int]]
) -> None:
    public_id, _ = mailed
    with session_scope(engine) as session:
        feedback.reset(session, reader_of(session, public_id).id or 0)
    with read_scope(engine) as session:
        value = export(session, reader_of(session, public_id))
        at = session.exec(select(Subscriber.ratings_reset_at)).one()
    assert at is not None
    assert value["subscriber"]["ratings_reset_at"] == at.isoformat()


def test_a_saved_paper_that_is_saved_again_after_a_reset_stays_in_its_folder(
    engine: Engine, mailed: tuple[str, list[int]]
) -> None:
    public_id, [first, second] = mailed
    with session_scope(engine) as session:
        own = reader_of(session, public_id).id or 0
        for paper in (first, second):
            feedback.record(session, own, paper, Signal.SAVED)
        thesis = folders.create(session, own, "Thesis")
        folders.move(session, own, [first], thesis)
        feedback.reset(session, own)
    with visit(engine) as client:
        for paper in (first, second):
            client.post(f"{preferences(public_id)}/papers/{paper}/saved")
    assert kinds(engine, public_id).count("saved") == 2
    with read_scope(engine) as session:
        filed = {row.paper_id: row.folder_id for row in session.exec(select(Feedback))}
    assert filed == {first: thesis, second: None}


@pytest.mark.parametrize("is_page", [True, False])
def test_what_a_mail_is_pressed_for_after_a_reset_counts_again_and_nothing_else(
    engine: Engine, is_page: bool
) -> None:
    public_id = add_reader(engine)
    delivery, [first, second] = send_digest(engine, public_id)
    with session_scope(engine) as session:
        own = reader_of(session, public_id).id or 0
        for paper in (first, second):
            feedback.record(session, own, paper, Signal.RELEVANT)
        feedback.reset(session, own)
    assert "relevant" not in kinds(engine, public_id)
    page = {"issue": "rate"} | {
        f"{name}-{paper}": value
        for paper in (first, second)
        for name, value in (("shown", "1"), ("rate", "relevant"))
    }
    link = f"/feedback/{SIGNER.sign(Purpose.FEEDBACK, str(delivery))}/{first}/relevant"
    with visit(engine) as client:
        said = client.post(link, data=page if is_page else {}).text
        assert "Marked as relevant" in said
        assert "take this into account" in said
        assert kinds(engine, public_id).count("relevant") == 1
        assert "Nothing to change" in client.post(link, data=page if is_page else {}).text
    with read_scope(engine) as session:
        assert len(session.exec(select(Feedback)).all()) == 2
