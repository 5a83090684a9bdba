"""A group shares one list of interests; links, ratings and leaves stay each member's own."""

import csv
import io
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete
from sqlmodel import Session, col, select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.errors import InputError
from newsletter.core.models import (
    Delivery,
    DigestItem,
    Feedback,
    GroupMember,
    InterestKind,
    NoDigest,
    Paper,
    ReaderGroup,
    RecipeChoice,
    Signal,
    Subscriber,
    Topic,
)
from newsletter.editions import preparation, trials
from newsletter.editions.ordering import ordered
from newsletter.editions.reasons import for_operator
from newsletter.ranking.profiles import profiles, training
from newsletter.ranking.recipes import RECIPES, Ordering
from newsletter.subscribers import accounts, data_export, groups, signup
from newsletter.subscribers.signup import SignUpRequest
from newsletter.subscribers.validation import TypedTopic
from tests.support.command import Newsletter, dump
from tests.support.factories import ISSUE_DATE
from tests.support.profiles import add_papers, add_subscriber, add_topic, give
from tests.support.visits import SIGNER, everything, preferences, visit

ADA, BOB, EVE = "ada@reader.example", "bob@reader.example", "eve@reader.example"
KIM, LEO = "kim@reader.example", "leo@reader.example"


def lab(engine: Engine) -> dict[str, int]:
    """Ada, who keeps the lab's interests, Bob in it with other ones, and Eve, who is in none."""
    ids = {}
    with session_scope(engine) as session:
        add_papers(session)
        for email, word in ((ADA, "program repair"), (BOB, "proteins"), (EVE, "proteins")):
            number = add_subscriber(session, email, max_papers=4, outside_picks=False)
            session.get_one(Subscriber, number).public_id = email.partition("@")[0] * 4
            add_topic(session, number, word.title(), (InterestKind.KEYWORD, word, 1.0))
            ids[email] = number
        groups.create(session, "Robotics lab", ADA)
        groups.add(session, "Robotics lab", BOB)
    return ids


def mailed(engine: Engine) -> dict[str, list[tuple[int, str]]]:
    """(paper, reasons) of each digest, by address."""
    found: dict[str, list[tuple[int, str]]] = {}
    with read_scope(engine) as session:
        for email, paper, why in session.exec(
            select(Delivery.to_address, DigestItem.paper_id, DigestItem.explanation)
            .join(DigestItem, col(DigestItem.delivery_id) == col(Delivery.id))
            .order_by(col(DigestItem.position))
        ):
            found.setdefault(email, []).append((paper, why))
    return found


def test_members_get_the_same_papers_each_with_ratings_and_links_of_their_own(
    engine: Engine,
) -> None:
    ids = lab(engine)
    with session_scope(engine) as session:
        # What members rate changes nothing for the others, and is told to nobody.
        paper = session.exec(select(Paper.id).order_by(col(Paper.id).desc())).first() or 0
        give(session, ids[BOB], paper, Signal.RELEVANT)
        give(session, ids[ADA], paper, Signal.RELEVANT)
    training.train(engine)
    preparation.prepare(engine, ISSUE_DATE, message_domain="papers.example")
    digests = mailed(engine)
    assert digests[ADA]
    assert digests[ADA] == digests[BOB]
    assert digests[EVE] != digests[ADA]
    assert not any("you liked" in why for _, why in digests[ADA] + digests[BOB])
    with read_scope(engine) as session:
        # A rating in Bob's mail must not stand under a topic of Ada's.
        owners = dict(session.exec(select(Topic.id, Topic.subscriber_id)).all())
        for item in session.exec(select(DigestItem)):
            assert item.topic_id is None or owners[item.topic_id] == item.subscriber_id
        [shared, own] = profiles.load_profiles(session, [ids[BOB], ids[EVE]])
        assert [topic.name for topic in shared.topics] == ["Program Repair"]
        assert {paper_id for paper_id, _ in digests[BOB]} <= shared.seen
        assert [topic.name for topic in own.topics] == ["Proteins"]
    # The second day: nobody gets a paper twice, and the two still get the same.
    assert len({tuple(item) for item in digests[BOB]}) == len(digests[BOB])


