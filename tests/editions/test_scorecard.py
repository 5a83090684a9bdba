"""The scorecard counts what was mailed, judged and relevant, and says when that is too little."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import DeliveryStatus, Edition, Feedback, Label, Signal, Subscriber
from newsletter.editions import scorecard as cards
from newsletter.editions.scorecard import Counts, Late, made_of, wilson
from newsletter.editions.scorecard_counts import scorecard
from newsletter.subscribers import accounts
from tests.support.command import Newsletter
from tests.support.factories import (
    make_delivery,
    make_edition,
    make_item,
    make_paper,
    make_subscriber,
)
from tests.support.operators import operating
from tests.support.visits import add_reader, everything, preferences, visit

JOINED = datetime(2026, 10, 1, tzinfo=UTC)
SEEN = datetime(2026, 11, 18, 6, tzinfo=UTC)
SENT = datetime(2026, 11, 20, 7, tzinfo=UTC)
GOOD, BAD, KEPT = Signal.RELEVANT, Signal.NOT_RELEVANT, Signal.SAVED
# Mailed to the first reader: label, match, what the reader said, days before it was mailed.
MAILED: list[tuple[Label, float | None, tuple[Signal, ...], int]] = [
    (Label.STRONG, 0.95, (GOOD, KEPT), 2),
    (Label.STRONG, 0.85, (BAD,), 2),
    (Label.STRONG, 0.80, (), 2),
    (Label.GOOD, 0.75, (KEPT, BAD), 9),
    (Label.GOOD, 0.60, (), 2),
    (Label.WORTH, 0.50, (BAD,), 20),
    (Label.WORTH, 0.2499, (GOOD,), 7),
    (Label.NONE, None, (BAD,), 2),
]


def fill(engine: Engine) -> None:
    """Two readers: what one was mailed is above; of the other's digests one did not arrive."""
    with session_scope(engine) as session:
        edition = make_edition(session, date(2026, 11, 20))
        ada = make_subscriber(session, "ada@reader.example", confirmed_at=JOINED)
        bob = make_subscriber(session, "bob@reader.example", confirmed_at=JOINED)
        hers = make_delivery(session, edition, ada, status=DeliveryStatus.SENT, finished_at=SENT)
        papers = []
        for number, (label, match, signals, days) in enumerate(MAILED, start=1):
            paper = make_paper(session, number, first_seen_at=SENT - timedelta(days=days))
            papers.append(paper.id or 0)
            item = make_item(hers, paper, number)
            item.label, item.match = label, match
            session.add(item)
            session.add_all(said(ada, paper.id or 0, *signals))
        # What Bob says of Ada's papers is nothing that was mailed to him, but one.
        session.add_all([*said(bob, papers[0], BAD), *said(bob, papers[2], GOOD)])
        later = make_edition(session, date(2026, 11, 27))
        his = make_delivery(session, edition, bob, status=DeliveryStatus.BOUNCED, finished_at=SENT)
        arrived = make_delivery(
            session, later, bob, status=DeliveryStatus.COMPLAINED, finished_at=SENT
        )
        session.add_all(
            [
                make_item(his, session.get_one(type(paper), papers[0])),
                make_item(arrived, session.get_one(type(paper), papers[1])),
            ]
        )
        # Found by the readers themselves: one from before they joined.
        new = make_paper(session, 91, first_seen_at=SEEN)
        old = make_paper(session, 92, first_seen_at=JOINED - timedelta(days=1))
        session.add_all([*said(ada, new.id or 0, KEPT), *said(ada, old.id or 0, GOOD)])


def said(reader: Subscriber, paper_id: int, *signals: Signal) -> list[Feedback]:
    return [
        Feedback(subscriber_id=reader.id or 0, paper_id=paper_id, signal=signal, created_at=SENT)
        for signal in signals
    ]


def test_each_mailed_paper_is_counted_once_under_its_label_and_its_match(engine: Engine) -> None:
    fill(engine)
    before = everything(engine)
    with read_scope(engine) as session:
        ada = accounts.find_by_email(session, "ada@reader.example")
        bob = accounts.find_by_email(session, "bob@reader.example")
        assert ada
        assert bob
        hers = scorecard(session, subscriber_id=ada.id)
        his = scorecard(session, subscriber_id=bob.id)
        all_of_them = scorecard(session)
        lately = scorecard(session, since=date(2026, 11, 21))
    assert hers.labels == {
        Label.STRONG: Counts(3, 2, 1),
        Label.GOOD: Counts(2, 1, 1),  # saved, though no more like it is wanted
        Label.WORTH: Counts(2, 2, 1),
        Label.NONE: Counts(1, 1, 0),
    }
    assert hers.below == {25: Counts(2, 2, 1), 50: Counts(2, 2, 1), 75: Counts(4, 3, 1)}
    assert (hers.total, hers.judges) == (Counts(8, 6, 3), 1)
    # Late is more than seven days, and of relevant papers only.
    assert hers.late == Late(relevant=5, mailed_late=1, never_picked=1)
    assert his.labels[Label.STRONG] == Counts(1, 0, 0)  # the one that did not bounce
    assert (his.total, his.judges) == (Counts(1, 0, 0), 0)
    assert his.late == Late(relevant=1, mailed_late=0, never_picked=1)
    assert (all_of_them.total, all_of_them.judges) == (hers.total + his.total, 1)
    assert lately.total == his.total
    assert lately.late == Late()
    assert everything(engine) == before


