"""Sign-up: a pending row, one mail, and nothing a stranger could learn or break."""

from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import (
    Delivery,
    DeliveryKind,
    Feedback,
    InterestKind,
    Subscriber,
    SubscriberStatus,
    SuppressionReason,
)
from newsletter.core.tokens import Purpose
from newsletter.subscribers import accounts
from newsletter.subscribers.suppression import suppress
from tests.support.factories import make_paper
from tests.support.signing_up import confirm, interests, only
from tests.support.visits import EMAIL, SIGNER, add_reader, everything, notes, visit

BIBTEX = b"""@article{a, title={A {Study} of things}, doi={10.1145/3377811.3380361}}
@misc{b, title={Known here}, eprint={2611.00001}, archivePrefix={arXiv}}
@article{broken, title={never closed"""
RIS = b"\xef\xbb\xbfTY  - JOUR\r\nTI  - A study in RIS\r\nDO  - 10.1000/abc\r\nER  - \r\n"


def test_a_sign_up_waits_for_its_confirmation_and_mails_once_a_day(engine: Engine) -> None:
    form = {
        "email": "Countess@Reader.example",
        "text": "Engines that compute.\nLooms.",
        "categories": "cs.AR, cs.pl",
        "authors": "Babbage, Charles",
        "seed_papers": "https://arxiv.org/abs/2401.12345v1",
        "cadence": "weekly",
        "time_zone": "Europe/London",
    }
    with visit(engine) as client:
        for _ in range(2):
            answer = client.post("/sign-up", data=form)
            assert answer.status_code == 200
            assert "Check your inbox" in answer.text
        row = only(engine)
        assert (row.email, row.status) == (EMAIL, SubscriberStatus.PENDING)
        assert interests(engine) == set()
        confirm(client, engine)
    row = only(engine)
    assert row.status is SubscriberStatus.ACTIVE
    assert (row.cadence, row.time_zone) == ("weekly", "Europe/London")
    assert row.consent_source == "sign-up page"
    assert row.consent_at
    assert row.confirmed_at
    assert row.consent_at < row.confirmed_at
    assert notes(engine) == [(DeliveryKind.CONFIRMATION, EMAIL)]
    assert interests(engine) == {
        (InterestKind.TEXT, "Engines that compute."),
        (InterestKind.TEXT, "Looms."),
        (InterestKind.CATEGORY, "cs.AR"),
        (InterestKind.CATEGORY, "cs.PL"),
        (InterestKind.AUTHOR, "Babbage, Charles"),
        (InterestKind.SEED_PAPER, "2401.12345"),
    }
    with read_scope(engine) as session:
        delivery = session.exec(select(Delivery)).one()
    assert delivery.message_id.endswith("@papers.example")
    assert (delivery.to_name, delivery.subject) == ("", "")  # bulk-mail rule 29


def test_the_next_day_another_confirmation_may_be_asked_for(engine: Engine) -> None:
    with visit(engine) as client:
        client.post("/sign-up", data={"email": EMAIL})
        with session_scope(engine) as session:
            session.exec(select(Delivery)).one().created_at = utc_now() - timedelta(hours=25)
        client.post("/sign-up", data={"email": EMAIL, "text": "Second thoughts."})
        confirm(client, engine)
    assert len(notes(engine)) == 2
    assert interests(engine) == {(InterestKind.TEXT, "Second thoughts.")}


@pytest.mark.parametrize(("name", "data"), [("a.bib", BIBTEX), ("a.ris", RIS)])
def test_a_bibliography_becomes_interests(engine: Engine, name: str, data: bytes) -> None:
    with visit(engine) as client:
        answer = client.post("/sign-up", data={"email": EMAIL}, files={"library": (name, data)})
        assert answer.status_code == 200
        confirm(client, engine)
    titles = {value for kind, value in interests(engine) if kind is InterestKind.TEXT}
    assert titles & {"A Study of things", "A study in RIS"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"no bibliography at all", "no BibTeX or RIS entry"),
        (bytes(range(256)) * 100, "no BibTeX or RIS entry"),
        (b"@article{" * 20_000, "no BibTeX or RIS entry"),
    ],
)
def test_a_file_that_is_not_a_bibliography_is_refused_in_words(
    sqlite_engine: Engine, data: bytes, said: str
) -> None:
    with visit(sqlite_engine) as client:
        answer = client.post("/sign-up", data={"email": EMAIL}, files={"library": ("x", data)})
    assert answer.status_code == 422
    assert said in answer.text
    assert notes(sqlite_engine) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"@a{" * 350_000, "library.bib: is larger than 256 KB"),
        (b"@a{k,title={A}}" * 5_001, "library.bib: contains more than 5,000 entries"),
    ],
    ids=["size", "entries"],
)
def test_a_file_over_the_limit_is_named_and_the_sign_up_goes_on_without_it(
    engine: Engine, data: bytes, said: str
) -> None:
    with visit(engine) as client:
        form = {"email": EMAIL, "text": "Looms."}
        answer = client.post("/sign-up", data=form, files={"library": ("library.bib", data)})
        assert answer.status_code == 200
        assert "Your sign-up continues without your file" in answer.text
        assert said in answer.text
        confirm(client, engine)
    assert interests(engine) == {(InterestKind.TEXT, "Looms.")}


def test_a_file_name_is_shown_as_text(sqlite_engine: Engine) -> None:
    file = {"library": ("<b>\x1b[31m.bib", b"x" * 300_000)}
    with visit(sqlite_engine) as client:
        answer = client.post("/sign-up", data={"email": EMAIL}, files=file)
    assert "&lt;b&gt;" in answer.text
    assert "<b>" not in answer.text
    assert "\x1b" not in answer.text


