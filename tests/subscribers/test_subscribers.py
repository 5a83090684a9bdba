"""Subscribers: what they may ask for, and their life from sign-up to erasure."""

import pytest
from sqlalchemy import Engine, func
from sqlmodel import Session, select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.errors import InputError
from newsletter.core.models import (
    Feedback,
    Interest,
    InterestKind,
    Signal,
    Subscriber,
    SubscriberStatus,
    Suppression,
    SuppressionReason,
    Topic,
)
from newsletter.core.tokens import Signer
from newsletter.subscribers import accounts, signup
from newsletter.subscribers.preferences import set_topics, topics_of
from newsletter.subscribers.validation import (
    Preferences,
    TypedTopic,
    normalise_email,
    paper_identity,
)
from tests.support.factories import make_paper

SIGNER = Signer(("k" * 32,))


def add(session: Session, email: str = "ada@reader.example", **fields: object) -> Subscriber:
    values: dict[str, object] = {"confirmed": True, "source": "test"}
    return accounts.add(session, SIGNER, email=email, **(values | fields))  # type: ignore[arg-type]


def status_of(engine: Engine, public_id: str) -> SubscriberStatus | None:
    with read_scope(engine) as session:
        found = accounts.find(session, public_id)
        return found.status if found else None


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Ada@Reader.Example", "ada@reader.example"),
        (" ada@reader.example ", "ada@reader.example"),
        ("ada@Bücher.example", "ada@xn--bcher-kva.example"),
        ("Ünï@reader.example", "ünï@reader.example"),
        ("ada+papers@reader.example", "ada+papers@reader.example"),
    ],
)
def test_two_spellings_of_an_address_become_one(typed: str, stored: str) -> None:
    assert normalise_email(typed) == stored
    assert normalise_email(stored) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ada",
        "ada@",
        "@reader.example",
        "ada@reader.example\r\nBcc: eve@evil.example",
        "ada@reader.example\n",
        "ada\x00@reader.example",
        "Ada <ada@reader.example>",
        "ada@reader.example, eve@evil.example",
        "a" * 300 + "@reader.example",
        "ada@[127.0.0.1]",
    ],
)
def test_an_invalid_address_is_refused_in_one_printable_line(typed: str) -> None:
    with pytest.raises(InputError) as refused:
        normalise_email(typed)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("typed", "identity"),
    [
        ("2401.12345", "2401.12345"),
        ("arXiv:2401.12345v3", "2401.12345"),
        ("https://arxiv.org/abs/2401.12345v2", "2401.12345"),
        ("https://arxiv.org/pdf/2401.12345v2.pdf", "2401.12345"),
        ("https://huggingface.co/papers/2401.12345?ref=x", "2401.12345"),
        ("hep-ex/0307015", "hep-ex/0307015"),
        ("math.AG/0601001v1", "math/0601001"),
        ("https://doi.org/10.48550/arXiv.2401.12345", "2401.12345"),
        ("10.1101/2024.01.01.573887", "10.1101/2024.01.01.573887"),
        ("doi:10.1038/S41586-021-03819-2", "10.1038/s41586-021-03819-2"),
        ("https://doi.org/10.1145/3377811.3380361.", "10.1145/3377811.3380361"),
    ],
)
def test_a_paper_is_known_by_any_of_its_usual_names(typed: str, identity: str) -> None:
    assert paper_identity(typed) == identity


@pytest.mark.parametrize("typed", ["", "a nice paper", "https://evil.example/2401.12345", "10.1/"])
def test_an_invalid_seed_paper_is_refused(typed: str) -> None:
    with pytest.raises(InputError, match="neither an arXiv id nor a DOI"):
        paper_identity(typed)


def test_interests_are_cleaned_and_repetitions_dropped() -> None:
    topic = TypedTopic.read(
        {
            "name": "  Program   repair ",
            "keywords": ["program repair", "Program Repair", " ", "fuzzing"],
            "categories": ["CS.se", "cond-mat.STR-EL", "neuroscience"],
            "seed_papers": ["arXiv:2401.12345v1", "2401.12345"],
            "mutes": ["blockchain"],
        }
    )
    assert topic.name == "Program repair"
    assert [(clue.kind, clue.value, clue.weight) for clue in topic.clues] == [
        (InterestKind.KEYWORD, "program repair", 1.0),
        (InterestKind.KEYWORD, "fuzzing", 1.0),
        (InterestKind.CATEGORY, "cs.SE", 1.0),
        (InterestKind.CATEGORY, "cond-mat.str-el", 1.0),
        (InterestKind.CATEGORY, "neuroscience", 1.0),
        (InterestKind.SEED_PAPER, "2401.12345", 1.0),
        (InterestKind.KEYWORD, "blockchain", -1.0),
    ]


