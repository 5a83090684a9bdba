"""One attempt: a begun delivery to a message, to a relay, to a result."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Unpack

from jinja2 import TemplateError

from newsletter.core.database import utc_now
from newsletter.core.errors import (
    PermanentTransportError,
    RelayError,
    RenderError,
    SlowDownError,
    TransientTransportError,
    UncertainTransportError,
)
from newsletter.core.models import DeliveryKind, DeliveryStatus
from newsletter.core.refusals import asks_to_slow_down
from newsletter.messages.broadcast import BroadcastMessage
from newsletter.messages.digest import Digest
from newsletter.messages.envelope import Envelope
from newsletter.messages.note_renderer import Addressee
from newsletter.sending.ledger import Result
from newsletter.sending.mailer.begun import BegunDelivery, Content
from newsletter.sending.mailer.flight_log import FlightLog
from newsletter.sending.mailer.ledger_client import UNREADABLE
from newsletter.sending.mailer.retry_policy import retry_at
from newsletter.sending.transports import Transport

# A template or a row that cannot be rendered fails alone, with its reason.
UNRENDERABLE = (RenderError, TemplateError, *UNREADABLE)


class Rendering(Protocol):
    """The part of the renderer that a run needs: rows to envelopes."""

    def digest(self, digest: Digest) -> Envelope:
        """The message of a digest."""
        ...

    def broadcast(self, message: BroadcastMessage) -> Envelope:
        """The message of a broadcast."""
        ...

    def confirmation(self, **to: Unpack[Addressee]) -> Envelope:
        """The message that asks for a confirmation."""
        ...

    def account_link(self, **to: Unpack[Addressee]) -> Envelope:
        """The message with a link to one's account."""
        ...


@dataclass(frozen=True, slots=True)
class Ready:
    """A begun delivery and its message; ``created_at`` is when it was frozen, or asked for."""

    job: BegunDelivery
    created_at: datetime
    envelope: Envelope


def make_ready(job: BegunDelivery, renderer: Rendering) -> Ready | Result:
    """Render a delivery; returns a failed result if that is impossible."""
    content = job.content
    try:
        if isinstance(content, str):
            raise RenderError(content)
        return Ready(job, content.created_at, _render(content, renderer))
    except UNRENDERABLE as error:
        reason = str(error) if isinstance(error, RenderError) else f"cannot be rendered: {error!r}"
        return _result(job, DeliveryStatus.FAILED, 0, reason[:500])


async def attempt(
    ready: Ready, following: Ready | None, transport: Transport, *, log: FlightLog
) -> Result:
    """Hand over one message; ``log`` is told right before.

    ``following`` is what comes next on the connection, as far as can be known.

    Raises:
        RelayError: no relay could be used; the delivery was not attempted.
        SlowDownError: the relay wants fewer at a time, and this one later.
    """
    job = ready.job
    if job.go_at is not None:
        await asyncio.sleep((job.go_at - utc_now()).total_seconds())
    log.started(job.delivery_id, job.attempts)
    try:
        answer = await transport.send(ready.envelope, following.envelope if following else None)
    except PermanentTransportError as error:
        return _result(job, DeliveryStatus.FAILED, error.code, error.response)
    except UncertainTransportError as error:
        return _result(job, DeliveryStatus.UNCERTAIN, error.code, error.response)
    except RelayError:
        log.withdrawn(job.delivery_id, job.attempts)
        raise
    except TransientTransportError as error:
        if asks_to_slow_down(error.code, error.response):
            log.withdrawn(job.delivery_id, job.attempts)
            slower = SlowDownError(error.response, code=error.code)
            slower.relay = error.relay
            raise slower from error
        return deferred(ready, error)
    code, _, text = answer.partition(" ")
    return _result(job, DeliveryStatus.SENT, int(code), text)


def deferred(ready: Ready, error: TransientTransportError) -> Result:
    """Not now: to be tried again later, or given up when the digest would be stale by then."""
    retry = retry_at(ready.job.attempts, ready.created_at, utc_now())
    status = DeliveryStatus.DEFERRED if retry else DeliveryStatus.EXPIRED
    return _result(ready.job, status, error.code, error.response, retry)


def _result(
    job: BegunDelivery,
    status: DeliveryStatus,
    code: int,
    response: str,
    retry: datetime | None = None,
) -> Result:
    return Result(job.delivery_id, job.attempts, status, code, response, utc_now(), retry)


def _render(content: Content, renderer: Rendering) -> Envelope:
    if isinstance(content, Digest):
        return renderer.digest(content)
    if isinstance(content, BroadcastMessage):
        return renderer.broadcast(content)
    is_confirmation = content.kind is DeliveryKind.CONFIRMATION
    make = renderer.confirmation if is_confirmation else renderer.account_link
    return make(
        delivery_id=content.delivery_id,
        to_address=content.to_address,
        message_id=content.message_id,
        created_at=content.created_at,
        public_id=content.public_id,
        link_generation=content.link_generation,
        remark=content.remark,
        language=content.language,
    )
