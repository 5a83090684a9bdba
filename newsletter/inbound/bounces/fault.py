"""Whose fault a refusal is: the sender's and the account's, or the recipient's.

A relay that does not know *our* address uses the words it has for a reader's: "User unknown".
So a refusal is judged with the envelope in hand: what of ours it names, and what it says about
that. In doubt it is ours, for a reader who is wrongly mailed again costs less than one lost.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from newsletter.core.models import Reason
from newsletter.core.refusals import RATE_WORDS

LONGEST = 2000
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "localhost.localdomain"})
# Words of ours that replace what a server quotes; no server writes them.
_SENDER, _RECIPIENT, _HOST = (
    "\N{SECTION SIGN}sender",
    "\N{SECTION SIGN}reader",
    "\N{SECTION SIGN}host",
)

# Our signed envelope sender (`core.tokens`), at whatever domain, also as relays rewrite it (SRS).
_VERP = re.compile(
    r"<?[\w.+=-]{0,80}bounce\+\d{1,18}-[a-z2-7]{16}(?:=[\w.-]{1,255})?@[\w.-]{1,255}>?"
)
# Where a transaction stood, as servers tell it beside their reason; it blames nobody.
_CONTEXT = re.compile(
    r"[;,]?\s*\b(?:from|to|proto|helo|ehlo|client|relay|mx)=<?[^\s;,>]{0,320}>?"
    r"|\b(?:rcpt|mail|data|noqueue: reject: rcpt) from [\w.-]{1,255}\[[^\]]{1,60}\]:?"
    r"|\(?in reply to (?:the )?(?:rcpt to|data|end of data) command\)?"
    r"|\bhost [\w.-]{1,255}\s?(?:\[[^\]]{1,60}\]|\([^)]{1,60}\))?\s?(?:said|refused to talk to me):"
)
# The command that was refused, where a server says so.
_AT_MAIL = re.compile(
    r"in reply to (?:the )?mail from|after (?:pipelined )?mail from|to mail from:? command"
)

# What is said of a sender, an account or a host of ours in words that no reader can be meant by.
# Each group names the servers that write so.
_OURS: tuple[tuple[Reason, str], ...] = (
    (
        Reason.RATE_LIMITED,
        # Google 5.4.5, Microsoft 5.1.90 and 5.2.0, SES, Mailgun, SendGrid, shared hosts (Exim)
        RATE_WORDS
        + r""" | (?:sending|outbound|submission|sender) (?:quota|limit|credit)
        | (?:daily|hourly|monthly|24-hour) (?:\w+ ){0,3}(?:quota|limit|allowance)
        | (?:quota|limit|allowance) (?:for|of|per) (?:the |this )?(?:day|hour|month|sender)
        | your (?:(?:sending|daily|hourly|monthly|account|plan) ){0,2}(?:quota|limit|credit)
        | maximum credits | recipient limit exceeded | messages? per (?:second|minute|hour|day)
        | max(?:imum)? (?:defers and failures|emails) per | upgrade your (?:plan|account)""",
    ),
    (
        Reason.AUTHENTICATION,
        # SES, SendGrid, Postmark, Mailgun, Microsoft 5.7.57, Postfix, Exim
        r"""identit(?:y|ies)\b[^.]{0,60}(?:verif|fail|not found|check)
        | (?:email address|sender|domain|from address|address) (?:\S+ )?is not verified
        | (?:un|not )verified (?:sender|domain|identity|from) | verified sender identity
        | sender signature
        | authentication (?:is )?(?:required|failed|failure|unsuccessful|credentials|needed)
        | must (?:first )?(?:authenticate|issue a starttls|log ?in) | please auth(?:enticate)?\b
        | client was not authenticated | credentials | login (?:failed|denied|refused)
        | access token | invalid api key""",
    ),
    (
        Reason.SENDER_REJECTED,
        # Postfix, Exim, Sendmail 5.1.8, Microsoft 5.1.8 and 5.2.252, Google, Yahoo, GMX, qmail
        r"""sender address | sender verif | sender (?:is )?not\b
        | sender (?:is )?(?:unknown|denied|rejected|refused|blocked|invalid|unverified)
        | (?:envelope|header|outbound|bad|invalid|unknown|unauthorized|verify) sender
        | (?:unroutable|unrouteable|non-?existent) sender
        | sender(?:'s)? (?:domain|host|mailbox|account|e-?mail|user|name|id)\b
        | (?:domain|host|address) of (?:the )?sender | (?:return|reverse|bounce)[- ]?path
        | envelope[- ]from | mail ?from\b[^.]{0,80}(?:reject|refus|denied|unknown|invalid|disallow)
        | mail ?from\b[^.]{0,80}not (?:exist|found|allowed|permitted|accepted)
        | send ?as ?denied
        | (?:permissions?|allowed|authori[sz]ed) to send (?:as|from|mail|e-?mail|on behalf)
        | not owned by | from address | from: (?:header|domain|address) | originator
        | address in (?:the )?from | verify (?:the )?sender""",
    ),
    (
        Reason.POLICY,
        # SES, Mailgun, SendGrid, Postmark, Mailjet and shared hosts about an account of ours
        r"""your (?:\w+ )?account | for this account | (?:sending|sender) account\b
        | account (?:is )?(?:under review|on hold|not activated|pending) | activate your
        | sending (?:\w+ )?(?:is |has been )?(?:paused|suspended|disabled|not allowed|blocked)
        | not allowed to send\b(?! to) | disabled sending | sandbox | free accounts
        | pending approval | subscription (?:has )?(?:expired|ended) | payment required
        | outstanding invoice | unusual (?:sending )?activity""",
    ),
    (
        Reason.BLOCKED,
        # Everybody about where we connect from
        r"""\bhelo\b | \behlo\b | your (?:ip|host|server|mail ?server|mta|network|domain)\b
        | (?:sending|connecting|client|source) (?:ip|host|server|mta|mx)\b""",
    ),
)
_OURS_IN_WORDS = tuple(
    (
        reason,
        re.compile("|".join(part.strip() for part in re.split(r"\n\s*\| | \| ", patterns))),
    )
    for reason, patterns in _OURS
)
# The same servers about a reader, beside words that could be read as about us.
_RECIPIENTS = re.compile(
    r"recipient (?:address|e-?mail|mailbox|user|account|verif)|recipient's"
    r"|recipient (?:is )?(?:unknown|rejected|not |invalid|no longer)"
    r"|(?:no such|unknown|invalid|bad) recipient|(?:address|user|account) that you tried"
    r"|recipnotfound|recipientnotfound"
    rf"|{_RECIPIENT} [^;{_SENDER[0]}]{{0,60}}(?:unknown|no such|not exist|n't exist"
    r"|not found|invalid|unrouteable|unroutable|rejected)"
    rf"|(?:unknown|no such|not found|invalid|unrouteable|unroutable) [^;.]{{0,40}}{_RECIPIENT}"
)
# What is said of a sender even beside a recipient's address.
_SENDERS = re.compile(
    r"sender address|sender verif|sender (?:is )?(?:unknown|rejected|denied|invalid|not\b)"
    r"|verify (?:the )?sender|domain of sender|sender(?:'s)? domain|envelope sender"
)
# What can be wrong with a person's address, but never with a domain or a host.
_OF_A_PERSON = re.compile(r"\b(?:user|mailbox|account|recipient|inbox|person|alias|local part)\b")


@dataclass(frozen=True, slots=True)
class Ours:
    """What of ours a refusal may quote: the envelope sender, our other addresses, domains, hosts.

    ``names`` are domains, host names, IP addresses and account names.
    """

    sender: str = ""
    names: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, sender: str, names: Iterable[str]) -> "Ours":
        """From an envelope sender and names, in any case, blanks left out."""
        domain = sender.rpartition("@")[2]
        known = {name.strip().lower().strip("[]<>") for name in (*names, domain)}
        # "user unknown" must not name the account "user", nor "no such mail" a host "mail".
        telling = (name for name in known if re.search(r"[\d@.:]", name))
        return cls(sender.lower(), frozenset(telling) - LOOPBACK)


NOTHING = Ours()


def fault_of_ours(text: str, *, recipient: str = "", ours: Ours = NOTHING) -> Reason | None:
    """Why a refusal is about us; None when it is, or may be, about ``recipient``."""
    quoted = _masked(text, recipient.lower(), ours)
    if _AT_MAIL.search(quoted):
        return _in_words(quoted) or Reason.SENDER_REJECTED
    plain = _CONTEXT.sub(" ", quoted)
    sender, reader = plain.find(_SENDER), plain.find(_RECIPIENT)
    names_us_alone = sender >= 0 > reader
    if not names_us_alone and _RECIPIENTS.search(plain) and not _SENDERS.search(plain):
        return None
    if (reason := _in_words(plain)) is not None:
        return reason
    is_host = _HOST in plain and reader < 0 and not _OF_A_PERSON.search(plain)
    # Who is named first is who it is about: "<us>: unknown", "<reader> unknown to <us>".
    if names_us_alone or 0 <= sender < reader or is_host:
        return Reason.SENDER_REJECTED
    return None


def _masked(text: str, recipient: str, ours: Ours) -> str:
    """Lower case, single spaces; what is the reader's and what is ours replaced by one word."""
    lower = " ".join(text[:LONGEST].lower().split())
    if recipient:
        lower = _whole(recipient).sub(f" {_RECIPIENT} ", lower)
    lower = _VERP.sub(f" {_SENDER} ", lower)
    if ours.sender:
        lower = _whole(ours.sender).sub(f" {_SENDER} ", lower)
    readers_domain = recipient.rpartition("@")[2]
    for name in sorted(ours.names, key=len, reverse=True):
        if "@" in name or not set(name) & {".", ":"}:  # an address, or a login
            lower = _whole(name).sub(f" {_SENDER} ", lower)
        elif name != readers_domain:
            address = re.compile(
                rf"<?[\w.+=-]{{1,80}}@(?:[\w-]{{1,63}}\.){{0,4}}{re.escape(name)}(?![\w-])>?"
            )
            host = re.compile(
                rf"(?<![\w@.-])(?:[\w-]{{1,63}}\.){{0,4}}{re.escape(name)}(?![\w-]|\.\w)"
            )
            lower = host.sub(f" {_HOST} ", address.sub(f" {_SENDER} ", lower))
    return lower


def _whole(value: str) -> re.Pattern[str]:
    return re.compile(rf"<?(?<![\w.+-]){re.escape(value)}(?![\w-]|\.\w)>?")


def _in_words(text: str) -> Reason | None:
    for reason, words in _OURS_IN_WORDS:
        if words.search(text):
            return reason
    return None
