"""Requests that no browser sends: each kind is refused in time, and the next visitor is served."""

import logging
import random
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import HTTPException
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import Subscriber
from newsletter.core.tokens import Purpose
from newsletter.web import bodies, server
from newsletter.web.bodies import LARGEST_BODY, MOST_FIELDS, Held, Multipart, UploadedFile
from newsletter.web.middleware import HEADERS
from tests.support.visits import EMAIL, SIGNER, add_reader, visit

FORM = "application/x-www-form-urlencoded"
LIBRARY = {"library": ("a.bib", b"@a{b, title={Looms}}")}


@pytest.fixture
def client(sqlite_engine: Engine) -> Iterator[httpx.Client]:
    with visit(sqlite_engine) as client:
        yield client


def emails(engine: Engine) -> list[str]:
    with read_scope(engine) as session:
        return list(session.exec(select(Subscriber.email)))


@contextmanager
def connection(client: httpx.Client) -> Iterator[socket.socket]:
    """A bare connection to the site."""
    parts = urlsplit(str(client.base_url))
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=30) as line:
        yield line


def answer_to(client: httpx.Client, data: bytes) -> bytes:
    """All that the site says to ``data``, until it closes."""
    with connection(client) as line:
        line.sendall(data)
        return until_closed(line)


def until_closed(line: socket.socket) -> bytes:
    said = b""
    try:
        while piece := line.recv(65_536):
            said += piece
    except ConnectionResetError:
        pass
    return said


def head(path: str = "/sign-up", *fields: str, method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *fields, "", ""]).encode()


def still_serves(client: httpx.Client) -> bool:
    return client.get("/").status_code == 200


@pytest.mark.parametrize("path", ["/sign-up", "/account"])
@pytest.mark.parametrize("piece", [b"&", b"a=b&", b"=", b";", b"%", b"%41", b"+", b"\0", b"a"])
def test_two_megabytes_of_anything_are_refused_before_they_are_parsed(
    client: httpx.Client, path: str, piece: bytes
) -> None:
    data = piece * (2 * 1024 * 1024 // len(piece))
    answer = client.post(path, content=data, headers={"Content-Type": FORM})
    assert answer.status_code == 413
    pieces = (data[start : start + 65_536] for start in range(0, len(data), 65_536))
    answer = client.post(path, content=pieces, headers={"Content-Type": FORM})
    assert answer.status_code == 413
    assert still_serves(client)


@pytest.mark.parametrize(
    ("fields", "status"), [(MOST_FIELDS - 1, 200), (MOST_FIELDS, 413), (100_000, 413)]
)
def test_fields_are_counted_before_they_are_parsed(
    client: httpx.Client, sqlite_engine: Engine, fields: int, status: int
) -> None:
    data = f"email={EMAIL}" + "&a=" * fields
    answer = client.post("/sign-up", content=data[:LARGEST_BODY], headers={"Content-Type": FORM})
    assert answer.status_code == status
    assert emails(sqlite_engine) == ([EMAIL] if status == 200 else [])


def test_a_file_is_taken_only_where_one_is_expected(
    client: httpx.Client, sqlite_engine: Engine
) -> None:
    reader = add_reader(sqlite_engine)
    token = SIGNER.sign(Purpose.PREFERENCES, reader)
    for path in ("/account", f"/preferences/{token}", f"/preferences/{token}/preview"):
        assert client.post(path, data={"email": EMAIL}, files=LIBRARY).status_code == 415
    assert client.post("/sign-up", data={"email": EMAIL}, files=LIBRARY).status_code == 200


@pytest.mark.parametrize("size", [300_000, 8_000_000, 20_000_000])
def test_of_a_large_file_the_form_around_it_is_read(
    client: httpx.Client, sqlite_engine: Engine, size: int
) -> None:
    # The file stands before the address.
    data = (
        b'--b\r\nContent-Disposition: form-data; name="library"; filename="all.bib"\r\n\r\n'
        + b"x" * size
        + b'\r\n--b\r\nContent-Disposition: form-data; name="email"\r\n\r\n'
        + EMAIL.encode()
        + b"\r\n--b--\r\n"
    )
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = client.post("/sign-up", content=data, headers=kind)
    assert answer.status_code == 200
    assert "all.bib: is larger than 256 KB" in answer.text
    assert emails(sqlite_engine) == [EMAIL]


PART = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nc\r\n'


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (PART * 5_000 + b"--b--", 413),
        (b"--b\r\n" * 50_000, 413),
        (b"--b\r\nX: " + b"y" * 100_000, 413),
        (b"--b\r\n" + b"X: y\r\n" * 20_000, 413),
        (PART.replace(b"c", b"c" * 300_000) + b"--b--", 413),
        (PART.replace(b"c", b"c" * 2_000) * 200 + b"--b--", 413),
        (PART + b"--b", 400),
        (PART, 400),
        (b"", 400),
        (b"\r\n--" * 200_000, 400),
        (b"x" * (33 * 1024 * 1024), 413),
    ],
)
def test_multipart_that_no_browser_sends_is_refused(
    client: httpx.Client, data: bytes, status: int
) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert client.post("/sign-up", content=data, headers=kind).status_code == status
    assert still_serves(client)


