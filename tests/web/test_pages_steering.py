"""Judging, undoing, what was learned, taking one's data along, leaving for good."""

import json
import re

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import (
    Cadence,
    DeliveryKind,
    DeliveryStatus,
    DigestLength,
    Feedback,
    Interest,
    InterestKind,
    Paper,
    PaperAlias,
    Profile,
    QuietNotes,
    Subscriber,
    Suppression,
)
from newsletter.core.tokens import Purpose
from newsletter.ranking.profiles import training
from newsletter.subscribers import accounts
from tests.support.factories import make_paper
from tests.support.visits import (
    EMAIL,
    SIGNER,
    add_reader,
    everything,
    notes,
    preferences,
    send_digest,
    visit,
)


@pytest.fixture
def reader(engine: Engine) -> str:
    return add_reader(engine)


def signals(engine: Engine) -> set[tuple[int, str]]:
    with read_scope(engine) as session:
        return {(row.paper_id, row.signal.value) for row in session.exec(select(Feedback))}


def account(public_id: str, lifetime: int = 3600) -> str:
    return f"/account/{SIGNER.sign(Purpose.ERASE, public_id, lifetime=lifetime)}"


def test_judgements_are_listed_taken_back_and_given_again(engine: Engine, reader: str) -> None:
    _, [paper, _] = send_digest(engine, reader)
    base = preferences(reader)
    with visit(engine) as client:
        client.post(f"{base}/papers/{paper}/saved", data={"back": "ratings"})
        client.post(f"{base}/papers/{paper}/relevant", data={"back": "ratings"})
        assert signals(engine) == {(paper, "saved"), (paper, "relevant")}
        page = client.get(f"{base}/ratings").text
        assert page.count("A study of thing 1") >= 2
        undone = client.post(f"{base}/papers/{paper}/saved/undo", data={"back": "ratings"})
        assert undone.status_code == 303
        assert signals(engine) == {(paper, "relevant")}
        offered = client.get(undone.headers["location"]).text
        assert "Undone" in offered
        client.post(f"{base}/papers/{paper}/saved", data={"back": "ratings"})
    assert signals(engine) == {(paper, "saved"), (paper, "relevant")}


def test_a_button_leads_back_to_pages_of_ours_only(engine: Engine, reader: str) -> None:
    _, [paper, _] = send_digest(engine, reader)
    base = preferences(reader)
    with visit(engine) as client:
        for back in ("https://evil.example", "//evil.example", "../../x", "sharpen"):
            answer = client.post(f"{base}/papers/{paper}/relevant", data={"back": back})
            place = "sharpen" if back == "sharpen" else "ratings"
            assert answer.headers["location"] == f"{base}/{place}"


def test_ratings_count_at_once_and_undoing_one_relearns(engine: Engine, reader: str) -> None:
    _, [paper, _] = send_digest(engine, reader)
    training.train(engine)
    with visit(engine) as client:
        client.post(f"{preferences(reader)}/papers/{paper}/relevant")
        with read_scope(engine) as session:
            learned = session.exec(select(Profile)).one()
            assert learned.like_weight == pytest.approx(1, rel=0.01)
        client.post(f"{preferences(reader)}/papers/{paper}/relevant/undo")
    with read_scope(engine) as session:
        assert session.exec(select(Profile)).all() == []


def test_less_of_an_interest_counts_it_half_until_it_is_undone(engine: Engine, reader: str) -> None:
    send_digest(engine, reader)
    base = preferences(reader)
    with read_scope(engine) as session:
        number = session.exec(select(Interest.id)).one()

    def weight() -> float:
        with read_scope(engine) as session:
            return session.exec(select(Interest.weight)).one()

    with visit(engine) as client:
        assert "Less of this" in client.get(f"{base}/learned").text
        assert client.post(f"{base}/interests/{number}/less").status_code == 303
        assert weight() == 0.5
        assert "counts half" in client.get(f"{base}/learned").text
        client.post(f"{base}/interests/{number}/undo")
        assert weight() == 1.0


