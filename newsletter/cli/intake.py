"""What `newsletter inbound` does with each mail, wherever the mail comes from."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from newsletter.cli.say import say
from newsletter.core import database
from newsletter.core.errors import DatabaseError, InputError
from newsletter.core.tokens import Signer
from newsletter.inbound import bounces
from newsletter.inbound.apply import Recorded, receive
from newsletter.inbound.bounces.mime import is_mail
from newsletter.inbound.files import STANDARD_INPUT, Incoming


@dataclass
class Intake:
    """Records mails if a database is ready, otherwise only reads them; remembers what it saw."""

    engine: Engine | None
    signer: Signer | None
    quiet: bool = False
    messages: list[dict[str, Any]] = field(default_factory=list)
    failed: bool = False

    def take(self, incoming: Incoming) -> None:
        """Handle one of many mails: an error is reported and does not stop the others.

        Raises:
            DatabaseError: the database cannot be written.
        """
        try:
            self.handle(incoming)
        except InputError as error:
            self.complain(error)

    def complain(self, error: InputError) -> None:
        """Report an error, and remember that there was one."""
        say(f"error: {error}", err=True)
        self.failed = True

    def handle(self, incoming: Incoming) -> None:
        """Read one mail, commit what it changes, and only then mark it as seen.

        Raises:
            DatabaseError: the database cannot be written.
            InputError: the database refuses this mail.
        """
        recorded = self._record(incoming)
        if self.engine is not None:
            incoming.mark_seen()
        self.messages.append(_as_json(incoming, recorded))
        if not self.quiet:
            say(_as_line(incoming, recorded))

    def _record(self, incoming: Incoming) -> Recorded:
        if self.engine is None or self.signer is None:
            return Recorded(bounces.read(incoming.data), matched=False)
        try:
            with database.session_scope(self.engine) as session:
                return receive(
                    session, self.signer, incoming.data, size=incoming.size, now=database.utc_now()
                )
        except (DataError, IntegrityError) as error:
            raise InputError(f"cannot be recorded: {error.orig}", where=incoming.name) from error
        except DBAPIError as error:
            raise DatabaseError(f"{incoming.name}: not recorded: {error.orig}") from error


def require_mail(incoming: Incoming) -> None:
    """Check that the input is a mail at all, of whatever kind.

    Raises:
        InputError: it is empty, or has none of the headers of a mail.
    """
    name = "standard input" if incoming.name == STANDARD_INPUT else incoming.name
    if not incoming.data.strip():
        raise InputError("it is empty; expected a mail with its headers", where=name)
    if not is_mail(incoming.data) and bounces.read(incoming.data).kind is bounces.Kind.UNKNOWN:
        raise InputError("it is not a mail: it has no headers such as From or Subject", where=name)


def _as_json(incoming: Incoming, recorded: Recorded) -> dict[str, Any]:
    return {
        "file": incoming.name,
        "kind": recorded.outcome.kind,
        "matched": recorded.matched,
        "recipients": [
            {
                "address": recipient.address,
                "permanence": recipient.permanence,
                "status": recipient.status or None,
                "reason": recipient.reason,
                "delayed": recipient.delayed,
                "diagnostic": recipient.diagnostic,
            }
            for recipient in recorded.outcome.recipients
        ],
        "actions": list(recorded.actions),
    }


def _as_line(incoming: Incoming, recorded: Recorded) -> str:
    told = [
        f"{recipient.address} ({recipient.permanence}, {recipient.reason})"
        for recipient in recorded.outcome.recipients
    ]
    did = "; ".join(recorded.actions) or ("already recorded" if recorded.is_replay else "")
    whose = did or ("nothing to do" if recorded.matched else "matches no delivery")
    return f"{incoming.name}: {recorded.outcome.kind} {', '.join(told)} → {whose}".replace(
        "  ", " "
    )
