"""The list of addresses that get no mail: list, add, remove, import; each change with a reason."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, update
from sqlmodel import Session, col, func, select

from newsletter.core.csv_cells import plain_cell
from newsletter.core.errors import InputError, UsageError
from newsletter.core.models import Subscriber, Suppression, SuppressionReason, SuppressionRemoval
from newsletter.core.one_line import harmless
from newsletter.core.tokens import Signer
from newsletter.subscribers.csv_reading import raw_rows
from newsletter.subscribers.suppression import OWN_DECISION, suppress
from newsletter.subscribers.validation import normalise_email

LONGEST_NOTE = 300
# Names under which providers export the column with the address.
_ADDRESS_COLUMNS = (
    "email",
    "address",
    "email_address",
    "emailaddress",
    "recipient",
    "e-mail",
    "e-mail_address",
)


@dataclass(frozen=True, slots=True)
class Suppressed:
    """One suppression; ``email`` is empty where no subscriber has the address (any more)."""

    address_hash: str
    email: str
    reason: SuppressionReason
    created_at: datetime
    note: str
    subscriber_id: int | None = None


@dataclass(slots=True)
class Imported:
    """The result of an import: added, already known, and refused lines with reasons."""

    added: int = 0
    known: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


def listing(
    session: Session,
    *,
    reason: SuppressionReason | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> list[Suppressed]:
    """Suppressions, the newest first; the address is known only while a subscriber has it."""
    wanted = (
        select(Suppression, Subscriber.email, Subscriber.id)
        .join(
            Subscriber,
            col(Subscriber.address_hash) == col(Suppression.address_hash),
            isouter=True,
        )
        .order_by(col(Suppression.created_at).desc(), col(Suppression.address_hash))
    )
    if reason is not None:
        wanted = wanted.where(Suppression.reason == reason)
    return [
        Suppressed(row.address_hash, email or "", row.reason, row.created_at, row.note, number)
        for row, email, number in session.exec(wanted.limit(limit).offset(offset))
    ]


def counted(session: Session) -> dict[SuppressionReason, int]:
    """How many addresses are suppressed, by reason."""
    rows = session.exec(select(Suppression.reason, func.count()).group_by(Suppression.reason))
    found = dict(rows.all())
    return {reason: found.get(reason, 0) for reason in SuppressionReason}


def lifted(session: Session, most: int) -> list[SuppressionRemoval]:
    """The last suppressions that were lifted, and why."""
    newest = col(SuppressionRemoval.id).desc()
    return list(session.exec(select(SuppressionRemoval).order_by(newest).limit(most)))


def add(
    session: Session,
    signer: Signer,
    email: str,
    *,
    note: str,
    reason: SuppressionReason = SuppressionReason.OPERATOR,
) -> bool:
    """Suppress an address; returns whether it is new.

    Raises:
        InputError: not an address.
    """
    address_hash = signer.hash_address(normalise_email(email))
    if session.get(Suppression, address_hash) is not None:
        return False
    suppress(session, address_hash, reason)
    session.execute(
        update(Suppression)
        .where(col(Suppression.address_hash) == address_hash)
        .values(note=harmless(note, LONGEST_NOTE))
    )
    return True


def remove(session: Session, signer: Signer, email: str, *, note: str, now: datetime) -> bool:
    """Lift a suppression and record why; returns whether there was one.

    Raises:
        InputError: not an address.
        UsageError: the person themselves left; only they can come back.
    """
    address_hash = signer.hash_address(normalise_email(email))
    found = session.get(Suppression, address_hash)
    if found is None:
        return False
    if found.reason in OWN_DECISION:
        raise UsageError(
            f"{email} {found.reason} at their own request: only they can sign up again"
        )
    _write_removal(session, found, note=note, now=now)
    session.execute(delete(Suppression).where(col(Suppression.address_hash) == address_hash))
    return True


def remove_since(
    session: Session,
    since: datetime,
    *,
    reason: SuppressionReason,
    note: str,
    now: datetime,
) -> int:
    """Lift every suppression of one reason made since then, and write down why; returns how many.

    Raises:
        UsageError: those people themselves left; only they can come back.
    """
    if reason in OWN_DECISION:
        raise UsageError(f"readers who {reason} left by their own wish: only they can come back")
    found = session.exec(
        select(Suppression).where(
            Suppression.reason == reason, col(Suppression.created_at) >= since
        )
    ).all()
    for row in found:
        _write_removal(session, row, note=note, now=now)
        session.delete(row)
    return len(found)


def _write_removal(session: Session, row: Suppression, *, note: str, now: datetime) -> None:
    was = f" (it was: {row.note})" if row.note else ""
    session.add(
        SuppressionRemoval(
            address_hash=row.address_hash,
            reason=row.reason,
            suppressed_at=row.created_at,
            removed_at=now,
            note=harmless(f"{note}{was}", LONGEST_NOTE),
        )
    )


def import_file(
    session: Session, signer: Signer, path: Path, *, reason: SuppressionReason, note: str
) -> Imported:
    """Suppress every address of a file: one per line, or CSV with an address column.

    Providers export such lists; an address that is suppressed already keeps its reason.

    Raises:
        InputError: the file cannot be read as text, or has no column of addresses.
    """
    imported = Imported()
    for number, address in _addresses(path):
        try:
            is_new = add(session, signer, address, note=note, reason=reason)
        except InputError as error:
            imported.refused.append((number, error.what))
            continue
        imported.added += is_new
        imported.known += not is_new
    return imported


def _addresses(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers and addresses; where there is none, what stands there instead."""
    column = 0
    for place, (number, cells) in enumerate(raw_rows(path)):
        if isinstance(cells, str):
            yield number, ""
        elif place == 0 and not any("@" in cell for cell in cells):
            column = _address_column(cells, where=f"{path}, line {number}")
        else:
            yield number, plain_cell(cells[column]).strip() if len(cells) > column else ""


def _address_column(header: list[str], *, where: str) -> int:
    names = ["_".join(cell.strip().lower().split()) for cell in header]
    found = [place for place, name in enumerate(names) if name in _ADDRESS_COLUMNS]
    if not found:
        raise InputError(f"no column is named {', '.join(_ADDRESS_COLUMNS)}", where=where)
    return found[0]