def test_a_reader_sets_how_much_each_interest_counts_and_takes_it_back(
    engine: Engine, reader: str
) -> None:
    send_digest(engine, reader)
    eve = add_reader(engine, "eve@reader.example")
    with session_scope(engine) as session:
        keyword = session.exec(select(Interest).order_by(col(Interest.id))).first()
        assert keyword is not None
        number, topic = keyword.id, keyword.topic_id
        paper = session.exec(select(Paper).order_by(col(Paper.id))).first()
        assert paper is not None
        author = Interest(topic_id=topic, kind=InterestKind.AUTHOR, value="Ada Author")
        seed = Interest(topic_id=topic, kind=InterestKind.SEED_PAPER, value=paper.external_id)
        alias = PaperAlias(source="arxiv", external_id=paper.external_id, paper_id=paper.id or 0)
        session.add_all([author, seed, alias])
        session.flush()
        followed, example, title = author.id, seed.id, paper.title
    page = f"{preferences(reader)}/learned"

    def weights() -> dict[int | None, float]:
        with read_scope(engine) as session:
            rows = session.exec(select(Interest).where(Interest.topic_id == topic)).all()
            return {row.id: row.weight for row in rows}

    before = everything(engine)
    with visit(engine) as client:
        shown = client.get(page).text
        assert f'id="interest-{number}"' in shown
        assert f"<bdi>{title}</bdi>" in shown
        assert f"<bdi>{paper.external_id}</bdi>" not in shown
        for name, typed in (
            (number, "0"),
            (number, "101"),
            (number, "-5"),
            (number, "half"),
            (number, "٣"),
            (followed, "30"),
        ):
            refused = client.post(page, data={f"weight-{number}": "40", f"weight-{name}": typed})
            assert refused.status_code == 422
            assert "Nothing was saved" in refused.text
        client.post(f"{preferences(eve)}/learned", data={f"weight-{number}": "30"})
        assert everything(engine) == before
        values = {f"weight-{number}": "30", f"weight-{followed}": "50", f"weight-{example}": "100"}
        saved = client.post(page, data=values)
        assert saved.status_code == 200
        assert weights() == {number: 0.3, followed: 0.5, example: 1.0}
        assert "counts 30 %" in saved.text
        # "Less of this" in an old mail must not make it count more again.
        client.post(f"{preferences(reader)}/interests/{number}/less")
        assert weights()[number] == 0.3
        note = saved.text.split('role="status"')[1].split("</form>")[0]
        undo = dict(re.findall(r'name="(weight-\d+)" value="(\d+)"', note))
        assert undo == {f"weight-{number}": "100", f"weight-{followed}": "100"}
        client.post(page, data=undo)
        assert set(weights().values()) == {1.0}
        client.post(page, data=values)
        client.post(page, data=values | {"all": "full"})
        assert set(weights().values()) == {1.0}
        assert "Nothing was changed" in client.post(page, data={}).text


def test_nobody_weighs_anothers_interests(engine: Engine, reader: str) -> None:
    eve = add_reader(engine, "eve@reader.example")
    with read_scope(engine) as session:
        number = session.exec(select(Interest.id).order_by(Interest.id)).first()  # type: ignore[arg-type]
    before = everything(engine)
    with visit(engine) as client:
        assert client.post(f"{preferences(eve)}/interests/{number}/less").status_code == 404
    assert everything(engine) == before


def fresh_papers(engine: Engine, count: int = 25) -> list[int]:
    words = ["engine", "loom", "galaxy", "protein", "poetry"]
    with session_scope(engine) as session:
        return [
            make_paper(
                session,
                number,
                title=f"On the {words[number % 5]} of {words[(number // 5) % 5]} number {number}",
                abstract=f"We look at {words[number % 5]} and {words[number % 3]} again.",
                first_seen_at=utc_now(),
            ).id
            or 0
            for number in range(1, count + 1)
        ]


def test_ten_papers_are_offered_to_judge_and_judged_ones_are_not_offered_again(
    engine: Engine, reader: str
) -> None:
    fresh_papers(engine)
    base = preferences(reader)
    before = everything(engine)
    with visit(engine) as client:
        page = client.get(f"{base}/sharpen")
        assert page.status_code == 200
        assert page.text.count("Not relevant</button>") == 10
        assert client.get(f"{base}/today").status_code == 200
        assert client.get(f"{base}/learned").status_code == 200
        assert everything(engine) == before  # looked at, not stored
        first = page.text.split(f"{base}/papers/")[1].split("/")[0]
        client.post(f"{base}/papers/{first}/not_relevant", data={"back": "sharpen"})
        again = client.get(f"{base}/sharpen").text
    assert f"{base}/papers/{first}/relevant" not in again
    assert "1 of 10 rated" in again


