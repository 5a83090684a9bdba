"""What `export` writes, `import` reads: random subscribers come back the same in every field."""

import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core import database
from newsletter.core.csv_cells import harmless_cell, join_list, plain_cell, split_list
from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import (
    Cadence,
    DigestLength,
    Feedback,
    InterestKind,
    Paper,
    QuietNotes,
    Signal,
    Subscriber,
    SubscriberStatus,
)
from newsletter.core.tokens import Signer
from newsletter.ranking.profiles import feedback
from newsletter.subscribers import accounts
from newsletter.subscribers.bulk_import import import_csv
from newsletter.subscribers.csv_writing import export_rows, write_csv
from newsletter.subscribers.preferences import preferences_of, topics_of
from newsletter.subscribers.validation import InterestInput, Preferences, TopicRequest
from tests.support import factories

SIGNER = Signer(("a" * 32,))
PIECES = (
    "=1+1", "+49", "-x", "@home", "'=quoted", "''", '"', 'a "b" c', ";", "a;b", "\\", "\\;", "C++;",
    "Émile", "機械学習", ",", "'", "$\\alpha$", "x" * 60, "sep=;", "0", "yes", "ada@b.example",
)  # fmt: skip


def words(draw: random.Random, most: int = 3) -> str:
    return " ".join(draw.choice(PIECES) for _ in range(draw.randint(1, most))).strip()


def request(draw: random.Random, name: str) -> TopicRequest:
    clues: dict[tuple[InterestKind, str], InterestInput] = {}
    for _ in range(draw.randint(0, 6)):
        kind = draw.choice([InterestKind.TEXT, InterestKind.KEYWORD, InterestKind.AUTHOR])
        value, weight = words(draw), 1.0
        if kind is InterestKind.KEYWORD and draw.random() < 0.3:
            weight = -1.0
        clues.setdefault((kind, value.casefold()), InterestInput(kind, value, weight))
    for number in draw.sample(range(1, 9), draw.randint(0, 2)):
        clues[InterestKind.SEED_PAPER, str(number)] = InterestInput(
            InterestKind.SEED_PAPER, f"2611.{number:05}"
        )
    if draw.random() < 0.5:
        clues[InterestKind.CATEGORY, ""] = InterestInput(InterestKind.CATEGORY, "cs.CL")
    quota = draw.choice([None, 1, 50])
    return TopicRequest(name, tuple(clues.values()), quota, draw.random() < 0.3)


def preferences(draw: random.Random) -> Preferences:
    return Preferences(
        cadence=draw.choice(list(Cadence)),
        weekday=draw.randrange(7),
        send_hour=draw.randrange(24),
        time_zone=draw.choice(["UTC", "Europe/Berlin", "Asia/Kolkata"]),
        max_papers=draw.randint(1, 50),
        min_score=draw.randint(0, 100),
        weekly_budget=draw.choice([None, 1, 350]),
        length=draw.choice(list(DigestLength)),
        popularity=draw.randint(0, 100),
        outside_picks=draw.random() < 0.5,
        tell_when_nothing=draw.choice(list(QuietNotes)),
        tell_revisions=draw.random() < 0.5,
        fill_list=draw.random() < 0.5,
        read_here=draw.random() < 0.5,
        vacation_until=draw.choice([None, date(2026, 12, 1) + timedelta(draw.randrange(90))]),
    )


def populate(session: Session, draw: random.Random, number: int) -> None:
    papers = [factories.make_paper(session, place).id or 0 for place in range(1, 9)]
    for place in range(number):
        status = draw.choice(
            [SubscriberStatus.ACTIVE, SubscriberStatus.PAUSED, SubscriberStatus.PENDING]
        )
        added = accounts.add(
            session,
            SIGNER,
            email=f"{'+-=a'[place % 4]}{place}@reader.example",
            name=words(draw, 2)[:60],
            preferences=preferences(draw),
            topics=[request(draw, f"{words(draw, 1)} {n}") for n in range(draw.randint(1, 3))],
            confirmed=status is not SubscriberStatus.PENDING,
            source="a test",
        )
        added.status = status
        session.flush()
        own = topics_of(session, added.id or 0)
        for paper in draw.sample(papers, draw.randint(0, 4)):
            topic = draw.choice(own).id
            signal = draw.choice(list(Signal))
            feedback.record(session, added.id or 0, paper, signal, topic_id=topic)


