"""`newsletter ingest` as an operator and other programs meet it."""

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, func, select

from newsletter.cli import main
from newsletter.core import database as db
from newsletter.core.models import FetchLog, Interest, InterestKind, Paper, Topic
from tests.support.factories import make_subscriber
from tests.support.sources import hf_day, item, rss

RUN = "from newsletter.cli import main; main()"


class Site:
    """Feeds on the loopback interface, by path."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, bytes]] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = site.pages[self.path]
                self.send_response(status)
                self.send_header("Content-Type", "application/rss+xml")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture
def site() -> Iterator[Site]:
    running = Site()
    yield running
    running.http.shutdown()
    running.http.server_close()


def start(url: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NEWSLETTER_")}
    return subprocess.Popen(
        [sys.executable, "-c", RUN, "ingest", *arguments],
        cwd=folder,
        env=environment | {"NEWSLETTER_DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """The command in this process, in an empty folder; exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("NEWSLETTER_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", database)

    def command(*arguments: str, **settings: str) -> tuple[int, str, str]:
        for name, value in settings.items():
            monkeypatch.setenv(f"NEWSLETTER_{name.upper()}", value)
        monkeypatch.setattr(sys, "argv", ["newsletter", "ingest", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(str(ended.value.code or 0)), said.out, said.err

    return command


@pytest.fixture
def database(tmp_path: Path, migrated_file: Path) -> str:
    path = tmp_path / "newsletter.db"
    shutil.copyfile(migrated_file, path)
    return f"sqlite:///{path}"


def sources(out: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(out)["sources"]
    return found


def test_a_file_is_one_json_object_with_the_promised_keys(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(hf_day(1, 2)[:-1] + b', {"paper": {"id": "2609.00003"}}]')
    code, out, error = run("--file", str(path), "--json")
    assert (code, error) == (1, "")
    (source,) = sources(out)
    assert source["errors"][0]["where"] == "list.json, paper 3"
    counts = {key: source[key] for key in ("announced", "new", "revised", "known", "failed")}
    assert counts == {"announced": 3, "new": 2, "revised": 0, "known": 0, "failed": 1}


def test_a_file_with_no_readable_paper_is_one_line_and_exit_2(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "papers.jsonl"
    path.write_text('{"title": ""}\n{"title": "cut off"\n')
    code, out, error = run("--file", str(path), "--format", "jsonl")
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert "papers.jsonl: cannot read any of its 2 papers; line 1: it has no title" in error
    code, out, _ = run("--file", str(path), "--format", "jsonl", "--json")
    (source,) = sources(out)
    assert (code, source["failed"], len(source["errors"])) == (2, 2, 2)
    assert "cannot read any" in source["failure"]
    path.write_text('{"title": ""}\n{"title": "Counting whales"}\n')
    assert run("--file", str(path), "--format", "jsonl")[0] == 1


def test_a_file_is_one_line_for_people(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(hf_day(1, 2))
    line = "hf: 2 announced, 2 new, 0 revised, 0 known, 0 failed\n"
    assert run("--file", str(path)) == (0, line, "")


def test_a_paper_that_is_too_old_to_be_news_is_not_called_known(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "shelf.jsonl"
    path.write_text('{"title": "Counting whales", "published": "1975-03-01"}\n')
    line = "jsonl: 1 announced, 0 new, 0 revised, 0 known, 1 too old to be news, 0 failed\n"
    assert run("--file", str(path)) == (0, line, "")
    assert run("--file", str(path))[1].endswith(", 1 known, 0 failed\n"), "it is stored"
    path.write_text('{"title": "Counting seals", "published": "1976-03-01"}\n')
    (source,) = sources(run("--file", str(path), "--json")[1])
    assert (source["announced"], source["new"], source["known"], source["too_old"]) == (1, 0, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--file", "gone.json"], "gone.json: cannot be read: No such file"),
        (["--file", "page.html"], "page.html: unknown format: it starts '<html>hello'"),
        (["--file", "page.html", "--format", "hf"], "page.html: not JSON"),
        (["--file", "page.html", "--format", "feed"], "page.html: expected a feed, got a web"),
        (
            ["--file", "page.html", "--format", "xyz"],
            "unknown format 'xyz'; known formats: auto, hf",
        ),
        (["--file", "page.html", "hf"], "--file cannot be combined with sources"),
        (["--file", "."], ".: cannot be read: Is a directory"),
        (["--file", "pipe"], "pipe: cannot be read: not a file"),
        (["--file", "empty"], "empty: it is empty"),
        (["--file", "nulls"], "nulls: it is empty"),
        (["--file", "cut.gz"], "cut.gz: cannot be unpacked: Compressed file ended"),
        (["--file", "flipped.gz"], "flipped.gz: cannot be unpacked"),
        (["--file", "said.json"], "said.json: it is an error message, 'Too many requests'"),
        (["--file", "cut.json"], "cut.json, line 1 column 339: broken JSON"),
        (["nonsense"], "unknown source 'nonsense'; known sources: hf, arxiv"),
        (["pubmed"], "the source pubmed needs the setting NEWSLETTER_SEARCH_TERMS"),
        (["feeds"], "the source feeds needs the setting NEWSLETTER_FEEDS"),
    ],
)
def test_impossible_requests_are_one_line_and_exit_2(
    run: Run, tmp_path: Path, arguments: list[str], reason: str
) -> None:
    packed = gzip.compress(hf_day(*range(50)))
    for name, content in {
        "page.html": b"<html>hello",
        "empty": b"",
        "nulls": b"\0" * 5_000,
        "cut.gz": packed[:-100],
        "flipped.gz": packed[:100] + bytes([packed[100] ^ 255]) + packed[101:],
        "said.json": b'{"message": "Too many requests"}',
        "cut.json": hf_day(1)[:-9],
    }.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe")
    code, out, error = run(*arguments)
    assert (code, out) == (2, "")
    with Session(db.connect(os.environ["NEWSLETTER_DATABASE_URL"])) as session:
        assert session.exec(select(Paper)).all() == []
    assert error.startswith("error: ")
    assert reason in error
    assert error.count("\n") == 1


def test_a_file_that_cannot_be_read_is_json_too(run: Run, tmp_path: Path) -> None:
    code, out, error = run("--file", "gone.json", "--json")
    assert code == 2
    assert sources(out)[0]["errors"] == [
        {"where": "gone.json", "what": "cannot be read: No such file or directory"}
    ]
    assert error.startswith("error: gone.json")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("feeds", "example.org/feed", "is not a URL like https://host/path"),
        ("arxiv_categories", "cs.CL,LG!", "'LG!' is not an arXiv category"),
        ("openreview_venues", "ICLR", "'ICLR' is not an OpenReview venue"),
        ("contact", "nobody", "NEWSLETTER_CONTACT"),
    ],
)
def test_a_bad_setting_is_one_line_and_exit_2(run: Run, name: str, value: str, reason: str) -> None:
    code, _, error = run(**{name: value})
    assert code == 2
    assert reason in error


def test_one_source_that_fails_does_not_stop_the_others(
    run: Run, database: str, site: Site
) -> None:
    site.pages = {"/gone": (404, b"no"), "/news": (200, rss(item(1), item(2)))}
    feeds = f"{site.url}/gone {site.url}/news"
    code, out, _ = run("--json", sources="feeds", feeds=feeds)
    gone, news = sources(out)
    assert code == 1
    assert "answered 404" in gone["errors"][0]["what"]
    assert (gone["announced"], news["new"]) == (0, 2)
    engine = db.connect(database)
    with Session(engine) as session:
        assert [log.new for log in session.exec(select(FetchLog).order_by(col(FetchLog.id)))] == [
            0,
            2,
        ]
    engine.dispose()


def test_when_no_source_can_be_read_it_says_so_and_exits_with_2(run: Run, site: Site) -> None:
    site.pages = {"/gone": (404, b"no")}
    code, out, error = run("--json", sources="feeds", feeds=f"{site.url}/gone")
    assert (code, sources(out)[0]["announced"]) == (2, 0)
    assert error.startswith("nothing could be read: feed:127.0.0.1/")
    site.pages = {"/gone": (200, rss())}
    assert (
        run("--json", sources="feeds", feeds=f"{site.url}/gone")[0] == 0
    )  # nothing new is no failure


def test_a_database_that_fails_is_one_line(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(hf_day(1))
    with sqlite3.connect(tmp_path / "newsletter.db") as other:
        other.execute("DROP TABLE fetch_log")
    code, out, error = run("--file", str(path))
    assert (code, out) == (2, "")
    assert error == "error: database error: no such table: fetch_log\n"


def test_two_feeds_of_one_site_are_two_sources(run: Run, site: Site) -> None:
    site.pages = {"/a": (200, rss(item(1))), "/b": (200, rss(item(2)))}
    feeds = f"{site.url}/a {site.url}/b"
    code, out, _ = run(sources="feeds", feeds=feeds)
    assert code == 0
    names = [line.split(": ")[0] for line in out.splitlines()]
    assert len(set(names)) == 2
    assert all(name.startswith("feed:127.0.0.1/") for name in names)


def test_two_processes_at_once_store_each_paper_once(database_url: str, tmp_path: Path) -> None:
    engine = db.connect(database_url)
    db.upgrade(engine)
    path = tmp_path / "papers.jsonl"
    rows = ({"id": f"2609.{n:05}", "title": f"Paper number {n}"} for n in range(3000))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    processes = [start(database_url, tmp_path, "--file", str(path), "--json") for _ in range(2)]
    results = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], results
    found = [sources(out)[0] for out, _ in results]
    assert sum(source["new"] for source in found) == 3000
    assert all(source["announced"] == 3000 for source in found)
    with Session(engine) as session:
        assert session.exec(select(func.count(col(Paper.id)))).one() == 3000
    engine.dispose()


def test_killed_by_the_system_and_run_again_everything_is_there(
    run: Run, database: str, tmp_path: Path
) -> None:
    path = tmp_path / "papers.jsonl"
    rows = ({"id": f"2609.{n:05}", "title": f"Paper number {n}"} for n in range(8_000))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    engine = db.connect(database)
    process = start(database, tmp_path, "--file", str(path))
    seen = 0
    while seen < 500 and process.poll() is None:
        with Session(engine) as session:
            seen = session.exec(select(func.count(col(Paper.id)))).one()
    process.kill()
    process.communicate()
    # Whole groups are there or not at all.
    assert 0 < seen < 8_000
    assert seen % 500 == 0
    code, out, _ = run("--file", str(path), "--json")
    assert code == 0
    assert sources(out)[0]["new"] + sources(out)[0]["known"] == 8_000
    with Session(engine) as session:
        assert session.exec(select(func.count(col(Paper.id)))).one() == 8_000
    engine.dispose()


def test_a_paper_that_a_reader_named_becomes_an_example_when_it_comes_in(
    run: Run, database: str, tmp_path: Path
) -> None:
    engine = db.connect(database)
    with Session(engine) as session:
        topic = Topic(subscriber_id=make_subscriber(session).id or 0, name="Looms")
        session.add(topic)
        session.flush()
        for name, title in (("10.1000/1", "Looms"), ("10.1000/2", "Mills")):
            interest = Interest(topic_id=topic.id or 0, kind=InterestKind.TEXT, value=title)
            interest.reference = name
            session.add(interest)
        session.commit()
    (tmp_path / "a.jsonl").write_text('{"id": "a", "title": "Looms", "doi": "10.1000/1"}\n')
    code, said, _ = run("--file", "a.jsonl", "--json")
    assert code == 0
    assert "looked_up" not in json.loads(said)
    with Session(engine) as session:
        found = {(row.kind, row.value) for row in session.exec(select(Interest))}
    assert found == {(InterestKind.SEED_PAPER, "10.1000/1"), (InterestKind.TEXT, "Mills")}
