"""Permanent refusals by relays during a run, treated like bounces."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core.config import Settings
from newsletter.core.database import session_scope, utc_now
from newsletter.core.models import Delivery, DeliveryStatus, EditionStatus
from newsletter.core.tokens import Signer
from newsletter.inbound import bounces
from newsletter.inbound.apply import record_rejection
from newsletter.inbound.bounces import BouncedRecipient, Ours
from newsletter.sending import ledger
from newsletter.sending.transports.smtp import own_name, parse_relays
from newsletter.subscribers.suppression import suppressions, too_many_today


def ours(settings: Settings) -> Ours:
    """What of ours a relay may quote: addresses, domains, this host's name, logins."""
    names = [
        settings.from_address,
        settings.from_domain,
        settings.bounce_domain,
        settings.dkim_domain,
        urlsplit(settings.base_url).hostname,
        settings.ehlo_name or own_name(),
        *(relay.username for relay in parse_relays(settings.relay_url, settings.ehlo_name)),
    ]
    return Ours.of("", filter(None, names))


def apply(
    engine: Engine,
    settings: Settings,
    of: int | ledger.OfBroadcast,
    *,
    kind: str = "",
    is_forced: bool = False,
) -> str:
    """Record what relays refused of an edition or broadcast; a rejection counts once.

    Returns why it was paused instead, or "": when most was refused alike, or too many
    would be suppressed at once, nobody is, and the refused wait in the queue. ``kind`` is what made
    a run stop: of that too all wait again. ``is_forced`` believes the refusals all the same.
    """
    signer, may_be_quoted, now = Signer(settings.keys), ours(settings), utc_now()
    with session_scope(engine) as session:
        if kind:
            ledger.take_back(session, ledger.by_kind(session, of).get(kind, []))
        if not is_forced and (why := _pause_for_most(session, of)):
            return why
        refused = [(row, _read(row, may_be_quoted)) for row in _refused(session, of)]
        dead = [row for row, found in refused if found.is_dead]
        hashes = {signer.hash_address(row.to_address) for row in dead}
        more = len(hashes - set(suppressions(session, hashes)))
        if not is_forced and more and (why := too_many_today(session, more=more, now=now)):
            ledger.take_back(session, [row.id or 0 for row in dead])
            _pause(session, of, f"{why}; the relay said: {_quoted(dead[-1])}")
            return why
        for row, found in refused:
            record_rejection(session, signer, row, found, now=now, is_forced=is_forced)
    return ""


def _refused(session: Session, of: ledger.Of) -> Sequence[Delivery]:
    return session.exec(
        select(Delivery).where(
            ledger.belongs(of),
            Delivery.status == DeliveryStatus.FAILED,
            col(Delivery.smtp_code) >= ledger.PERMANENT,
        )
    ).all()


def _read(row: Delivery, may_be_quoted: Ours) -> BouncedRecipient:
    return bounces.read_reply(
        row.smtp_code or 0,
        row.smtp_response,
        address=row.to_address,
        ours=Ours.of("", (*may_be_quoted.names, row.message_id.rpartition("@")[2])),
    )


def _pause_for_most(session: Session, of: int | ledger.OfBroadcast) -> str:
    """Take back what several processes, or several runs, saw refused alike; says why, or ""."""
    tried = ledger.tried(session, of)
    for ids in ledger.by_kind(session, of).values():
        if tried >= ledger.FEWEST_REFUSED and len(ids) * 2 > tried:
            last = session.get_one(Delivery, ids[-1])
            why = f"{len(ids)} of {tried} messages were refused in the same words"
            _pause(session, of, f"{why}; the relay said: {_quoted(last)}")
            ledger.take_back(session, ids)
            return why
    return ""


def _quoted(row: Delivery) -> str:
    return f"{row.smtp_code} {row.smtp_response}"


def _pause(session: Session, of: int | ledger.OfBroadcast, reason: str) -> None:
    issue = ledger.issue(session, of)
    if issue.status is not EditionStatus.CANCELLED:
        issue.status, issue.finished_at = EditionStatus.PAUSED, None
        issue.note = issue.note or reason