def test_a_word_cannot_be_both_wanted_and_muted() -> None:
    with pytest.raises(InputError, match="both wanted and muted"):
        TypedTopic.read({"keywords": ["GANs"], "mutes": ["gans"]})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cadence", "hourly"),
        ("weekday", "someday"),
        ("weekday", "7"),
        ("send_hour", "24"),
        ("send_hour", "-1"),
        ("send_hour", "0000000000025"),
        ("send_hour", "٧"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("max_papers", "0"),
        ("max_papers", "51"),
        ("min_score", "101"),
    ],
)
def test_a_preference_out_of_range_is_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(InputError) as refused:
        Preferences.read({field: value})
    assert refused.value.where == {"time_zone": "timezone"}.get(field, field)


def test_preferences_are_read_as_people_write_them() -> None:
    read = Preferences.read(
        {"cadence": "Weekly", "weekday": "Fri", "send_hour": "7.0", "time_zone": "europe/berlin"}
    )
    assert (read.cadence, read.weekday, read.send_hour) == ("weekly", 4, 7)
    assert read.time_zone == "Europe/Berlin"


def test_a_blank_keeps_a_preference_but_ends_a_limit_and_a_vacation() -> None:
    before = Preferences.read(
        {"send_hour": "9", "weekly_budget": "20", "vacation_until": "2026-12-24"}
    )
    assert Preferences.read({"send_hour": " ", "weekly_budget": None}, before) == before
    after = Preferences.read({"weekly_budget": "", "vacation_until": " "}, before)
    assert (after.send_hour, after.weekly_budget, after.vacation_until) == (9, None, None)


@pytest.mark.parametrize(
    ("typed", "wish"),
    [("yes", "daily"), ("No", "weekly"), (True, "daily"), (False, "weekly"), (" Never ", "never")],
)
def test_quiet_notes_are_read_as_lists_and_sign_ups_of_before_wrote_them(
    typed: str | bool, wish: str
) -> None:
    assert Preferences.read({"tell_when_nothing": typed}).tell_when_nothing == wish


@pytest.mark.parametrize("typed", ["often", "monthly", "2", "never ever"])
def test_how_often_else_is_refused_in_one_line(typed: str) -> None:
    with pytest.raises(InputError) as refused:
        Preferences.read({"tell_when_nothing": typed})
    line = f"tell_when_nothing: {typed!r}; must be one of: daily, weekly, never"
    assert str(refused.value) == line


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ({"quota": "51"}, "quota: 51 papers; must be 1 to 50"),
        ({"quota": "many"}, "quota: 'many'; must be a number from 1 to 50"),
        ({"paused": "perhaps"}, "paused: 'perhaps'; must be yes or no"),
        ({"name": "a\nb"}, "topic: contains a line break or control character"),
        ({"text": "half a letter: \ud800"}, "text: contains a line break or control character"),
    ],
)
def test_a_topic_that_cannot_be_used_is_refused_by_field(typed: dict[str, str], line: str) -> None:
    with pytest.raises(InputError) as refused:
        TypedTopic.read(typed)
    assert str(refused.value) == line


def test_blank_cells_leave_a_topic_without_limit_and_running() -> None:
    topic = TypedTopic.read({"keywords": ["fuzzing", " "], "quota": " ", "paused": " "})
    assert (len(topic.clues), topic.quota, topic.paused) == (1, None, False)


def test_an_unconfirmed_subscriber_is_pending_until_they_confirm(engine: Engine) -> None:
    with session_scope(engine) as session:
        public_id = add(session, confirmed=False).public_id
    assert status_of(engine, public_id) is SubscriberStatus.PENDING
    for _ in range(2):
        with session_scope(engine) as session:
            assert signup.confirm(session, public_id).active
    assert status_of(engine, public_id) is SubscriberStatus.ACTIVE


def test_an_old_confirmation_does_not_undo_an_unsubscribe(engine: Engine) -> None:
    with session_scope(engine) as session:
        public_id = add(session).public_id
        accounts.unsubscribe(session, public_id)
        assert not signup.confirm(session, public_id).active
    assert status_of(engine, public_id) is SubscriberStatus.UNSUBSCRIBED