def test_pages_of_a_member_say_whose_the_interests_are_and_leave(engine: Engine) -> None:
    ids = lab(engine)
    training.train(engine)
    base, keeper = preferences("bob" * 4), preferences("ada" * 4)
    with visit(engine) as client:
        before = everything(engine)
        page = client.get(base).text
        assert "the interests of the group “Robotics lab”" in page
        assert (
            "ada"
            not in page.lower()
            .replace("adada", "")
            .split("<main")[1]
            .split("</main")[0]
            .replace("/preferences/", "")
            or ADA not in page
        )
        assert ADA not in page
        learned = client.get(f"{base}/learned").text
        assert "program repair" in learned
        assert "proteins" not in learned
        assert "Less of this" not in learned
        assert "Save how much each counts" not in learned
        assert "You keep the interests" in client.get(keeper).text
        assert "Less of this" in client.get(f"{keeper}/learned").text
        assert everything(engine) == before
        number = re.findall(r"interest-(\d+)", learned)[0]
        assert client.post(f"{base}/interests/{number}/less").status_code == 404
        # The keeper cannot leave the others without a list.
        client.post(f"{keeper}/group/leave")
        assert client.get(f"{base}/group/leave").status_code == 405
        with read_scope(engine) as session:
            assert len(session.exec(select(GroupMember)).all()) == 2
        client.post(f"{base}/group/leave")
        client.post(f"{base}/group/leave")
        assert "Robotics lab" not in client.get(base).text
        assert "proteins" in client.get(f"{base}/learned").text
    with read_scope(engine) as session:
        [own] = profiles.load_profiles(session, [ids[BOB]])
        assert [topic.name for topic in own.topics] == ["Proteins"]


def test_a_keeper_who_is_erased_leaves_the_list_to_the_oldest_member(engine: Engine) -> None:
    ids = lab(engine)
    with session_scope(engine) as session:
        groups.add(session, "Robotics lab", EVE)
        assert accounts.erase(session, "ada" * 4)
    with read_scope(engine) as session:
        assert [group.members[0] for group in groups.listing(session)] == [BOB]
        bob, eve = profiles.load_profiles(session, [ids[BOB], ids[EVE]])
        assert [t.name for t in bob.topics] == [t.name for t in eve.topics] == ["Program Repair"]
        export = data_export.export(session, session.get_one(Subscriber, ids[EVE]))
        assert export["group"] == "Robotics lab"
        # Eve's own topic rests, and is hers in her export.
        assert [topic["name"] for topic in export["topics"]] == ["Proteins"]
    with session_scope(engine) as session:
        for name in ("bob", "eve"):
            accounts.erase(session, name * 4)
        assert session.exec(select(ReaderGroup)).all() == []


