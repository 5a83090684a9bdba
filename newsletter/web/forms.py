"""Forms: posted values to checked ones, and stored values back to form fields."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request

from newsletter.core import language
from newsletter.core.errors import InputError
from newsletter.core.language import N_, _, gettext
from newsletter.subscribers.preferences import COLUMN_KINDS, StatedTopic
from newsletter.subscribers.validation import (
    MOST_TOPICS,
    Preferences,
    TopicRequest,
    TypedTopic,
)
from newsletter.web.bodies import Form, UploadedFile, read_form


class FieldError(InputError):
    """A field of a form is wrong; ``field`` is its name there."""

    def __init__(self, what: str, *, where: str, field: str) -> None:
        super().__init__(what, where=where)
        self.field = field


# Where a value's name is not that of its field.
_FIELD_OF = {"timezone": "time_zone", "topic": "name"}
LISTS = ("keywords", "categories", "authors", "seed_papers", "mutes")
# People separate by lines, semicolons or commas; a comma in a name or DOI separates nothing.
_LINES = re.compile(r"[\n;]")
_COMMAS = re.compile(r"[\n;,]")
_SPACED = re.compile(r"\n|[;,]\s|\s[;,]")
_SEPARATORS = {"authors": _LINES, "seed_papers": _SPACED}


# Read before the endpoint runs, so that endpoints stay plain functions in a thread.
async def _read(request: Request) -> Form:
    return await read_form(request)


FormDep = Annotated[Form, Depends(_read)]


def with_file(largest: int) -> Callable[[Request], Awaitable[Form]]:
    """Reads a form that may hold files, each up to ``largest`` bytes."""

    async def read(request: Request) -> Form:
        return await read_form(request, largest_file=largest)

    return read


# Names of fields that errors begin with.
_NAMES = (
    *(N_("address"), N_("cadence"), N_("weekday"), N_("send_hour"), N_("timezone")),
    *(N_("max_papers"), N_("min_score"), N_("weekly_budget"), N_("length"), N_("popularity")),
    *(N_("tell_when_nothing"), N_("language"), N_("vacation_until"), N_("topic"), N_("topics")),
    *(N_("text"), N_("keywords"), N_("categories"), N_("authors"), N_("seed_papers")),
    *(N_("mutes"), N_("quota"), N_("paused"), N_("profile"), N_("bibliography"), N_("title")),
)


def said(error: InputError) -> str:
    """What is wrong, with the field's name before it, in the language that is on."""
    if language.current() == language.SOURCE:
        return str(error)
    first, space, rest = error.where.partition(" ")
    name = gettext(error.where) if error.where in _NAMES else gettext(first) + space + rest
    return f"{name}: {error.what}"


def text_of(form: Form, name: str) -> str:
    """A text field; empty when it is missing or is a file."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def lines_of(form: Form, name: str) -> str:
    """All values of a list: those of its boxes that are ticked, and what was typed to add."""
    values = [value for value in form.getlist(name) if isinstance(value, str)]
    return "\n".join(value for value in values if value.strip())


def split(field: str, typed: str) -> list[str]:
    """The values in a text area."""
    return _SEPARATORS.get(field, _COMMAS).split(typed.replace("\r\n", "\n"))


def numbers(form: Form, name: str) -> list[int]:
    """The values of ticked boxes that are keys of rows."""
    values = (value for value in form.getlist(name) if isinstance(value, str))
    return [int(value) for value in values if re.fullmatch(r"[0-9]{1,9}", value)]


def read_preferences(form: Form, default: Preferences) -> Preferences:
    """The preferences in ``form``; what it leaves out keeps ``default``'s value.

    Raises:
        InputError: names the field and what it may be.
    """
    typed = {
        name: _ticked(form, name) if field.annotation is bool else _given(form, name)
        for name, field in Preferences.model_fields.items()
    }
    try:
        return Preferences.read(typed, default)
    except InputError as error:
        field = _FIELD_OF.get(error.where, error.where)
        raise FieldError(error.what, where=error.where, field=field) from error


def _given(form: Form, name: str) -> str | None:
    return text_of(form, name) if name in form else None


def _ticked(form: Form, name: str) -> bool | None:
    """A check box; a browser sends nothing for an empty one, so a hidden field accompanies it."""
    return text_of(form, name) == "on" if f"{name}-there" in form else None


def preference_fields(stated: Preferences) -> dict[str, Any]:
    """Preferences as a form shows them."""
    return {
        name: "" if value is None else value if isinstance(value, bool) else str(value)
        for name, value in stated.model_dump().items()
    }


def typed_preferences(form: Form) -> dict[str, Any]:
    """Preferences as they were typed, to show them again."""
    return {
        name: _ticked(form, name) or False if field.annotation is bool else text_of(form, name)
        for name, field in Preferences.model_fields.items()
    }


def topic_fields(topic: StatedTopic) -> dict[str, Any]:
    """A topic as a form shows it: lists one value a line."""
    return {
        "id": str(topic.id or ""),
        "name": topic.request.name,
        "quota": str(topic.request.quota or ""),
        "paused": topic.request.paused,
        "delete": False,
        **{
            column: "\n".join(topic.values(kind, muted=muted, typed=True))
            for column, (kind, muted) in COLUMN_KINDS.items()
        },
    }


def typed_topics(form: Form) -> list[dict[str, Any]]:
    """The topics as typed, to show them again; without a new topic that was left blank."""
    topics = []
    for number in range(MOST_TOPICS + 1):
        if f"topic-{number}-name" not in form:
            continue
        typed: dict[str, Any] = {
            field: text_of(form, f"topic-{number}-{field}")
            for field in ("id", "name", "quota", "text")
        }
        typed |= {field: lines_of(form, f"topic-{number}-{field}") for field in LISTS}
        if not any(value.strip() for value in typed.values()):
            continue
        typed["paused"] = f"topic-{number}-paused" in form
        typed["delete"] = f"topic-{number}-delete" in form
        topics.append(typed)
    return topics


def read_topics(form: Form) -> list[tuple[int | None, TopicRequest]]:
    """Topics in ``form`` that are not to be deleted: (id of a known one or None, content).

    Raises:
        InputError: names the topic, the field and what is wrong with it.
    """
    return [
        _topic(typed, number)
        for number, typed in enumerate(typed_topics(form))
        if not typed["delete"]
    ]


def _topic(typed: dict[str, Any], number: int) -> tuple[int | None, TopicRequest]:
    if typed["id"] and not re.fullmatch(r"\d{1,18}", typed["id"]):
        raise InputError(_("this topic no longer exists; reload the page"), where="topics")
    try:
        lists = {field: split(field, typed[field]) for field in LISTS}
        plain = {field: typed[field] for field in ("name", "text", "quota", "paused")}
        request = TypedTopic.read(plain | lists)
    except InputError as error:
        shown = typed["name"][:60] or _("new topic")
        field = f"topic-{number}-{_FIELD_OF.get(error.where, error.where)}"
        raise FieldError(
            error.what, where=f"{shown}, {gettext(error.where)}", field=field
        ) from error
    return (int(typed["id"]) if typed["id"] else None), request


def file_of(form: Form, name: str) -> UploadedFile | None:
    """An uploaded file; None when there is none."""
    value = form.get(name)
    return value if isinstance(value, UploadedFile) else None
