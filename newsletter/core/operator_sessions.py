"""Links to the operator's pages and the sessions they open. Only keyed hashes are stored."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, or_, update
from sqlmodel import Session, col, func, select

from newsletter.core.models import OperatorSession
from newsletter.core.tokens import Signer

# Long enough to carry a link from a terminal to a browser.
LINK_LIFETIME = timedelta(minutes=15)
MOST_HOURS = 24 * 7


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that has just begun: the secret for the browser, and when it ends."""

    secret: str
    hours: int
    until: datetime


def new_link(session: Session, signer: Signer, *, hours: int, now: datetime) -> str:
    """The token of a link that opens one session of ``hours`` within `LINK_LIFETIME`.

    Links and sessions that are over are deleted.
    """
    good = select(OperatorSession.id).where(_good(now))
    session.execute(delete(OperatorSession).where(col(OperatorSession.id).not_in(good)))
    token = secrets.token_urlsafe(32)
    session.add(
        OperatorSession(
            link_hash=_link_hash(signer, token), link_until=now + LINK_LIFETIME, hours=hours
        )
    )
    return token


def works(session: Session, signer: Signer, token: str, now: datetime) -> bool:
    """Whether a link can still open a session. Reads only."""
    wanted = select(OperatorSession.id).where(
        OperatorSession.link_hash == _link_hash(signer, token), _unused(now)
    )
    return session.exec(wanted).first() is not None


def open_session(session: Session, signer: Signer, token: str, now: datetime) -> Opened | None:
    """Use a link up and begin its session; None if it was used, is out of date or unknown.

    The browser gets a new secret, never the link's: who saw the link has no session.
    """
    link_hash = _link_hash(signer, token)
    hours = session.exec(
        select(OperatorSession.hours).where(OperatorSession.link_hash == link_hash)
    ).first()
    if hours is None:
        return None
    opened = Opened(secrets.token_urlsafe(32), hours, now + timedelta(hours=hours))
    used = session.connection().execute(
        update(OperatorSession)
        .where(col(OperatorSession.link_hash) == link_hash, _unused(now))
        .values(cookie_hash=_cookie_hash(signer, opened.secret), until=opened.until)
    )
    return opened if used.rowcount == 1 else None


def find(
    session: Session, signer: Signer, secret: str, now: datetime
) -> tuple[int, datetime] | None:
    """Id and end of the session that a browser's secret belongs to. Reads only."""
    found = session.exec(
        select(OperatorSession).where(
            OperatorSession.cookie_hash == _cookie_hash(signer, secret),
            col(OperatorSession.until) > now,
        )
    ).first()
    return (found.id or 0, found.until or now) if found else None


def end(session: Session, session_id: int) -> None:
    """End one session."""
    session.execute(delete(OperatorSession).where(col(OperatorSession.id) == session_id))


def revoke(session: Session, now: datetime) -> int:
    """End every session and link; returns how many were still good."""
    good = session.exec(select(func.count()).where(_good(now))).one()
    session.execute(delete(OperatorSession))
    return good


def _unused(now: datetime) -> ColumnElement[bool]:
    return and_(col(OperatorSession.cookie_hash).is_(None), col(OperatorSession.link_until) > now)


def _good(now: datetime) -> ColumnElement[bool]:
    """Links that can still be used, and sessions that are not over."""
    return or_(col(OperatorSession.until) > now, _unused(now))


def _link_hash(signer: Signer, token: str) -> str:
    return signer.keyed_hash("operator link", token)


def _cookie_hash(signer: Signer, secret: str) -> str:
    return signer.keyed_hash("operator session", secret)
