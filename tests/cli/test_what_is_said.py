"""What commands say of what they did: true at each run, in counts that add up."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import session_scope, utc_now
from newsletter.core.models import (
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    FetchLog,
    FetchStatus,
    QuietNotes,
    SubscriberStatus,
)
from newsletter.editions.reasons import LOWER, UNMUTE, for_operator
from newsletter.ranking.profiles import training
from tests.support import factories
from tests.support.command import Newsletter
from tests.support.smtp_sink import Sink, running_sink

# One date for all commands of a test: between two of them a day may end.
DAY = f"{utc_now().date()}"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as sink:
        yield sink


@pytest.fixture
def newsletter(sqlite_engine: Engine, sink: Sink, tmp_path: Path) -> Newsletter:
    """One paper on soil, and readers: two who get it, one who is told of none, one who is not."""
    with session_scope(sqlite_engine) as session:
        factories.make_paper(session, title="A study of forest soil", abstract="On forest soil.")
    site = Newsletter(sqlite_engine, tmp_path, SMTP_URL=f"smtp://127.0.0.1:{sink.port}")
    for name, words in (("ada", "forest soil"), ("bob", "forest soil"), ("cho", "coins")):
        site.run("subscribers", "add", f"{name}@example.org", "--confirmed", "--keywords", words)
    site.run(
        *("subscribers", "add", "dee@example.org", "--confirmed", "--keywords", "forest soil"),
        *("--min-score", "100"),
    )
    site.run("subscribers", "set", "cho@example.org", "--tell-when-nothing", "daily")
    site.run("subscribers", "set", "dee@example.org", "--tell-when-nothing", QuietNotes.NEVER)
    training.train(sqlite_engine)
    return site


def test_prepare_status_and_report_count_alike_and_speak_to_the_operator(
    newsletter: Newsletter,
) -> None:
    prepared = newsletter.run("prepare", "--date", DAY)[1]
    assert prepared == (
        f"edition {DAY}: 2 digests prepared, 1 note that there are no papers, "
        "1 without papers, who get no mail; 4 were due\n"
    )
    status = newsletter.run("status", "--date", DAY)[1]
    assert "3 prepared, 1 of them to say that there are no papers" in status
    assert "     1 due, but got no mail: `newsletter report` says why" in status
    report = newsletter.run("report", "--date", DAY)[1]
    assert "3 prepared, 1 of them to say that there are no papers" in report
    assert "no mail: dee@example.org: no new paper reached their minimum match of 100\n" in report
    assert "no mail: cho@example.org" not in report
    assert "your" not in report


def test_a_second_run_says_that_nothing_was_left(newsletter: Newsletter, sink: Sink) -> None:
    first = newsletter.run("send", "--date", DAY)
    assert (first[0], first[1].splitlines()[-1][-12:]) == (0, "sent; 3 sent")
    assert "nothing was left" not in first[1]
    code, said, _ = newsletter.run("send", "--date", DAY)
    assert (code, said.splitlines()[0]) == (0, "nothing was left to send")
    assert len(sink.recipients()) == 3
    code, said, _ = newsletter.run("send", "--date", DAY, "--only", "ada@example.org")
    assert (code, said.splitlines()[0]) == (0, "nothing was left to send to this address")


def test_what_waits_is_not_called_done(newsletter: Newsletter, sqlite_engine: Engine) -> None:
    newsletter.run("prepare", "--date", DAY)
    with session_scope(sqlite_engine) as session:
        for row in session.exec(select(Delivery)):
            row.status, row.not_before = DeliveryStatus.DEFERRED, utc_now() + timedelta(hours=1)
    _, said, _ = newsletter.run("send", "--date", DAY)
    assert said.splitlines()[0].startswith("nothing can be sent at this moment")


def test_a_past_date_without_an_edition_is_named_before_it_is_sent(
    newsletter: Newsletter, sink: Sink
) -> None:
    past = utc_now().date() - timedelta(days=2)
    code, _, told = newsletter.run("send", "--date", f"{past}")
    assert code == 0
    assert f"note: {past} is over and has no edition: one is made now, from today's papers" in told
    sent = len(sink.recipients())
    assert sent > 0
    _, _, told = newsletter.run("send", "--date", f"{past}")
    assert "is over" not in told, "it has one now"
    assert len(sink.recipients()) == sent


def test_due_names_the_account_mail_it_sent(sqlite_engine: Engine, tmp_path: Path) -> None:
    with session_scope(sqlite_engine) as session:
        new = factories.make_subscriber(session, status=SubscriberStatus.PENDING, confirmed_at=None)
        session.add(
            Delivery(
                subscriber_id=new.id or 0,
                kind=DeliveryKind.CONFIRMATION,
                to_address=new.email,
                message_id="one@papers.example",
                status=DeliveryStatus.QUEUED,
            )
        )
    with running_sink() as sink:
        site = Newsletter(sqlite_engine, tmp_path, SMTP_URL=f"smtp://127.0.0.1:{sink.port}")
        lines = [site.run("send", "--due")[1].splitlines() for _ in range(2)]
    assert lines == [
        ["confirmations and account links: 1 sent", "no digest is due"],
        ["no digest is due"],
    ]


def test_the_advice_on_a_feed_that_failed_is_a_command_that_works(
    newsletter: Newsletter, sqlite_engine: Engine
) -> None:
    with session_scope(sqlite_engine) as session:
        now = utc_now()
        session.add(FetchLog(source="feed:x.example/1", started_at=now, status=FetchStatus.FAILED))
    said = newsletter.run("status")[1]
    [line] = [line for line in said.splitlines() if "not read:" in line]
    command = line.partition("run `newsletter ")[2].partition("`")[0]
    assert "feeds" in command
    assert "unknown source" not in newsletter.run(*command.split()[:1], "feeds")[2]
    assert "feed:x.example/1" not in command


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("arXiv could not be read", "arXiv could not be read"),
        (
            f"what you muted hides every new paper. {UNMUTE}",
            "what they muted hides every new paper",
        ),
        (
            f"no new paper reached your minimum match of 40. {LOWER}",
            "no new paper reached their minimum match of 40",
        ),
        ("all your topics are paused", "all their topics are paused"),
    ],
)
def test_a_reason_for_the_reader_is_turned_for_the_operator(told: str, shown: str) -> None:
    assert for_operator(told) == shown


def test_a_list_names_its_columns_and_a_subscriber_shows_days_and_the_next_digest(
    newsletter: Newsletter,
) -> None:
    newsletter.run(
        *("subscribers", "set", "ada@example.org", "--cadence", "weekly"),
        *("--weekday", "friday", "--send-hour", "9", "--timezone", "Asia/Seoul"),
    )
    code, rows, header = newsletter.run("subscribers", "list")
    assert (code, header) == (0, "address\tname\tstatus\tcadence\thour\tsince\n")
    assert len(rows.splitlines()) == 4
    shown = newsletter.run("subscribers", "show", "ada@example.org")[1]
    assert "weekday:          friday" in shown
    [line] = [line for line in shown.splitlines() if line.startswith("next_digest:")]
    assert line.endswith(" 00:00 UTC"), "9:00 in Seoul"
    newsletter.run("subscribers", "unsubscribe", "bob@example.org")
    shown = newsletter.run("subscribers", "show", "bob@example.org")[1]
    assert "next_digest:      none while not active" in shown


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("retry", "--status", "nonsense"), "--status nonsense: only deferred, expired, failed"),
        (("db", "copy", "garbage"), "TARGET_URL is not a URL of a database; examples: sqlite:///"),
        (("db", "copy", "mysql://x/y"), "TARGET_URL: only SQLite and PostgreSQL can be used"),
        (("prune", "--keep-days", "x"), "--keep-days: 'x' is not a whole number"),
        (
            ("subscribers", "set", "ada@example.org", "--send-hour", "99"),
            "--send-hour: '99'; must be a number from 0 to 23",
        ),
        (
            ("subscribers", "add", "x@example.org", "--timezone", "Mars"),
            "--timezone: 'Mars' is not a time zone",
        ),
        (("subscribers", "add", "x@example"), "address 'x@example': has no dot after the @-sign"),
    ],
)
def test_a_message_names_what_was_typed(
    newsletter: Newsletter, arguments: tuple[str, ...], line: str
) -> None:
    code, said, told = newsletter.run(*arguments)
    assert (code, said, told.count("\n")) == (2, "", 1)
    assert told.startswith(f"error: {line}")


def test_a_refused_line_names_the_column_as_the_file_does(
    newsletter: Newsletter, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_text(
        "E-Mail,Time Zone,Seeds\nx@example.org,Mars,\n,UTC,\ny@example.org,UTC,nothing\n"
        "z@example.org,UTC,\nz@example.org,Asia/Seoul,\n"
    )
    code, said, told = newsletter.run("subscribers", "import", str(path))
    assert code == 1
    for line in (
        "line 2: x@example.org Time Zone: 'Mars' is not a time zone",
        "line 3: the column 'E-Mail' is empty",
        "line 6: z@example.org Time Zone: Asia/Seoul conflicts with line 5",
    ):
        assert line in said + told, said + told
    assert "Seeds: 'nothing' is neither" in said + told
