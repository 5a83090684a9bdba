"""Sign-up and suppression: what a confirmation brings back, and what it never does."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core.database import utc_now
from newsletter.core.errors import InputError
from newsletter.core.models import (
    Cadence,
    Delivery,
    DeliveryKind,
    Interest,
    SignUp,
    Subscriber,
    SubscriberStatus,
    Suppression,
    SuppressionReason,
    SuppressionRemoval,
    Topic,
)
from newsletter.core.tokens import Signer
from newsletter.subscribers import accounts, signup
from newsletter.subscribers.signup import SignUpRequest
from newsletter.subscribers.suppression import (
    GRAVITY,
    OWN_DECISION,
    suppress,
    suppressions,
    too_many_today,
)
from newsletter.subscribers.validation import TypedTopic

SIGNER = Signer(("a key for tests" * 3,))
EMAIL = "ada@reader.example"
HASH = SIGNER.hash_address(EMAIL)
OWN = [SuppressionReason.UNSUBSCRIBED, SuppressionReason.ERASED]
OTHERS = [reason for reason in SuppressionReason if reason not in OWN]
# Whose address bounced may come back by signing up (tests/web/test_mail_bombing.py).
FOR_GOOD = [reason for reason in OTHERS if reason is not SuppressionReason.BOUNCED]


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


def sign_up(session: Session, *keywords: str, email: str = EMAIL, **fields: Any) -> None:
    request = SignUpRequest(topic=TypedTopic.read({"keywords": list(keywords)}), **fields)
    signup.sign_up(session, SIGNER, email=email, request=request, message_domain="papers.example")
    session.flush()


def ada(session: Session) -> Subscriber:
    session.expire_all()
    return session.exec(select(Subscriber).where(Subscriber.email == EMAIL)).one()


def confirm(session: Session) -> bool:
    return signup.confirm(session, ada(session).public_id).active


def mailed(session: Session) -> list[DeliveryKind]:
    return list(session.exec(select(Delivery.kind).order_by(Delivery.id)))  # type: ignore[arg-type]


def interests(session: Session) -> list[str]:
    return sorted(session.exec(select(Interest.value)))


def test_a_sign_up_is_pending_until_its_confirmation(session: Session) -> None:
    sign_up(session, "engines", cadence="weekly", time_zone="Europe/London")
    assert ada(session).status is SubscriberStatus.PENDING
    assert ada(session).cadence is not Cadence.WEEKLY
    assert mailed(session) == [DeliveryKind.CONFIRMATION]
    assert confirm(session)
    assert ada(session).status is SubscriberStatus.ACTIVE
    assert (ada(session).cadence, ada(session).time_zone) == (Cadence.WEEKLY, "Europe/London")
    assert ada(session).consent_wording == accounts.CONSENT_WORDING
    assert interests(session) == ["engines"]
    assert session.exec(select(SignUp)).all() == []


def test_leaving_while_pending_beats_the_old_confirmation_link(session: Session) -> None:
    sign_up(session, "engines")
    assert accounts.unsubscribe(session, ada(session).public_id)
    assert not confirm(session)
    assert ada(session).status is SubscriberStatus.UNSUBSCRIBED
    assert ada(session).confirmed_at is None
    assert suppressions(session, [HASH]) == {HASH: SuppressionReason.UNSUBSCRIBED}


def test_a_later_sign_up_brings_a_former_subscriber_back(session: Session) -> None:
    sign_up(session, "engines")
    confirm(session)
    accounts.unsubscribe(session, ada(session).public_id)
    assert not confirm(session), "there was no sign-up since"
    sign_up(session, "looms")
    assert mailed(session) == [DeliveryKind.CONFIRMATION] * 2, "on the day of leaving, too"
    assert confirm(session)
    assert ada(session).unsubscribed_at is None
    assert suppressions(session, [HASH]) == {}
    assert "looms" in interests(session)


def test_leaving_again_and_again_is_no_way_to_flood_an_inbox(session: Session) -> None:
    sign_up(session, "engines")
    for _ in range(5):
        confirm(session)
        accounts.unsubscribe(session, ada(session).public_id)
        for _ in range(2):
            sign_up(session, "engines")
    assert mailed(session) == [DeliveryKind.CONFIRMATION] * 3
    for delivery in session.exec(select(Delivery)):
        delivery.created_at -= timedelta(days=2)
    sign_up(session, "engines")
    assert len(mailed(session)) == 4


def test_unsubscribing_again_cancels_a_sign_up_made_in_between(
    session: Session,
) -> None:
    sign_up(session)
    confirm(session)
    for _ in range(2):
        accounts.unsubscribe(session, ada(session).public_id)
        sign_up(session)
    assert accounts.unsubscribe(session, ada(session).public_id)
    assert not confirm(session)
    assert ada(session).status is SubscriberStatus.UNSUBSCRIBED


@pytest.mark.parametrize("reason", OWN)
def test_confirming_lifts_the_persons_own_opt_out(
    session: Session, reason: SuppressionReason
) -> None:
    suppress(session, HASH, reason)
    sign_up(session)
    assert confirm(session)
    assert suppressions(session, [HASH]) == {}


@pytest.mark.parametrize("reason", FOR_GOOD)
def test_confirming_leaves_an_address_suppressed_that_others_closed(
    session: Session, reason: SuppressionReason
) -> None:
    sign_up(session)
    # It came while the confirmation was in the mailbox.
    suppress(session, HASH, reason)
    confirm(session)
    assert suppressions(session, [HASH]) == {HASH: reason}


@pytest.mark.parametrize("reason", FOR_GOOD)
def test_an_address_that_others_closed_is_asked_nothing(
    session: Session, reason: SuppressionReason
) -> None:
    suppress(session, HASH, reason)
    sign_up(session)
    assert session.exec(select(Subscriber)).all() == []
    assert mailed(session) == []


def test_confirming_forgets_the_bounces_of_that_address_and_keeps_a_record(
    session: Session,
) -> None:
    other = SIGNER.hash_address("bob@reader.example")
    sign_up(session)
    for each in (HASH, other):
        suppress(session, each, SuppressionReason.BOUNCED)
    assert confirm(session)
    assert suppressions(session, [HASH, other]) == {other: SuppressionReason.BOUNCED}
    [removed] = session.exec(select(SuppressionRemoval)).all()
    assert (removed.address_hash, removed.reason) == (HASH, SuppressionReason.BOUNCED)


def test_lifting_reaches_one_address_only(session: Session) -> None:
    other = SIGNER.hash_address("bob@reader.example")
    for each in (HASH, other):
        suppress(session, each, SuppressionReason.UNSUBSCRIBED)
    sign_up(session)
    confirm(session)
    assert suppressions(session, [HASH, other, "unknown"]) == {
        other: SuppressionReason.UNSUBSCRIBED
    }


@pytest.mark.parametrize("first", SuppressionReason)
@pytest.mark.parametrize("second", SuppressionReason)
def test_of_two_reasons_the_graver_one_stays(
    sqlite_engine: Engine, first: SuppressionReason, second: SuppressionReason
) -> None:
    with Session(sqlite_engine) as session:
        suppress(session, HASH, first)
        suppress(session, HASH, second)
        graver = max(first, second, key=lambda reason: GRAVITY[reason])
        assert session.exec(select(Suppression.reason)).all() == [graver]


def test_how_grave_reasons_are_and_which_are_the_persons_own() -> None:
    assert sorted(SuppressionReason, key=lambda reason: GRAVITY[reason]) == [
        SuppressionReason.UNSUBSCRIBED,
        SuppressionReason.BOUNCED,
        SuppressionReason.OPERATOR,
        SuppressionReason.COMPLAINED,
        SuppressionReason.ERASED,
    ]
    assert set(OWN) == OWN_DECISION


@pytest.mark.parametrize("status", [SubscriberStatus.ACTIVE, SubscriberStatus.PAUSED])
def test_a_subscriber_who_signs_up_again_gets_a_link_and_keeps_everything(
    session: Session, status: SubscriberStatus
) -> None:
    sign_up(session, "engines", cadence="weekly")
    confirm(session)
    ada(session).status = status
    session.flush()
    sign_up(session, "looms", cadence="daily")
    assert mailed(session) == [DeliveryKind.CONFIRMATION, DeliveryKind.ACCOUNT_LINK]
    assert session.exec(select(SignUp)).all() == []
    assert confirm(session), "the old link says that they are subscribed"
    assert ada(session).status is status
    assert ada(session).cadence is Cadence.WEEKLY
    assert interests(session) == ["engines"]


def test_returning_without_new_interests_keeps_the_old_topics(session: Session) -> None:
    sign_up(session, "engines", cadence="weekly", time_zone="Asia/Tokyo")
    confirm(session)
    accounts.unsubscribe(session, ada(session).public_id)
    sign_up(session)
    confirm(session)
    assert interests(session) == ["engines"]
    assert (ada(session).cadence, ada(session).time_zone) == (Cadence.WEEKLY, "Asia/Tokyo")
    assert len(session.exec(select(Topic)).all()) == 1


def test_a_sign_up_without_interests_still_gets_a_topic(session: Session) -> None:
    sign_up(session)
    confirm(session)
    assert len(session.exec(select(Topic)).all()) == 1


def test_picked_papers_come_with_the_confirmation(session: Session) -> None:
    request = SignUpRequest(topic=TypedTopic.read({}), liked=(3, 1))
    signup.sign_up(session, SIGNER, email=EMAIL, request=request, message_domain="papers.example")
    assert signup.confirm(session, ada(session).public_id).liked == (3, 1)


def test_whom_the_operator_added_confirms_without_a_sign_up(session: Session) -> None:
    accounts.add(session, SIGNER, email=EMAIL, confirmed=False, source="import list.csv")
    assert confirm(session)
    assert ada(session).status is SubscriberStatus.ACTIVE
    assert ada(session).consent_source == "import list.csv"


def test_a_link_of_an_erased_person_confirms_nobody(session: Session) -> None:
    assert not signup.confirm(session, "nobody").active


@pytest.mark.parametrize("fields", [{"cadence": "hourly"}, {"time_zone": "Atlantis/Capital"}])
def test_an_invalid_cadence_or_zone_is_refused_before_anything_is_stored(
    session: Session, fields: dict[str, str]
) -> None:
    with pytest.raises(InputError):
        sign_up(session, **fields)
    with pytest.raises(InputError):
        sign_up(session, email="nobody")
    assert session.exec(select(Subscriber)).all() == []


@pytest.mark.parametrize(
    ("status", "is_mailed"),
    [
        (SubscriberStatus.ACTIVE, True),
        (SubscriberStatus.PAUSED, True),
        (SubscriberStatus.UNSUBSCRIBED, True),
        (SubscriberStatus.PENDING, False),
    ],
)
def test_an_account_link_goes_to_anyone_who_was_ever_subscribed(
    session: Session, status: SubscriberStatus, is_mailed: bool
) -> None:
    accounts.add(session, SIGNER, email=EMAIL, confirmed=True, source="test")
    ada(session).status = status
    session.flush()
    for email in ("Ada@Reader.example", "nobody@reader.example"):
        signup.request_account_link(session, email, message_domain="papers.example")
    assert mailed(session) == ([DeliveryKind.ACCOUNT_LINK] if is_mailed else [])


@pytest.mark.parametrize(("days", "is_kept"), [(29, True), (31, False)])
def test_an_unconfirmed_sign_up_is_forgotten_after_thirty_days(
    session: Session, days: int, is_kept: bool
) -> None:
    sign_up(session, "engines")
    old = utc_now() - timedelta(days=days)
    ada(session).created_at = old
    session.exec(select(SignUp)).one().asked_at = old
    imported = accounts.add(
        session, SIGNER, email="import@reader.example", confirmed=False, source="import list.csv"
    )
    imported.created_at = old
    session.flush()
    sign_up(session, email="bob@reader.example")
    emails = set(session.exec(select(Subscriber.email)))
    assert emails == {"import@reader.example", "bob@reader.example"} | (
        {EMAIL} if is_kept else set()
    )
    assert len(session.exec(select(SignUp)).all()) == 1 + is_kept


def test_who_left_before_confirming_is_remembered_however_long_ago(session: Session) -> None:
    sign_up(session, "engines")
    accounts.unsubscribe(session, ada(session).public_id)
    ada(session).created_at = utc_now() - timedelta(days=400)
    session.flush()
    sign_up(session, email="bob@reader.example")  # forgets old sign-ups
    assert ada(session).status is SubscriberStatus.UNSUBSCRIBED
    assert suppressions(session, [HASH]) == {HASH: SuppressionReason.UNSUBSCRIBED}


def test_a_profile_of_another_site_brings_its_topics_and_preferences(session: Session) -> None:
    brought = tuple(TypedTopic.read({"name": name, "keywords": [name]}) for name in ("a", "b"))
    sign_up(session, "engines", brought=brought, preferences={"max_papers": "7"})
    found = signup.confirm(session, ada(session).public_id)
    assert (found.active, found.is_new) == (True, True)
    assert interests(session) == ["a", "b", "engines"]
    assert ada(session).max_papers == 7
    again = signup.confirm(session, ada(session).public_id)
    assert (again.active, again.is_new) == (True, False)


@pytest.mark.parametrize(
    ("readers", "bounced", "hours", "more", "too_many"),
    [
        (300, 29, 1, 1, False),  # a tenth
        (300, 30, 1, 1, True),
        (300, 30, 25, 1, False),  # of the day before
        (100, 18, 1, 1, False),  # nineteen say nothing
        (100, 19, 1, 1, True),
        (100, 0, 1, 20, True),
    ],
)
def test_no_more_than_a_tenth_of_all_readers_is_suppressed_for_bounces_in_a_day(
    session: Session, readers: int, bounced: int, hours: int, more: int, too_many: bool
) -> None:
    now = utc_now()
    for number in range(readers):
        session.add(
            Subscriber(
                public_id=f"{number:016}",
                email=f"{number}@reader.example",
                address_hash=f"hash {number}",
                status=SubscriberStatus.ACTIVE,
                cadence=Cadence.DAILY,
                confirmed_at=now,
            )
        )
    for number in range(bounced):
        session.add(
            Suppression(
                address_hash=f"old {number}",
                reason=SuppressionReason.BOUNCED,
                created_at=now - timedelta(hours=hours),
            )
        )
    session.add(Suppression(address_hash="left", reason=SuppressionReason.UNSUBSCRIBED))
    session.flush()
    said = too_many_today(session, more=more, now=now)
    start = f"{bounced + more} of {readers} readers would be suppressed"
    assert said.startswith(start) if too_many else not said
