"""The outcome of an inbound mail or provider's event, in one vocabulary."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from newsletter.core.models import Permanence, Reason


class Kind(StrEnum):
    """The kind of inbound mail."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    AUTO_REPLY = "auto_reply"
    UNSUBSCRIBE = "unsubscribe"
    DELIVERY_NOTICE = "delivery_notice"
    CHALLENGE = "challenge"
    UNKNOWN = "unknown"


# The address itself is invalid: nothing sent there will ever arrive (RFC 3463 X.1.X).
ADDRESS_IS_DEAD = frozenset(
    {Reason.NO_SUCH_ADDRESS, Reason.NO_SUCH_HOST, Reason.MOVED, Reason.NOT_ACCEPTING}
)
# It says something about the sender, the message or the day, never about the address.
NOT_THE_ADDRESS = frozenset(
    {
        Reason.SPAM,
        Reason.BLOCKED,
        Reason.RATE_LIMITED,
        Reason.AUTHENTICATION,
        Reason.POLICY,
        Reason.SENDER_REJECTED,
        Reason.RELAY_DENIED,
        Reason.CONTENT,
        Reason.TOO_LARGE,
    }
)


# Of a server's words: enough to tell why, short enough for a line of a report.
LONGEST_QUOTE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class BouncedRecipient:
    """One address a report names.

    ``address`` is the one that failed, ``original`` the one mailed to where the report tells
    both (RFC 3464 §2.3.1); ``status`` is "5.1.1"-like or empty; ``diagnostic`` the remote
    server's own words, cut.
    """

    address: str
    permanence: Permanence
    reason: Reason = Reason.UNDEFINED
    status: str = ""
    diagnostic: str = ""
    original: str = ""
    # A warning: the relay is still trying (RFC 3464 §2.3.3, "delayed").
    delayed: bool = False

    @property
    def is_dead(self) -> bool:
        """Whether the address itself is refused for good, so that mailing it again is wrong.

        A refusal by policy (5.7.x) or for a full mailbox (5.2.2) never is, whatever its words.
        """
        return (
            self.permanence is Permanence.PERMANENT
            and self.reason in ADDRESS_IS_DEAD
            and not self.status.startswith(("5.7.", "5.2.2"))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one mail says, and every clue to whose it is.

    ``sent_to`` holds the addresses the mail came in for and the envelope senders found in what
    it returns (a VERP address may be among them); ``message_ids`` those of returned or answered
    messages, without angle brackets; ``marks`` the ``X-`` headers of a returned message, names
    in lower case.
    """

    kind: Kind
    recipients: tuple[BouncedRecipient, ...] = ()
    sent_to: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()
    marks: tuple[tuple[str, str], ...] = ()
    sender: str = ""
    subject: str = ""
    detail: str = ""
    # What a bounce says that names nobody: the address is empty.
    nameless: BouncedRecipient | None = None


def unique(values: Iterable[str]) -> tuple[str, ...]:
    """``values`` without blanks and repetitions (case aside), in order."""
    seen: dict[str, str] = {}
    for value in values:
        if value:
            seen.setdefault(value.lower(), value)
    return tuple(seen.values())
