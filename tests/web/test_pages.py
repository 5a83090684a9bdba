"""The pages behind the links: GET shows, POST acts, strangers learn and change nothing."""

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel, select

from newsletter.core.config import Settings
from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import Feedback, Interest, Subscriber, SubscriberStatus
from newsletter.core.tokens import Purpose, Signer
from newsletter.subscribers import accounts
from newsletter.subscribers.validation import TypedTopic
from newsletter.web import create_app
from tests.support.factories import make_digest, make_edition, make_paper
from tests.support.live_site import serving

OLD_KEY, NEW_KEY = "an old key of these tests no. 0001", "a new key of these tests no. 0002"
SIGNER = Signer((OLD_KEY,))
EMAIL, NAME = "countess@reader.example", "Countess Zerlina"


@pytest.fixture
def client(engine: Engine) -> Iterator[httpx.Client]:
    """The site, after its key was rotated: links signed with the old key still work."""
    settings = Settings(secret_keys=f"{NEW_KEY},{OLD_KEY}", postal_address="1 Paper Street")
    with serving(create_app(engine, settings)) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.fixture
def ada(engine: Engine) -> str:
    """The public id of an active subscriber with one topic."""
    with session_scope(engine) as session:
        topic = TypedTopic.read({"name": "Engines", "keywords": ["engine"], "mutes": ["steam"]})
        return accounts.add(
            session, SIGNER, email=EMAIL, name=NAME, topics=[topic], confirmed=True, source="test"
        ).public_id


def sign(purpose: Purpose, value: str) -> str:
    return SIGNER.sign(purpose, value)


def status(engine: Engine, public_id: str) -> SubscriberStatus | None:
    with read_scope(engine) as session:
        found = accounts.find(session, public_id)
        return found.status if found else None


