"""A reader's profile, taken from one site to another."""

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core import database
from newsletter.core.database import read_scope
from newsletter.core.models import Cadence, InterestKind, Topic
from newsletter.core.tokens import Purpose
from newsletter.subscribers.preferences import preferences_of, topics_of
from newsletter.subscribers.validation import Preferences, TopicRequest, TypedTopic
from tests.support.signing_up import confirm, interests, only
from tests.support.visits import EMAIL, SIGNER, add_reader, everything, preferences, visit

HEADER = "email,cadence,timezone,topic,keywords,quota"
STATED = Preferences(
    cadence=Cadence.WEEKLY,
    weekday=3,
    send_hour=21,
    time_zone="Asia/Kolkata",
    max_papers=17,
    min_score=55,
    weekly_budget=40,
    tell_revisions=True,
    fill_list=True,
    read_here=True,
    outside_picks=False,
    vacation_until=date(2026, 12, 24),
)
TOPICS = (
    TypedTopic.read(
        {
            "name": "Looms", "keywords": ["C++;", "=weft"], "mutes": ["lace"], "quota": 3,
            "paused": True,
        }
    ),
    TypedTopic.read(
        {
            "name": "=Engines", "text": "Difference, engines\nand mills",
            "authors": ["Lovelace, Ada"],
        }
    ),
)  # fmt: skip


def exported(engine: Engine) -> bytes:
    """The profile of a reader of another site, as the page behind a fresh link gives it."""
    reader = add_reader(engine, "ada@other.example", preferences=STATED, topics=list(TOPICS))
    link = f"/account/{SIGNER.sign(Purpose.ERASE, reader, lifetime=60)}"
    with visit(engine) as client:
        assert f"{link}/profile.csv" in client.get(link).text
        answer = client.post(f"{link}/profile.csv")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="my-profile.csv"' in answer.headers["content-disposition"]
    return answer.content


def stated_topics(session: Session, subscriber: int | None) -> dict[str, TopicRequest]:
    return {each.request.name: each.request for each in topics_of(session, subscriber or 0)}


def test_a_profile_of_one_site_is_taken_over_at_sign_up_on_another_once_confirmed(
    engine: Engine, tmp_path: Path
) -> None:
    other_site = database.connect(f"sqlite:///{tmp_path / 'other.db'}")
    database.upgrade(other_site)
    data = exported(other_site)
    other_site.dispose()
    form = {"email": EMAIL, "cadence": "daily", "time_zone": "UTC"}
    with visit(engine) as client:
        answer = client.post("/sign-up", data=form, files={"library": ("my-profile.csv", data)})
        assert answer.status_code == 200
        assert "without your file" not in answer.text
        assert interests(engine) == set()
        confirm(client, engine)
    row = only(engine)
    assert row.email == EMAIL
    assert preferences_of(row) == STATED
    with read_scope(engine) as session:
        found = stated_topics(session, row.id)
    assert set(found) == {"Looms", "=Engines"}
    for topic in TOPICS:
        assert set(found[topic.name].clues) == set(topic.clues)
        assert (found[topic.name].quota, found[topic.name].paused) == (topic.quota, topic.paused)


def test_what_was_typed_goes_before_the_profile(engine: Engine) -> None:
    data = f"{HEADER}\nada@other.example,weekly,Europe/Paris,Your interests,weft,\n".encode()
    form = {"email": EMAIL, "cadence": "weekdays", "time_zone": "UTC", "text": "Mills."}
    with visit(engine) as client:
        client.post("/sign-up", data=form, files={"library": ("profile.txt", data)})
        confirm(client, engine)
    row = only(engine)
    assert (row.cadence, row.time_zone) == (Cadence.WEEKDAYS, "Europe/Paris")
    assert interests(engine) == {(InterestKind.TEXT, "Mills."), (InterestKind.KEYWORD, "weft")}


WRONG = [
    (b"email,topic\nada@x.example,\"never closed\n", "line 2: a quote is opened and never closed"),
    (b"email,topic,cadence\nada@x.example,A,hourly\n", "line 2: cadence: "),
    (b"email,topic,keywords\nada@x.example,A,a\x01b\n", "line 2: keywords: contains a line break"),
    (b"email,topic\na@x.example,A\nb@x.example,B\n", "line 3 is about another subscriber"),
    (b"email,topic\na@x.example,A\na@x.example,a\n", "line 3: topic "),
    (b"email,topic,cadence\na@x.example,A,daily\na@x.example,B,weekly\n", "other preferences"),
    (b"email,topic\n", "is no profile: there is no line after the first"),
    (b"name,topic\nAda,x\n", "must name the columns email and topic"),
    (b"email,topic,rank\na@x.example,A,1\n", "unknown column "),
    (b"\xff\xfe\x00", "is not UTF-8"),
    (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "my.csv: "),
    (b"email,topic\n" + b"\n".join(b"a@x.example,T%d" % n for n in range(21)), "20 topics"),
    (b"email,topic\n" + b'"\n' * 100_000, "no line after the first"),
    (b"email,topic,keywords\na@x.example,A," + b"\\" * 200_000, "my.csv: line 2"),
    (b"email,topic\na@x.example,A\n" + b"x" * 256 * 1024, "is larger than 256 KB"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "said"), WRONG)
