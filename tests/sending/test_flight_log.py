"""What a send run notes about each message while the database does not have it yet."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from newsletter.core.errors import StoppedError
from newsletter.core.models import DeliveryStatus
from newsletter.sending.ledger import Result
from newsletter.sending.mailer import flight_log, lease_owner
from newsletter.sending.mailer.flight_log import Flight, FlightLog

OWNER = "machine/boot/space:1:1:abc"
AT = datetime(2026, 11, 28, 6, 30, tzinfo=UTC)
SENT = Result(1, 1, DeliveryStatus.SENT, 250, 'kept as "17"\n', AT)
LATER = replace(SENT, delivery_id=2, status=DeliveryStatus.DEFERRED, code=451,
                retry_at=AT + timedelta(minutes=5))  # fmt: skip


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlightLog:
    monkeypatch.setattr(lease_owner, "boot", lambda: "this boot")
    log = FlightLog(tmp_path, OWNER)
    log.open()
    return log


def read(log: FlightLog) -> Flight | None:
    return flight_log.read(log.folder, log.owner)


def test_results_are_read_as_they_were_noted_and_the_rest_is_in_the_air(log: FlightLog) -> None:
    for delivery_id in (1, 2, 3, 4):
        log.started(delivery_id, 1)
    log.finished(SENT)
    log.finished(LATER)
    log.withdrawn(3, 1)
    assert read(log) == Flight({1: SENT, 2: LATER}, {4: 1})


def test_a_second_attempt_takes_the_place_of_the_first_ones_result(log: FlightLog) -> None:
    log.started(2, 1)
    log.finished(LATER)
    log.started(2, 2)
    assert read(log) == Flight({}, {2: 2})


def test_a_long_log_is_cut_to_what_the_database_does_not_have(
    log: FlightLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for delivery_id in (1, 2, 3):
        log.started(delivery_id, 1)
    log.finished(SENT)
    log.finished(LATER)
    path = next(log.folder.glob("*.flight"))
    whole = path.read_bytes()
    log.recorded([LATER])
    assert path.read_bytes() == whole, "a short log is not written again"
    monkeypatch.setattr(flight_log, "LONGEST", len(whole) - 1)
    log.recorded([LATER])
    assert read(log) == Flight({2: LATER}, {3: 1})
    log.recorded([])
    log.started(4, 1)
    assert read(log) == Flight({2: LATER}, {3: 1, 4: 1}), "it is short again, so it grows"


def test_a_line_that_was_cut_short_by_a_kill_does_not_count(log: FlightLog) -> None:
    log.started(1, 1)
    path = next(log.folder.glob("*.flight"))
    path.write_bytes(path.read_bytes() + b'[1, 1, "sent", 250, "ke')
    assert read(log) == Flight({}, {1: 1})


@pytest.mark.parametrize("damaged", [b"", b"\n", b"not JSON\n", b'["this boot", "another"]\n'])
def test_a_log_that_is_damaged_or_another_owners_is_not_believed(
    log: FlightLog, damaged: bytes
) -> None:
    next(log.folder.glob("*.flight")).write_bytes(damaged)
    assert read(log) is None


def test_a_log_goes_when_the_run_ends_and_may_be_gone_before(log: FlightLog) -> None:
    flight_log.forget(log.folder, log.owner)
    log.close()
    assert list(log.folder.iterdir()) == []
    flight_log.forget(log.folder, log.owner)
    assert read(log) is None


def test_logs_are_kept_beside_the_database_file_or_else_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for url, folder in (
        (f"sqlite:///{tmp_path}/newsletter.db", tmp_path),
        ("sqlite:///newsletter.db", tmp_path / "elsewhere"),
        ("sqlite://", tmp_path / "elsewhere"),
        ("postgresql+psycopg://there.example/newsletter", tmp_path / "elsewhere"),
    ):
        assert flight_log.folder_for(create_engine(url)) == folder


def test_a_folder_that_cannot_be_written_to_stops_the_run_with_its_name(tmp_path: Path) -> None:
    log = FlightLog(tmp_path / "missing", OWNER)
    with pytest.raises(StoppedError, match=r"cannot write .*missing.*No such file"):
        log.open()
