"""Figures for Prometheus, read from the ledger: for a page of `serve`, or a file after short runs.

Everything is a gauge read at the moment of asking, so any process can give it and none needs to
have been up the whole time.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest, write_to_textfile
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from newsletter.core.database import read_scope, utc_now
from newsletter.core.errors import StoppedError
from newsletter.core.models import (
    Delivery,
    Edition,
    EditionStatus,
    FetchLog,
    FetchStatus,
    Subscriber,
    SubscriberStatus,
)
from newsletter.sending import ledger

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Older editions have their figures in `newsletter report`; a time series of each would be noise.
SHOWN = timedelta(days=2)


class LedgerCollector(Collector):
    """Reads the figures at each scrape."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """The figures of the last editions, of waiting mail, subscribers and sources."""
        with read_scope(self._engine) as session:
            yield from _editions(session)
            yield _waiting(session)
            yield _subscribers(session)
            yield _sources(session)


def _editions(session: Session) -> Iterator[Metric]:
    counts = GaugeMetricFamily(
        "newsletter_deliveries",
        "Deliveries of the last editions, by status; they add up to what was prepared.",
        labels=["edition", "status"],
    )
    states = GaugeMetricFamily(
        "newsletter_edition_state",
        "1 for the status an edition is in.",
        labels=["edition", "status"],
    )
    since = utc_now() - SHOWN
    for edition in session.exec(select(Edition).where(Edition.opened_at > since)):
        name = edition.issue_date.isoformat()
        for status, number in ledger.statuses(session, edition.id).items():
            counts.add_metric([name, status.value], number)
        for state in EditionStatus:
            states.add_metric([name, state.value], float(edition.status is state))
    yield counts
    yield states


def _waiting(session: Session) -> Metric:
    oldest = session.exec(
        select(func.min(Delivery.created_at)).where(col(Delivery.status).in_(ledger.UNFINISHED))
    ).one()
    age = (utc_now() - oldest).total_seconds() if oldest else 0.0
    return GaugeMetricFamily(
        "newsletter_oldest_waiting_seconds", "Age of the oldest unfinished delivery.", value=age
    )


def _subscribers(session: Session) -> Metric:
    family = GaugeMetricFamily(
        "newsletter_subscribers", "Subscribers by status.", labels=["status"]
    )
    found = session.exec(select(Subscriber.status, func.count()).group_by(col(Subscriber.status)))
    numbers = {status: number for status, number in found}  # noqa: C416  (a row is no pair)
    for status in SubscriberStatus:
        family.add_metric([status.value], numbers.get(status, 0))
    return family


def _sources(session: Session) -> Metric:
    family = GaugeMetricFamily(
        "newsletter_source_last_success_timestamp_seconds",
        "When a source was last fetched without failing.",
        labels=["source"],
    )
    found = session.exec(
        select(FetchLog.source, func.max(FetchLog.started_at))
        .where(FetchLog.status == FetchStatus.OK)
        .group_by(FetchLog.source)
    )
    for source, moment in found:
        family.add_metric([source], moment.timestamp())
    return family


def _registry(engine: Engine) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(LedgerCollector(engine))
    return registry


def exposition(engine: Engine) -> bytes:
    """All figures in Prometheus' text format, served as `CONTENT_TYPE`."""
    return generate_latest(_registry(engine))


def write_file(engine: Engine, path: Path) -> None:
    """The same in a file, replaced as a whole, for the node exporter's textfile collector.

    Raises:
        StoppedError: the file cannot be written.
    """
    try:
        write_to_textfile(str(path), _registry(engine))
    except OSError as error:
        raise StoppedError(
            f"NEWSLETTER_METRICS_FILE: cannot write {path}: {error.strerror}"
        ) from error
