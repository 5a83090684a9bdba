"""How often mail bounces and readers complain, per edition and domain, against known limits."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, distinct, func, select
from sqlmodel import Session, SQLModel

from newsletter.core.models import UNPROVEN, DeliveryStatus, EventKind, Reason
from newsletter.sending.ledger.states import Of, belongs

# Gmail and Yahoo: stay below 0.1 %, never reach 0.3 % (bulk-mail rule 10).
COMPLAINTS_ADVISED = 0.001
COMPLAINTS_LIMIT = 0.003
# Above this providers put a sender under review (Amazon SES's published number).
BOUNCES_ADVISED = 0.05
# One complaint in a list of fifty is 2 % and means nothing.
FEWEST_COMPLAINTS = 3
FEWEST_BOUNCES = 20
# Many 5.7.x replies in one edition mean that the relay is in trouble (bulk-mail rule 25).
POLICY = frozenset(
    {
        Reason.SPAM,
        Reason.BLOCKED,
        Reason.RATE_LIMITED,
        Reason.AUTHENTICATION,
        Reason.POLICY,
        Reason.SENDER_REJECTED,
        Reason.RELAY_DENIED,
    }
)
_ACCEPTED = (DeliveryStatus.SENT, DeliveryStatus.BOUNCED, DeliveryStatus.COMPLAINED)
_TRIED = (*_ACCEPTED, DeliveryStatus.FAILED)
_delivery = SQLModel.metadata.tables["delivery"]
_events = SQLModel.metadata.tables["delivery_event"]
_event = _events.c
_is_proven = _event.provider != UNPROVEN


@dataclass(frozen=True, slots=True)
class Rate:
    """Deliveries of one domain, or of all: tried, bounced for good or for now, and complaints.

    ``tried`` counts what a relay accepted or refused for good; ``policy`` those of ``bounced``
    that were refused for the sender's or the message's sake.
    """

    domain: str
    tried: int
    bounced: int
    policy: int
    complained: int

    @property
    def bounce_rate(self) -> float:
        """Share of tried deliveries that bounced, 0 to 1."""
        return self.bounced / self.tried if self.tried else 0.0

    @property
    def complaint_rate(self) -> float:
        """Share of tried deliveries that were complained about, 0 to 1."""
        return self.complained / self.tried if self.tried else 0.0


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates of one edition: of all its deliveries, and by recipient domain, the largest first."""

    total: Rate
    domains: tuple[Rate, ...]


def rates_of(session: Session, of: Of, *, accepted_only: bool = False) -> Rates:
    """Bounce and complaint rates of an edition or broadcast, from the ledger and its events.

    With ``accepted_only`` what the relay itself refused is left out.
    """
    domain = domain_of(session)
    is_bounce = and_(_event.kind == EventKind.BOUNCED, _is_proven)
    rows = session.execute(
        select(
            domain,
            func.count(distinct(_delivery.c.id)),
            _deliveries_with(is_bounce),
            _deliveries_with(and_(is_bounce, _event.reason.in_(POLICY))),
            _deliveries_with(and_(_event.kind == EventKind.COMPLAINED, _is_proven)),
        )
        .select_from(_delivery.outerjoin(_events, _event.delivery_id == _delivery.c.id))
        .where(
            belongs(of),
            _delivery.c.status.in_(_ACCEPTED if accepted_only else _TRIED),
        )
        .group_by(domain)
    )
    domains = sorted((Rate(*row) for row in rows), key=lambda rate: (-rate.tried, rate.domain))
    total = Rate(
        domain="",
        tried=sum(rate.tried for rate in domains),
        bounced=sum(rate.bounced for rate in domains),
        policy=sum(rate.policy for rate in domains),
        complained=sum(rate.complained for rate in domains),
    )
    return Rates(total, tuple(domains))


def _deliveries_with(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """How many deliveries have an event like this, however many of them."""
    return func.count(distinct(case((condition, _delivery.c.id))))


def domain_of(session: Session) -> ColumnElement[str]:
    """What stands behind the @ of a delivery's address."""
    address = _delivery.c.to_address
    if session.get_bind().dialect.name == "sqlite":
        return func.substr(address, func.instr(address, "@") + 1)
    return func.split_part(address, "@", 2)


def verdict(rate: Rate) -> str:
    """How a rate stands against the limits, in words; "" while all is well.

    Too few cases mean nothing, whatever their share.
    """
    if rate.complained >= FEWEST_COMPLAINTS and rate.complaint_rate >= COMPLAINTS_LIMIT:
        return "complaints over Gmail's limit of 0.3 %"
    if rate.complained >= FEWEST_COMPLAINTS and rate.complaint_rate >= COMPLAINTS_ADVISED:
        return "complaints over the 0.1 % that Gmail advises"
    if rate.bounced >= FEWEST_BOUNCES and rate.bounce_rate >= BOUNCES_ADVISED:
        return "bounces over 5 %"
    return ""


def as_json(found: Rates) -> dict[str, Any]:
    """All rates and the limits they are held against, as shares from 0 to 1."""
    return {
        "limits": {"complaints_advised": COMPLAINTS_ADVISED, "complaints_limit": COMPLAINTS_LIMIT},
        "total": _rate_json(found.total),
        "domains": [_rate_json(rate) for rate in found.domains],
    }


def _rate_json(rate: Rate) -> dict[str, Any]:
    return {
        "domain": rate.domain or None,
        "tried": rate.tried,
        "bounced": rate.bounced,
        "refused_by_policy": rate.policy,
        "complained": rate.complained,
        "bounce_rate": round(rate.bounce_rate, 6),
        "complaint_rate": round(rate.complaint_rate, 6),
        "verdict": verdict(rate),
    }


def worth_showing(found: Rates, most: int = 10) -> list[Rate]:
    """The total, and the largest domains of those where anything bounced or was complained about.

    A domain over a limit is always among them.
    """
    touched = [rate for rate in found.domains if rate.bounced or rate.complained]
    return [found.total, *(r for at, r in enumerate(touched) if at < most or verdict(r))]


def in_words(rate: Rate) -> str:
    """``gmail.com: 2 of 900 bounced (0.22 %), 1 complained (0.11 %)``, and the verdict."""
    where = rate.domain or "all domains"
    told = (
        f"{where}: {rate.bounced} of {rate.tried} bounced ({rate.bounce_rate:.2%}), "
        f"{rate.complained} complained ({rate.complaint_rate:.2%})"
    )
    return f"{told}: {said}" if (said := verdict(rate)) else told


def why_pause(found: Rates, *, bounce_limit: float, complaint_limit: float) -> str | None:
    """One sentence on why a send run should pause, or None.

    Limits are shares, 0 to 1. All domains together count, and each large one by itself: Gmail
    judges what it sees.
    """
    for rate in (found.total, *found.domains):
        where = f" at {rate.domain}" if rate.domain else ""
        if rate.complained >= FEWEST_COMPLAINTS and rate.complaint_rate >= complaint_limit:
            return (
                f"{rate.complained} of {rate.tried} readers{where} complained "
                f"({rate.complaint_rate:.2%}; the limit is {complaint_limit:.2%})"
            )
        if rate.bounced >= FEWEST_BOUNCES and rate.bounce_rate >= bounce_limit:
            mostly = (
                ", mostly refused by policy (5.7.x): check SPF, DKIM, DMARC and blocklists"
                if rate.policy * 2 > rate.bounced
                else ""
            )
            return (
                f"{rate.bounced} of {rate.tried} deliveries{where} bounced "
                f"({rate.bounce_rate:.1%}; the limit is {bounce_limit:.1%}){mostly}"
            )
    return None
