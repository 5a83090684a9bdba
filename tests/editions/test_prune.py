"""Pruning: the words of old digests go; nothing is sent twice, and nobody is mailed again."""

import json
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import (
    ClickBy,
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    DigestItem,
    EditionPaper,
    EditionStatus,
    EventKind,
    FetchLog,
    FetchStatus,
    KeptMail,
    Suppression,
    SuppressionReason,
)
from newsletter.editions.prune import outlook, prune
from tests.support import factories
from tests.support.command import Newsletter, dump

NOW = utc_now()
OLD = NOW - timedelta(days=100)


def fill(engine: Engine) -> None:
    with session_scope(engine) as session:
        reader = factories.make_subscriber(session)
        papers = [factories.make_paper(session, number) for number in (1, 2, 3)]
        for days, paper, status in (
            (100, papers[0], DeliveryStatus.SENT),
            (99, papers[1], DeliveryStatus.DEFERRED),
            (10, papers[2], DeliveryStatus.SENT),
        ):
            edition = factories.make_edition(
                session, (NOW - timedelta(days=days)).date(), status=EditionStatus.SENT
            )
            digest = factories.make_digest(session, edition, reader, [paper])
            digest.status = status
            session.add(digest)
            for kind, detail in (
                (EventKind.BOUNCED, ""),
                (EventKind.CLICKED, ClickBy.PERSON),
                (EventKind.CLICKED, ClickBy.MACHINE),
            ):
                session.add(
                    DeliveryEvent(
                        delivery_id=digest.id,
                        kind=kind,
                        provider="test",
                        provider_event_id=f"{days} {kind} {detail}",
                        occurred_at=NOW - timedelta(days=days),
                        detail=detail,
                    )
                )
            session.add(
                FetchLog(
                    source="arxiv",
                    started_at=NOW - timedelta(days=days),
                    status=FetchStatus.OK,
                )
            )
        session.add(
            Suppression(address_hash="x", reason=SuppressionReason.OPERATOR, created_at=OLD)
        )
        session.add(
            KeptMail(fingerprint="a", received_at=OLD, kind="unknown", size=1, content=b"x")
        )


def test_words_of_old_digests_go_and_their_rows_stay(engine: Engine) -> None:
    fill(engine)
    with read_scope(engine) as session:
        expected = outlook(session, NOW)
    gone = prune(engine, NOW)
    assert gone == expected
    assert (gone.digests, gone.frozen_papers, gone.kept_mails, gone.fetches) == (1, 1, 1, 2)
    assert gone.events == 4  # of two old digests; the clicks of a person stay
    with read_scope(engine) as session:
        items = session.exec(select(DigestItem).order_by(col(DigestItem.paper_id))).all()
        assert [item.explanation != "" for item in items] == [False, True, True]
        assert [item.label.value for item in items] == ["strong"] * 3
        assert {item.paper_id for item in items} == {1, 2, 3}
        subjects = session.exec(select(Delivery.subject).order_by(col(Delivery.id))).all()
        assert [bool(subject) for subject in subjects] == [False, True, True]
        assert len(session.exec(select(EditionPaper)).all()) == 2
        assert len(session.exec(select(Suppression)).all()) == 1
        assert len(session.exec(select(FetchLog)).all()) == 1
    assert prune(engine, NOW).total == 0


def test_a_dry_run_says_the_same_and_changes_no_row(sqlite_engine: Engine, tmp_path: Path) -> None:
    fill(sqlite_engine)
    newsletter = Newsletter(sqlite_engine, tmp_path)
    before = dump(sqlite_engine)
    code, said, _ = newsletter.run("prune", "--dry-run", "--json")
    told = json.loads(said)
    assert (code, told["digests"], told["dry_run"], told["keep_days"]) == (0, 1, True, 90)
    assert dump(sqlite_engine) == before
    code, said, _ = newsletter.run("prune")
    assert (code, "1 digests, 1 frozen papers" in said) == (0, True)
    code, said, _ = newsletter.run("prune", "--keep-days", "5")
    assert (code, "1 digests" in said) == (0, True)
    for wrong in ("0", "-1", "ten"):
        code, _, err = newsletter.run("prune", "--keep-days", wrong)
        assert (code, "--keep-days" in err) == (2, True)