def test_an_address_has_one_subscription(engine: Engine) -> None:
    with session_scope(engine) as session:
        add(session)
        with pytest.raises(InputError, match="already a subscriber"):
            add(session, "ADA@reader.example")


def test_a_subscriber_without_interests_still_has_a_topic_to_learn_in(engine: Engine) -> None:
    with session_scope(engine) as session:
        ada = add(session)
        topics = topics_of(session, ada.id or 0)
    assert [topic.request.name for topic in topics] == ["Your interests"]


def test_unsubscribing_twice_keeps_the_first_moment_and_suppresses_once(engine: Engine) -> None:
    with session_scope(engine) as session:
        public_id = add(session).public_id
        assert accounts.unsubscribe(session, public_id)
        first = accounts.find(session, public_id)
        assert first
        moment = first.unsubscribed_at
    with session_scope(engine) as session:
        assert accounts.unsubscribe(session, public_id)
        again = accounts.find(session, public_id)
        assert again
        assert again.unsubscribed_at == moment
        [suppressed] = session.exec(select(Suppression)).all()
        assert suppressed.reason is SuppressionReason.UNSUBSCRIBED


def test_pausing_does_not_bring_back_an_unsubscribed_reader(engine: Engine) -> None:
    with session_scope(engine) as session:
        public_id = add(session).public_id
        assert accounts.pause(session, public_id)
        assert accounts.resume(session, public_id)
        accounts.unsubscribe(session, public_id)
        assert not accounts.pause(session, public_id)
        assert not accounts.resume(session, public_id)
    assert status_of(engine, public_id) is SubscriberStatus.UNSUBSCRIBED


def test_erasing_leaves_a_keyed_hash_and_nothing_else(engine: Engine) -> None:
    with session_scope(engine) as session:
        ada = add(session, topics=[TypedTopic.read({"keywords": ["fuzzing"]})])
        paper = make_paper(session)
        session.add(
            Feedback(subscriber_id=ada.id or 0, paper_id=paper.id or 0, signal=Signal.RELEVANT)
        )
        session.flush()
        assert accounts.erase(session, ada.public_id)
        assert not accounts.erase(session, ada.public_id)
    with read_scope(engine) as session:
        for table in (Subscriber, Topic, Interest, Feedback):
            assert session.exec(select(func.count()).select_from(table)).one() == 0
        [left] = session.exec(select(Suppression)).all()
    assert left.address_hash == SIGNER.hash_address("ada@reader.example")
    assert left.reason is SuppressionReason.ERASED
    with session_scope(engine) as session, pytest.raises(InputError, match="erased"):
        add(session)


def test_topics_are_replaced_by_those_in_the_form(engine: Engine) -> None:
    with session_scope(engine) as session:
        ada = add(
            session,
            topics=[
                TypedTopic.read({"name": "One", "keywords": ["fuzzing", "testing"]}),
                TypedTopic.read({"name": "Two", "keywords": ["proofs"]}),
                TypedTopic.read({"name": "Three"}),
            ],
        )
        one, two, _three = topics_of(session, ada.id or 0)
        set_topics(
            session,
            ada,
            [
                (
                    one.id,
                    TypedTopic.read({"name": "Two", "keywords": ["fuzzing"], "mutes": ["testing"]}),
                ),
                (
                    two.id,
                    TypedTopic.read(
                        {"name": "One", "categories": ["cs.LO"], "quota": 3, "paused": True}
                    ),
                ),
                (None, TypedTopic.read({"name": "New", "authors": ["Ada Lovelace"]})),
            ],
        )
        after = {topic.request.name: topic for topic in topics_of(session, ada.id or 0)}
    assert set(after) == {"One", "Two", "New"}
    assert after["Two"].id == one.id
    assert after["Two"].values(InterestKind.KEYWORD) == ["fuzzing"]
    assert after["Two"].values(InterestKind.KEYWORD, muted=True) == ["testing"]
    assert (after["One"].request.quota, after["One"].request.paused) == (3, True)


def test_nobody_can_write_into_anothers_topic(engine: Engine) -> None:
    with session_scope(engine) as session:
        ada, eve = add(session), add(session, "eve@reader.example")
        [adas] = topics_of(session, ada.id or 0)
        with pytest.raises(InputError, match="no longer exists"):
            set_topics(session, eve, [(adas.id, TypedTopic.read({"name": "Mine now"}))])