@pytest.mark.parametrize(
    "boundary", ["charset=x", "boundary=", 'boundary="', "boundary=" + "b" * 71, "x=y"]
)
def test_an_invalid_boundary_is_refused(client: httpx.Client, boundary: str) -> None:
    kind = {"Content-Type": f"multipart/form-data; {boundary}"}
    assert client.post("/sign-up", content=PART + b"--b--", headers=kind).status_code == 400


def test_multipart_is_read_the_same_however_it_is_cut() -> None:
    data = (
        b"a preamble\r\n--b-\r\n--b\r\n"
        b'Content-Disposition: form-data; name="email"\r\n\r\nada@reader.example\r\n--b\r\n'
        b'content-disposition: form-data; name="text"\r\nContent-Type: x\r\n\r\n\r\n--b \r\n'
        b'Content-Disposition: form-data; name="pick"\r\n\r\n\r\n--\r\n-b\r\n--b\r\n'
        b'Content-Disposition: form-data; name="library"; filename="a \\"b\\" %22c%22.bib"\r\n\r\n'
        b"@a{b}\r\n\r\n--b--\r\nan epilogue"
    )
    cutter = random.Random(7)
    for size in [1, 2, 3, 7, 50, len(data), *(cutter.randint(1, 90) for _ in range(50))]:
        reader = Multipart(b"b", largest_file=100)
        for start in range(0, len(data), size):
            reader.feed(data[start : start + size])
        form = reader.form()
        assert form["email"] == "ada@reader.example"
        assert form["text"] == ""
        assert form["library"] == UploadedFile('a "b" "c".bib', b"@a{b}\r\n")


def test_of_a_file_over_its_limit_one_byte_more_is_kept() -> None:
    reader = Multipart(b"b", largest_file=4)
    reader.feed(b'--b\r\nContent-Disposition: form-data; name="f"; filename="n"\r\n\r\n')
    for _ in range(1000):
        reader.feed(b"12345678")
        assert reader.size < 100
    reader.feed(b"\r\n--b--")
    assert reader.form()["f"] == UploadedFile("n", b"12345")


def test_bodies_in_memory_are_bounded_over_all_requests() -> None:
    held = Held(100)
    held.take(60)
    with pytest.raises(HTTPException) as refused:
        held.take(41)
    assert refused.value.status_code == 503
    held.give_back(60)
    held.take(100)


def test_what_is_read_is_given_back_when_a_body_is_refused(client: httpx.Client) -> None:
    client.post("/sign-up", content=b"&" * 200_000, headers={"Content-Type": FORM})
    client.post("/sign-up", data={"email": EMAIL}, files=LIBRARY)
    client.post("/sign-up", content=iter([b"x" * 200_000] * 3), headers={"Content-Type": FORM})
    assert bodies.HELD._held == 0