def test_todays_digest_follows_the_preferences_at_once(engine: Engine, reader: str) -> None:
    fresh_papers(engine)
    base = preferences(reader)
    with visit(engine) as client:
        many = client.get(f"{base}/today").text.count('class="why"')
        client.post(base, data={"max_papers": "2", "topic-0-name": "Engines"})
        few = client.get(f"{base}/today").text.count('class="why"')
    assert many > few
    assert few == 2


def test_every_preference_is_kept(engine: Engine, reader: str) -> None:
    form = {
        "cadence": "weekdays",
        "weekly_budget": "20",
        "length": "full",
        "popularity": "75",
        "vacation_until": "2026-12-24",
        "outside_picks-there": "1",
        "tell_when_nothing": "never",
        "topic-0-name": "Engines",
    }
    with visit(engine) as client:
        assert client.post(preferences(reader), data=form).status_code == 303
        page = client.get(preferences(reader)).text
    assert 'value="2026-12-24"' in page
    with read_scope(engine) as session:
        row = session.exec(select(Subscriber)).one()
    assert (row.cadence, row.weekly_budget, row.length) == (
        Cadence.WEEKDAYS,
        20,
        DigestLength.FULL,
    )
    assert (row.popularity, row.outside_picks) == (75, False)
    assert row.tell_when_nothing is QuietNotes.NEVER
    assert '<option value="never" selected>No note</option>' in page
    assert str(row.vacation_until) == "2026-12-24"


def test_the_unsubscribe_page_offers_fewer_mails(engine: Engine, reader: str) -> None:
    link = f"/unsubscribe/{SIGNER.sign(Purpose.UNSUBSCRIBE, reader)}"
    with visit(engine) as client:
        page = client.get(link).text
        assert f"{link}/weekly" in page
        assert f"{link}/pause" in page
        assert client.post(f"{link}/weekly").status_code == 200
        assert "Weekly instead" not in client.get(link).text
    with read_scope(engine) as session:
        assert session.exec(select(Subscriber.cadence)).one() == Cadence.WEEKLY


def test_rule_28_a_fresh_link_is_mailed_and_no_digest_link_exports_or_erases(
    engine: Engine, reader: str
) -> None:
    delivery, _ = send_digest(engine, reader)
    with visit(engine) as client:
        client.post("/account", data={"email": EMAIL.upper()})
        client.post("/account", data={"email": EMAIL})
        assert notes(engine) == [(DeliveryKind.ACCOUNT_LINK, EMAIL)]
        before = everything(engine)
        for purpose, value in (
            (Purpose.PREFERENCES, reader),
            (Purpose.UNSUBSCRIBE, reader),
            (Purpose.FEEDBACK, str(delivery)),
            (Purpose.VIEW, str(delivery)),
            (Purpose.FEED, reader),
        ):
            for tail in ("", "/erase", "/export.json", "/export.bib", "/profile.csv"):
                link = f"/account/{SIGNER.sign(purpose, value)}{tail}"
                answer = client.post(link) if tail else client.get(link)
                assert answer.status_code == 404, link
        assert client.post(f"{account(reader, -1)}/erase").status_code == 404
        assert everything(engine) == before


def test_an_export_holds_everything_and_only_ones_own(engine: Engine, reader: str) -> None:
    add_reader(engine, "eve@reader.example")
    _, [paper, other] = send_digest(engine, reader)
    base = preferences(reader)
    with visit(engine) as client:
        client.post(f"{base}/papers/{paper}/saved")
        client.post(f"{base}/papers/{other}/not_relevant")
        assert client.get(account(reader)).status_code == 200
        exported = client.post(f"{account(reader)}/export.json")
        bibtex = client.post(f"{account(reader)}/export.bib").text
    assert "attachment" in exported.headers["content-disposition"]
    value = json.loads(exported.text)
    assert value["subscriber"]["email"] == EMAIL
    assert value["topics"][0]["interests"][0]["value"] == "engine"
    assert value["deliveries"][0]["papers"] == ["A study of thing 1", "A study of thing 2"]
    assert {each["signal"] for each in value["feedback"]} == {"saved", "not_relevant"}
    assert "eve@" not in exported.text
    assert "eprint = {2611.00001}" in bibtex
    assert "thing 2" not in bibtex


