"""One pace for all workers, and rows by COPY as by INSERT."""

import asyncio
import multiprocessing
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel, col, func, select

from newsletter.core import bulk, database
from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.errors import DatabaseError
from newsletter.core.models import Delivery, DeliveryStatus, DigestItem, EditionStatus, Pace
from newsletter.sending import ledger
from newsletter.sending.mailer import SendPlan, domain_pauses, shared_clock
from newsletter.sending.mailer.domain_pauses import DomainNews
from newsletter.sending.mailer.rate_limit import reserve_slots
from newsletter.sending.mailer.relay_pace import RelayPaces
from newsletter.sending.mailer.shared_clock import SharedClock
from tests.support import factories
from tests.support.readers import settings_for
from tests.support.strict_relay import running_strict_relay

RATES = {"all": 50.0, "domain:slow.example": 3.0}


def reserve(url: str, wrong_by: float, times: int) -> list[tuple[str, datetime]]:
    """What one worker is given, in its own time; its clock is wrong by some seconds."""
    engine = database.connect(url)
    right = database.utc_now
    shared_clock.utc_now = lambda: right() + timedelta(seconds=wrong_by)  # type: ignore[attr-defined]
    clock, found = SharedClock(), []
    for _ in range(times):
        for name, rate in RATES.items():
            with session_scope(engine) as session:
                clock.set_by(session)
                slots = reserve_slots(session, name, rate, most=4, now=clock.now(), at_least=1)
                found += [(name, clock.to_local(moment)) for moment in slots.given]
    engine.dispose()
    # In the time of all, with what the worker's clock is wrong by taken out again.
    return [(name, moment - timedelta(seconds=wrong_by)) for name, moment in found]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("clocks", [(0, 0, 0, 0), (0, 0, 600, -600)], ids=["right", "wrong"])
def test_four_workers_together_keep_the_rate_whatever_their_clocks(
    bare_engine: Engine, clocks: Sequence[int]
) -> None:
    url = bare_engine.url.render_as_string(hide_password=False)
    bare_engine.dispose()
    with multiprocessing.get_context("fork").Pool(4) as pool:
        found = pool.starmap(reserve, [(url, wrong, 12) for wrong in clocks], chunksize=1)
    # A worker knows the database's clock to some milliseconds where its own is wrong.
    slack = 0.1 if any(clocks) else 0.0
    for name, rate in RATES.items():
        given = [sorted(at for which, at in each if which == name) for each in found]
        moments = sorted(at for each in given for at in each)
        assert len(moments) >= 48
        assert all(len(each) >= 12 for each in given), "one worker got nothing"
        span = (moments[-1] - moments[0]).total_seconds()
        assert span >= (len(moments) - 1) / rate - slack - 1e-3  # moments are of microseconds
        if not slack:
            gaps = [(after - before).total_seconds() for before, after in pairwise(moments)]
            assert min(gaps) >= 1 / rate - 1e-5


def send_some(
    url: str, port: int, edition_id: int, folder: str, since: datetime | None = None
) -> tuple[int, int]:
    """One of several senders: how many it mailed, and after how many it knew the relay's pace."""
    os.chdir(folder)
    engine = database.connect(url)
    plan = SendPlan(
        settings=settings_for(engine, port),
        edition_id=edition_id,
        connections=2,
        listens_since=since,
    )
    run = plan.run(engine)
    knew = []
    run.on_progress = lambda tally: knew.append(len(run._relay.throttle.rates))
    tally = asyncio.run(run.run())
    engine.dispose()
    return tally.done, sum(knew)


