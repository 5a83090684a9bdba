"""Limits how often a network may sign up or ask for links. Counters are rows.

A fixed window per key: simple, shared by all processes, and off by a factor of two at most.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address, ip_network

from fastapi import HTTPException, Request
from sqlalchemy import delete
from sqlmodel import Session, col

from newsletter.core.database import upsert, utc_now
from newsletter.core.models import RateLimit
from newsletter.web.site import Site


class Limited(StrEnum):
    """What is limited."""

    SIGN_UP = "sign-up"
    ACCOUNT_LINK = "account link"


# A lecture hall behind one address signs up together; a script does it all night.
MOST = {Limited.SIGN_UP: 30, Limited.ACCOUNT_LINK: 15}
WINDOW = timedelta(hours=1)


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
    """Count one more, in a transaction of its own.

    Raises:
        HTTPException: 429, with the seconds to wait.
    """
    now = utc_now()
    key = site.signer.keyed_hash(f"limit {what}", network_of(request))
    with site.writing() as session:
        count, until = _count(session, key, now)
    if count > MOST[what]:
        wait = max(1, round((until - now).total_seconds()))
        raise HTTPException(429, headers={"Retry-After": str(wait)})


def _count(session: Session, key: str, now: datetime) -> tuple[int, datetime]:
    session.execute(delete(RateLimit).where(col(RateLimit.until) < now))
    inserted = upsert(session, "rate_limit").values(key=key, until=now + WINDOW, count=1)
    counted = inserted.on_conflict_do_update(
        index_elements=["key"], set_={"count": col(RateLimit.count) + 1}
    )
    count, until = session.execute(
        counted.returning(col(RateLimit.count), col(RateLimit.until))
    ).one()
    return count, until
