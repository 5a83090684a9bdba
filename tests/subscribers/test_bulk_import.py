"""CSV files as spreadsheets and strangers write them."""

import csv
import io
from pathlib import Path

import pytest
from sqlalchemy import Engine, func
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.errors import InputError
from newsletter.core.models import InterestKind, Subscriber, SubscriberStatus, Topic
from newsletter.core.tokens import Signer
from newsletter.subscribers import accounts
from newsletter.subscribers.accounts import row_id
from newsletter.subscribers.bulk_import import ImportReport, import_csv
from newsletter.subscribers.csv_writing import export_rows, write_csv
from newsletter.subscribers.preferences import topics_of

SIGNER = Signer(("k" * 32,))
HEADER = "email,name,cadence,timezone,topic,keywords,categories,authors,seed_papers,mutes\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "list of readers.csv"


def load(
    engine: Engine, file: Path, content: str | bytes, *, confirmed: bool = True
) -> ImportReport:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return import_csv(engine, SIGNER, file, confirmed=confirmed)


def reasons(report: ImportReport) -> dict[int, str]:
    return {remark.line: remark.reason for remark in report.refused}


def statuses(engine: Engine) -> dict[str, str]:
    with read_scope(engine) as session:
        return {s.email: s.status.value for s in session.exec(select(Subscriber))}


def test_a_line_becomes_a_subscriber_with_a_topic(engine: Engine, file: Path) -> None:
    line = (
        "Ada@Reader.example,Ada Lovelace,weekly,Europe/London,Engines,"
        "analytical engine;difference engine,cs.AR;CS.pl,Charles Babbage,2401.12345,crypto\n"
    )
    report = load(engine, file, HEADER + line)
    assert (report.added, report.topics_added, report.refused) == (1, 1, [])
    with read_scope(engine) as session:
        ada = accounts.find_by_email(session, "ada@reader.example")
        assert ada
        [topic] = topics_of(session, row_id(ada))
    assert (ada.name, ada.cadence, ada.time_zone) == ("Ada Lovelace", "weekly", "Europe/London")
    assert ada.status is SubscriberStatus.ACTIVE
    assert ada.confirmed_at
    assert "according to the operator" in ada.consent_source
    assert topic.values(InterestKind.KEYWORD) == ["analytical engine", "difference engine"]
    assert topic.values(InterestKind.CATEGORY) == ["cs.AR", "cs.PL"]
    assert topic.values(InterestKind.SEED_PAPER) == ["2401.12345"]
    assert topic.values(InterestKind.KEYWORD, muted=True) == ["crypto"]


def test_without_the_statement_of_consent_everybody_is_pending(engine: Engine, file: Path) -> None:
    load(engine, file, "email\nada@reader.example\n", confirmed=False)
    assert statuses(engine) == {"ada@reader.example": "pending"}
    report = load(engine, file, "email\nada@reader.example\n")
    assert (report.added, report.confirmed) == (0, 1)
    assert statuses(engine) == {"ada@reader.example": "active"}


def test_several_lines_of_one_address_are_several_topics(engine: Engine, file: Path) -> None:
    report = load(
        engine,
        file,
        "email,topic,keywords\na@r.example,One,x\nb@r.example,One,y\nA@r.example,Two,z\n",
    )
    assert (report.added, report.topics_added) == (2, 3)


def test_contradicting_lines_are_refused(engine: Engine, file: Path) -> None:
    report = load(
        engine,
        file,
        "email,name,cadence,topic\n"
        "a@r.example,Ada,weekly,One\n"
        "a@r.example,Ada,daily,Two\n"
        "a@r.example,Eve,,Three\n"
        "a@r.example,,,one\n"
        "a@r.example,,,Four\n",
    )
    assert (report.added, report.topics_added) == (1, 2)
    assert reasons(report) == {
        3: "cadence: daily conflicts with line 2",
        4: "name: 'Eve' conflicts with line 2",
        5: "topic 'one' of this address is already on line 2",
    }


@pytest.mark.parametrize(
    "content",
    [
        b'\xef\xbb\xbfemail;name;keywords\r\nada@r.example;Ad\xc3\xa4;"x;y"\r\n',
        "email\tname\tkeywords\r\nada@r.example\tAdä\tx;y\r\n".encode("utf-16"),
        'sep=;\r\nE-Mail;Name;Keywords\r\nada@r.example;Adä;"x;y"\r\n'.encode(),
        "Email,Name,Keywords\rada@r.example,Adä,x;y\r".encode(),
        '"email","name","keywords"\n"ada@r.example","Adä","x;y"'.encode(),
        "\nemail,name,keywords\n,,\n\nada@r.example,Adä,x;y\n\n".encode(),
    ],
    ids=["semicolons and mark", "utf-16 tabs", "sep line", "old mac", "quoted", "blank lines"],
)
def test_the_ways_spreadsheets_write_are_read(
    sqlite_engine: Engine, file: Path, content: bytes
) -> None:
    report = load(sqlite_engine, file, content)
    assert report.refused == []
    with read_scope(sqlite_engine) as session:
        ada = accounts.find_by_email(session, "ada@r.example")
        assert ada
        [topic] = topics_of(session, row_id(ada))
    assert ada.name == "Adä"
    assert topic.values(InterestKind.KEYWORD) == ["x", "y"]


