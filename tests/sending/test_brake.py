"""A relay that refuses everybody alike stops the run: nobody is suppressed, all get it later."""

from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import func, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import (
    DeliveryStatus,
    Edition,
    EditionStatus,
    Suppression,
    SuppressionReason,
    SuppressionRemoval,
)
from newsletter.core.refusals import kind_of
from newsletter.sending.ledger import Result
from newsletter.sending.mailer.brake import Brake
from tests.cli.test_send_command import DATE, Command, counts, fill
from tests.support.strict_relay import REFUSALS, running_strict_relay

READERS = [f"reader{number}@there{number % 3}.example" for number in range(60)]

READERS_ELSEWHERE = [f"other{number}@there.example" for number in range(100)]


def outcome(number: int, code: int, response: str) -> Result:
    status = DeliveryStatus.SENT if code < 400 else DeliveryStatus.FAILED
    status = DeliveryStatus.DEFERRED if 400 <= code < 500 else status
    return Result(number, 1, status, code, response, utc_now())


def first_stop(answers: list[tuple[int, str, str]]) -> int | None:
    """At which of the answers (code, words, domain) the brake stops, from 1 on."""
    brake = Brake()
    for number, (code, words, domain) in enumerate(answers, start=1):
        if brake.note(outcome(number, code, words), domain):
            return number
    return None


OK = (250, "2.0.0 kept", "a.example")
LATER = (451, "4.7.1 Greylisted", "a.example")
BLOCKED = (550, "5.7.1 blocked", "a.example")


def dead(number: int, domain: str = "a.example") -> tuple[int, str, str]:
    return 550, f"5.1.1 <reader{number}@{domain}>: User unknown ({number:08x})", domain


def test_most_of_twenty_refused_alike_stop_whomever_they_name() -> None:
    assert first_stop([dead(number) for number in range(40)]) == 20
    assert first_stop([OK, dead(1)] * 9 + [dead(number) for number in range(40)]) == 20


def test_some_dead_addresses_stop_nothing() -> None:
    assert first_stop([OK, OK, dead(1)] * 40) is None
    assert first_stop([dead(number) for number in range(15)]) is None


def test_four_hundreds_never_stop_a_run() -> None:
    assert first_stop([LATER] * 200) is None
    assert first_stop([(421, "4.7.0 too many messages", "a.example")] * 200) is None


def test_an_account_closed_midway_stops_and_a_laboratory_that_closed_does_not() -> None:
    well = [OK, (250, "kept", "b.example")] * 200
    everywhere = [dead(number, f"d{number % 3}.example") for number in range(30)]
    assert first_stop(well + everywhere) == len(well) + 18
    assert first_stop(well + [dead(number, "gone.example") for number in range(60)]) is None


def test_ten_of_twenty_refused_by_policy_stop() -> None:
    assert first_stop([OK] * 100 + [BLOCKED, OK] * 40) == 100 + 2 * 10 - 1


def test_refusals_are_alike_whatever_they_quote() -> None:
    one = kind_of(550, "5.1.0 <bounce+12-abcd@site.example>: Sender rejected [1.2.3.4] id 7f3a")
    assert one == kind_of(550, "5.1.0 <bounce+9-xyz@site.example>: Sender rejected [::1] id 91bc")
    assert one != kind_of(550, "5.1.0 <bounce+9-xyz@site.example>: Mailbox full")
    assert one != kind_of(554, "5.1.0 <bounce+12-abcd@site.example>: Sender rejected")


def suppressed(engine: Engine) -> int:
    with read_scope(engine) as session:
        return session.exec(select(func.count()).select_from(Suppression)).one()


@pytest.mark.parametrize("how", REFUSALS)
def test_a_relay_that_refuses_all_pauses_the_edition_and_afterwards_everybody_gets_it(
    sqlite_engine: Engine, tmp_path: Path, how: str
) -> None:
    edition_id = fill(sqlite_engine, *READERS)
    with running_strict_relay(how) as relay:
        newsletter = Command(sqlite_engine, f"smtp://127.0.0.1:{relay.port}", tmp_path)
        code, said = newsletter.run("send", "--date", DATE)
        assert code == 3, said
        assert "refused in the same words" in said
        words = next(words for words in REFUSALS[how] if words)
        assert words.partition("{")[0].strip("< ")[:20] in said, said
        assert counts(sqlite_engine, edition_id) == {"queued": 60}
        with read_scope(sqlite_engine) as session:
            assert session.get_one(Edition, edition_id).status is EditionStatus.PAUSED
        for command in (("status", "--date", DATE), ("report", "--date", DATE)):
            assert "refused in the same words" in newsletter.run(*command)[1]
        code, said = newsletter.run("send", "--due")
        assert code == 3, "a timer's run tells of it too"
        assert suppressed(sqlite_engine) == 0

        relay.calm = True
        code, said = newsletter.run("send", "--date", DATE)
        assert code == 0, said
        assert sorted(relay.taken) == sorted(READERS)
    assert suppressed(sqlite_engine) == 0
    assert counts(sqlite_engine, edition_id) == {"sent": 60}


