"""Changes to many subscribers from a CSV file, each told as old and new."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core.batches import batched
from newsletter.core.csv_cells import split_list
from newsletter.core.database import session_scope, trial_scope
from newsletter.core.errors import InputError
from newsletter.core.models import Subscriber, SubscriberStatus
from newsletter.core.tokens import Signer
from newsletter.subscribers import changes
from newsletter.subscribers.accounts import refusal, row_id
from newsletter.subscribers.csv_reading import (
    LIST_COLUMNS,
    PREFERENCE_COLUMNS,
    Line,
    Remark,
    read_lines,
)
from newsletter.subscribers.doubts import doubtful_categories
from newsletter.subscribers.preferences import COLUMN_KINDS, topics_of
from newsletter.subscribers.suppression import suppressions


@dataclass(frozen=True, slots=True)
class Change:
    """One value of one subscriber, before and after; ``topic`` is empty for what is in none."""

    line: int
    email: str
    topic: str
    column: str
    old: str
    new: str


@dataclass
class UpdateReport:
    """What an update changed, or would change."""

    file: str
    changed: list[Change] = field(default_factory=list)
    unchanged: list[Remark] = field(default_factory=list)
    refused: list[Remark] = field(default_factory=list)
    warnings: list[Remark] = field(default_factory=list)


def update_csv(engine: Engine, signer: Signer, path: Path, *, dry_run: bool) -> UpdateReport:
    """Change known subscribers as ``path`` says; a blank cell leaves what is there.

    A line's interests replace those of its topic, column by column. Nobody is added, and who
    unsubscribed, or is suppressed or erased, stays as they are. With ``dry_run`` no row changes.

    Raises:
        InputError: the file as a whole cannot be read; nothing was changed then.
    """
    report = UpdateReport(file=str(path))
    lines: list[Line] = []
    for line in read_lines(path):
        if isinstance(line, Remark):
            report.refused.append(line)
        else:
            lines.append(line)
            if line.cells.get("group"):
                what = "group: not changed by a file; use newsletter groups"
                report.warnings.append(Remark(line.number, line.address, what))
            report.warnings += [
                Remark(line.number, line.address, doubt)
                for doubt in doubtful_categories(line.topic)
            ]
    scope: Callable[[Engine], AbstractContextManager[Session]] = (
        trial_scope if dry_run else session_scope
    )
    for chunk in batched(lines):
        with scope(engine) as session:
            _update_chunk(session, signer, chunk, report)
    for remarks in (report.refused, report.unchanged):
        remarks.sort(key=lambda remark: remark.line)
    return report


def _update_chunk(
    session: Session, signer: Signer, lines: list[Line], report: UpdateReport
) -> None:
    hashes = {line.address: signer.hash_address(line.address) for line in lines}
    suppressed = suppressions(session, list(hashes.values()))
    for line in lines:
        found = session.exec(
            select(Subscriber).where(col(Subscriber.email) == line.address)
        ).one_or_none()
        reason = ""
        if found is None:
            reason = "is not a subscriber: import the file without --update to add them"
        elif found.status is SubscriberStatus.UNSUBSCRIBED:
            reason = "has unsubscribed; only its owner can sign up again"
        elif line.status and line.status != found.status:
            named = line.header.typed["status"]
            reason = (
                f"{named}: {line.status!r}; a file cannot change it from {found.status.value!r}"
            )
        elif kept := suppressed.get(hashes[line.address]):
            reason = refusal(kept)
        if reason or found is None:
            report.refused.append(Remark(line.number, line.address, reason))
            continue
        try:
            # A line that is refused half way changes nothing.
            with session.begin_nested():
                made = _update(session, found, line)
        except InputError as error:
            report.refused.append(Remark(line.number, line.address, line.header.refusal(error)))
            continue
        report.changed += made
        if not made:
            report.unchanged.append(Remark(line.number, line.address, "already as the file says"))


def _update(session: Session, subscriber: Subscriber, line: Line) -> list[Change]:
    before = _values(session, subscriber)
    cells = line.cells
    interests = {column: split_list(cells[column]) for column in LIST_COLUMNS if cells.get(column)}
    if cells.get("text"):
        interests["text"] = [cells["text"]]
    topic_values = {name: cells[name] for name in ("quota", "paused") if cells.get(name)}
    changes.change(
        session,
        subscriber,
        name=line.name or None,
        preferences={
            PREFERENCE_COLUMNS[column]: cells[column]
            for column in PREFERENCE_COLUMNS
            if cells.get(column)
        },
        topic=cells.get("topic") or None,
        interests=interests,
        topic_values=topic_values,
    )
    after = _values(session, subscriber)
    return [
        Change(line.number, line.address, topic, column, before.get(key, ""), after.get(key, ""))
        for key in dict.fromkeys((*before, *after))
        for topic, column in [key]
        if before.get(key, "") != after.get(key, "")
    ]


def _values(session: Session, subscriber: Subscriber) -> Mapping[tuple[str, str], str]:
    """All that a file can change, as text, by topic and column."""
    values: dict[tuple[str, str], Any] = {("", "name"): subscriber.name}
    for column, name in PREFERENCE_COLUMNS.items():
        values["", column] = getattr(subscriber, name)
    for topic in topics_of(session, row_id(subscriber)):
        name = topic.request.name
        for column, (kind, muted) in COLUMN_KINDS.items():
            values[name, column] = "; ".join(topic.values(kind, muted=muted))
        values[name, "quota"] = topic.request.quota
        values[name, "paused"] = "yes" if topic.request.paused else ""
    return {key: "" if value is None else str(value) for key, value in values.items()}
