"""One attempt: a begun delivery to a message, to a relay, to a result."""

import asyncio
from datetime import datetime
from typing import Protocol, Unpack

from jinja2 import TemplateError

from newsletter.db import utc_now
from newsletter.deliveries import Result
from newsletter.digest import Digest
from newsletter.errors import (
    PermanentTransportError,
    RelayError,
    RenderError,
    TransientTransportError,
    UncertainTransportError,
)
from newsletter.mailer.books import UNREADABLE, Job, Note
from newsletter.mailer.flight import FlightLog
from newsletter.mailer.retries import retry_at
from newsletter.models import DeliveryKind, DeliveryStatus
from newsletter.render import Addressee
from newsletter.transports import Envelope, Transport

# A template or a row that cannot be rendered fails alone, with its reason.
UNRENDERABLE = (RenderError, TemplateError, *UNREADABLE)


class Rendering(Protocol):
    """What a run needs of the renderer: rows to envelopes."""

    def digest(self, digest: Digest) -> Envelope:
        """The message of a digest."""
        ...

    def confirmation(self, **to: Unpack[Addressee]) -> Envelope:
        """The message that asks for a confirmation."""
        ...

    def account_link(self, **to: Unpack[Addressee]) -> Envelope:
        """The message with a link to one's account."""
        ...


async def attempt(
    job: Job,
    renderer: Rendering,
    transport: Transport,
    *,
    log: FlightLog,
) -> Result:
    """Render and hand over one delivery; ``log`` hears of it right before the latter.

    Raises:
        RelayError: no relay could be used; the delivery was not attempted.
    """
    content = job.content
    try:
        if isinstance(content, str):
            raise RenderError(content)
        envelope = _render(content, renderer)
    except UNRENDERABLE as error:
        reason = str(error) if isinstance(error, RenderError) else f"cannot be rendered: {error!r}"
        return _result(job, DeliveryStatus.FAILED, 0, reason[:500])
    if job.go_at is not None:
        await asyncio.sleep((job.go_at - utc_now()).total_seconds())
    log.taking_off(job.delivery_id, job.attempts)
    try:
        answer = await transport.send(envelope)
    except PermanentTransportError as error:
        return _result(job, DeliveryStatus.FAILED, error.code, error.response)
    except UncertainTransportError as error:
        return _result(job, DeliveryStatus.UNCERTAIN, error.code, error.response)
    except RelayError:
        log.stayed(job.delivery_id, job.attempts)
        raise
    except TransientTransportError as error:
        retry = retry_at(job.attempts, content.created_at, utc_now())
        status = DeliveryStatus.DEFERRED if retry else DeliveryStatus.EXPIRED
        return _result(job, status, error.code, error.response, retry)
    code, _, text = answer.partition(" ")
    if not code.isdigit():
        return _result(job, DeliveryStatus.SENT, 0, answer)  # a file, for one
    return _result(job, DeliveryStatus.SENT, int(code), text)


def _result(
    job: Job,
    status: DeliveryStatus,
    code: int,
    response: str,
    retry: datetime | None = None,
) -> Result:
    return Result(job.delivery_id, job.attempts, status, code, response, utc_now(), retry)


def _render(content: Digest | Note, renderer: Rendering) -> Envelope:
    if isinstance(content, Digest):
        return renderer.digest(content)
    is_confirmation = content.kind is DeliveryKind.CONFIRMATION
    make = renderer.confirmation if is_confirmation else renderer.account_link
    return make(
        delivery_id=content.delivery_id,
        to_address=content.to_address,
        message_id=content.message_id,
        created_at=content.created_at,
        public_id=content.public_id,
    )