@pytest.mark.parametrize(
    "fields",
    [
        ("Content-Length: 4", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 4"),
        ("Content-Length: 4", "Content-Length: 5"),
        ("Content-Length: 4, 5",),
        ("Content-Length: -4",),
        ("Content-Length: 4x",),
        ("Transfer-Encoding: gzip, chunked",),
        ("Transfer-Encoding: chunked, chunked",),
        ("Transfer-Encoding : chunked",),
        ("Content-Length: 0\n x",),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_body_with_two_ends_or_none_is_refused(
    client: httpx.Client, method: str, fields: tuple[str, ...]
) -> None:
    smuggled = b"0\r\n\r\nGET /privacy HTTP/1.1\r\nHost: x\r\n\r\n"
    said = answer_to(client, head("/", *fields, method=method) + smuggled)
    assert said.split(b" ")[1] in {b"400", b"501"}
    assert said.count(b"HTTP/1.1 ") == 1
    assert still_serves(client)


@pytest.mark.parametrize(
    "flood",
    [
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000,
        b"GET / HTTP/1.1\r\nCookie: " + b"a" * 100_000,
        b"GET /" + b"a" * 100_000,
        b"\r\n" * 100_000,
        b"\0" * 100_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 1000,
    ],
)
def test_a_flood_of_headers_is_answered_400_with_the_usual_headers(
    client: httpx.Client, flood: bytes
) -> None:
    said = answer_to(client, flood)
    if said:  # where the rest of the flood did not reset the connection first
        assert said.startswith(b"HTTP/1.1 400 ")
        for name in HEADERS:
            assert f"\r\n{name}: ".lower().encode() in said.lower()
    assert still_serves(client)


def test_a_body_in_crumbs_is_cut_off(client: httpx.Client) -> None:
    crumbs = b"1\r\na\r\n" * 40_000 + b"0\r\n\r\n"
    said = answer_to(
        client, head("/sign-up", "Transfer-Encoding: chunked", f"Content-Type: {FORM}") + crumbs
    )
    assert b" 200 " not in said.split(b"\r\n")[0]
    assert still_serves(client)


def test_a_head_that_does_not_end_is_dropped(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SECONDS_FOR_HEAD", 0.3)
    with connection(client) as silent, connection(client) as slow, connection(client) as again:
        slow.sendall(b"GET / HTTP/1.1\r\nHost:")
        again.sendall(head("/healthz", method="GET") + b"GET / HTT")
        assert until_closed(silent) == b""
        assert until_closed(slow) == b""
        assert until_closed(again).count(b"HTTP/1.1 ") == 1
    assert still_serves(client)


def test_a_body_that_does_not_end_is_answered_408(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "SECONDS_FOR_BODY", 0.3)
    monkeypatch.setattr(bodies, "SECONDS_FOR_UPLOAD", 0.3)
    for kind in (FORM, "multipart/form-data; boundary=b"):
        with connection(client) as line:
            line.sendall(head("/sign-up", f"Content-Type: {kind}", "Content-Length: 900") + b"a=")
            assert until_closed(line).startswith(b"HTTP/1.1 408 ")
    assert still_serves(client)


def test_a_body_that_nobody_reads_is_not_waited_for(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SECONDS_TO_LINGER", 0.3)
    with connection(client) as line:
        line.sendall(head("/confirm/x", "Content-Length: 900") + b"a=")
        assert until_closed(line).startswith(b"HTTP/1.1 404 ")


def test_with_too_many_connections_the_one_that_waits_longest_goes(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 3)
    with connection(client) as first, connection(client) as second, connection(client) as third:
        third.sendall(b"GET /healthz HTT")
        with connection(client) as fourth:
            fourth.sendall(head("/healthz", method="GET"))
            assert fourth.recv(65_536).startswith(b"HTTP/1.1 200 ")
            assert until_closed(first) == b""
            third.sendall(b"P/1.1\r\nHost: x\r\n\r\n")
            assert third.recv(65_536).startswith(b"HTTP/1.1 200 ")
            second.sendall(head("/healthz", method="GET"))
            assert second.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_a_page_that_fails_has_all_headers_and_the_log_names_nobody(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with session_scope(sqlite_engine) as session:
        session.connection().exec_driver_sql("DROP TABLE rate_limit")
        session.connection().exec_driver_sql("CREATE TABLE rate_limit (key TEXT)")
    monkeypatch.setattr("newsletter.web.middleware.is_busy", lambda error: False)
    with visit(sqlite_engine) as client, caplog.at_level(logging.DEBUG):
        answer = client.post("/sign-up", data={"email": EMAIL})
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "OperationalError" in caplog.text
    assert EMAIL not in caplog.text


def test_a_locked_database_is_a_page_that_says_try_again(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("newsletter.core.database.BUSY_SECONDS", 0)
    sqlite_engine.dispose()
    other = sqlite3.connect(str(sqlite_engine.url.database), isolation_level=None)
    with visit(sqlite_engine) as client, closing(other):
        other.execute("BEGIN IMMEDIATE")
        answer = client.post("/sign-up", data={"email": EMAIL})
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "10"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "try again in a few seconds" in answer.text
        assert still_serves(client)
        assert client.get("/healthz").json() == {"status": "ok"}
    assert EMAIL not in caplog.text


@pytest.mark.parametrize(
    ("base_url", "told"),
    [("https://papers.example", "max-age=31536000"), ("http://papers.example", None)],
)
def test_an_https_site_sends_hsts(sqlite_engine: Engine, base_url: str, told: str | None) -> None:
    with visit(sqlite_engine, base_url=base_url) as client:
        assert client.get("/").headers.get("Strict-Transport-Security") == told
        assert client.get("/nowhere").headers.get("Strict-Transport-Security") == told