def test_an_export_in_bibtex_is_read_by_a_parser_whatever_the_title(
    sqlite_engine: Engine,
) -> None:
    from newsletter.subscribers.bibliography import AT_SIGN_UP, parse

    reader = add_reader(sqlite_engine)
    titles = ["100% of {braces", "}} @article{x, title={injected", "A & B_c $5 #1 ~^\\", "𝓑-Coder"]
    with session_scope(sqlite_engine) as session:
        ids = [
            make_paper(session, number, title=title, authors=["Ö {X}", "and and"]).id
            for number, title in enumerate(titles, start=1)
        ]
    with visit(sqlite_engine) as client:
        for number in ids:
            client.post(f"{preferences(reader)}/papers/{number}/relevant")
        bibtex = client.post(f"{account(reader)}/export.bib").text
    assert len(parse(bibtex.encode(), AT_SIGN_UP).references) == len(titles)
    assert "injected" in bibtex


def test_erasing_leaves_only_the_keyed_hash(engine: Engine, reader: str) -> None:
    delivery, papers = send_digest(engine, reader)
    link = account(reader)
    with visit(engine) as client:
        client.post(f"{preferences(reader)}/papers/{papers[0]}/saved")
        assert "Your data is deleted" in client.post(f"{link}/erase").text
        assert client.post(f"{link}/erase").status_code == 200
        assert client.get(link).status_code == 410
        unsubscribe = f"/unsubscribe/{SIGNER.sign(Purpose.UNSUBSCRIBE, reader)}"
        assert "You are unsubscribed" in client.get(unsubscribe).text
        view = f"/view/{SIGNER.sign(Purpose.VIEW, str(delivery))}"
        assert client.get(view).status_code == 410
        assert client.get(f"/feed/{SIGNER.sign(Purpose.FEED, reader)}").status_code == 410
    rows = everything(engine)
    assert not [table for table in rows if EMAIL in str(rows[table])]
    assert rows["subscriber"] == rows["feedback"] == rows["delivery"] == rows["interest"] == []
    with read_scope(engine) as session:
        kept = session.exec(select(Suppression.address_hash)).one()
    assert kept == SIGNER.hash_address(EMAIL)


def test_a_digest_is_read_in_the_browser_in_the_archive_and_in_a_feed_reader(
    engine: Engine, reader: str
) -> None:
    delivery, papers = send_digest(engine, reader)
    with visit(engine) as client:
        view = f"/view/{SIGNER.sign(Purpose.VIEW, str(delivery))}"
        page = client.get(view).text
        assert "A study of thing 2" in page
        assert f"/{papers[0]}/not_relevant" in page
        archive = client.get(f"/archive/{SIGNER.sign(Purpose.PREFERENCES, reader)}").text
        assert view in archive
        feed = client.get(f"/feed/{SIGNER.sign(Purpose.FEED, reader)}")
    assert feed.headers["content-type"].startswith("application/atom+xml")
    assert "2. A study of thing 2" in feed.text
    for text in (page, archive, feed.text):
        assert EMAIL not in text


def test_a_digest_that_was_not_sent_is_not_in_the_archive(engine: Engine, reader: str) -> None:
    from newsletter.core.models import Delivery

    delivery, _ = send_digest(engine, reader)
    with session_scope(engine) as session:
        row = session.get(Delivery, delivery)
        assert row
        row.status = DeliveryStatus.CANCELLED
    with visit(engine) as client:
        page = client.get(f"/archive/{SIGNER.sign(Purpose.PREFERENCES, reader)}").text
    assert "No digest has been sent to you yet" in page


def test_the_feed_link_opens_nothing_else(engine: Engine, reader: str) -> None:
    token = SIGNER.sign(Purpose.FEED, reader)
    with visit(engine) as client:
        for path in ("preferences", "archive", "unsubscribe", "view", "account"):
            assert client.get(f"/{path}/{token}").status_code == 404


def test_todays_page_of_somebody_with_nothing_new_says_so(engine: Engine, reader: str) -> None:
    with visit(engine) as client:
        assert "You would get no digest today" in client.get(f"{preferences(reader)}/today").text
        assert "no new papers" in client.get(f"{preferences(reader)}/sharpen").text


def test_an_erased_subscribers_steering_pages_are_gone(engine: Engine, reader: str) -> None:
    with session_scope(engine) as session:
        accounts.erase(session, reader)
    with visit(engine) as client:
        for page in ("", "/ratings", "/learned", "/sharpen", "/today"):
            assert client.get(f"{preferences(reader)}{page}").status_code == 410
