"""Folders of saved papers: names of a reader's own, a paper in one of them or in none."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, update
from sqlmodel import Session, col, select

from newsletter.core.errors import InputError, LimitError
from newsletter.core.language import _
from newsletter.core.models import Feedback, Folder, Paper, Signal
from newsletter.core.one_line import tidy
from newsletter.subscribers.accounts import wait_for
from newsletter.subscribers.validation import clean_line

# A list to choose from on a phone, and a name that fits on its button.
MOST_FOLDERS, LONGEST = 50, 60
PAGE = 50


class Shelf(NamedTuple):
    """A folder and how many papers are in it."""

    id: int
    name: str
    papers: int


@dataclass(frozen=True, slots=True)
class Which:
    """Which saved papers: those of one folder, those in none, or all."""

    folder: int | None = None
    unfiled: bool = False


ALL, UNFILED = Which(), Which(unfiled=True)


class Saved(NamedTuple):
    """A saved paper and the id of its folder."""

    paper: Paper
    folder: int | None


def folders_of(session: Session, subscriber_id: int) -> list[Shelf]:
    """The folders of a subscriber, by name."""
    rows = session.exec(
        select(Folder.id, Folder.name, func.count(col(Feedback.id)))
        .join(Feedback, col(Feedback.folder_id) == col(Folder.id), isouter=True)
        .where(Folder.subscriber_id == subscriber_id)
        .group_by(col(Folder.id), col(Folder.name))
    )
    found = [Shelf(number or 0, name, papers) for number, name, papers in rows]
    return sorted(found, key=lambda shelf: (shelf.name.casefold(), shelf.id))


def create(session: Session, subscriber_id: int, typed: str) -> int:
    """Make a folder; returns its id.

    Raises:
        InputError: the name is blank, too long or taken, or there are too many folders.
    """
    wait_for(session, subscriber_id)
    known = folders_of(session, subscriber_id)
    if len(known) >= MOST_FOLDERS:
        raise LimitError(
            _(
                "you have {count} folders, which is the maximum",
                count=MOST_FOLDERS,
            ),
            where="folder",
        )
    made = Folder(subscriber_id=subscriber_id, name=_name(known, typed))
    session.add(made)
    session.flush()
    return made.id or 0


def rename(session: Session, subscriber_id: int, folder_id: int, typed: str) -> bool:
    """Give a folder another name; returns whether the subscriber has it.

    Raises:
        InputError: the name is blank, too long or taken.
    """
    wait_for(session, subscriber_id)
    others = [one for one in folders_of(session, subscriber_id) if one.id != folder_id]
    renamed = session.connection().execute(
        update(Folder).where(*_own(subscriber_id, folder_id)).values(name=_name(others, typed))
    )
    return renamed.rowcount > 0


def remove(session: Session, subscriber_id: int, folder_id: int) -> bool:
    """Delete a folder; its papers stay saved, in none. Returns whether the subscriber had it."""
    gone = session.connection().execute(delete(Folder).where(*_own(subscriber_id, folder_id)))
    return gone.rowcount > 0


def move(
    session: Session, subscriber_id: int, paper_ids: Collection[int], folder_id: int | None
) -> int:
    """Put saved papers into a folder, or into none; returns how many were there to move.

    Raises:
        InputError: the subscriber has no such folder.
    """
    if folder_id is not None and folder_id not in {
        one.id for one in folders_of(session, subscriber_id)
    }:
        raise InputError(_("this folder no longer exists"), where="folder")
    moved = session.connection().execute(
        update(Feedback)
        .where(
            col(Feedback.subscriber_id) == subscriber_id,
            col(Feedback.signal) == Signal.SAVED,
            col(Feedback.paper_id).in_(paper_ids),
        )
        .values(folder_id=folder_id)
    )
    return moved.rowcount


def saved(
    session: Session, subscriber_id: int, which: Which, *, page: int | None = None
) -> Sequence[Saved]:
    """Saved papers, the newest first; ``page`` by page of `PAGE`, or all."""
    query = (
        select(Paper, Feedback.folder_id)
        .join(Feedback, col(Feedback.paper_id) == col(Paper.id))
        .where(*_of(subscriber_id, which))
        .order_by(col(Feedback.created_at).desc(), col(Feedback.id).desc())
    )
    if page is not None:
        query = query.offset((page - 1) * PAGE).limit(PAGE)
    return [Saved(paper, folder) for paper, folder in session.exec(query)]


def count(session: Session, subscriber_id: int, which: Which) -> int:
    """How many papers are saved there."""
    query = select(func.count()).select_from(Feedback).where(*_of(subscriber_id, which))
    return session.exec(query).one()


def _of(subscriber_id: int, which: Which) -> list[ColumnElement[bool]]:
    """The rows of ``which``."""
    rows = [
        col(Feedback.subscriber_id) == subscriber_id,
        col(Feedback.signal) == Signal.SAVED,
    ]
    if which.unfiled:
        rows.append(col(Feedback.folder_id).is_(None))
    elif which.folder is not None:
        rows.append(col(Feedback.folder_id) == which.folder)
    return rows


def _own(subscriber_id: int, folder_id: int) -> list[ColumnElement[bool]]:
    return [col(Folder.subscriber_id) == subscriber_id, col(Folder.id) == folder_id]


def _name(taken: Sequence[Shelf], typed: str) -> str:
    name = tidy(clean_line(typed, where="folder", longest=LONGEST))
    if not name:
        raise InputError(_("needs a name"), where="folder")
    if name.casefold() in {shelf.name.casefold() for shelf in taken}:
        raise InputError(_("you have a folder {name} already", name=repr(name)), where="folder")
    return name