def test_the_command_prints_one_object_for_a_reader_or_all_and_works_before_any_edition(
    engine: Engine, tmp_path: Path
) -> None:
    newsletter = Newsletter(engine, tmp_path)
    code, printed, _ = newsletter.run("scorecard", "--json")
    empty = json.loads(printed)
    assert code == 0
    assert set(empty["labels"]) == {"strong", "good", "worth a look", "none"}
    for counts in empty["labels"].values():
        assert (counts["shown"], counts["judged"], counts["relevant"]) == (0, 0, 0)
        assert (counts["share"], counts["interval"]) == (None, None)
    assert "No paper has been mailed yet." in newsletter.run("scorecard")[1]

    fill(engine)
    card = json.loads(newsletter.run("scorecard", "ADA@reader.example", "--json")[1])
    strong = {name: card["labels"]["strong"][name] for name in ("shown", "judged", "relevant")}
    assert strong == {"shown": 3, "judged": 2, "relevant": 1}
    assert card["minimums"]["75"] == {"left_out": 4, "saved": 2, "lost": 1, "unjudged": 1}
    assert card["late"] == {"days": 7, "relevant": 5, "mailed_late": 1, "never_picked": 1}
    assert json.loads(newsletter.run("scorecard", "--json")[1])["labels"]["strong"]["shown"] == 4

    said = newsletter.run("scorecard", "bob@reader.example")[1]
    assert "1 paper mailed, none judged yet." in said
    for wrong in ("nobody@reader.example", "not an address"):
        code, printed, told = newsletter.run("scorecard", wrong, "--json")
        assert (code, printed, told.count("\n")) == (2, "", 1)
    assert newsletter.run("scorecard", "--days", "0")[0] == 2


def test_the_pages_show_a_reader_their_own_counts_and_the_operator_all(engine: Engine) -> None:
    public_id = add_reader(engine)
    fill(engine)
    with session_scope(engine) as session:
        # The operator's page looks back from today, whenever that is.
        for days, edition in enumerate(session.exec(select(Edition)).all()):
            edition.issue_date = utc_now().date() - timedelta(days=days)
    with read_scope(engine) as session:
        ada = accounts.find_by_email(session, "ada@reader.example")
        assert ada
        own = ada.public_id
    before = everything(engine)
    with visit(engine) as client:
        page = client.get(f"{preferences(own)}/scorecard").text
        assert "<strong>Strong</strong>: 3 mailed, 2 judged, 1 relevant: too few to say" in page
        assert "bob@" not in page
        assert (
            "No paper has been mailed yet."
            in client.get(f"{preferences(public_id)}/scorecard").text
        )
        forged = client.get(f"{preferences(own)[:-1]}/scorecard")
        assert forged.status_code == 404
        assert "mailed" not in forged.text
        assert "/scorecard" in client.get(preferences(own)).text
    assert everything(engine) == before
    with operating(engine) as client:
        page = client.get("/operator/scorecard?days=366").text
        assert '<th scope="row" class="nowrap">strong</th><td class="n">4</td>' in page
        assert "<svg" in page
        assert "ada@" not in page


def test_too_few_judgements_give_no_share_and_enough_give_one_with_an_interval() -> None:
    few = Counts(400, 19, 19)
    assert cards.share_in_words(few) == "too few to say"
    assert (few.share, few.interval) == (None, None)
    enough = Counts(400, 20, 18)
    assert cards.share_in_words(enough) == "90% relevant (70% to 97%)"
    assert "too few judged to choose by" in cards.minimum_in_words(50, few)
    assert "too few" not in cards.minimum_in_words(50, enough)
    assert "it takes 20" in cards.judging_in_words(made_of({(Label.GOOD, 1): few}, judges=2))
    line = cards.judging_in_words(made_of({(Label.GOOD, 1): enough}, judges=1))
    assert line.startswith("20 of 400 papers mailed were judged (5%), by 1 reader.")
    assert "readers choose what they judge" in line
    rare = cards.judging_in_words(made_of({(Label.GOOD, 1): Counts(9_000, 30, 9)}, judges=2))
    assert "(less than 1%)" in rare


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    # Of no hit the upper end is z² / (trials + z²), with z = 1.96; of hits alone, one minus that.
    [(18, 20, 0.6990, 0.9721), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (1, 1, 0.2065, 1.0)],
)
def test_the_interval_is_wilsons(hits: int, trials: int, low: float, high: float) -> None:
    assert wilson(hits, trials) == pytest.approx((low, high), abs=1e-4)


def test_a_minimum_leaves_out_what_is_below_it_and_never_what_reaches_it() -> None:
    one = Counts(1, 1, 0)
    assert made_of({(Label.STRONG, 3): one}).below == {25: Counts(), 50: Counts(), 75: Counts()}
    assert made_of({(Label.WORTH, 1): one}).below == {25: Counts(), 50: one, 75: one}
    assert made_of({(Label.NONE, 0): one}).below == {25: one, 50: one, 75: one}
