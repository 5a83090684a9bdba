"""Providers' webhooks: verified, mapped to our outcomes, and recorded once."""

import logging
from datetime import timedelta
from hashlib import sha256

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from sqlalchemy import Engine, delete
from sqlmodel import Session, col
from starlette.concurrency import run_in_threadpool

from newsletter.core.config import Settings
from newsletter.core.database import session_scope, utc_now
from newsletter.core.errors import FetchError, InputError, TokenError
from newsletter.core.models import UsedToken
from newsletter.core.tokens import Signer
from newsletter.inbound.apply import apply
from newsletter.inbound.providers import mailgun, postmark, sendgrid, ses
from newsletter.inbound.providers.base import ProviderEvent, Reader, WebhookRequest
from newsletter.web.bodies import read_body

__all__ = ["router_for"]

# Longer than any token is fresh.
REMEMBERED = timedelta(days=1)
logger = logging.getLogger(__name__)


def router_for(
    engine: Engine, settings: Settings, *, fetch: ses.Fetch = ses.fetch_from_amazon
) -> APIRouter:
    """One POST endpoint for each provider whose key is set; ``fetch`` asks Amazon.

    Raises:
        SettingsError: a provider's key cannot be used.
    """
    router = APIRouter(prefix="/webhooks")
    signer = Signer(settings.keys)
    readers = {
        "ses": ses.reader(settings, fetch),
        "sendgrid": sendgrid.reader(settings),
        "postmark": postmark.reader(settings),
        "mailgun": mailgun.reader(settings),
    }
    for provider, reader in readers.items():
        if reader is not None:
            _add(router, engine, signer, provider, reader)
    return router


def _add(router: APIRouter, engine: Engine, signer: Signer, provider: str, reader: Reader) -> None:
    @router.post(f"/{provider}")
    async def webhook(request: Request) -> PlainTextResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = WebhookRequest(await read_body(request), headers, utc_now())
        return await run_in_threadpool(_record, engine, signer, provider, reader, received)


def _record(
    engine: Engine, signer: Signer, provider: str, reader: Reader, request: WebhookRequest
) -> PlainTextResponse:
    """Read and record; the status tells the provider to stop or to retry."""
    try:
        events = reader(request)
    except TokenError as error:
        return PlainTextResponse(f"refused: {error}", 403)
    except InputError as error:
        return PlainTextResponse(f"not understood: {error}", 400)
    except FetchError as error:
        return PlainTextResponse(f"try again: {error}", 503)
    with session_scope(engine) as session:
        if not all(_is_first_use(session, signer, provider, event, request) for event in events):
            return PlainTextResponse("refused: the token came with another body before", 403)
        for event in events:
            recorded = apply(
                session,
                signer,
                event.outcome,
                provider=provider,
                event_id=event.event_id,
                at=min(event.at, request.at),
                now=request.at,
            )
            if not recorded.matched:
                logger.info("%s event %s is about no delivery of ours", provider, event.event_id)
    return PlainTextResponse(f"{len(events)} taken")


def _is_first_use(
    session: Session,
    signer: Signer,
    provider: str,
    event: ProviderEvent,
    request: WebhookRequest,
) -> bool:
    """Whether no other body came with this token; the same body may come again."""
    if not event.once:
        return True
    session.execute(delete(UsedToken).where(col(UsedToken.until) < request.at))
    token = signer.keyed_hash(f"token of {provider}", event.once)
    body = sha256(request.body).hexdigest()
    known = session.get(UsedToken, token)
    if known is None:
        session.add(UsedToken(token=token, body=body, until=request.at + REMEMBERED))
        session.flush()
    return known is None or known.body == body