def everything(engine: Engine) -> list[Any]:
    """All that an export must carry, by address, without ids."""
    found = []
    with read_scope(engine) as session:
        for subscriber in session.exec(select(Subscriber).order_by(col(Subscriber.email))):
            topics = topics_of(session, subscriber.id or 0)
            names: dict[int | None, str] = {topic.id: topic.request.name for topic in topics}
            judged = session.exec(
                select(Feedback.topic_id, Feedback.signal, Paper.external_id)
                .join(Paper, col(Paper.id) == col(Feedback.paper_id))
                .where(Feedback.subscriber_id == subscriber.id)
            ).all()
            found.append(
                (
                    subscriber.email,
                    subscriber.name,
                    subscriber.status,
                    preferences_of(subscriber),
                    [
                        (t.request.name, t.request.quota, t.request.paused,
                         {(c.kind, c.value, c.weight) for c in t.request.clues})
                        for t in topics
                    ],
                    sorted((names.get(topic, ""), *rest) for topic, *rest in judged),
                )
            )  # fmt: skip
    return found


@pytest.mark.parametrize("seed", range(4))
def test_random_subscribers_come_back_the_same(engine: Engine, tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    with session_scope(engine) as session:
        populate(session, draw, 30)
    file = tmp_path / "subscribers.csv"
    with read_scope(engine) as session, file.open("w", encoding="utf-8", newline="") as opened:
        write_csv(export_rows(session), opened)

    other = database.connect(f"sqlite:///{tmp_path / 'other.db'}")
    database.upgrade(other)
    with session_scope(other) as session:
        for place in range(1, 9):
            factories.make_paper(session, place)
    report = import_csv(other, SIGNER, file, confirmed=True)
    assert report.refused == []
    assert everything(other) == everything(engine)


@pytest.mark.parametrize("cell", [*PIECES, "'-", "''=", "'''@x", "", "'a"])
def test_a_guard_against_formulas_is_taken_off_again(cell: str) -> None:
    assert plain_cell(harmless_cell(cell)) == cell
    assert not harmless_cell(cell).startswith(("=", "+", "-", "@"))


def test_values_of_a_list_come_back_whatever_is_in_them() -> None:
    draw = random.Random(7)
    for _ in range(2000):
        values = [words(draw) for _ in range(draw.randint(1, 5))]
        assert split_list(join_list(values)) == values
    assert split_list("graph; -x;cs.CL") == ["graph", "-x", "cs.CL"]


def imported(engine: Engine, file: Path, text: str) -> tuple[int, dict[int, str]]:
    file.write_text(text, encoding="utf-8")
    report = import_csv(engine, SIGNER, file, confirmed=True)
    return report.added, {remark.line: remark.reason for remark in report.refused}


def test_a_stray_quote_costs_one_line_and_it_is_named(engine: Engine, tmp_path: Path) -> None:
    lines = ["email,name", *(f"a{number}@b.example,Ada" for number in range(1000))]
    lines[5] = 'a4@b.example,"Ada'
    lines[700] = '"a699@b.example,Ada'
    added, refused = imported(engine, tmp_path / "list.csv", "\n".join(lines))
    assert (added, refused) == (
        998, {6: "a quote is opened and never closed", 701: "a quote is opened and never closed"},
    )  # fmt: skip


def test_a_quote_is_not_closed_by_the_next_lines(engine: Engine, tmp_path: Path) -> None:
    text = 'email,name\na@b.example,"Ada\nb@b.example,"Bob"\nc@b.example,"Cy"\n'
    added, refused = imported(engine, tmp_path / "list.csv", text)
    assert (added, list(refused)) == (2, [2])


def test_a_cell_of_several_lines_is_one_cell(engine: Engine, tmp_path: Path) -> None:
    text = 'email,text\na@b.example,"graphs\nand, ""trees"""\nb@b.example,x\n'
    assert imported(engine, tmp_path / "list.csv", text) == (2, {})


@pytest.mark.parametrize("name", ["ａｄａ@b.example", "ada@ｂ.example", f"{'a' * 65}@b.example",
                                  f"{'é' * 40}@b.example"])  # fmt: skip
def test_look_alike_letters_and_long_local_parts_are_refused(
    engine: Engine, tmp_path: Path, name: str
) -> None:
    added, refused = imported(engine, tmp_path / "list.csv", f"email\n{name}\n")
    assert (added, list(refused)) == (0, [2])