def test_ratings_are_kept_in_a_group_and_count_after_leaving(engine: Engine) -> None:
    ids = lab(engine)
    training.train(engine)
    with session_scope(engine) as session:
        paper = session.exec(select(Paper.id)).first() or 0
        give(session, ids[BOB], paper, Signal.RELEVANT)
    with session_scope(engine) as session:
        assert groups.remove(session, BOB) == "Robotics lab"
    with read_scope(engine) as session:
        assert [row.subscriber_id for row in session.exec(select(Feedback))] == [ids[BOB]]
        [own] = profiles.load_profiles(session, [ids[BOB]])
        assert own.topics[0].evidence is not None
        assert len(own.topics[0].evidence.kinds) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "Robotics lab", "--keeper", EVE), "is already a group"),
        (("create", "Other", "--keeper", ADA), "is in the group 'Robotics lab' already"),
        (("create", "Other", "--keeper", "nobody@reader.example"), "is not a subscriber"),
        (("create", " ", "--keeper", EVE), "must have a name"),
        (("create", "x" * 101, "--keeper", EVE), "100"),
        (("add", "Chess club", EVE), "there is no such group"),
        (("add", "Robotics lab", EVE, BOB), "already"),
        (("add", "Robotics lab", "no address"), "address"),
        (("remove", EVE), "is in no group"),
        (("remove", ADA), "name another keeper first"),
        (("keeper", "Robotics lab", EVE), "is not in the group"),
        (("delete", "Chess club"), "there is no such group"),
    ],
)
def test_wrong_use_of_the_command_is_one_line_and_changes_nothing(
    engine: Engine, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    lab(engine)
    before = dump(engine)
    code, _, errors = Newsletter(engine, tmp_path).run("groups", *arguments)
    assert code == 2
    assert said in errors
    assert len(errors.strip().splitlines()) == 1
    assert dump(engine) == before


def test_groups_are_made_listed_handed_over_imported_and_ended(
    engine: Engine, tmp_path: Path
) -> None:
    lab(engine)
    site = Newsletter(engine, tmp_path)
    assert site.run("groups", "keeper", "Robotics lab", BOB)[0] == 0
    code, said, _ = site.run("groups", "list", "--json")
    assert code == 0
    [group] = json.loads(said)["groups"]
    assert (group["keeper"], group["members"]) == (BOB, [BOB, ADA])
    _, said, _ = site.run("subscribers", "show", ADA, "--json")
    assert json.loads(said)["subscriber"]["group"] == "Robotics lab"
    file = tmp_path / "people.csv"
    file.write_text(
        "email,group\nmira@reader.example,Robotics lab\nluis@reader.example,Chess club\n"
    )
    code, said, errors = site.run("subscribers", "import", str(file), "--confirmed")
    assert code == 0
    assert "there is no such group" in said + errors
    exported = tmp_path / "out.csv"
    site.run("subscribers", "export", "--output", str(exported))
    text = exported.read_text() if exported.exists() else site.run("subscribers", "export")[1]
    rows = {row["email"]: row["group"] for row in csv.DictReader(io.StringIO(text))}
    assert rows["mira@reader.example"] == "Robotics lab"
    assert rows["luis@reader.example"] == rows[EVE] == ""
    code, said, _ = site.run("groups", "remove", "mira@reader.example")
    assert (code, "ended" in said) == (0, False)
    assert site.run("groups", "delete", "Robotics lab")[0] == 0
    site.run("groups", "create", "Chess club", "--keeper", EVE)
    code, said, _ = site.run("groups", "remove", EVE)
    assert (code, "the group has ended" in said) == (0, True)
    with read_scope(engine) as session:
        assert session.exec(select(GroupMember)).all() == []
        assert session.exec(select(ReaderGroup)).all() == []
        assert len(session.exec(select(Subscriber)).all()) == 5


def test_a_group_is_found_however_its_name_is_typed(engine: Engine) -> None:
    lab(engine)
    with session_scope(engine) as session:
        groups.create(session, "Cafe\u0301  au lait", EVE)
        add_subscriber(session, KIM)
        groups.add(session, " Caf\u00e9 au  lait", KIM)
        assert {each.name for each in groups.listing(session)} == {
            "Robotics lab",
            "Caf\u00e9 au lait",
        }
        with pytest.raises(InputError, match="no such group"):
            groups.disband(session, "Cafe au lait")
        assert groups.disband(session, "Cafe\u0301 au lait") == 2


def test_a_subscriber_is_in_one_group_at_most(engine: Engine) -> None:
    lab(engine)
    with session_scope(engine) as session:
        groups.create(session, "Chess club", EVE)
    with session_scope(engine) as session, pytest.raises(InputError, match="Robotics lab"):
        groups.add(session, "Chess club", BOB)


def test_an_heir_of_a_group_without_topics_keeps_their_own(engine: Engine) -> None:
    ids = lab(engine)
    with session_scope(engine) as session:
        session.execute(delete(Topic).where(col(Topic.subscriber_id) == ids[ADA]))
        groups.set_keeper(session, "Robotics lab", BOB)
    with read_scope(engine) as session:
        (bob,) = profiles.load_profiles(session, [ids[BOB]])
        assert [topic.name for topic in bob.topics] == ["Proteins"]


@pytest.mark.parametrize("what", ["create", "add"])
def test_the_same_command_twice_at_once_is_one_clear_error(engine: Engine, what: str) -> None:
    lab(engine)

    def give_command(session: Session) -> None:
        if what == "create":
            groups.create(session, "Chess club", EVE)
        else:
            groups.add(session, "Robotics lab", EVE)

    def second() -> str:
        try:
            with session_scope(engine) as session:
                give_command(session)
        except InputError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(1) as threads:
        with session_scope(engine) as session:
            give_command(session)
            answer = threads.submit(second)
            time.sleep(0.1)  # so that the second one, as a rule, has read before this commits
        assert answer.result(30)
    with read_scope(engine) as session:
        assert len(session.exec(select(GroupMember)).all()) == 3


def asked(session: Session, email: str) -> int:
    """Somebody who typed this address into the sign-up page."""
    request = SignUpRequest(topic=TypedTopic.read({"keywords": ["galaxies"]}))
    signup.sign_up(session, SIGNER, email=email, request=request, message_domain="papers.example")
    return session.exec(select(Subscriber.id).where(Subscriber.email == email)).one() or 0


def test_who_signed_up_and_never_confirms_keeps_no_group_and_is_forgotten(engine: Engine) -> None:
    ids = lab(engine)
    with session_scope(engine) as session:
        kim = asked(session, KIM)
        with pytest.raises(InputError, match="not confirmed"):
            groups.create(session, "Chess club", KIM)
        groups.add(session, "Robotics lab", KIM)
        with pytest.raises(InputError, match="not confirmed"):
            groups.set_keeper(session, "Robotics lab", KIM)
        # Kim joined before Bob, and has no topics that could be the group's.
        session.get_one(GroupMember, kim).joined_at -= timedelta(days=1)
        accounts.erase(session, "ada" * 4)
        assert groups.listing(session) == [groups.Group("Robotics lab", (BOB, KIM))]
        # As with an earlier version, which let anybody be a keeper.
        for number in (kim, ids[BOB]):
            session.get_one(GroupMember, number).is_keeper = number == kim
        leo = asked(session, LEO)
        chess = ReaderGroup(name="Chess club")
        session.add(chess)
        session.flush()
        session.add(GroupMember(subscriber_id=leo, group_id=chess.id or 0, is_keeper=True))
        for number in (kim, leo):
            pending = session.get_one(Subscriber, number)
            pending.created_at -= signup.FORGET_PENDING + timedelta(hours=1)
        session.flush()
        asked(session, "mira@reader.example")
    with session_scope(engine) as session:
        assert groups.listing(session) == [groups.Group("Robotics lab", (BOB,))]
        assert session.get_one(GroupMember, ids[BOB]).is_keeper
        assert [group.name for group in session.exec(select(ReaderGroup))] == ["Robotics lab"]
        groups.set_keeper(session, "Robotics lab", BOB)


def test_pages_promise_a_member_nothing_that_the_keeper_decides(engine: Engine) -> None:
    lab(engine)
    with session_scope(engine) as session:
        paper = session.exec(select(Paper)).first()
        assert paper is not None
        paper.authors, number = ["Ada Lovelace"], paper.id
    training.train(engine)
    pages = {name: f"{preferences(name * 4)}/paper/{number}" for name in ("ada", "bob", "eve")}
    with visit(engine) as client:
        before = everything(engine)
        shown = {name: client.get(page).text for name, page in pages.items()}
        assert "Follow <bdi>Ada Lovelace" in shown["ada"]
        assert "Follow <bdi>Ada Lovelace" in shown["eve"]
        assert "Follow <bdi>" not in shown["bob"]
        assert "the interests of the group “Robotics lab”" in shown["bob"]
        form = {"author": "Ada Lovelace"}
        assert client.post(f"{pages['bob']}/follow", data=form).status_code == 404
        # What Bob types into his own topics does not change what he gets.
        typed = {"topic-0-name": "Stars", "topic-0-keywords": "galaxies", "topics": "1"}
        typed |= {"max_papers": "9"}
        tried = {
            name: client.post(f"{preferences(name * 4)}/preview", data=typed).text
            for name in ("bob", "eve")
        }
        assert everything(engine) == before
        assert client.post(f"{pages['eve']}/follow", data=form).status_code == 303
    assert "program repair" in tried["bob"]
    assert "Galaxy clusters" not in tried["bob"]
    assert "Galaxy clusters" in tried["eve"]


@pytest.mark.parametrize(
    ("language", "own", "of_group"),
    [
        ("en", "lower your minimum match", "only the member who keeps it"),
        ("de", "Mindest", "nur das Mitglied ändern"),
    ],
)
def test_on_a_quiet_day_a_member_is_not_told_to_change_what_the_keeper_chose(
    engine: Engine, language: str, own: str, of_group: str
) -> None:
    ids = lab(engine)
    with session_scope(engine) as session:
        for number in ids.values():
            reader = session.get_one(Subscriber, number)
            reader.min_score, reader.language = 100, language
    training.train(engine)
    preparation.prepare(engine, ISSUE_DATE, message_domain="papers.example")
    with read_scope(engine) as session:
        rows = session.exec(select(NoDigest)).all()
        said = {row.subscriber_id: row.told or row.reason for row in rows}
        assert {for_operator(row.reason) for row in rows} == {
            "no new paper reached their minimum match of 100"
        }
    assert own in said[ids[ADA]]
    assert own in said[ids[EVE]]
    assert of_group in said[ids[BOB]]
    assert all(of_group not in said[ids[name]] for name in (ADA, EVE))
    if language == "en":
        assert own not in said[ids[BOB]]


@pytest.mark.parametrize("recipe", ["standard", "focused"])
def test_a_trial_leaves_a_group_one_digest_for_all(engine: Engine, recipe: str) -> None:
    ids = lab(engine)
    with session_scope(engine) as session:
        session.add(RecipeChoice(recipe=recipe))
        session.flush()
        trials.start(session, "varied", utc_now())
    with read_scope(engine) as session:
        plan = trials.plan_of(session, ISSUE_DATE, utc_now())
        readers = ordered(profiles.load_profiles(session, list(ids.values())), plan)
        ada, bob, eve = (reader.ordering for reader in readers)
    assert ada == bob == Ordering(RECIPES[recipe])
    assert eve.challenger is RECIPES["varied"]
