"""Reports: counts that add up, pages that escape, figures for Prometheus."""

import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine
from typer.testing import CliRunner

from newsletter.cli import make_app
from newsletter.cli.sender import print_summary
from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.errors import StoppedError
from newsletter.core.models import (
    DeliveryEvent,
    DeliveryStatus,
    Edition,
    EditionStatus,
    EventKind,
    Reason,
)
from newsletter.editions import report as reports
from newsletter.editions import report_html
from newsletter.sending import metrics
from tests.support import factories


@pytest.fixture
def edition_id(engine: Engine) -> int:
    """An edition in which every status occurs, reasons written by a hostile relay."""
    with session_scope(engine) as session:
        edition = factories.make_edition(session, opened_at=utc_now())
        for place, status in enumerate(DeliveryStatus):
            subscriber = factories.make_subscriber(session, f"{status}@there.example")
            factories.make_delivery(
                session,
                edition,
                subscriber,
                status=status,
                smtp_response="<script>alert(1)</script>",
                finished_at=utc_now() + timedelta(seconds=place),
            )
        return edition.id or 0


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)


def test_the_page_has_a_picture_and_escapes_what_relays_say(
    engine: Engine, edition_id: int
) -> None:
    with read_scope(engine) as session:
        edition = session.get_one(Edition, edition_id)
        report = reports.edition_report(session, edition)
        picture = report_html.draw(report_html.finished(session, edition_id))
    page = report_html.as_html(report, picture)
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.seen
    assert tags.seen.count("rect") == len(picture.bars)
    assert sum(bar.number for bar in picture.bars) == sum(report.counts.values()) == 11
    assert all(f"{status}@there.example" in page for status in ("failed", "bounced", "expired"))


def test_a_run_of_one_moment_and_a_run_of_none_can_be_drawn() -> None:
    now = utc_now()
    assert report_html.draw([]).bars == ()
    [bar] = report_html.draw([(now, DeliveryStatus.SENT)]).bars
    assert bar.height > 0


def test_prometheus_reads_figures_that_add_up(engine: Engine, edition_id: int) -> None:
    families = {
        family.name: family
        for family in text_string_to_metric_families(metrics.exposition(engine).decode())
    }
    samples = families["newsletter_deliveries"].samples
    assert sum(sample.value for sample in samples) == 11
    states = {
        sample.labels["status"]: sample.value
        for sample in families["newsletter_edition_state"].samples
    }
    assert states == {state: float(state == "sending") for state in EditionStatus}
    assert families["newsletter_oldest_waiting_seconds"].samples[0].value >= 0


def test_the_file_for_the_textfile_collector_is_whole_or_refused_with_a_line(
    engine: Engine, edition_id: int, tmp_path: Path
) -> None:
    metrics.write_file(engine, tmp_path / "newsletter.prom")
    assert "newsletter_deliveries{" in (tmp_path / "newsletter.prom").read_text()
    with pytest.raises(StoppedError, match="METRICS_FILE"):
        metrics.write_file(engine, tmp_path / "missing" / "newsletter.prom")


def test_a_bounced_delivery_is_reported_with_the_bounce_and_not_with_the_relays_yes(
    engine: Engine,
) -> None:
    with session_scope(engine) as session:
        edition = factories.make_edition(session)
        for name, status in (("came-back", DeliveryStatus.BOUNCED), ("no", DeliveryStatus.FAILED)):
            delivery = factories.make_delivery(
                session,
                edition,
                factories.make_subscriber(session, f"{name}@there.example"),
                status=status,
                smtp_code=250 if name == "came-back" else 550,
                smtp_response="2.0.0 queued as 4F1" if name == "came-back" else "5.1.1 no mailbox",
            )
            if status is DeliveryStatus.BOUNCED:
                session.add(
                    DeliveryEvent(
                        delivery_id=delivery.id,
                        kind=EventKind.BOUNCED,
                        reason=Reason.MAILBOX_FULL,
                        status="5.2.2",
                        detail="552 5.2.2 over quota",
                        provider="report",
                        provider_event_id="one",
                        occurred_at=utc_now(),
                    )
                )
        session.flush()
        found = {row.email: row for row in reports.edition_report(session, edition).undelivered}
    back, refused = found["came-back@there.example"], found["no@there.example"]
    assert (back.code, back.reason) == (None, "mailbox full: 552 5.2.2 over quota")
    assert (refused.code, refused.reason) == (550, "5.1.1 no mailbox")


def test_send_status_and_report_count_alike_who_did_not_get_it(
    engine: Engine,
    database_url: str,
    edition_id: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with read_scope(engine) as session:
        day = session.get_one(Edition, edition_id).issue_date.isoformat()
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", database_url)
    monkeypatch.setenv("NEWSLETTER_SECRET_KEYS", "k3y-0f-th3-t3sts-al0ne-" * 2)
    counted = {}
    for command in ("status", "report"):
        counted[command] = CliRunner().invoke(make_app(), [command, "--date", day]).stdout
    assert print_summary(engine, edition_id)
    counted["send"] = capsys.readouterr().out
    for command, printed in counted.items():
        found = re.findall(r"([0-9]+) not delivered", printed)
        # Failed, deferred, uncertain, expired and bounced; one of each is there.
        assert found == ["5"], (command, printed)