@pytest.mark.timeout(120)
def test_a_relay_that_told_another_sender_to_slow_down_is_spared_by_all_four(
    bare_engine: Engine, tmp_path: Path
) -> None:
    names = [f"reader{number}@there.example" for number in range(40)]
    with session_scope(bare_engine) as session:
        edition = factories.make_edition(session, status=EditionStatus.SENDING)
        papers = [factories.make_paper(session)]
        for name in names:
            person = factories.make_subscriber(session, name)
            factories.make_digest(session, edition, person, papers)
        edition_id = edition.id or 0
    url = bare_engine.url.render_as_string(hide_password=False)
    with running_strict_relay("throttling", per_second=20) as relay:
        RelayPaces(bare_engine, SharedClock()).slow_down(f"127.0.0.1:{relay.port}", 20)
        bare_engine.dispose()
        given = [(url, relay.port, edition_id, str(tmp_path))] * 4
        with multiprocessing.get_context("fork").Pool(4) as pool:
            found = pool.starmap(send_some, given, chunksize=1)
        assert sorted(relay.taken) == sorted(names)
    assert sum(done for done, _ in found) == len(names)
    assert all(knew == done for done, knew in found), found
    with read_scope(bare_engine) as session:
        row = session.exec(select(Pace).where(Pace.name == f"relay:127.0.0.1:{relay.port}")).one()
    assert row.rate is not None
    assert row.rate > 10, "it grew with what all of them handed over"


@pytest.mark.timeout(120)
def test_a_domain_that_defers_everything_is_told_by_one_sender_and_spared_by_all(
    bare_engine: Engine, tmp_path: Path
) -> None:
    with session_scope(bare_engine) as session:
        edition = factories.make_edition(session, status=EditionStatus.SENDING)
        papers = [factories.make_paper(session)]
        for number in range(40):
            domain = "full.example" if number % 2 else "there.example"
            person = factories.make_subscriber(session, f"reader{number}@{domain}")
            factories.make_digest(session, edition, person, papers)
        edition_id = edition.id or 0
        now = utc_now()
        began_at = now - timedelta(minutes=1)
        told = DomainNews(overwhelmed={"full.example"})
        domain_pauses.tell(session, told, now, since=now)
    url = bare_engine.url.render_as_string(hide_password=False)
    with running_strict_relay() as relay:
        bare_engine.dispose()
        given = [(url, relay.port, edition_id, str(tmp_path), began_at)] * 4
        with multiprocessing.get_context("fork").Pool(4) as pool:
            found = pool.starmap(send_some, given, chunksize=1)
        assert len(relay.taken) == 20
        assert all(address.endswith("@there.example") for address in relay.taken)
    assert sum(done for done, _ in found) == 20
    with read_scope(bare_engine) as session:
        waiting = session.exec(
            select(Delivery).where(Delivery.status == DeliveryStatus.DEFERRED)
        ).all()
    assert len(waiting) == 20
    assert all("defers all mail" in each.smtp_response for each in waiting)


def asked_in_turn(url: str, wrong_by: float, times: int) -> list[datetime]:
    """When a worker whose clock is wrong may mail a relay that asked another worker for less."""
    engine = database.connect(url)
    right = database.utc_now
    shared_clock.utc_now = lambda: right() + timedelta(seconds=wrong_by)  # type: ignore[attr-defined]
    clock = SharedClock()
    with read_scope(engine) as session:
        clock.set_by(session)
    paces = RelayPaces(engine, clock)
    found = [at for _ in range(times) for at in paces.reserve("relay.example:25", 0, 4).given]
    engine.dispose()
    return [at - timedelta(seconds=wrong_by) for at in found]


@pytest.mark.parametrize("clocks", [(0, 0, 0, 0), (0, 0, 600, -600)], ids=["right", "wrong"])
def test_four_workers_together_keep_the_pace_that_a_relay_asked_one_of_them_for(
    bare_engine: Engine, clocks: Sequence[int]
) -> None:
    url = bare_engine.url.render_as_string(hide_password=False)
    assert RelayPaces(bare_engine, SharedClock()).slow_down("relay.example:25", 20) == 10
    bare_engine.dispose()
    with multiprocessing.get_context("fork").Pool(4) as pool:
        found = pool.starmap(asked_in_turn, [(url, wrong, 6) for wrong in clocks], chunksize=1)
    moments = sorted(at for each in found for at in each)
    assert all(len(each) >= 6 for each in found)
    slack = 0.1 if any(clocks) else 0.0
    span = (moments[-1] - moments[0]).total_seconds()
    assert span >= (len(moments) - 1) / 10 - slack - 1e-3
    if not slack:
        gaps = [(after - before).total_seconds() for before, after in pairwise(moments)]
        assert min(gaps) >= 1 / 10 - 1e-5


