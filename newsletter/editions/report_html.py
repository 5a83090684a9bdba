"""An edition's report as one HTML page that needs nothing else, with a picture of the run."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlmodel import Session, col, select

from newsletter.core.config import bundled
from newsletter.core.models import Delivery, DeliveryStatus
from newsletter.editions.report import Report, what_came_back
from newsletter.sending.ledger import COUNTED_AS, Of, belongs

BARS = 60
WIDTH, HEIGHT = 900, 180
# Told apart without colour too: each bar has its number and status as a title, and the table the
# same in words. Contrast to white and to black is at least 3:1.
COLOURS = {
    DeliveryStatus.SENT: "#2e8b57",
    DeliveryStatus.FAILED: "#c0392b",
    DeliveryStatus.DEFERRED: "#b8860b",
    DeliveryStatus.UNCERTAIN: "#8e6bbf",
    DeliveryStatus.SUPPRESSED: "#7f8c8d",
    DeliveryStatus.EXPIRED: "#a0522d",
    DeliveryStatus.CANCELLED: "#808080",
    DeliveryStatus.QUEUED: "#4682b4",
    DeliveryStatus.SENDING: "#4682b4",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One status in one stretch of time; places and sizes in the picture's units."""

    x: float
    y: float
    width: float
    height: float
    status: str
    number: int


@dataclass(frozen=True, slots=True)
class Picture:
    """Deliveries finished over time, stacked by status."""

    bars: tuple[Bar, ...] = ()
    most: int = 0
    step: str = ""
    first: str = ""
    last: str = ""
    width: int = WIDTH
    height: int = HEIGHT


def finished(session: Session, of: Of) -> list[tuple[datetime, DeliveryStatus]]:
    """When each delivery of an edition came to its end, and which."""
    rows = session.exec(
        select(Delivery.finished_at, Delivery.status).where(
            belongs(of), col(Delivery.finished_at).is_not(None)
        )
    )
    ends = [(at, DeliveryStatus(status)) for at, status in rows if at]
    return [(at, COUNTED_AS.get(status, status)) for at, status in ends]


def draw(ends: Sequence[tuple[datetime, DeliveryStatus]]) -> Picture:
    """The picture of a run; without any end there are no bars."""
    if not ends:
        return Picture()
    first, last = min(at for at, _ in ends), max(at for at, _ in ends)
    step = max((last - first) / BARS, timedelta(seconds=1))
    stretches: dict[int, Counter[DeliveryStatus]] = {}
    for at, status in ends:
        stretches.setdefault(int((at - first) / step), Counter())[status] += 1
    most = max(counts.total() for counts in stretches.values())
    bar_width = WIDTH / (max(stretches) + 1)
    bars = []
    for stretch, counts in sorted(stretches.items()):
        y = float(HEIGHT)
        for status in COLOURS:
            if number := counts[status]:
                height = (HEIGHT - 20) * number / most
                y -= height
                bars.append(Bar(stretch * bar_width, y, bar_width * 0.9, height, status, number))
    return Picture(
        bars=tuple(bars),
        most=most,
        step=f"{step.total_seconds():.0f} s",
        first=f"{first:%Y-%m-%d %H:%M:%S}",
        last=f"{last:%H:%M:%S}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M:%S}",
    )


def as_html(report: Report, picture: Picture) -> str:
    """The page; everything in it is escaped."""
    environment = Environment(
        loader=FileSystemLoader(bundled("templates")), autoescape=True, undefined=StrictUndefined
    )
    colours = {status.value: colour for status, colour in COLOURS.items()}
    template = environment.get_template("report.html")
    return template.render(
        report=report, picture=picture, colours=colours, came_back=what_came_back(report)
    )