def test_a_bad_line_is_refused_with_its_number_and_the_others_come_in(
    engine: Engine, file: Path
) -> None:
    report = load(
        engine,
        file,
        HEADER
        + "good@r.example,,,,,,,,,\n"
        + "no address,,,,,,,,,\n"
        + "a@r.example,,hourly,,,,,,,\n"
        + "b@r.example,,,Mars,,,,,,\n"
        + 'c@r.example,"Eve\r\nBcc: x@y.example",,,,,,,,\n'
        + "d@r.example,,,,,,,,not a paper,\n"
        + "e@r.example,Ada,,,One,x,cs.SE,Doe, Jane,,,,late\n"
        + 'f@r.example,"x"y,,,,,,,,\n'
        + "g@r.example,,,,,gans,,,,GANs\n"
        + f"h@r.example,{'x' * 101},,,,,,,,\n"
        + "late@r.example\n",
    )
    assert report.added == 2, report.refused
    assert sorted(statuses(engine)) == ["good@r.example", "late@r.example"]
    found = reasons(report)
    # The name with a line break spans two lines, so the numbers after it are one more.
    assert list(found) == [3, 4, 5, 6, 8, 9, 10, 11, 12]
    assert "@-sign" in found[3]
    assert found[4].startswith("cadence")
    assert found[5].startswith("timezone")
    assert found[6] == "name: contains a line break or control character"
    assert found[8].startswith("seed_papers")
    assert found[9].startswith("line: 13 cells")
    assert found[10].startswith("is not CSV")
    assert "both wanted and muted" in found[11]
    assert "the maximum is 100" in found[12]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no header line"),
        (b"name,topic\nAda,One\n", "no column 'email'"),
        (b"email,keyword\na@r.example,x\n", "unknown column 'keyword'"),
        (b"email,email\na@r.example,b@r.example\n", "appears twice"),
        (b"email,name\na@r.example,Ad\xe4\n", "line 2: is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_changes_nothing(
    sqlite_engine: Engine, file: Path, content: bytes, what: str
) -> None:
    with pytest.raises(InputError, match=what):
        load(sqlite_engine, file, content)
    assert statuses(sqlite_engine) == {}


def test_a_missing_file_is_one_line(sqlite_engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        import_csv(sqlite_engine, SIGNER, tmp_path / "no.csv", confirmed=True)


def test_an_opt_out_is_never_brought_back(engine: Engine, file: Path) -> None:
    content = "email\nleft@r.example\nerased@r.example\nstays@r.example\n"
    load(engine, file, content)
    with session_scope(engine) as session:
        for email, act in (
            ("left@r.example", accounts.unsubscribe),
            ("erased@r.example", accounts.erase),
        ):
            found = accounts.find_by_email(session, email)
            assert found
            act(session, found.public_id)
    report = load(engine, file, content)
    assert report.added == 0
    assert "unsubscribed" in reasons(report)[2]
    assert "erased" in reasons(report)[3]
    assert [remark.line for remark in report.unchanged] == [4]
    assert statuses(engine) == {"left@r.example": "unsubscribed", "stays@r.example": "active"}


def test_a_known_subscriber_gains_a_topic_and_keeps_everything_else(
    engine: Engine, file: Path
) -> None:
    load(engine, file, "email,cadence,topic\na@r.example,weekly,One\n")
    report = load(engine, file, "email,cadence,topic\na@r.example,daily,One\na@r.example,,Two\n")
    assert (report.added, report.topics_added) == (0, 1)
    assert "nothing changed" in report.unchanged[0].reason
    with read_scope(engine) as session:
        [ada] = session.exec(select(Subscriber)).all()
        assert ada.cadence == "weekly"
        assert sorted(session.exec(select(Topic.name)).all()) == ["One", "Two"]


def test_an_export_is_harmless_in_a_spreadsheet_and_comes_back_the_same(
    engine: Engine, file: Path
) -> None:
    formula = "=HYPERLINK(1)"
    load(
        engine,
        file,
        "email,name,topic,keywords,mutes,seed_papers\n"
        f"a@r.example,{formula},+One,@x;y,z,2401.12345\n"
        "a@r.example,,Two,,,\n",
    )
    written = io.StringIO()
    with read_scope(engine) as session:
        assert write_csv(export_rows(session), written) == 2
        assert [row["topic"] for row in export_rows(session)] == ["+One", "Two"]
    cells = [cell for row in csv.reader(io.StringIO(written.getvalue())) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]

    with session_scope(engine) as session:
        [ada] = session.exec(select(Subscriber)).all()
        session.delete(ada)
    load(engine, file, written.getvalue())
    with read_scope(engine) as session:
        [ada] = session.exec(select(Subscriber)).all()
        one, two = topics_of(session, row_id(ada))
    assert ada.name == formula
    assert one.request.name == "+One"
    assert one.values(InterestKind.KEYWORD) == ["@x", "y"]
    assert two.request.name == "Two"


def test_an_exported_opt_out_stays_one_in_another_database(engine: Engine, file: Path) -> None:
    report = load(
        engine,
        file,
        "email,status\na@r.example,unsubscribed\nb@r.example,pending\nc@r.example,paused\n"
        "d@r.example,active\ne@r.example,odd\n",
    )
    assert statuses(engine) == {
        "b@r.example": "pending",
        "c@r.example": "paused",
        "d@r.example": "active",
    }
    assert sorted(reasons(report)) == [2, 6]


def test_thousands_of_lines_come_in_by_chunks(engine: Engine, file: Path) -> None:
    lines = "".join(f"reader{n}@r.example,Topic,one;two\n" for n in range(2500))
    report = load(engine, file, "email,topic,keywords\n" + lines)
    assert report.added == 2500
    with read_scope(engine) as session:
        assert session.exec(select(func.count()).select_from(Topic)).one() == 2500


def test_progress_is_told_of_every_address(engine: Engine, file: Path) -> None:
    file.write_text("email\n" + "".join(f"reader{n}@there.example\n" for n in range(700)))
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))

    import_csv(engine, SIGNER, file, confirmed=True, progress=progress)
    assert told[-1] == (700, 700)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
