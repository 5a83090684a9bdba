"""Trials in whole editions: who gets what, what judgements count, and how a trial ends."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.errors import UsageError
from newsletter.core.models import (
    Delivery,
    DigestItem,
    Edition,
    InterestKind,
    Label,
    Paper,
    Signal,
    Subscriber,
    Team,
    Trial,
    TrialOutcome,
)
from newsletter.editions import lifecycle, preparation, preview, prune, trials
from newsletter.editions.ordering import ordered
from newsletter.editions.why import Asking, Outcome
from newsletter.ranking.profiles import profiles, training
from newsletter.ranking.ranker import Ranker
from newsletter.ranking.recipes import RECIPES
from newsletter.subscribers import accounts, data_export
from tests.support import factories
from tests.support.command import Newsletter
from tests.support.factories import ISSUE_DATE
from tests.support.profiles import NOW, add_subscriber, add_topic, give

TOMORROW = ISSUE_DATE + timedelta(days=1)
THINGS = ("repair", "fuzzing", "protein", "galaxy")
MORE = ("of programs", "of programs", "of programs in practice", "with graphs", "on ice")


def stock(engine: Engine, count: int = 4) -> None:
    """Twenty papers, many much alike, and readers who want five of them."""
    with session_scope(engine) as session:
        for number, (thing, way) in enumerate(product(THINGS, MORE), start=1):
            factories.make_paper(
                session,
                number,
                title=f"{thing.title()} {way}, part {number}",
                abstract=f"{thing.title()} {way} is hard. We study {thing} {way}: it works.",
                first_seen_at=NOW - timedelta(hours=3),
            )
        for number in range(count):
            reader = add_subscriber(
                session, f"reader{number}@x.example", max_papers=5, outside_picks=False
            )
            words = (THINGS[number % 4], THINGS[(number + 1) % 4], "graphs")
            add_topic(session, reader, "Mine", *((InterestKind.KEYWORD, w, 1.0) for w in words))
    training.train(engine)


def start(engine: Engine, recipe: str = "varied", **options: Any) -> int:
    with session_scope(engine) as session:
        return trials.start(session, recipe, utc_now(), **options).id or 0


def prepare(engine: Engine, day: date = ISSUE_DATE, **options: Any) -> None:
    preparation.prepare(engine, day, message_domain="papers.example", **options)


def items(engine: Engine) -> list[tuple[Any, ...]]:
    """What was frozen, without what is random."""
    with read_scope(engine) as session:
        query = select(DigestItem).order_by(col(DigestItem.subscriber_id), col(DigestItem.position))
        return [
            (i.subscriber_id, i.paper_id, i.position, i.score, i.match, i.label, i.team)
            for i in session.exec(query)
        ]


def judge_for(session: Session, team: Team, readers: Sequence[int], signal: Signal) -> None:
    """Each reader judges the first paper that a team chose for them."""
    for reader in readers:
        paper = session.exec(
            select(DigestItem.paper_id)
            .where(DigestItem.subscriber_id == reader, DigestItem.team == team)
            .order_by(col(DigestItem.position))
        ).first()
        if paper is not None:
            give(session, reader, paper, signal)


def made_up_digests(engine: Engine, trial_id: int, readers: int, day: date = ISSUE_DATE) -> None:
    """One digest for each of many readers, with a paper of each team."""
    with session_scope(engine) as session:
        edition = factories.make_edition(session, day, trial_id=trial_id)
        papers = [factories.make_paper(session, 900 + n) for n in (1, 2)]
        for number in range(readers):
            reader = factories.make_subscriber(session, f"judge{number}@x.example")
            digest = factories.make_delivery(session, edition, reader)
            for place, (paper, team) in enumerate(zip(papers, Team, strict=True), start=1):
                item = factories.make_item(digest, paper, place)
                item.team = team
                session.add(item)


def judge_all(engine: Engine, team: Team, signal: Signal) -> None:
    with session_scope(engine) as session:
        readers = session.exec(select(DigestItem.subscriber_id).distinct()).all()
        judge_for(session, team, readers, signal)


def test_a_trial_changes_the_order_and_never_a_match_a_label_or_what_fits(engine: Engine) -> None:
    stock(engine, 12)
    start(engine, "focused")
    prepare(engine)
    with read_scope(engine) as session:
        ids = session.exec(select(Subscriber.id).order_by(col(Subscriber.id))).all()
        own = profiles.load_profiles(session, [number or 0 for number in ids])
        since = utc_now() - timedelta(days=30)
        wide = [replace(profile, max_papers=20, seen=frozenset(), since=since) for profile in own]
        plain = Ranker(profiles.load_candidates(session, since)).rank(wide)
    told = {
        (ranked.subscriber_id, pick.paper_id): (pick.match, pick.label, pick.score)
        for ranked in plain
        for pick in ranked.picks
    }
    frozen = items(engine)
    assert {team for *_, team in frozen} == {None, *Team}
    assert frozen
    for reader, paper, _, score, match, label, _ in frozen:
        assert told[reader, paper] == (match, label, score)
        assert label is not Label.NONE


def test_a_minimum_holds_for_both_recipes(engine: Engine) -> None:
    stock(engine, 6)
    with session_scope(engine) as session:
        for reader in session.exec(select(Subscriber)):
            reader.min_score = 60
    start(engine, "varied")
    prepare(engine)
    found = items(engine)
    assert found
    assert all(match >= 0.6 for *_, match, _, _ in found)


def test_every_share_and_every_preview_gives_the_same_digests(engine: Engine) -> None:
    stock(engine, 6)
    start(engine, "focused")
    with read_scope(engine) as session:
        ids = [number or 0 for number in session.exec(select(Subscriber.id))]
        emails = list(session.exec(select(Subscriber.email)))
    before = [preview.preview(engine, email, ISSUE_DATE) for email in emails]
    with read_scope(engine) as session:
        plan = trials.plan_of(session, ISSUE_DATE, utc_now())
        candidates = profiles.load_candidates(session, utc_now() - timedelta(days=30))
        rankings = Ranker(candidates).rank(ordered(profiles.load_profiles(session, ids), plan))
    prepare(engine, subscriber_ids=ids[3:])
    prepare(engine, subscriber_ids=ids[:2])
    prepare(engine)
    frozen = items(engine)
    assert [row[1] for row in frozen] == [p.paper_id for r in rankings for p in r.picks]
    assert [row[6] for row in frozen] == [p.team for r in rankings for p in r.picks]
    after = [preview.preview(engine, email, ISSUE_DATE) for email in emails]
    shown = [[[p.paper_id for p in each.papers] for each in several] for several in (before, after)]
    assert shown[0] == shown[1]


def test_why_tells_of_a_digest_of_a_trial_what_it_held(sqlite_engine: Engine) -> None:
    engine = sqlite_engine
    stock(engine, 1)
    start(engine, "focused")
    with read_scope(engine) as session:
        reader = session.exec(select(Subscriber)).one()
        papers = session.exec(select(Paper).order_by(col(Paper.id))).all()
        since = utc_now() - timedelta(days=30)
        candidates = profiles.load_candidates(session, since)
    # Papers that only one of the recipes picks, and some that neither does.
    asked = [papers[number - 1] for number in (6, 7, 19, 2, 20)]
    told = []
    for _ in ("before", "after"):
        with read_scope(engine) as session:
            asking = Asking(session, reader, lambda _session, _until: candidates)
            told.append([asking.why(paper, ISSUE_DATE).outcome for paper in asked])
        prepare(engine)
    held = {row[1] for row in items(engine)}
    assert len(held) == 5
    assert told[0] == told[1]
    assert [outcome is Outcome.SELECTED for outcome in told[0]] == [p.id in held for p in asked]


def test_only_posted_judgements_count_and_each_digest_once(engine: Engine) -> None:
    trial_id = start(engine)
    made_up_digests(engine, trial_id, 3)
    with session_scope(engine) as session:
        first, second, third = session.exec(select(Subscriber.id).order_by(col(Subscriber.id)))
        one, two = session.exec(select(DigestItem.paper_id).distinct().order_by("paper_id"))
        assert trials.preferences(session, trial_id).judged == 0
        # The control's paper was not liked, and the challenger's was saved and liked: one win.
        give(session, first or 0, one, Signal.NOT_RELEVANT)
        give(session, first or 0, two, Signal.RELEVANT)
        give(session, first or 0, two, Signal.SAVED)
        # Both liked: judged, and no preference.
        give(session, second or 0, one, Signal.RELEVANT)
        give(session, second or 0, two, Signal.SAVED)
        # A paper that no digest of the trial held.
        give(session, third or 0, factories.make_paper(session, 77).id or 0, Signal.RELEVANT)
        seen = trials.preferences(session, trial_id)
        assert trials.reach(session, trial_id) == (3, 3)
        for item in session.exec(select(DigestItem).where(DigestItem.subscriber_id == third)):
            item.team = None
        session.flush()
        assert trials.reach(session, trial_id) == (3, 2)
    assert (seen.readers, seen.judged, seen.count, seen.total) == (2, 2, 1, 1)


@pytest.mark.parametrize(
    ("team", "signal", "outcome", "recipe"),
    [
        (Team.CHALLENGER, Signal.RELEVANT, TrialOutcome.BETTER, "varied"),
        (Team.CONTROL, Signal.SAVED, TrialOutcome.WORSE, "standard"),
        (Team.CHALLENGER, Signal.NOT_RELEVANT, TrialOutcome.WORSE, "standard"),
    ],
)
def test_a_trial_ends_by_itself_when_the_next_edition_is_opened(
    engine: Engine, team: Team, signal: Signal, outcome: TrialOutcome, recipe: str
) -> None:
    trial_id = start(engine)
    made_up_digests(engine, trial_id, 40)
    judge_all(engine, team, signal)
    with read_scope(engine) as session:
        assert trials.current_recipe(session) == "standard"
        told = trials.plan_of(session, TOMORROW, utc_now())
    lifecycle.open_edition(engine, TOMORROW, utc_now())
    with read_scope(engine) as session:
        trial = session.get_one(Trial, trial_id)
        edition = session.exec(select(Edition).where(Edition.issue_date == TOMORROW)).one()
        assert (trial.outcome, trial.is_running) == (outcome, None)
        assert (edition.recipe, edition.trial_id) == (recipe, None)
        assert trials.current_recipe(session) == recipe
        assert trials.plan_of(session, TOMORROW, utc_now()) == told
        kept = trials.restored(trial.figures)
        assert kept.count == 40
        # What was prepared while it ran was interleaved, and what an old edition gets now is not.
        of_then = trials.plan_of(session, ISSUE_DATE, trial.started_at)
        assert (of_then.challenger, of_then.trial_id) == ("varied", trial_id)
        assert trials.plan_of(session, ISSUE_DATE, utc_now()).challenger is None
    # Judgements that come later change nothing of what was decided.
    with session_scope(engine) as session:
        session.delete(session.exec(select(Subscriber)).all()[0])
    with read_scope(engine) as session:
        assert trials.seen_in(session, session.get_one(Trial, trial_id)) == kept


def test_a_trial_that_nobody_judges_ends_when_its_days_are_over(engine: Engine) -> None:
    trial_id = start(engine, days=3)
    now = utc_now()
    lifecycle.open_edition(engine, ISSUE_DATE, now + timedelta(days=2))
    with read_scope(engine) as session:
        assert trials.running(session) is not None
    lifecycle.open_edition(engine, TOMORROW, now + timedelta(days=3, minutes=1))
    with read_scope(engine) as session:
        trial = session.get_one(Trial, trial_id)
        assert trial.outcome is TrialOutcome.NO_DIFFERENCE
        assert trials.current_recipe(session) == "standard"


def test_a_reader_who_is_erased_takes_their_judgements_along(engine: Engine) -> None:
    trial_id = start(engine)
    made_up_digests(engine, trial_id, 3)
    judge_all(engine, Team.CHALLENGER, Signal.RELEVANT)
    with session_scope(engine) as session:
        assert trials.preferences(session, trial_id).readers == 3
        leaving = session.exec(select(Subscriber)).all()[0]
        accounts.erase(session, leaving.public_id)
    with read_scope(engine) as session:
        seen = trials.preferences(session, trial_id)
    assert (seen.readers, seen.count, seen.total) == (2, 2, 2)


def test_an_export_tells_a_reader_which_recipe_chose_a_paper(engine: Engine) -> None:
    made_up_digests(engine, start(engine), 1)
    with read_scope(engine) as session:
        told = data_export.export(session, session.exec(select(Subscriber)).one())
    [digest] = told["deliveries"]
    assert set(digest["trial_teams"].values()) == {"control", "challenger"}
    assert set(digest["trial_teams"]) == set(digest["papers"])
    json.dumps(told)


def test_pruning_leaves_a_running_trial_its_judgements(engine: Engine) -> None:
    trial_id = start(engine)
    long_ago = utc_now() - timedelta(days=200)
    made_up_digests(engine, trial_id, 2, long_ago.date())
    judge_all(engine, Team.CONTROL, Signal.RELEVANT)
    with session_scope(engine) as session:
        for delivery in session.exec(select(Delivery)):
            delivery.status = "sent"  # type: ignore[assignment]
        session.exec(select(Edition)).one().status = "sent"  # type: ignore[assignment]
    assert prune.prune(engine, utc_now()).digests == 2
    with read_scope(engine) as session:
        assert trials.preferences(session, trial_id).total == -2


def test_the_database_lets_one_trial_run_and_no_trial_of_a_recipe_with_itself(
    engine: Engine,
) -> None:
    start(engine)
    for row in (
        Trial(control="standard", challenger="focused", days=5, margin=0.1),
        Trial(control="varied", challenger="varied", days=5, margin=0.1, is_running=None),
        Trial(control="standard", challenger="focused", days=5, margin=0.1, is_running=None),
    ):
        with pytest.raises(IntegrityError), session_scope(engine) as session:
            session.add(row)


def test_a_recipe_in_use_is_what_the_next_trial_is_held_against(engine: Engine) -> None:
    stock(engine, 2)
    with session_scope(engine) as session:
        trials.use(session, "focused", utc_now())
    with pytest.raises(UsageError, match="in use"):
        start(engine, "focused")
    prepare(engine)
    found = items(engine)
    assert found
    assert {row[6] for row in found} == {None}
    trial_id = start(engine, "standard")
    with read_scope(engine) as session:
        trial = session.get_one(Trial, trial_id)
        assert (trial.control, trial.challenger) == ("focused", "standard")
        # The edition that was open already goes on as it began.
        assert trials.plan_of(session, ISSUE_DATE, utc_now()).challenger is None
        assert trials.plan_of(session, TOMORROW, utc_now()).challenger == "standard"


def test_the_commands_say_what_is_wrong_and_what_to_do(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    run = Newsletter(sqlite_engine, tmp_path).run
    code, _, wrong = run("trial", "start", "sparkling")
    assert (code, all(name in wrong for name in RECIPES)) == (2, True)
    assert run("trial", "start", "varied", "--days", "0")[0] == 2
    code, _, wrong = run("trial", "stop")
    assert (code, wrong.strip()) == (2, "error: no trial is running")
    code, said, _ = run("trial", "start", "varied")
    assert (code, "with the next edition" in said, "nobody judged" in said) == (0, True, True)
    code, _, wrong = run("trial", "start", "focused")
    assert (code, "newsletter trial stop" in wrong) == (2, True)
    assert run("trial", "use", "focused")[0] == 2
    code, said, _ = run("trial", "status", "--json")
    found = json.loads(said)
    assert (code, found["recipe"], found["trial"]["status"]) == (0, "standard", "running")
    assert found["trial"]["enough"] is False
    assert "No reader has judged" in found["trial"]["summary"]
    assert "No digest has been prepared" in found["trial"]["summary"]
    code, said, _ = run("trial", "stop", "--json")
    assert (code, json.loads(said)["trial"]["outcome"]) == (0, "stopped")
    assert run("trial", "use", "varied")[0] == 0
    code, said, _ = run("trial", "status")
    assert (code, "Recipe in use: “varied”" in said, "“standard” stays" in said) == (0, True, True)
