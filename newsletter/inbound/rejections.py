"""Permanent refusals by relays during a run, treated like bounces."""

from urllib.parse import urlsplit

from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter.core.config import Settings
from newsletter.core.database import session_scope, utc_now
from newsletter.core.models import Delivery, DeliveryStatus
from newsletter.core.tokens import Signer
from newsletter.inbound.apply import record_rejection
from newsletter.inbound.bounces import Ours
from newsletter.sending.transports.smtp import own_name, parse_relays

PERMANENT = 500  # replies from here on are final (RFC 5321 §4.2.1)


def ours(settings: Settings) -> Ours:
    """What of ours a relay may quote: addresses, domains, this host's name, logins."""
    names = [
        settings.from_address,
        settings.from_domain,
        settings.bounce_domain,
        settings.dkim_domain,
        urlsplit(settings.base_url).hostname,
        own_name(),
        *(relay.username for relay in parse_relays(settings.relay_url)),
    ]
    return Ours.of("", filter(None, names))


def apply(engine: Engine, settings: Settings, edition_id: int) -> None:
    """Record what relays refused of an edition; a rejection counts once."""
    signer, may_be_quoted = Signer(settings.keys), ours(settings)
    with session_scope(engine) as session:
        refused = session.exec(
            select(Delivery).where(
                Delivery.edition_id == edition_id,
                Delivery.status == DeliveryStatus.FAILED,
                col(Delivery.smtp_code) >= PERMANENT,
            )
        ).all()
        for row in refused:
            record_rejection(
                session,
                signer,
                row.id or 0,
                code=row.smtp_code or 0,
                response=row.smtp_response,
                ours=may_be_quoted,
                now=utc_now(),
            )