def test_two_processes_take_back_what_either_saw(engine: Engine, tmp_path: Path) -> None:
    edition_id = fill(engine, *READERS, *(f"more{number}@x.example" for number in range(40)))
    with running_strict_relay("nobody is known") as relay:
        newsletter = Command(engine, f"smtp://127.0.0.1:{relay.port}", tmp_path)
        assert newsletter.run("send", "--date", DATE, "--workers", "2")[0] == 3
    assert counts(engine, edition_id) == {"queued": 100}
    assert suppressed(engine) == 0


def test_who_insists_is_believed(sqlite_engine: Engine, tmp_path: Path) -> None:
    edition_id = fill(sqlite_engine, *READERS)
    with running_strict_relay("nobody is known") as relay:
        newsletter = Command(sqlite_engine, f"smtp://127.0.0.1:{relay.port}", tmp_path)
        assert newsletter.run("send", "--date", DATE, "--force")[0] == 1
    assert counts(sqlite_engine, edition_id) == {"failed": 60}
    assert suppressed(sqlite_engine) == 60


def test_more_than_a_tenth_of_a_list_is_not_suppressed_in_a_day(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    gone = [f"nobody{number}@there.example" for number in range(25)]
    edition_id = fill(sqlite_engine, *READERS, *READERS_ELSEWHERE, *gone)
    with running_strict_relay() as relay:
        newsletter = Command(sqlite_engine, f"smtp://127.0.0.1:{relay.port}", tmp_path)
        code, said = newsletter.run("send", "--date", DATE)
    assert code == 3
    assert "25 of 185 readers would be suppressed for bounces within a day" in said
    assert suppressed(sqlite_engine) == 0
    assert counts(sqlite_engine, edition_id) == {"sent": 160, "queued": 25}


def test_some_dead_addresses_are_suppressed_and_the_edition_is_sent(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    gone = [f"nobody{number}@there.example" for number in range(8)]
    edition_id = fill(sqlite_engine, *READERS, *gone)
    with running_strict_relay() as relay:
        newsletter = Command(sqlite_engine, f"smtp://127.0.0.1:{relay.port}", tmp_path)
        assert newsletter.run("send", "--date", DATE)[0] == 1
    assert suppressed(sqlite_engine) == 8
    assert counts(sqlite_engine, edition_id) == {"sent": 60, "failed": 8}


def test_many_suppressions_are_undone_at_once_and_nobodys_own_wish(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    newsletter = Command(sqlite_engine, "smtp://127.0.0.1:1", tmp_path)
    with session_scope(sqlite_engine) as session:
        for number, reason in enumerate([*[SuppressionReason.BOUNCED] * 3, *SuppressionReason]):
            session.add(Suppression(address_hash=f"{number}", reason=reason, created_at=utc_now()))
    code, said = newsletter.run("suppressions", "remove", "--since", "2999-01-01", "--reason", "x")
    assert (code, said.strip()) == (0, "0 addresses no longer suppressed")
    code, said = newsletter.run(
        "suppressions", "remove", "--since", "2026-01-01", "--reason", "the relay refused us"
    )
    assert (code, said.strip()) == (0, "4 addresses no longer suppressed")
    code, said = newsletter.run(
        "suppressions", "remove", "--since", "2026-01-01", "--reason", "complained"
    )
    assert (code, said.strip()) == (0, "1 address no longer suppressed")
    with read_scope(sqlite_engine) as session:
        left = set(session.exec(select(Suppression.reason)))
        notes = session.exec(select(SuppressionRemoval.note)).all()
    assert left == {
        SuppressionReason.UNSUBSCRIBED, SuppressionReason.ERASED, SuppressionReason.OPERATOR,
    }  # fmt: skip
    assert notes.count("the relay refused us") == 4
    code, said = newsletter.run(
        "suppressions", "remove", "--since", "2026-01-01", "--reason", "x", "--kind", "erased"
    )
    assert code == 2
    assert "own wish" in said
    assert newsletter.run("suppressions", "remove", "--reason", "x")[0] == 2
    assert newsletter.run("suppressions", "remove", "--since", "soon", "--reason", "x")[0] == 2
