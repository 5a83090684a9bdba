"""Limits how often a network may sign up, ask for links or open them. Counters are rows.

A fixed window per key: simple, shared by all processes, and off by a factor of two at most.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address, ip_network

from fastapi import Depends, HTTPException, Request
from sqlalchemy import delete
from sqlmodel import Session, col

from newsletter.core.database import upsert, utc_now
from newsletter.core.models import RateLimit
from newsletter.subscribers.mailbox import mailbox_of
from newsletter.web.site import Site


class Limited(StrEnum):
    """What is limited."""

    SIGN_UP = "sign-up"
    ACCOUNT_LINK = "account link"
    OPERATOR_LINK = "operator link"
    FIRST_LOOK = "first look"


# By network: a lecture hall behind one address signs up together; a script does it all night.
MOST = {
    Limited.SIGN_UP: 30,
    Limited.ACCOUNT_LINK: 15,
    Limited.OPERATOR_LINK: 15,
    Limited.FIRST_LOOK: 120,
}
WINDOW = timedelta(hours=1)
# What strangers can make us mail, over all networks: the queue stays one hour's worth long.
MOST_MAILS = 1000
# To one mailbox, under whatever spellings: a confirmation, a link to the account, some to spare.
MOST_TO_MAILBOX = 5
MAILBOX_WINDOW = timedelta(days=1)


def network_of(request: Request) -> str:
    """The caller's network: a /24 of IPv4, a /56 of IPv6, which is what one customer gets."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return "unknown"
    if address.version == 6 and address.ipv4_mapped:
        address = address.ipv4_mapped
    prefix = 24 if address.version == 4 else 56
    return str(ip_network(f"{address}/{prefix}", strict=False))


def limit(site: Site, request: Request, what: Limited) -> None:
    """Count one more of this network, in a transaction of its own.

    Raises:
        HTTPException: 429, with the seconds to wait.
    """
    now = utc_now()
    key = site.signer.keyed_hash(f"limit {what}", network_of(request))
    with site.writing() as session:
        count, until = _count(session, key, now, WINDOW)
    if count > MOST[what]:
        raise _too_many(now, until)


def may_mail(site: Site, email: str) -> bool:
    """Count one more mail that a stranger asks for; whether its mailbox may have it.

    Raises:
        HTTPException: 429, too many were asked for, to whomever.
    """
    now = utc_now()
    mailbox = site.signer.keyed_hash("limit mailbox", mailbox_of(email))
    with site.writing() as session:
        count, _ = _count(session, mailbox, now, MAILBOX_WINDOW)
        if count > MOST_TO_MAILBOX:
            return False
        key = site.signer.keyed_hash("limit", "mails")
        total, until = _count(session, key, now, WINDOW)
    if total > MOST_MAILS:
        raise _too_many(now, until)
    return True


def _too_many(now: datetime, until: datetime) -> HTTPException:
    wait = max(1, round((until - now).total_seconds()))
    return HTTPException(429, headers={"Retry-After": str(wait)})


def refuse_other_sites(request: Request) -> None:
    """Refuse what a page of another site makes a visitor's browser post.

    Browsers say where a request comes from (Fetch Metadata); programs say nothing, and may.

    Raises:
        HTTPException: 403.
    """
    if request.headers.get("sec-fetch-site", "").strip().lower() == "cross-site":
        raise HTTPException(403)


FromHere = Depends(refuse_other_sites)


def _count(session: Session, key: str, now: datetime, window: timedelta) -> tuple[int, datetime]:
    session.execute(delete(RateLimit).where(col(RateLimit.until) < now))
    inserted = upsert(session, "rate_limit").values(key=key, until=now + window, count=1)
    counted = inserted.on_conflict_do_update(
        index_elements=["key"], set_={"count": col(RateLimit.count) + 1}
    )
    count, until = session.execute(
        counted.returning(col(RateLimit.count), col(RateLimit.until))
    ).one()
    return count, until
