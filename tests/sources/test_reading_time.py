"""An answer may cost so much processor time and no more, whatever its parser does with it."""

import re
import signal
import threading
from collections.abc import Callable

import httpx
import pytest

from newsletter.core.errors import FetchError
from newsletter.sources import Page, Request
from newsletter.sources.feeds import Feed
from newsletter.sources.reading_time import limited_reading
from tests.support.sources import answering, fetcher, item, rss

LIMIT = 0.3


def loops() -> None:
    while True:
        pass


def goes_on_after_every_error() -> None:
    while True:
        try:
            loops()
        except Exception:  # noqa: BLE001  (as a parser does with a bad record)
            continue


def goes_back_for_ever() -> None:
    re.match(r"(a+)+b", "a" * 60)


class Wild(Feed):
    """A source whose parser never ends."""

    def __init__(self, run: Callable[[], None]) -> None:
        super().__init__("http://feeds.example/wild")
        self.run = run

    def parse(self, body: bytes, *, where: str, request: Request | None = None) -> Page:
        self.run()
        return super().parse(body, where=where, request=request)


@pytest.mark.parametrize("run", [loops, goes_on_after_every_error, goes_back_for_ever])
@pytest.mark.parametrize("status", [200, 404])
def test_an_answer_that_is_read_for_ever_is_broken_off(
    run: Callable[[], None], status: int
) -> None:
    handler = answering(httpx.Response(status, content=b"<rss/>"))
    source = Wild(run)
    with (
        fetcher(handler, longest_reading=LIMIT) as web,
        pytest.raises(FetchError, match=r"takes more than 0\.3 s of processor time") as caught,
    ):
        web.page(source, Request(source.url))
    assert not caught.value.transient  # the next attempt would cost as much
    assert source.name in str(caught.value)


def test_what_is_read_in_time_is_read_and_leaves_no_alarm_behind() -> None:
    before = signal.getsignal(signal.SIGPROF)
    source = Feed("http://feeds.example/good")
    with fetcher(answering(rss(item(1)))) as web:
        page, _ = web.page(source, Request(source.url))
    assert len(page.records) == 1
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGPROF) is before


def test_an_error_of_the_parser_stays_what_it_is_and_leaves_no_alarm_behind() -> None:
    with pytest.raises(ZeroDivisionError), limited_reading(LIMIT, "here"):
        _ = 1 / 0
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_another_thread_reads_without_an_alarm() -> None:
    seen: list[tuple[float, float]] = []

    def read() -> None:
        with limited_reading(LIMIT, "here"):
            seen.append(signal.getitimer(signal.ITIMER_PROF))

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert seen == [(0.0, 0.0)]
