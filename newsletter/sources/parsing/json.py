"""Helpers for all adapters: papers one by one, and JSON that cannot be trusted."""

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from newsletter.core.errors import ParseError
from newsletter.core.one_line import shortened, tidy
from newsletter.sources.base import Page, PaperRecord, Problem, Request
from newsletter.sources.normalise import BadPaperError, NotAPaperError

Raw = TypeVar("Raw")


def read_papers(
    announced: Iterable[Raw],
    read: Callable[[Raw], PaperRecord | None],
    *,
    where: str,
    following: Callable[[], Request | None] = lambda: None,
) -> Page:
    """A page out of what a source announced; a bad one is a problem of its own, None no paper.

    ``following`` is asked at the end for the next request; a page that broke off has none.

    Raises:
        ParseError: they broke off before the first one, or ``read`` said that the answer
            as a whole is an error.
    """
    records: list[PaperRecord] = []
    problems: list[Problem] = []
    notices: list[NotAPaperError] = []
    number = 0

    def page(*, following: Request | None = None, cut_short: bool = False) -> Page:
        retracted = tuple(notice.retracts for notice in notices if notice.retracts)
        return Page(tuple(records), tuple(problems), following, cut_short, len(notices), retracted)

    remaining = iter(announced)
    while True:
        try:
            raw = next(remaining)
        except StopIteration:
            return page(following=following())
        except ParseError as error:
            if not number:
                raise
            what = f"{error.what}; nothing after paper {number} was read"
            problems.append(Problem(error.where, what))
            return page(cut_short=True)
        number += 1
        try:
            record = read(raw)
        except NotAPaperError as notice:
            notices.append(notice)
            continue
        except BadPaperError as error:
            problems.append(Problem(f"{where}, paper {number}", str(error)))
            continue
        if record is not None:
            records.append(record)


def load_json(body: bytes, *, where: str) -> Any:
    """The JSON value in ``body``.

    Raises:
        ParseError: it is not JSON; with line and column, or with the beginning of what it is.
    """
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        start = body.lstrip()[:1]
        if start not in {b"{", b"["}:
            raise ParseError(f"not JSON: {beginning(body)}", where=where) from error
        place = f"{where}, line {error.lineno} column {error.colno}"
        raise ParseError(f"broken JSON: {error.msg}", where=place) from error
    except (ValueError, RecursionError) as error:
        # Bad UTF-8, numbers of thousands of digits, or brackets nested thousands deep.
        what = (
            str(error) if isinstance(error, UnicodeDecodeError) else "too long or too deeply nested"
        )
        raise ParseError(f"broken JSON: {what}", where=where) from error


def beginning(body: bytes) -> str:
    """The first words of an answer, to show in an error."""
    text = tidy(body[:300].decode("utf-8", "replace"))
    return f"it starts {shortened(text, 60)!r}" if text else "it is empty"


def as_dict(value: object) -> dict[str, Any]:
    """``value`` where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """``value`` where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_object(value: object) -> dict[str, Any]:
    """One of a list.

    Raises:
        BadPaperError: it is not an object.
    """
    if not isinstance(value, dict):
        raise BadPaperError("it is not an object")
    return value
