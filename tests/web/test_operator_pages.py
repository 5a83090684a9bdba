"""What the operator's pages show and change, by the same rules as the command line."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlmodel import select

from newsletter.cluster import schema
from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.errors import UsageError
from newsletter.core.models import (
    Delivery,
    DeliveryEvent,
    DeliveryKind,
    DeliveryStatus,
    Edition,
    EditionStatus,
    EventKind,
    NoDigest,
    SignUp,
    Subscriber,
    SubscriberStatus,
    Suppression,
    SuppressionReason,
    SuppressionRemoval,
)
from newsletter.editions import lifecycle
from newsletter.sending.ledger.progress import progress
from newsletter.sending.ledger.weekly import bounces_by_week, largest_domains
from newsletter.subscribers import accounts
from newsletter.subscribers.preferences import topics_of
from newsletter.subscribers.suppression import suppress
from newsletter.web.operator.pictures import HEIGHT, scale_top, stacked
from tests.support.factories import (
    ISSUE_DATE,
    make_delivery,
    make_edition,
    make_subscriber,
)
from tests.support.operators import operating, press, token_in
from tests.support.visits import SIGNER, everything

EDITION = f"/operator/editions/{ISSUE_DATE}"
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


def fill(engine: Engine) -> None:
    """An edition in the middle: one sent, one failed, one to try again, one queued, one without."""
    with session_scope(engine) as session:
        edition = make_edition(session)
        states = {
            "sent": {"finished_at": utc_now(), "smtp_code": 250},
            "failed": {"smtp_code": 550, "smtp_response": "5.1.1 no such user", "attempts": 1},
            "deferred": {"smtp_code": 451, "smtp_response": "4.7.1 come back later"},
            "queued": {},
        }
        for state, fields in states.items():
            reader = make_subscriber(
                session,
                f"{state}@reader.example",
                address_hash=SIGNER.hash_address(f"{state}@reader.example"),
            )
            status = DeliveryStatus(state)
            make_delivery(session, edition, reader, status=status, **fields)
        without = make_subscriber(session, "without@reader.example")
        session.add(
            NoDigest(
                edition_id=edition.id or 0, subscriber_id=without.id or 0, reason="no new papers"
            )
        )


def statuses(engine: Engine) -> dict[str, str]:
    with read_scope(engine) as session:
        rows = session.exec(select(Delivery))
        return {row.to_address.partition("@")[0]: row.status.value for row in rows}


def edition_status(engine: Engine) -> EditionStatus:
    with read_scope(engine) as session:
        return session.exec(select(Edition)).one().status


def id_of(engine: Engine, email: str) -> int:
    with read_scope(engine) as session:
        return session.exec(select(Subscriber.id).where(Subscriber.email == email)).one() or 0


def test_an_edition_shows_who_did_not_get_it_and_why(engine: Engine) -> None:
    fill(engine)
    with operating(engine) as client:
        today = client.get("/operator").text
        assert "No send run is at work" in today
        assert f"<code>newsletter send --date {ISSUE_DATE}</code>" in today
        page = client.get(EDITION).text
        for word in ("failed@", "5.1.1 no such user", "deferred@", "4.7.1 come back later"):
            assert word in page
        for word in ("sent@reader", "queued@reader"):
            assert word not in page
        assert "queued@reader" in client.get(f"{EDITION}?status=queued").text
        found = client.get(f"{EDITION}?q=FAILED").text
        assert "failed@" in found
        assert "deferred@" not in found
        without = client.get(f"{EDITION}/without").text
        assert "without@reader.example" in without
        assert "no new papers" in without
        counted = client.get("/operator/counts").text
        assert "<html" not in counted
        assert "of 4" in counted


def test_those_that_were_ticked_are_queued_again_and_no_others(engine: Engine) -> None:
    fill(engine)
    with operating(engine) as client:
        assert press(client, f"{EDITION}/retry").status_code == 409
        assert press(client, f"{EDITION}/retry", status="sent").status_code == 409
        assert statuses(engine)["failed"] == "failed"
        answer = press(client, f"{EDITION}/retry", status="failed")
        assert answer.status_code == 303
        assert "Queued again: 1." in client.get(answer.headers["location"]).text
    assert statuses(engine) == {
        "sent": "sent",
        "failed": "queued",
        "deferred": "deferred",
        "queued": "queued",
    }


def test_pause_resume_and_cancel_which_asks_first(engine: Engine) -> None:
    fill(engine)
    with operating(engine) as client:
        assert press(client, f"{EDITION}/resume").status_code == 409
        assert press(client, f"{EDITION}/pause").status_code == 303
        assert edition_status(engine) is EditionStatus.PAUSED
        # However fast it went a moment ago, nothing says when it will be done.
        assert "<dd>–</dd>" in client.get(f"{EDITION}/counts").text
        assert "Resume</button>" in client.get(EDITION).text
        assert press(client, f"{EDITION}/resume").status_code == 303
        assert edition_status(engine) is EditionStatus.READY
        assert "2 digests have not begun" in client.get(f"{EDITION}/cancel").text
        assert edition_status(engine) is EditionStatus.READY
        assert press(client, f"{EDITION}/cancel").status_code == 303
        assert edition_status(engine) is EditionStatus.CANCELLED
        # The other operator still has the page of before open.
        for change in ("pause", "resume", "retry"):
            late = press(client, f"{EDITION}/{change}", status="failed")
            assert late.status_code == 409
            assert "Nothing was changed" in late.text
        assert edition_status(engine) is EditionStatus.CANCELLED


def test_what_is_being_sent_while_somebody_cancels_is_finished(engine: Engine) -> None:
    fill(engine)
    with session_scope(engine) as session:
        row = session.exec(select(Delivery).where(Delivery.to_address == "queued@reader.example"))
        row.one().status = DeliveryStatus.SENDING
    with operating(engine) as client:
        press(client, f"{EDITION}/cancel")
    assert statuses(engine)["queued"] == "sending"
    assert statuses(engine)["deferred"] == "cancelled"


def test_of_two_changes_at_once_the_second_sees_the_first(engine: Engine) -> None:
    fill(engine)
    with ThreadPoolExecutor(1) as other:
        with session_scope(engine) as session:
            lifecycle.find(session, ISSUE_DATE).status = EditionStatus.CANCELLED
            session.flush()
            pausing = other.submit(lifecycle.pause, engine, ISSUE_DATE)
            with pytest.raises(TimeoutError):
                pausing.result(timeout=0.3)
        with pytest.raises(UsageError, match="already cancelled"):
            pausing.result()
    assert edition_status(engine) is EditionStatus.CANCELLED


def test_the_rate_is_that_of_the_last_minute_and_the_rest_takes_accordingly(
    engine: Engine,
) -> None:
    with session_scope(engine) as session:
        edition = make_edition(session)
        for number in range(60):
            done = number < 40
            make_delivery(
                session,
                edition,
                make_subscriber(session, f"r{number}@reader.example"),
                status=DeliveryStatus.SENT if done else DeliveryStatus.QUEUED,
                finished_at=NOW - timedelta(seconds=80 - 2 * number) if done else None,
                not_before=NOW + timedelta(hours=1) if number >= 58 else None,
                lease_until=NOW + timedelta(minutes=5) if 40 <= number < 45 else None,
            )
        edition_id = edition.id or 0
    with read_scope(engine) as session:
        found = progress(session, edition_id, NOW)
        assert (found.left, found.leased, found.next_at) == (20, 5, None)
        assert found.per_second == pytest.approx(0.5, rel=0.05)
        assert found.seconds_left == pytest.approx(40, rel=0.05)
        later = progress(session, edition_id, NOW + timedelta(minutes=6))
        assert (later.leased, later.per_second, later.seconds_left) == (0, 0, None)


def test_one_address_with_all_that_happened_to_it(engine: Engine) -> None:
    fill(engine)
    with operating(engine) as client:
        page = press(client, "/operator/addresses", email="FAILED@reader.example")
        assert page.status_code == 200
        assert "gets mail" in page.text
        assert "digest failed: 5.1.1 no such user" in page.text
        same = client.get(f"/operator/subscribers/{id_of(engine, 'failed@reader.example')}/mail")
        assert "digest failed: 5.1.1 no such user" in same.text
        nobody = press(client, "/operator/addresses", email="nobody@reader.example")
        assert "there is no subscriber with this address" in nobody.text
        assert press(client, "/operator/addresses", email="no address").status_code == 422


def test_a_subscriber_is_added_with_a_consent_record_and_changed(engine: Engine) -> None:
    with operating(engine) as client:
        new = {"email": "Ada@Reader.example", "name": "Ada", "keywords": "looms\nengines"}
        wrong = press(client, "/operator/subscribers/new", **new, send_hour="25")
        assert wrong.status_code == 422
        assert 'value="Ada@Reader.example"' in wrong.text
        answer = press(client, "/operator/subscribers/new", **new, send_hour="6", confirmed="on")
        assert answer.status_code == 303
        with read_scope(engine) as session:
            added = session.exec(select(Subscriber)).one()
            assert (added.email, added.status) == ("ada@reader.example", SubscriberStatus.ACTIVE)
            assert (added.consent_source, added.send_hour) == ("operator's pages", 6)
            [topic] = topics_of(session, added.id or 0)
        path = f"/operator/subscribers/{added.id}"
        assert press(client, "/operator/subscribers/new", **new).status_code == 422
        typed = {
            "name": "Ada L.",
            "cadence": "weekly",
            "outside_picks-there": "1",
            "topic-0-id": str(topic.id),
            "topic-0-name": "Machines",
            "topic-0-keywords": "looms",
        }
        assert press(client, path, **typed, max_papers="99").status_code == 422
        assert press(client, path, **typed, max_papers="5").status_code == 303
        with read_scope(engine) as session:
            row = session.exec(select(Subscriber)).one()
            assert (row.name, row.cadence, row.max_papers) == ("Ada L.", "weekly", 5)
            assert (row.outside_picks, row.send_hour) == (False, 6)
            [changed] = topics_of(session, row.id or 0)
            assert (changed.id, changed.request.name) == (topic.id, "Machines")
        assert press(client, f"{path}/address", email="countess@reader.example").status_code == 303
        assert id_of(engine, "countess@reader.example") == added.id


def test_nobody_who_left_is_brought_back(engine: Engine) -> None:
    email = "ada@reader.example"
    with operating(engine) as client:
        press(client, "/operator/subscribers/new", email=email, confirmed="on")
        press(client, "/operator/subscribers/new", email="other@reader.example", confirmed="on")
        path = f"/operator/subscribers/{id_of(engine, email)}"
        assert "Only they can come back" in client.get(f"{path}/leave").text
        assert press(client, f"{path}/leave").status_code == 303
        again = press(client, f"{path}/leave")
        assert "it was so already" in client.get(again.headers["location"]).text
        press(client, path, name="Ada")
        for change, fields in (
            ("/operator/subscribers/new", {"email": email, "confirmed": "on"}),
            (
                f"/operator/subscribers/{id_of(engine, 'other@reader.example')}/address",
                {"email": email},
            ),
            ("/operator/suppressions/lift", {"email": email, "note": "they phoned"}),
        ):
            assert press(client, change, **fields).status_code == 422, change
    with read_scope(engine) as session:
        row = session.exec(select(Subscriber).where(Subscriber.email == email)).one()
        assert row.status is SubscriberStatus.UNSUBSCRIBED
        kept = session.get(Suppression, SIGNER.hash_address(email))
        assert kept is not None
        assert kept.reason is SuppressionReason.UNSUBSCRIBED


def test_a_suppression_is_lifted_only_with_a_reason_that_is_kept(engine: Engine) -> None:
    email = "failed@reader.example"
    fill(engine)
    with session_scope(engine) as session:
        suppress(session, SIGNER.hash_address(email), SuppressionReason.BOUNCED)
        suppress(session, SIGNER.hash_address("gone@reader.example"), SuppressionReason.ERASED)
    with operating(engine) as client:
        page = client.get("/operator/suppressions").text
        assert email in page
        assert "no subscriber, " in page
        assert email not in client.get("/operator/suppressions?reason=erased").text
        mail = client.get(f"/operator/subscribers/{id_of(engine, email)}/mail").text
        assert "Lift the suppression" in mail
        lift = "/operator/suppressions/lift"
        for note in ("", "   ", "\x00"):
            assert press(client, lift, email=email, note=note).status_code == 422
        assert press(client, lift, email="free@reader.example", note="x").status_code == 422
        assert press(client, lift, email=email, note="the mailbox is back").status_code == 303
        assert "the mailbox is back" in client.get("/operator/suppressions").text
        add = "/operator/suppressions"
        assert press(client, add, email=email, note="asked by letter").status_code == 303
        assert press(client, add, email="nonsense", note="x").status_code == 422
    with read_scope(engine) as session:
        [removal] = session.exec(select(SuppressionRemoval)).all()
        assert (removal.reason, removal.note) == ("bounced", "the mailbox is back")
        row = session.get(Suppression, SIGNER.hash_address(email))
        assert row is not None
        assert (row.reason, row.note) == ("operator", "asked by letter")


def test_sign_ups_that_wait_are_asked_again_but_not_twice_a_day(engine: Engine) -> None:
    with session_scope(engine) as session:
        for name in ("one", "two"):
            accounts.add(
                session, SIGNER, email=f"{name}@reader.example", confirmed=False, source="sign-up"
            )
        left = accounts.add(
            session, SIGNER, email="back@reader.example", confirmed=True, source="sign-up"
        )
        accounts.unsubscribe(session, left.public_id)
        session.add(SignUp(subscriber_id=left.id or 0, asked={}))
    with operating(engine) as client:
        page = client.get("/operator/sign-ups").text
        assert "3 not confirmed" in page
        assert page.count("never queued") == 3
        one = f"/operator/sign-ups/{id_of(engine, 'one@reader.example')}"
        assert press(client, one).status_code == 303
        again = press(client, one)
        assert "unchanged" in again.headers["location"]
        everybody = press(client, "/operator/sign-ups")
        assert "n=1" in everybody.headers["location"]
        # Who left must press the button in a mail; an operator cannot press it for them.
        back = press(client, f"/operator/sign-ups/{id_of(engine, 'back@reader.example')}")
        assert "unchanged" in back.headers["location"]
    with read_scope(engine) as session:
        queued = session.exec(
            select(Delivery.to_address).where(Delivery.kind == DeliveryKind.CONFIRMATION)
        )
        assert sorted(queued) == ["one@reader.example", "two@reader.example"]


def test_without_a_from_address_nobody_is_asked(sqlite_engine: Engine) -> None:
    with session_scope(sqlite_engine) as session:
        accounts.add(session, SIGNER, email="one@reader.example", confirmed=False, source="x")
    with operating(sqlite_engine, from_address=None) as client:
        answer = press(client, "/operator/sign-ups")
        assert answer.status_code == 409
        assert "NEWSLETTER_FROM" in answer.text


def bounce(engine: Engine, email: str, at: datetime, times: int = 1) -> None:
    with session_scope(engine) as session:
        edition = session.exec(select(Edition)).first() or make_edition(session)
        row = make_delivery(session, edition, make_subscriber(session, email))
        for number in range(times):
            session.add(
                DeliveryEvent(
                    delivery_id=row.id,
                    kind=EventKind.BOUNCED,
                    provider="relay",
                    provider_event_id=f"{email} {number}",
                    occurred_at=at,
                )
            )


def test_bounces_are_counted_by_week_and_domain_each_delivery_once(engine: Engine) -> None:
    monday = datetime(2026, 11, 16, tzinfo=UTC)
    bounce(engine, "a@one.example", monday, times=3)
    bounce(engine, "b@one.example", monday - timedelta(seconds=1))
    bounce(engine, "c@two.example", monday + timedelta(days=6, hours=23))
    bounce(engine, "d@two.example", monday - timedelta(weeks=9))
    bounce(engine, "e@two.example", monday + timedelta(days=7))
    with read_scope(engine) as session:
        weeks = bounces_by_week(session, date(2026, 11, 20), 2)
    assert [(week.start, week.domains) for week in weeks] == [
        (date(2026, 11, 9), {"one.example": 1}),
        (date(2026, 11, 16), {"one.example": 1, "two.example": 1}),
    ]
    assert largest_domains(weeks, 1) == ["one.example"]
    # The page looks back from today, whenever that is.
    bounce(engine, "f@two.example", utc_now())
    with operating(engine) as client:
        page = client.get("/operator/bounces?weeks=52").text
        assert 'role="img"' in page
        assert "<desc" in page
        assert "two.example</th>" in page


def test_a_picture_is_as_high_as_its_numbers() -> None:
    assert [scale_top(number) for number in (0, 1, 2, 3, 5, 11, 99, 4001)] == [
        2, 2, 2, 4, 10, 20, 100, 10_000,
    ]  # fmt: skip
    picture = stacked(["a", "b"], [[1, 3], [0, 2]])
    low, high, other = picture.boxes
    assert high.height == pytest.approx(3 * low.height, abs=0.2)
    assert other.height == pytest.approx(2 * low.height, abs=0.2)
    assert high.y + high.height == pytest.approx(low.y, abs=0.2)
    assert 0 < high.y < low.y < HEIGHT
    assert (low.part, high.part, other.part) == (0, 1, 1)
    assert stacked([], []).boxes == ()


def test_the_forecast_and_the_queue_are_told_plainly(engine: Engine) -> None:
    with session_scope(engine) as session:
        for number in range(3):
            make_subscriber(session, f"r{number}@reader.example")
    with operating(engine, warm_up="2,100") as client:
        page = client.get("/operator/forecast?days=7").text
        assert "no: more than the warm-up allows" in page
        assert "which is assumed" in page
        assert "No queue is used here" in client.get("/operator/jobs").text


def test_the_queue_shows_what_waits_and_that_no_worker_runs(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("the queue is PostgreSQL's")
    schema.upgrade(engine)
    with operating(engine) as client:
        assert "no worker runs, and no job waits" in client.get("/operator/jobs").text
        with engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status) "
                    "VALUES ('default', 'newsletter:prepare', :args, 'todo')"
                ),
                {"args": '{"name": "<script>"}'},
            )
        page = client.get("/operator/jobs").text
        assert "No worker runs, so nothing is done" in page
        assert "<td>prepare</td>" in page
        assert "&lt;script&gt;" in page


LOOKED_AT = (
    *("", "/counts", "/editions", "/subscribers", "/subscribers/new", "/addresses", "/sign-ups"),
    *("/suppressions", "/bounces", "/forecast", "/jobs", "/scorecard", "/style.css", "/live.js"),
    *(f"/editions/{ISSUE_DATE}{part}" for part in ("", "/counts", "/cancel", "/without")),
    *("/subscribers/1", "/subscribers/1/mail", "/subscribers/1/leave"),
)
SCRIPT = "<script>alert(1)</script>"
HOSTILE = f"\"'>{SCRIPT}<img src=x onerror=alert(2)>{{{{ 7 * 7 }}}}\u202etxt.exe"


def make_hostile(engine: Engine) -> None:
    """Rows in which everything that comes from outside is meant to do harm."""
    with session_scope(engine) as session:
        edition = make_edition(session, status=EditionStatus.PAUSED, note=HOSTILE, coverage=HOSTILE)
        reader = make_subscriber(
            session,
            f"x@{SCRIPT}.example",
            name=HOSTILE,
            consent_source=HOSTILE,
            status=SubscriberStatus.PENDING,
            confirmed_at=None,
        )
        row = make_delivery(
            session,
            edition,
            reader,
            status=DeliveryStatus.FAILED,
            smtp_code=550,
            smtp_response=HOSTILE * 30,
        )
        session.add(
            DeliveryEvent(
                delivery_id=row.id,
                kind=EventKind.BOUNCED,
                provider="relay",
                provider_event_id="1",
                detail=HOSTILE,
            )
        )
        session.add(
            NoDigest(edition_id=edition.id or 0, subscriber_id=reader.id or 0, reason=HOSTILE)
        )
        suppress(session, reader.address_hash, SuppressionReason.BOUNCED)
        session.flush()
        session.exec(select(Suppression)).one().note = HOSTILE
        session.add(
            SuppressionRemoval(address_hash="1", reason=SuppressionReason.BOUNCED, note=HOSTILE)
        )


def test_looking_at_hostile_text_shows_it_as_text_and_changes_nothing(engine: Engine) -> None:
    make_hostile(engine)
    with operating(engine) as client:
        before = everything(engine)
        for path in LOOKED_AT:
            for method in ("GET", "HEAD"):
                answer = client.request(method, f"/operator{path}")
                assert answer.status_code == 200, path
            text = client.get(f"/operator{path}").text
            for harmful in (SCRIPT, "<img", "\u202e"):
                # A field holds what is stored, so that saving changes nothing else.
                if harmful == "\u202e" and path == "/subscribers/1":
                    continue
                assert harmful not in text, path
            assert "{{ 7" in text or "49txt" not in text, path
        assert everything(engine) == before
        shown = client.get("/operator/subscribers").text
        assert "&lt;script&gt;" in shown


NAMES = ("back\\slash", "o'brien", "percent%", "plain", "under_score")
SEARCHES: dict[str, tuple[str, ...]] = {
    "%": ("percent%",),
    "_": ("under_score",),
    "\\": ("back\\slash",),
    "'": ("o'brien",),
    "O'B": ("o'brien",),
    "plain": ("plain",),
    "' OR 1=1 --": (),
    "=cmd|'/c calc'!A1": (),
    "x" * 5000: (),
    "\x00": NAMES,
}


def test_every_character_of_a_search_means_itself(engine: Engine) -> None:
    with session_scope(engine) as session:
        edition = make_edition(session)
        for name in NAMES:
            reader = make_subscriber(session, f"{name}@reader.example", name=name)
            make_delivery(session, edition, reader, status=DeliveryStatus.FAILED)
    with operating(engine) as client:
        for search, names in SEARCHES.items():
            for path in ("/operator/subscribers", EDITION):
                page = client.get(path, params={"q": search})
                assert page.status_code == 200
                text = page.text.replace("&#39;", "'")
                rows = text.partition("<tbody>")[2].partition("</tbody>")[0]
                found = tuple(name for name in NAMES if f"{name}@reader.example" in rows)
                assert found == names, (path, search)


NOT_THERE = (
    *("/subscribers/999", "/subscribers/999/mail", "/subscribers/999/leave"),
    *("/editions/2020-01-01", "/editions/2020-01-01/cancel", "/editions/2020-01-01/without"),
)
NOT_VALID = (
    *("/subscribers/0", "/subscribers/99999999999999999999", "/subscribers/x"),
    *("/editions/yesterday", "/editions/2026-13-40", "/subscribers?status=owner"),
    *(
        "/subscribers?page=0",
        "/subscribers?page=x",
        "/bounces?weeks=53",
        "/forecast?days=0",
        "/scorecard?days=0",
    ),
    *("/suppressions?reason=%00", f"/editions/{ISSUE_DATE}?status=lost", "?done=retried&n=-1"),
)


def test_what_does_not_exist_or_cannot_be_is_refused_in_words(sqlite_engine: Engine) -> None:
    with operating(sqlite_engine) as client:
        for path in NOT_THERE:
            assert client.get(f"/operator{path}").status_code == 404, path
        for path in NOT_VALID:
            answer = client.get(f"/operator{path}")
            assert answer.status_code == 422, path
            assert "not valid" in answer.text


def test_changes_to_what_does_not_exist_are_refused(sqlite_engine: Engine) -> None:
    with operating(sqlite_engine) as client:
        before = everything(sqlite_engine)
        for path in ("/subscribers/9", "/subscribers/9/leave", "/subscribers/9/address",
                     "/sign-ups/9", "/editions/2020-01-01/pause", "/editions/2020-01-01/retry",
                     "/editions/2020-01-01/cancel", "/editions/2020-01-01/resume"):  # fmt: skip
            assert press(client, f"/operator{path}", status="failed").status_code == 404, path
        assert everything(sqlite_engine) == before


def test_a_long_list_has_pages_and_the_last_one_ends(sqlite_engine: Engine) -> None:
    with session_scope(sqlite_engine) as session:
        for number in range(101):
            make_subscriber(session, f"r{number:03}@reader.example")
    with operating(sqlite_engine) as client:
        pages = [client.get(f"/operator/subscribers?page={page}").text for page in (1, 2, 3)]
        found = [[number for number in range(101) if f"r{number:03}@" in page] for page in pages]
        assert found == [list(range(50)), list(range(50, 100)), [100]]
        assert "Page 1 of 3" in pages[0]
        assert "page=2" in pages[0]
        assert "Next" not in pages[2]
        assert client.get("/operator/subscribers?page=9999999").text.count("r100@") > 0


def test_a_message_in_the_address_can_only_be_one_of_ours(sqlite_engine: Engine) -> None:
    with operating(sqlite_engine) as client:
        page = client.get(f"/operator?done={SCRIPT}&n=5").text
        assert 'role="status"' not in page
        assert "Queued again: 5." in client.get("/operator?done=retried&n=5").text


def test_the_token_is_in_every_form_that_posts(sqlite_engine: Engine) -> None:
    make_hostile(sqlite_engine)
    with operating(sqlite_engine) as client:
        token = token_in(client.get("/operator"))
        for path in LOOKED_AT:
            page = client.get(f"/operator{path}").text
            for form in page.split('<form class="')[1:] + page.split('<form method="post"')[1:]:
                inside = form.partition("</form>")[0]
                assert 'method="get"' in inside or token in inside, path