def everything(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with engine.connect() as connection:
        return {
            name: sorted(map(tuple, connection.execute(table.select())), key=repr)
            for name, table in SQLModel.metadata.tables.items()
        }


def make_reader_digest(session: Session, public_id: str) -> tuple[int, list[int]]:
    """A digest of two papers for the subscriber: delivery id, paper ids."""
    reader = accounts.find(session, public_id)
    assert reader
    papers = [make_paper(session, number) for number in (1, 2)]
    delivery = make_digest(session, make_edition(session), reader, papers)
    return delivery.id or 0, [paper.id or 0 for paper in papers]


@pytest.fixture
def digest(engine: Engine, ada: str) -> tuple[int, list[int]]:
    with session_scope(engine) as session:
        return make_reader_digest(session, ada)


ONE_CLICK_BODIES = {
    "urlencoded": {"data": {"List-Unsubscribe": "One-Click"}},
    "multipart": {"files": {"List-Unsubscribe": (None, "One-Click")}},
    "no body": {},
    "broken multipart": {
        "content": b"--x\r\nnonsense",
        "headers": {"Content-Type": "multipart/form-data; boundary=y"},
    },
}


@pytest.mark.parametrize("body", ONE_CLICK_BODIES)
def test_rule_4_one_click_takes_any_body_without_cookie_and_answers_200_each_time(
    client: httpx.Client, engine: Engine, ada: str, body: str
) -> None:
    link = f"/unsubscribe/{sign(Purpose.UNSUBSCRIBE, ada)}"
    for _ in range(2):
        answer = client.post(link, **ONE_CLICK_BODIES[body])  # type: ignore[arg-type]
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert "You are unsubscribed" in answer.text
    assert status(engine, ada) is SubscriberStatus.UNSUBSCRIBED


def test_rule_4_one_click_from_a_foreign_origin_works(
    client: httpx.Client, engine: Engine, ada: str
) -> None:
    link = f"/unsubscribe/{sign(Purpose.UNSUBSCRIBE, ada)}"
    headers = {"Origin": "https://mail.example", "Sec-Fetch-Site": "cross-site"}
    assert client.post(link, headers=headers).status_code == 200
    assert status(engine, ada) is SubscriberStatus.UNSUBSCRIBED


def test_rule_7_an_erased_subscribers_link_still_says_unsubscribed(
    client: httpx.Client, engine: Engine, ada: str
) -> None:
    link = f"/unsubscribe/{sign(Purpose.UNSUBSCRIBE, ada)}"
    with session_scope(engine) as session:
        accounts.erase(session, ada)
    for answer in (client.get(link), client.post(link)):
        assert answer.status_code == 200
        assert "You are unsubscribed" in answer.text


def all_links(public_id: str, digest: tuple[int, list[int]]) -> list[str]:
    delivery_id, papers = digest
    judged = sign(Purpose.FEEDBACK, str(delivery_id))
    return [
        "/",
        "/style.css",
        "/healthz",
        "/robots.txt",
        f"/unsubscribe/{sign(Purpose.UNSUBSCRIBE, public_id)}",
        f"/preferences/{sign(Purpose.PREFERENCES, public_id)}",
        f"/confirm/{SIGNER.sign(Purpose.CONFIRM, public_id, lifetime=3600)}",
        *(f"/feedback/{judged}/{papers[0]}/{signal}" for signal in ("relevant", "saved")),
    ]


def test_rule_5_looking_changes_nothing_anywhere(
    client: httpx.Client, engine: Engine, ada: str, digest: tuple[int, list[int]]
) -> None:
    before = everything(engine)
    for link in all_links(ada, digest):
        assert client.get(link).status_code == 200, link
        assert client.head(link).status_code == 200, link
        assert client.options(link).status_code == 405, link
        for method in ("PUT", "PATCH", "DELETE"):
            assert client.request(method, link).status_code == 405, link
    assert everything(engine) == before


def test_rule_30_every_answer_keeps_the_address_to_itself(
    client: httpx.Client, ada: str, digest: tuple[int, list[int]]
) -> None:
    for link in [*all_links(ada, digest), "/nothing/here", "/unsubscribe/forged.token"]:
        headers = client.get(link).headers
        assert headers["referrer-policy"] == "no-referrer"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy


def test_rule_28_no_page_behind_a_forwarded_link_shows_who_it_is(
    client: httpx.Client, ada: str, digest: tuple[int, list[int]]
) -> None:
    for link in all_links(ada, digest):
        text = client.get(link).text
        assert EMAIL not in text
        assert NAME not in text


@pytest.mark.parametrize("path", ["unsubscribe", "preferences", "feedback", "confirm"])
def test_a_token_of_another_purpose_opens_nothing(
    client: httpx.Client, engine: Engine, ada: str, digest: tuple[int, list[int]], path: str
) -> None:
    own = {"feedback": Purpose.FEEDBACK, "confirm": Purpose.CONFIRM}.get(path, Purpose(path))
    tail = f"/{digest[1][0]}/relevant" if path == "feedback" else ""
    before = everything(engine)
    values = [ada, str(digest[0]), f"{ada}~99999999999"]
    forged = [sign(purpose, value) for purpose in Purpose if purpose != own for value in values]
    genuine = sign(own, ada)
    forged += [
        genuine[:-1] + ("B" if genuine.endswith("A") else "A"),
        "x.y",
        "%00",
        "x" * 5000,
        ".",
    ]
    for token in forged:
        for answer in (client.get(f"/{path}/{token}{tail}"), client.post(f"/{path}/{token}{tail}")):
            assert answer.status_code == 404, token
            assert "This link does not work" in answer.text or "Page not found" in answer.text
    assert everything(engine) == before


def test_a_confirmation_link_expires(client: httpx.Client, ada: str) -> None:
    stale = SIGNER.sign(Purpose.CONFIRM, ada, lifetime=-1)
    answer = client.post(f"/confirm/{stale}")
    assert answer.status_code == 404
    assert "expired" in answer.text


def test_confirming_makes_a_pending_subscriber_active(client: httpx.Client, engine: Engine) -> None:
    with session_scope(engine) as session:
        public_id = accounts.add(
            session, SIGNER, email="bob@reader.example", confirmed=False, source="test"
        ).public_id
    link = f"/confirm/{SIGNER.sign(Purpose.CONFIRM, public_id, lifetime=3600)}"
    assert client.get(link).status_code == 200
    assert status(engine, public_id) is SubscriberStatus.PENDING
    for _ in range(2):
        assert "confirmed" in client.post(link).text
        assert status(engine, public_id) is SubscriberStatus.ACTIVE


def signals(engine: Engine) -> set[tuple[int, str]]:
    with read_scope(engine) as session:
        return {(row.paper_id, row.signal.value) for row in session.exec(select(Feedback))}


def test_feedback_is_recorded_once_and_the_opposite_replaces_it(
    client: httpx.Client, engine: Engine, digest: tuple[int, list[int]]
) -> None:
    delivery_id, (paper, _) = digest
    base = f"/feedback/{sign(Purpose.FEEDBACK, str(delivery_id))}/{paper}"
    for signal in ("relevant", "relevant", "saved"):
        assert client.post(f"{base}/{signal}").status_code == 200
    assert signals(engine) == {(paper, "relevant"), (paper, "saved")}
    client.post(f"{base}/not_relevant")
    assert signals(engine) == {(paper, "not_relevant"), (paper, "saved")}


def test_feedback_on_a_paper_that_was_not_in_the_digest_is_refused(
    client: httpx.Client, engine: Engine, digest: tuple[int, list[int]]
) -> None:
    with session_scope(engine) as session:
        other = make_paper(session, 3).id
    token = sign(Purpose.FEEDBACK, str(digest[0]))
    assert client.post(f"/feedback/{token}/{other}/relevant").status_code == 410
    assert client.post(f"/feedback/{token}/{digest[1][0]}/odd").status_code == 422
    assert signals(engine) == set()


FORM = {
    "cadence": "weekly",
    "weekday": "4",
    "send_hour": "18",
    "time_zone": "Asia/Tokyo",
    "max_papers": "5",
    "min_score": "30",
    "topic-0-name": "Engines and looms",
    "topic-0-text": "",
    "topic-0-keywords": "engine\r\nloom, jacquard",
    "topic-0-categories": "cs.AR",
    "topic-0-authors": "Babbage, Charles",
    "topic-0-seed_papers": "https://arxiv.org/abs/2401.12345v2",
    "topic-0-mutes": "",
    "topic-0-quota": "3",
    "topic-1-id": "",
    "topic-1-name": "Flight",
    "topic-1-keywords": "wings",
}


def saved_topic_id(engine: Engine) -> str:
    with read_scope(engine) as session:
        [interest, *_] = session.exec(select(Interest)).all()
        return str(interest.topic_id)


def test_preferences_are_saved_and_shown_again(
    client: httpx.Client, engine: Engine, ada: str
) -> None:
    link = f"/preferences/{sign(Purpose.PREFERENCES, ada)}"
    answer = client.post(link, data=FORM | {"topic-0-id": saved_topic_id(engine)})
    assert answer.status_code == 303
    page = client.get(answer.headers["location"]).text
    assert "Saved" in page
    for shown in ("Engines and looms", "jacquard", "Babbage, Charles", "2401.12345", "Flight"):
        assert shown in page
    assert "steam" not in page
    with read_scope(engine) as session:
        [row] = session.exec(select(Subscriber)).all()
    stored = (row.cadence, row.weekday, row.send_hour, row.time_zone, row.max_papers, row.min_score)
    assert stored == ("weekly", 4, 18, "Asia/Tokyo", 5, 30)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time_zone", "Mars"),
        ("max_papers", "500"),
        ("topic-0-seed_papers", "no paper"),
        ("topic-0-quota", "none"),
        ("topic-0-id", "1; DROP TABLE topic"),
        ("topic-1-name", "Engines AND looms"),
        ("topic-0-keywords", "x" * 300),
    ],
)
def test_a_wrong_field_saves_nothing_and_keeps_what_was_typed(
    client: httpx.Client, engine: Engine, ada: str, field: str, value: str
) -> None:
    before = everything(engine)
    form = FORM | {"topic-0-id": saved_topic_id(engine)} | {field: value}
    answer = client.post(f"/preferences/{sign(Purpose.PREFERENCES, ada)}", data=form)
    assert answer.status_code == 422
    assert "Not saved." in answer.text
    assert "jacquard" in answer.text or field == "topic-0-keywords"
    assert everything(engine) == before