def test_a_clock_that_is_ahead_lets_nobody_wait_and_no_lease_end(bare_engine: Engine) -> None:
    with session_scope(bare_engine) as session:
        edition = factories.make_edition(session, status=EditionStatus.SENDING)
        reader = factories.make_subscriber(session)
        factories.make_delivery(session, edition, reader)
        edition_id = edition.id or 0
        ledger.claim(session, edition_id, owner="other", now=database.utc_now(), limit=1)
    url = bare_engine.url.render_as_string(hide_password=False)
    bare_engine.dispose()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        taken = pool.apply(steal, (url, edition_id))
    assert taken == []


def steal(url: str, edition_id: int) -> list[int]:
    """What a worker whose clock is eleven minutes ahead claims."""
    right = database.utc_now
    shared_clock.utc_now = lambda: right() + timedelta(minutes=11)  # type: ignore[attr-defined]
    clock = SharedClock()
    with session_scope(database.connect(url)) as session:
        clock.set_by(session)
        return ledger.claim(session, edition_id, owner="thief", now=clock.now(), limit=1)


def test_rows_are_the_same_by_copy_as_by_insert(engine: Engine) -> None:
    delivery = SQLModel.metadata.tables["delivery"]
    with session_scope(engine) as session:
        edition = factories.make_edition(session)
        reader = factories.make_subscriber(session, "zoë+1@reader.example", name='A\tb\\N\n"c"')
        paper = factories.make_paper(session)
        other = factories.make_paper(session, 2)
        row = {
            "edition_id": edition.id,
            "subscriber_id": reader.id,
            "kind": "digest",
            "to_address": reader.email,
            "to_name": reader.name,
            "message_id": "one@papers.example",
            "subject": "Ünïcode \\. and a tab\t",
            "status": DeliveryStatus.QUEUED,
        }
        ids = bulk.new_ids(session, delivery, 1)
        bulk.insert_rows(session, delivery, [row | {"id": ids[0]}])
        items = [
            {
                "delivery_id": ids[0],
                "subscriber_id": reader.id,
                "paper_id": each.id,
                "topic_id": None,
                "section": "Ωmega",
                "position": place,
                "score": 1.5,
                "match": None,
                "label": "good",
                "explanation": "",
                "highlights": [[0, 4], [9, 12]],
                "in_short": [],
            }
            for place, each in enumerate((paper, other), start=1)
        ]
        bulk.insert_rows(session, SQLModel.metadata.tables["digest_item"], items)
        bulk.insert_rows(session, delivery, [])
    with read_scope(engine) as session:
        written = session.exec(select(Delivery)).one()
        assert (written.to_name, written.subject) == (reader.name, row["subject"])
        assert (written.attempts, written.notice, written.length.value) == (0, "", "normal")
        assert written.created_at.tzinfo is not None
        kept = session.exec(select(DigestItem).order_by(col(DigestItem.position))).all()
        assert [item.highlights for item in kept] == [[[0, 4], [9, 12]]] * 2
        assert [item.in_short for item in kept] == [[], []]


def test_what_the_database_refuses_is_an_integrity_error_and_no_row_stays(engine: Engine) -> None:
    pace = SQLModel.metadata.tables["pace"]
    twice = [{"name": "all", "used": 1}, {"name": "all", "used": 2}]
    with pytest.raises(IntegrityError), session_scope(engine) as session:
        bulk.insert_rows(session, pace, twice)
    with read_scope(engine) as session:
        assert session.exec(select(func.count()).select_from(Pace)).one() == 0


def test_a_writer_that_was_cut_off_is_not_waited_for_for_ever(bare_engine: Engine) -> None:
    shown = "SHOW idle_in_transaction_session_timeout"
    with session_scope(bare_engine) as session:
        assert session.connection().exec_driver_sql(shown).scalar() == "1min"
    with read_scope(bare_engine) as session:
        assert session.connection().exec_driver_sql(shown).scalar() == "0"


def test_a_pooler_of_transactions_is_told_of_in_the_url(bare_engine: Engine) -> None:
    url = bare_engine.url.update_query_dict({"prepare_threshold": "none"})
    engine = database.connect(url.render_as_string(hide_password=False))
    with engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        assert driver.prepare_threshold is None
    engine.dispose()
    with pytest.raises(DatabaseError, match="prepare_threshold=often is not a number"):
        database.connect("postgresql://u@h/d?prepare_threshold=often")