def test_picked_papers_are_relevant_from_the_start(engine: Engine) -> None:
    with session_scope(engine) as session:
        ids = [make_paper(session, number).id for number in range(1, 4)]
    with visit(engine) as client:
        page = client.get("/sign-up").text
        assert "A study of thing 2" in page
        form = {"email": EMAIL, "pick": [str(ids[0]), str(ids[2]), "999999", "x", "-1"]}
        assert client.post("/sign-up", data=form).status_code == 200
        confirm(client, engine)
    with read_scope(engine) as session:
        assert {row.paper_id for row in session.exec(select(Feedback))} == {ids[0], ids[2]}


def test_wrong_input_is_shown_again_and_nothing_is_stored(engine: Engine) -> None:
    before = everything(engine)
    with visit(engine) as client:
        form = {"email": "nobody", "text": "<b>Engines</b>"}
        answer = client.post("/sign-up", data=form)
    assert answer.status_code == 422
    assert "@-sign" in answer.text
    assert "&lt;b&gt;Engines" in answer.text
    after = everything(engine)
    assert {name: rows for name, rows in after.items() if name != "rate_limit"} == {
        name: rows for name, rows in before.items() if name != "rate_limit"
    }


def test_a_script_that_fills_in_every_field_gets_the_same_page_and_no_row(engine: Engine) -> None:
    with visit(engine) as client:
        answer = client.post("/sign-up", data={"email": EMAIL, "website": "https://spam.example"})
    assert "Check your inbox" in answer.text
    assert notes(engine) == []


def test_nobody_learns_whether_an_address_is_known(engine: Engine) -> None:
    add_reader(engine, "active@reader.example")
    left = add_reader(engine, "left@reader.example")
    bounced = "bounced@reader.example"
    with session_scope(engine) as session:
        accounts.unsubscribe(session, left)
        reason = SuppressionReason.BOUNCED
        suppress(session, SIGNER.hash_address(bounced), reason)
    known = ["active@reader.example", "left@reader.example", bounced, "new@reader.example"]
    with visit(engine) as client:
        answers = {client.post("/sign-up", data={"email": email}).text for email in known}
        links = {client.post("/account", data={"email": email}).text for email in known}
    assert len(answers) == 1
    assert len(links) == 1
    assert sorted(notes(engine)) == [
        (DeliveryKind.ACCOUNT_LINK, "active@reader.example"),
        (DeliveryKind.ACCOUNT_LINK, "left@reader.example"),
        (DeliveryKind.CONFIRMATION, bounced),
        (DeliveryKind.CONFIRMATION, "left@reader.example"),
        (DeliveryKind.CONFIRMATION, "new@reader.example"),
    ]


def test_a_long_text_in_any_script_is_kept_whole(engine: Engine) -> None:
    # 1,900 characters that compress badly: PostgreSQL's indexes take 2,704 octets.
    text = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(1_900))
    with visit(engine) as client:
        assert client.post("/sign-up", data={"email": EMAIL, "text": text}).status_code == 200
        confirm(client, engine)
        assert interests(engine) == {(InterestKind.TEXT, text)}
        form = {"topic-0-name": "Engines", "topic-0-text": text[::-1]}
        steer = f"/preferences/{SIGNER.sign(Purpose.PREFERENCES, only(engine).public_id)}"
        assert client.post(steer, data=form).status_code == 303
        assert interests(engine) == {(InterestKind.TEXT, text[::-1])}
        too_long = client.post(steer, data=form | {"topic-0-text": text + text})
    assert too_long.status_code == 422
    assert "the maximum is 2000" in too_long.text


def test_sign_ups_per_network_are_limited(engine: Engine) -> None:
    with visit(engine) as client:
        codes = [
            client.post("/sign-up", data={"email": f"r{number}@reader.example"}).status_code
            for number in range(32)
        ]
        refused = client.post("/sign-up", data={"email": EMAIL})
    assert codes == [200] * 30 + [429] * 2
    assert 0 < int(refused.headers["retry-after"]) <= 3600
    assert len(notes(engine)) == 30


def test_behind_a_trusted_proxy_the_visitor_counts_and_not_the_proxy() -> None:
    from newsletter.web.rate_limit import network_of

    def seen(host: str) -> str:
        scope = {"type": "http", "headers": [], "client": (host, 1)}
        from starlette.requests import Request

        return network_of(Request(scope))

    assert seen("192.0.2.7") == seen("192.0.2.200") == seen("::ffff:192.0.2.1")
    assert seen("2001:db8:0:100::1") == seen("2001:db8:0:1ff::2") != seen("2001:db8:0:200::1")
    assert seen("not an address") == "unknown"


def test_a_sign_up_that_was_never_confirmed_is_forgotten(engine: Engine) -> None:
    with visit(engine) as client:
        client.post("/sign-up", data={"email": EMAIL})
        with session_scope(engine) as session:
            session.exec(select(Subscriber)).one().created_at = utc_now() - timedelta(days=31)
        client.post("/sign-up", data={"email": "new@reader.example"})
    assert only(engine).email == "new@reader.example"


def test_the_form_has_the_attributes_browsers_need(sqlite_engine: Engine) -> None:
    with visit(sqlite_engine) as client:
        for path in ("/", "/sign-up"):
            page: httpx.Response = client.get(path)
            assert 'autocomplete="email"' in page.text
            assert 'tabindex="-1"' in page.text
