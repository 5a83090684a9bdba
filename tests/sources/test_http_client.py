"""Polite fetching, against a real server on the loopback interface."""

import gzip
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from newsletter.core.errors import FetchError, ParseError
from newsletter.sources import Page, Request
from newsletter.sources.feeds import Feed
from newsletter.sources.http_client import Fetcher, Validators
from tests.support.sources import DAY, FreeTurns, answering, fetcher, item, rss

NOTHING = Validators()
Respond = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """Answers each request as the test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.respond: list[Respond] = []
        self.seen: list[dict[str, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.seen.append({**dict(self.headers), "path": self.path})
                respond = server.respond.pop(0) if len(server.respond) > 1 else server.respond[0]
                respond(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/feed"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def gives(
    body: bytes = b"", status: int = 200, kind: str = "application/rss+xml", **headers: str
) -> Respond:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return respond


def ask(
    server: Server, validators: Validators = NOTHING, **options: int | float | str
) -> tuple[Page, Validators]:
    source = Feed(server.url, "feed:test")
    turns = FreeTurns()
    with Fetcher(turns, sleep=lambda seconds: None, **options) as client:  # type: ignore[arg-type]
        return client.page(source, source.first_request(DAY, DAY), validators)


def test_the_user_agent_names_a_contact(server: Server) -> None:
    server.respond = [gives(rss(item(1)))]
    page, _ = ask(server, contact="papers@example.org")
    assert len(page.records) == 1
    assert server.seen[0]["User-Agent"].endswith("(mailto:papers@example.org)")


def test_an_unchanged_feed_is_asked_for_conditionally_and_gives_nothing(server: Server) -> None:
    modified = "Wed, 23 Sep 2026 08:00:00 GMT"
    server.respond = [gives(rss(item(1)), ETag='"a1"', Last_Modified=modified), gives(status=304)]
    _, validators = ask(server)
    assert validators == Validators('"a1"', modified)
    page, kept = ask(server, validators)
    assert (page, kept) == (Page(), validators)
    assert server.seen[1]["If-None-Match"] == '"a1"'
    assert server.seen[1]["If-Modified-Since"] == modified


def test_a_server_that_is_overloaded_is_asked_again(server: Server) -> None:
    server.respond = [gives(b"busy", 503), gives(b"busy", 502), gives(rss(item(1)))]
    assert len(ask(server)[0].records) == 1


def test_a_server_that_stays_overloaded_is_given_up(server: Server) -> None:
    server.respond = [gives(b"busy", 503)]
    with pytest.raises(FetchError, match="answered 503 Service Unavailable"):
        ask(server)
    assert len(server.seen) == 4


def test_a_page_that_is_gone_is_asked_for_once(server: Server) -> None:
    server.respond = [gives(b"no", 410, kind="text/plain")]
    with pytest.raises(FetchError, match="answered 410 Gone: expected a feed"):
        ask(server)
    assert len(server.seen) == 1


def test_the_pauses_grow(server: Server) -> None:
    server.respond = [gives(b"busy", 503)]
    pauses: list[float] = []
    source = Feed(server.url, "feed:test")
    with Fetcher(FreeTurns(), sleep=pauses.append) as client, pytest.raises(FetchError):
        client.page(source, source.first_request(DAY, DAY))
    # 2, 4, 8 seconds, with up to 2 more by chance.
    assert [int(pause // 2 * 2) if pause < 8 else 8 for pause in pauses] == [2, 4, 8]


@pytest.mark.parametrize("value", ["120", "Thu, 01 Jan 2099 00:00:00 GMT"])
def test_retry_after_is_handed_to_the_hosts_turn(value: str) -> None:
    turns = FreeTurns()
    handler = answering(httpx.Response(429, headers={"Retry-After": value}, text="slow"))
    with Fetcher(
        turns, transport=httpx.MockTransport(handler), sleep=lambda seconds: None
    ) as client:
        with pytest.raises(FetchError) as caught:
            client.page(Feed("https://example.org/"), Request("https://example.org/"))
        assert caught.value.transient
    soonest = datetime.now(UTC) + timedelta(seconds=100)
    assert all(when > soonest for when in turns.not_before)


def test_compressed_answers_are_read_and_broken_ones_named(server: Server) -> None:
    packed = gzip.compress(rss(item(1)))
    server.respond = [gives(packed, Content_Encoding="gzip")]
    assert len(ask(server)[0].records) == 1
    server.respond = [gives(packed[:10] + b"garbage", Content_Encoding="gzip")]
    with pytest.raises(FetchError, match=r"no answer from 127\.0\.0\.1.*decompressing"):
        ask(server)
    server.respond = [gives(packed[:40], Content_Encoding="gzip")]
    with pytest.raises(ParseError, match="expected a feed: it is empty"):
        ask(server)


def test_a_small_answer_that_unpacks_to_a_large_one_is_refused(server: Server) -> None:
    server.respond = [gives(gzip.compress(b" " * 5_000_000), Content_Encoding="gzip")]
    with pytest.raises(FetchError, match="larger than 1,000,000 bytes"):
        ask(server, largest=1_000_000)


@pytest.mark.parametrize("coding", ["gzip, gzip", "gzip,deflate", "br", "zstd"])
def test_what_is_packed_twice_or_tighter_than_asked_for_is_not_unpacked(
    server: Server, coding: str
) -> None:
    twice = gzip.compress(gzip.compress(b" " * 5_000_000))
    server.respond = [gives(twice, Content_Encoding=coding)]
    with pytest.raises(FetchError, match="refused: packed as"):
        ask(server)


def test_an_endless_answer_is_refused(server: Server) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"<rss>" * 1000)
        except OSError:
            pass

    server.respond = [endless]
    with pytest.raises(FetchError, match="larger than 200,000 bytes"):
        ask(server, largest=200_000)


LATE = {
    "its body": (b"HTTP/1.1 200 OK\r\n\r\n", b"<"),
    "its headers": (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
    "its status": (b"", b"H"),
    # A packed body that gives nothing yet: the name of a file, without an end.
    "what is packed": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08" + bytes(6),
        b"n",
    ),
    "the length of a piece": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "nothing": (b"", b""),
}


@pytest.mark.parametrize("what", LATE)
def test_an_answer_that_drips_is_given_up_wherever_it_does(server: Server, what: str) -> None:
    enough = threading.Event()
    begin, drop = LATE[what]

    def drip(handler: BaseHTTPRequestHandler) -> None:
        try:
            handler.wfile.write(begin)
            while not enough.wait(0.02):
                handler.wfile.write(drop)
        except OSError:
            pass

    server.respond = [drip]
    with pytest.raises(FetchError, match="not complete after 0 s"):
        ask(server, longest=0.1, attempts=1)
    enough.set()


def test_a_body_without_a_length_is_not_taken_for_complete_when_time_is_over(
    server: Server,
) -> None:
    enough = threading.Event()

    def stay(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\n\r\n")
        handler.wfile.write(rss(item(1)))
        enough.wait(5)

    server.respond = [stay]
    with pytest.raises(FetchError, match="not complete after 0 s"):
        ask(server, longest=0.1, attempts=1)
    enough.set()


def test_an_answer_that_breaks_off_is_asked_for_again(server: Server) -> None:
    def short(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "5000")
        handler.end_headers()
        handler.wfile.write(b"<rss>")

    server.respond = [short, gives(rss(item(1)))]
    assert len(ask(server)[0].records) == 1


def test_a_body_of_another_type_is_refused(server: Server) -> None:
    server.respond = [gives(b"\x89PNG", kind="image/png")]
    with pytest.raises(FetchError, match="refused: unexpected content type image/png"):
        ask(server)


def test_a_redirect_on_the_same_host_is_followed(server: Server) -> None:
    server.respond = [gives(status=301, Location="/moved"), gives(rss(item(1)))]
    assert len(ask(server)[0].records) == 1
    assert server.seen[1]["path"] == "/moved"


def test_redirects_in_circles_end(server: Server) -> None:
    server.respond = [gives(status=302, Location="/feed")]
    with pytest.raises(FetchError, match="redirect loop"):
        ask(server)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("http://example.org/", "from https to http"),
        ("file:///etc/passwd", "from https to file"),
        ("ftp://example.org/feed", "from https to ftp"),
        ("javascript:alert(1)", "to an invalid address"),
        ("https://127.0.0.1/", "redirected to 127.0.0.1"),
        ("https://[::1]/", "redirected to ::1"),
        ("https://169.254.169.254/latest", "redirected to 169.254.169.254"),
        ("https://localhost/", "redirected to localhost"),
    ],
)
def test_a_redirect_to_another_scheme_or_inside_is_refused(target: str, reason: str) -> None:
    source = Feed("https://example.org/feed")
    with (
        fetcher(answering(httpx.Response(302, headers={"Location": target}))) as client,
        pytest.raises(FetchError, match=reason),
    ):
        client.page(source, source.first_request(DAY, DAY))


def test_nobody_there_is_one_clear_error() -> None:
    source = Feed("http://127.0.0.1:9/feed", "feed:gone")
    with (
        Fetcher(FreeTurns(), sleep=lambda seconds: None) as client,
        pytest.raises(FetchError, match=r"feed:gone, http://127\.0\.0\.1:9/feed: no answer"),
    ):
        client.page(source, source.first_request(DAY, DAY))


def test_an_invalid_address_is_one_clear_error() -> None:
    source = Feed("http://exam\x00ple.org/", "feed:bad")
    with fetcher(answering(b"")) as client, pytest.raises(FetchError, match="not a URL"):
        client.page(source, source.first_request(DAY, DAY))
