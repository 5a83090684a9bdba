"""The polite HTTP client of all sources: the one place that opens connections.

Per-host turns (one request at a time, a pause between two, over all processes), conditional
requests, pauses that grow with jitter and obey Retry-After, limits on time and size. Redirects
to another scheme and bodies of another type are refused.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlencode

import httpx
import tenacity

from newsletter.core.deadline import NO_KEEPING, Deadline
from newsletter.core.errors import FetchError, ParseError
from newsletter.sources.base import Page, Request, Source
from newsletter.sources.internal_addresses import is_internal_address, is_internal_host
from newsletter.sources.normalise import moment
from newsletter.sources.reading_time import limited_reading

LARGEST_BODY = 64 * 1024 * 1024
# A slow answer from OAI begins within a minute; beyond two something drips bytes to hold us.
LONGEST_SILENCE = 60.0
LONGEST_ANSWER = 120.0
# Processor time, in seconds. Real answers take well under one; 17 MB of formulas took 20.
LONGEST_READING = 30.0
_TIMEOUT = httpx.Timeout(LONGEST_SILENCE, connect=10.0)
_MOST_REDIRECTS = 5
_ATTEMPTS = 4
# Told to wait longer than this, a run gives up and leaves the rest to the next one.
LONGEST_WAIT = 600.0
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class Turn(Protocol):
    """Permission to ask one host now."""

    def ask_not_before(self, when: datetime) -> None:
        """Do not ask this host before ``when``, as it demanded."""
        ...

    def keep(self) -> None:
        """The answer is still coming; called now and then while it does."""
        ...


class Turns(Protocol):
    """Turns at hosts, shared by all processes."""

    def take(self, host: str) -> AbstractContextManager[Turn]:
        """Wait for the turn; the pause before the next one begins when it ends.

        Raises:
            FetchError: the host asked for a pause longer than a run waits.
        """
        ...


@dataclass(frozen=True, slots=True)
class Validators:
    """Validators for a conditional request (RFC 9110 §8.8)."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """The conditional headers, If-None-Match first."""
        pairs = (("If-None-Match", self.etag), ("If-Modified-Since", self.last_modified))
        return {name: value for name, value in pairs if value}


@dataclass(frozen=True, slots=True)
class Answer:
    """A body, or None when it has not changed, and what to ask with next time."""

    body: bytes | None
    validators: Validators = Validators()
    charset: str | None = None


class Fetcher:
    """A polite HTTP client. Use it as a context manager."""

    def __init__(
        self,
        turns: Turns,
        *,
        contact: str | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        largest: int = LARGEST_BODY,
        longest: float = LONGEST_ANSWER,
        longest_reading: float = LONGEST_READING,
        attempts: int = _ATTEMPTS,
    ) -> None:
        self.turns = turns
        self.sleep = sleep
        self.largest = largest
        self.longest = longest
        self.longest_reading = longest_reading
        self.attempts = attempts
        agent = f"newsletter/{version('newsletter')}"
        self.client = httpx.Client(
            transport=transport,
            timeout=_TIMEOUT,
            limits=NO_KEEPING,
            headers={
                "User-Agent": f"{agent} (mailto:{contact})" if contact else agent,
                "Accept-Encoding": "gzip",
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()

    def page(
        self, source: Source, request: Request, validators: Validators = Validators()
    ) -> tuple[Page, Validators]:
        """Request until there is a usable answer, and parse it.

        Raises:
            FetchError: no usable answer came after all sensible attempts.
            ParseError: the answer is not what the source documents.
        """
        where = f"{source.name}, {_shown(request)}"

        def once() -> tuple[Page, Validators]:
            answer = self._ask(source, request, validators, where)
            if answer.body is None:
                return Page(), validators
            asked = replace(request, charset=answer.charset)
            with limited_reading(self.longest_reading, where):
                page = source.parse(answer.body, where=where, request=asked)
            return page, answer.validators

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_transient),
            stop=tenacity.stop_after_attempt(self.attempts),
            # 2, 4, 8 s and up to 2 s more; the host's own wish is kept by its turn.
            wait=tenacity.wait_exponential_jitter(multiplier=2, max=60, jitter=2),
            sleep=self.sleep,
            reraise=True,
        )(once)

    def _ask(self, source: Source, request: Request, validators: Validators, where: str) -> Answer:
        try:
            url = httpx.URL(request.url, params=dict(request.params) or None)
        except httpx.InvalidURL as error:
            raise FetchError(f"not a URL: {error}", where=where, transient=False) from error
        for _ in range(_MOST_REDIRECTS + 1):
            with self.turns.take(url.host) as turn:
                try:
                    answer = self._get(source, url, validators, where, turn)
                except httpx.HTTPError as error:
                    what = f"no answer from {url.host}: {_reason(error)}"
                    raise FetchError(what, where=where, transient=True) from error
                except httpx.InvalidURL as error:
                    what = f"refused: redirected from {url.scheme} to an invalid address"
                    raise FetchError(what, where=where, transient=False) from error
            if isinstance(answer, Answer):
                return answer
            url = _redirected(url, answer, where)
        raise FetchError("redirect loop", where=where, transient=False)

    def _get(
        self, source: Source, url: httpx.URL, validators: Validators, where: str, turn: Turn
    ) -> Answer | str:
        """One exchange: an answer, or where it is said to be."""
        is_outside = not is_internal_host(url.host)
        with (
            Deadline(self.longest, where=where) as deadline,
            self.client.stream(
                "GET", url, headers=validators.headers(), extensions=deadline.extensions
            ) as response,
        ):
            if is_outside:
                _check_peer(response, url, where)
            if response.status_code == 304:
                return Answer(None, validators)
            if response.has_redirect_location:
                return str(response.headers["location"])
            _check_packing(response, where)
            body = b"".join(self._limited(response, where, turn, deadline))
            if response.status_code != 200:
                if when := _retry_after(response) or _asked_pause(source, response, body):
                    turn.ask_not_before(when)
                with limited_reading(self.longest_reading, where):
                    refusal = _refusal(source, response, body, where)
                raise refusal
            _check_type(source, response, where)
            found = Validators(response.headers.get("etag"), response.headers.get("last-modified"))
            return Answer(body, found, response.charset_encoding)

    def _limited(
        self, response: httpx.Response, where: str, turn: Turn, deadline: Deadline
    ) -> Iterator[bytes]:
        """The body, as long as it is neither too large nor too slow."""
        size = 0
        for chunk in response.iter_bytes():
            turn.keep()
            deadline.check()
            size += len(chunk)
            if size > self.largest:
                what = f"refused: the answer is larger than {self.largest:,} bytes"
                raise FetchError(what, where=where, transient=False)
            yield chunk


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, FetchError) and error.transient


def _shown(request: Request) -> str:
    """The address for people; the parameters that name a page are its place."""
    query = urlencode(request.params)
    return f"{request.url}?{query}"[:300] if query else request.url[:300]


def _reason(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__


def _redirected(url: httpx.URL, location: str, where: str) -> httpx.URL:
    """The next address.

    Raises:
        FetchError: it has another scheme (only http may become https) or an unusual port, or
            leads inside.
    """
    try:
        target = url.join(location)
    except httpx.InvalidURL as error:
        what = f"redirected to an invalid address: {location[:80]!r}"
        raise FetchError(what, where=where, transient=False) from error
    if target.scheme != url.scheme and (url.scheme, target.scheme) != ("http", "https"):
        what = f"refused: redirected from {url.scheme} to {target.scheme}"
        raise FetchError(what, where=where, transient=False)
    usual = {None, 80, 443, url.port}
    if target.port not in usual:
        what = f"refused: redirected to port {target.port}"
        raise FetchError(what, where=where, transient=False)
    if not target.host or (is_internal_host(target.host) and not is_internal_host(url.host)):
        what = f"refused: redirected to {target.host or 'nowhere'}"
        raise FetchError(what, where=where, transient=False)
    return target


def _check_peer(response: httpx.Response, url: httpx.URL, where: str) -> None:
    """Refuse an answer from inside where the name had led outside when it was looked up.

    Raises:
        FetchError: somebody's name server gave another address for the connection.
    """
    stream = response.extensions.get("network_stream")
    peer = stream.get_extra_info("server_addr") if stream is not None else None
    if peer and is_internal_address(str(peer[0])):
        what = f"refused: {url.host} leads into this network"
        raise FetchError(what, where=where, transient=False)


def _refusal(source: Source, response: httpx.Response, body: bytes, where: str) -> FetchError:
    """The error for a status other than 200, with the source's own words where it has some."""
    status = response.status_code
    what = f"answered {status} {response.reason_phrase}".strip()
    if status in _TRANSIENT:
        # The body stays out: PubMed's names the caller's address.
        return FetchError(what, where=where, transient=True)
    try:
        source.parse(body, where=where)
    except ParseError as error:
        what = f"{what}: {error.what}"
    except FetchError:
        pass
    return FetchError(what, where=where, transient=False)


def _check_packing(response: httpx.Response, where: str) -> None:
    """Refuse what is packed twice or tighter than gzip: one piece of it could fill the memory.

    Raises:
        FetchError: it is; it was asked for in gzip at most.
    """
    packed = response.headers.get("content-encoding", "").strip().lower()
    if packed not in {"", "identity", "gzip", "deflate"}:
        what = f"refused: packed as {packed[:40]!r}, asked for was gzip"
        raise FetchError(what, where=where, transient=False)


def _check_type(source: Source, response: httpx.Response, where: str) -> None:
    """Refuse types that cannot be what the source reads; leave a missing type to the parser."""
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind and not source.readable.search(kind):
        raise FetchError(f"refused: unexpected content type {kind}", where=where, transient=False)


def _asked_pause(source: Source, response: httpx.Response, body: bytes) -> datetime | None:
    """A pause that a source asks for in its own words."""
    return source.pause(body) if response.status_code == 429 else None


def _retry_after(response: httpx.Response) -> datetime | None:
    """When the host wants to be asked again (RFC 9110 §10.2.3): seconds, or a date."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return datetime.now(UTC) + timedelta(seconds=min(int(value), 7 * 86_400))
    return moment(value)
