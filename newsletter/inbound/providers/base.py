"""What all providers' webhooks share: events, each with an id of its own.

A reader verifies a request and maps it, by table, to our outcomes. It raises `TokenError` for a
request that is forged or stale, and `InputError` for one that cannot be understood.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from newsletter.core.errors import InputError, TokenError
from newsletter.core.one_line import harmless
from newsletter.inbound.bounces import Outcome

# Providers retry for a day when we are down; an older signature is a replayed recording.
OLDEST = timedelta(days=1)
# Clocks differ by seconds, badly kept ones by minutes.
FROM_THE_FUTURE = timedelta(minutes=10)
LONGEST_VALUE = 250


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """One event; its id is the provider's, so that a replay is known."""

    event_id: str
    at: datetime
    outcome: Outcome
    # What the provider signed instead of the body: no other body may come with it.
    once: str = ""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A POST as received: body, headers with lower-case names, and time."""

    body: bytes
    headers: Mapping[str, str]
    at: datetime


Reader = Callable[[WebhookRequest], list[ProviderEvent]]


def require_fresh(signed_at: datetime, request: WebhookRequest, oldest: timedelta = OLDEST) -> None:
    """Check a signed time.

    Raises:
        TokenError: it is too old, or in the future.
    """
    if not request.at - oldest <= signed_at <= request.at + FROM_THE_FUTURE:
        raise TokenError("the request is too old")


def moment_of(seconds: object) -> datetime:
    """A time from seconds since 1970, as number or digits.

    Raises:
        InputError: it is not a valid time.
    """
    try:
        return datetime.fromtimestamp(float(str(seconds)), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(
            "is not a valid timestamp", where=f"timestamp {str(seconds)[:40]!r}"
        ) from error


def moment_in(text: str) -> datetime:
    """A time from ISO 8601; without an offset it is UTC.

    Raises:
        InputError: it is not a valid time.
    """
    try:
        # Postmark writes seven digits of a second, one more than the parser takes.
        head, dot, rest = text.partition(".")
        digits = len(rest) - len(rest.lstrip("0123456789"))
        short = f"{head}{dot}{rest[:digits][:6]}{rest[digits:]}" if dot else head
        found = datetime.fromisoformat(short)
    except ValueError as error:
        raise InputError("is not a valid timestamp", where=f"timestamp {text[:40]!r}") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def event_moment(value: object, request: WebhookRequest) -> datetime:
    """When an event happened, in either notation; now if it cannot be read."""
    try:
        return moment_in(value) if isinstance(value, str) else moment_of(value)
    except InputError:
        return request.at


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``.

    Raises:
        InputError: the body is not a JSON object.
    """
    value = json_value(body)
    if not isinstance(value, dict):
        raise InputError("is not a JSON object", where="body")
    return value


def json_value(body: bytes) -> Any:
    """The JSON value in ``body``.

    Raises:
        InputError: it is not JSON.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("is not JSON", where="body") from error


def text_of(value: object) -> str:
    """A string or number as harmless text; anything else as nothing."""
    return harmless(str(value), LONGEST_VALUE) if isinstance(value, str | int | float) else ""


def part_of(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under ``name``, or an empty one."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def marks_of(*parts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Every text in ``parts``: a signed delivery address may be among an event's own values."""

    def texts() -> Iterable[tuple[str, str]]:
        for part in parts:
            for name, value in part.items():
                if isinstance(value, str) and "@" in value:
                    yield name, text_of(value)

    return tuple(texts())[:40]