def test_a_wrong_profile_is_named_in_a_line_and_the_sign_up_goes_on_without_it(
    sqlite_engine: Engine, data: bytes, said: str
) -> None:
    form = {"email": EMAIL, "text": "Looms."}
    with visit(sqlite_engine) as client:
        answer = client.post("/sign-up", data=form, files={"library": ("my.csv", data)})
        assert answer.status_code == 200
        assert "Your sign-up continues without your file. my.csv: " in answer.text
        assert said in answer.text
        confirm(client, sqlite_engine)
    assert interests(sqlite_engine) == {(InterestKind.TEXT, "Looms.")}
    assert preferences_of(only(sqlite_engine)) == Preferences()


def test_a_bibliography_is_no_profile(engine: Engine) -> None:
    data = b"@misc{a, title={Email, topic}, note={email,topic}}"
    with visit(engine) as client:
        client.post("/sign-up", data={"email": EMAIL}, files={"library": ("a.bib", data)})
        confirm(client, engine)
    assert interests(engine) == {(InterestKind.TEXT, "Email, topic")}


def test_preferences_show_a_profile_before_it_is_saved(engine: Engine) -> None:
    page = preferences(add_reader(engine))
    data = (
        f"{HEADER}\nada@other.example,weekly,Europe/Paris,engines,weft,4\n"
        "ada@other.example,weekly,Europe/Paris,<b>New,&loom,\n"
    ).encode()
    before = everything(engine)
    with visit(engine) as client:
        answer = client.post(f"{page}/profile", files={"library": ("my.csv", data)})
    assert answer.status_code == 200
    assert "Not saved yet" in answer.text
    assert '<option value="weekly" selected>' in answer.text
    assert "<option selected>Europe/Paris</option>" in answer.text
    assert "engine\nweft</textarea>" in answer.text
    assert 'value="&lt;b&gt;New"' in answer.text
    assert "ada@other.example" not in answer.text
    assert {k: v for k, v in everything(engine).items() if k != "rate_limit"} == {
        k: v for k, v in before.items() if k != "rate_limit"
    }


def test_a_profile_shown_in_preferences_is_saved_like_typed_wishes(engine: Engine) -> None:
    page = preferences(add_reader(engine))
    with read_scope(engine) as session:
        known = session.exec(select(Topic.id)).one()
    data = f"{HEADER}\nada@other.example,weekly,Europe/Paris,New,loom,4\n".encode()
    with visit(engine) as client:
        shown = client.post(f"{page}/profile", files={"library": ("my.csv", data)}).text
        assert f'name="topic-0-id" value="{known}"' in shown
        assert 'name="topic-1-id" value=""' in shown
        form = {
            "cadence": "weekly", "topic-0-id": str(known), "topic-0-name": "Engines",
            "topic-0-keywords": "engine", "topic-1-id": "", "topic-1-name": "New",
            "topic-1-keywords": "loom", "topic-1-quota": "4",
        }  # fmt: skip
        assert client.post(page, data=form).status_code == 303
    row = only(engine)
    assert row.cadence is Cadence.WEEKLY
    with read_scope(engine) as session:
        found = stated_topics(session, row.id)
    assert {name: topic.quota for name, topic in found.items()} == {"Engines": None, "New": 4}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "profile: no file was chosen"),
        (b"email,topic\na@x.example," + b"x" * 200, "line 2: topic: is 200 characters long"),
        (b"@misc{a, title={A}}", "must name the columns email and topic"),
        (b"email,topic\n" + b"x" * 5 * 1024 * 1024, "is larger than 5 MB"),
        (b"email,topic\n" + b"\n" * 5_000_000, "my.csv: "),
        (
            b"email,topic,keywords\n" + b"\n".join(b"a@x.example,T%d,x" % n for n in range(20)),
            "together with yours, 21 topics; at most 20",
        ),
    ],
    ids=["none", "long", "bibliography", "size", "lines", "topics"],
)
def test_preferences_refuse_a_wrong_profile_and_show_what_is_stored(
    sqlite_engine: Engine, data: bytes, said: str
) -> None:
    page = preferences(add_reader(sqlite_engine))
    before = everything(sqlite_engine)
    with visit(sqlite_engine) as client:
        answer = client.post(f"{page}/profile", files={"library": ("my.csv", data)})
    assert answer.status_code == 422
    assert said in answer.text
    assert 'value="Engines"' in answer.text
    assert everything(sqlite_engine) == before


def test_a_profile_is_taken_only_behind_ones_own_link(engine: Engine) -> None:
    with read_scope(engine) as session:
        assert session.exec(select(Topic)).first() is None
    files = {"library": ("my.csv", f"{HEADER}\na@x.example,weekly,,A,b,\n".encode())}
    with visit(engine) as client:
        assert client.post("/preferences/forged/profile", files=files).status_code == 404