def test_text_from_strangers_is_escaped(client: httpx.Client, engine: Engine, ada: str) -> None:
    link = f"/preferences/{sign(Purpose.PREFERENCES, ada)}"
    evil = "<script>alert(1)</script>"
    form = {"topic-0-id": saved_topic_id(engine), "topic-0-name": evil, "topic-0-text": evil}
    assert client.post(link, data=form).status_code == 303
    page = client.get(link).text
    assert "<script>" not in page, "only the site's own, which has an address"
    assert page.count("<script") == page.count('<script src="/reader.js?') == 1
    assert "&lt;script&gt;" in page


def test_a_pause_is_one_press_and_so_is_its_end(
    client: httpx.Client, engine: Engine, ada: str
) -> None:
    link = f"/preferences/{sign(Purpose.PREFERENCES, ada)}"
    assert client.post(f"{link}/pause").status_code == 303
    assert status(engine, ada) is SubscriberStatus.PAUSED
    assert "Resume my digests" in client.get(link).text
    client.post(f"{link}/resume")
    assert status(engine, ada) is SubscriberStatus.ACTIVE


def test_an_erased_subscribers_other_links_say_that_they_are_gone(
    client: httpx.Client, engine: Engine, ada: str, digest: tuple[int, list[int]]
) -> None:
    with session_scope(engine) as session:
        accounts.erase(session, ada)
    judged = f"/feedback/{sign(Purpose.FEEDBACK, str(digest[0]))}/{digest[1][0]}/relevant"
    for link in (f"/preferences/{sign(Purpose.PREFERENCES, ada)}", judged):
        assert client.get(link).status_code == 410
        assert client.post(link).status_code == 410


@pytest.mark.parametrize("path", ["/papers", "/papers/"])
def test_links_work_where_the_site_lives_under_a_path(engine: Engine, ada: str, path: str) -> None:
    settings = Settings(secret_keys=OLD_KEY, base_url=f"https://host.example{path}")
    link = f"/preferences/{sign(Purpose.PREFERENCES, ada)}"
    with serving(create_app(engine, settings)) as url, httpx.Client(base_url=url) as client:
        assert f'action="/papers{link}"' in client.get(link).text
        assert client.get(f"/papers{link}").status_code == 200
        assert client.post(f"{link}/pause").headers["location"] == f"/papers{link}"
