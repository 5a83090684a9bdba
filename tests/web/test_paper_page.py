"""One paper's page: saving it, following its authors and categories, with and without a link."""

import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import (
    ChangeKind,
    Feedback,
    Folder,
    Interest,
    InterestKind,
    PaperChange,
    Profile,
    Topic,
)
from newsletter.core.tokens import Purpose
from newsletter.papers.orcids import store_orcids
from newsletter.subscribers.validation import TypedTopic
from tests.support.factories import make_paper
from tests.support.visits import (
    SIGNER,
    add_reader,
    everything,
    preferences,
    send_digest,
    visit,
)

ORCID = "0000-0002-1825-0097"


@pytest.fixture
def reader(engine: Engine) -> str:
    return add_reader(engine)


def interests(engine: Engine) -> set[tuple[str, str, float]]:
    """Authors and categories in the tables: (kind, value, weight)."""
    with read_scope(engine) as session:
        rows = session.exec(select(Interest))
        kinds = {InterestKind.AUTHOR, InterestKind.CATEGORY}
        return {(row.kind.value, row.value, row.weight) for row in rows if row.kind in kinds}


def press(client: httpx.Client, page: httpx.Response, button: str) -> httpx.Response:
    """Send the form whose button says this, as a browser does; gives the page it leads to."""
    for form in re.findall(r"<form method=\"post\".*?</form>", page.text, re.S):
        for attributes, said in re.findall(r"<button(.*?)>(.*?)</button>", form, re.S):
            if re.sub(r"<.*?>", "", said).strip() != button:
                continue
            fields = re.findall(r'type="hidden" name="(.*?)" value="(.*?)"', form)
            fields += re.findall(r'name="(.*?)" value="(.*?)"', attributes)
            to = re.search(r'formaction="(.*?)"', attributes) or re.search(r'action="(.*?)"', form)
            assert to is not None
            content = urlencode(fields)
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = client.post(to[1], content=content, headers=kind)
            assert answer.status_code == 303, answer.text
            return client.get(answer.headers["location"])
    raise AssertionError(f"no button {button!r}")


@pytest.mark.parametrize("way", ["preferences", "digest"])
def test_a_reader_saves_and_follows_at_once_and_takes_it_back(
    engine: Engine, reader: str, way: str
) -> None:
    delivery, [paper, _] = send_digest(engine, reader)
    with session_scope(engine) as session:
        make_paper(session, 90, title="Of looms & <threads>", authors=["Ada Lovelace"])
        topic = session.exec(select(Topic)).one()
        session.add(
            Profile(topic_id=topic.id or 0, version=1, feature_space="words", coefficients=b"")
        )
    by_mail = f"/paper/{paper}?why={SIGNER.sign(Purpose.RECEIPT, str(delivery))}"
    address = by_mail if way == "digest" else f"{preferences(reader)}/paper/{paper}"
    with visit(engine) as client:
        before = everything(engine)
        page = client.get(address)
        assert everything(engine) == before
        page = press(client, page, "Save")
        assert "Saved." in page.text
        with read_scope(engine) as session:
            [given] = session.exec(select(Feedback))
        assert (given.paper_id, given.signal) == (paper, "saved")
        page = press(client, page, "Undo")
        with read_scope(engine) as session:
            assert session.exec(select(Feedback)).all() == []

        page = press(client, page, "Follow Ada Lovelace")
        assert "You follow Ada Lovelace." in page.text
        assert interests(engine) == {("author", "Ada Lovelace", 1.0)}
        with read_scope(engine) as session:
            assert session.exec(select(Profile)).all() == []
        page = press(client, page, "Follow Software engineering (cs.SE)")
        assert ("category", "cs.SE", 1.0) in interests(engine)
        page = press(client, page, "Unfollow Ada Lovelace")
        assert "You no longer follow Ada Lovelace." in page.text
        assert interests(engine) == {("category", "cs.SE", 1.0)}
        page = press(client, page, "Undo")
        assert ("author", "Ada Lovelace", 1.0) in interests(engine)
        assert "Unfollow <bdi>Ada Lovelace" in page.text


def test_undoing_brings_back_the_topics_and_how_much_it_counted(engine: Engine) -> None:
    topics = [
        TypedTopic.read({"name": "Engines", "authors": ["Ada Lovelace"]}),
        TypedTopic.read({"name": "Looms", "authors": ["ada lovelace"]}),
    ]
    reader = add_reader(engine, topics=topics)
    with session_scope(engine) as session:
        paper = make_paper(session, 1).id
        session.exec(select(Interest).where(Interest.value == "ada lovelace")).one().weight = 0.5
    with visit(engine) as client:
        page = client.get(f"{preferences(reader)}/paper/{paper}")
        assert '<option value="' in page.text  # which topic takes it
        page = press(client, page, "Unfollow Ada Lovelace")
        assert interests(engine) == set()
        press(client, page, "Undo")
        assert sorted(weight for *_, weight in interests(engine)) == [0.5, 1.0]


def test_an_author_followed_by_orcid_is_shown_so_and_can_be_left(engine: Engine) -> None:
    topic = TypedTopic.read({"name": "Engines", "authors": [ORCID]})
    reader = add_reader(engine, topics=[topic])
    with session_scope(engine) as session:
        paper = make_paper(session, 1).id or 0
        store_orcids(session, {paper: {ORCID: "Ada Lovelace"}})
    with visit(engine) as client:
        page = press(
            client, client.get(f"{preferences(reader)}/paper/{paper}"), "Unfollow Ada Lovelace"
        )
        assert "You no longer follow Ada Lovelace." in page.text
        assert interests(engine) == set()
        press(client, page, "Undo")
        assert interests(engine) == {("author", ORCID, 1.0)}


def test_only_what_the_paper_names_can_be_followed_and_only_by_a_link_that_is_for_it(
    engine: Engine, reader: str
) -> None:
    delivery, [paper, _] = send_digest(engine, reader)
    with session_scope(engine) as session:
        other = make_paper(session, 90).id
    mine = f"{preferences(reader)}/paper/{paper}"
    token = SIGNER.sign(Purpose.RECEIPT, str(delivery))
    before = everything(engine)
    with visit(engine) as client:
        for path, data, status in (
            (f"{mine}/follow", {"author": "Charles Babbage"}, 422),
            (f"{mine}/follow", {}, 422),
            (f"{mine}/dance", {"author": "Ada Lovelace"}, 422),
            (f"{preferences(reader)}/paper/999999/save", {}, 404),
            (f"/receipt/{token}/{other}/paper/save", {}, 410),
            (f"/receipt/x.y/{paper}/paper/save", {}, 410),
            ("/preferences/x.y/paper/1/save", {}, 404),
        ):
            assert client.post(path, data=data).status_code == status, path
        made_up = client.get(f"{mine}?did=follow&of=author:Nobody+At+All")
        assert "Nobody At All" not in made_up.text
        for claim in ("save", "file", "follow&of=author:Ada+Lovelace"):
            assert 'role="status"' not in client.get(f"{mine}?did={claim}").text, claim
        assert "Why you got it" not in client.get(f"/paper/{other}?why={token}").text
    assert everything(engine) == before


def test_what_is_muted_is_not_followed_as_well(engine: Engine) -> None:
    topic = TypedTopic.read({"name": "Engines", "mutes": ["ada lovelace"]})
    reader = add_reader(engine, topics=[topic])
    with session_scope(engine) as session:
        paper = make_paper(session, 1).id
    with visit(engine) as client:
        mine = f"{preferences(reader)}/paper/{paper}"
        page = client.post(f"{mine}/follow", data={"author": "Ada Lovelace"})
    assert page.status_code == 422
    assert "you muted &#39;Ada Lovelace&#39;" in page.text
    assert interests(engine) == set()


def test_without_a_link_the_buttons_lead_to_a_sign_up_form_that_is_filled_in(
    engine: Engine,
) -> None:
    name = 'Émilie "É" du Châtelet'
    with session_scope(engine) as session:
        paper = make_paper(
            session, 1, title="On fire", authors=[name], categories=["physics.flu-dyn"]
        ).id
    with visit(engine) as client:
        page = client.get(f"/paper/{paper}").text
        assert "<form" not in page
        links = re.findall(r'href="(/sign-up\?.*?)"', page)
        assert len(links) == 3
        forms = [client.get(link.replace("&amp;", "&")).text for link in links]
        assert any('checked> <span dir="auto">On fire</span>' in form for form in forms)
        assert any("Émilie &#34;É&#34; du Châtelet</textarea>" in form for form in forms)
        assert any("physics.flu-dyn" in form.split("<details")[1] for form in forms) or any(
            'value="physics.flu-dyn" checked' in form for form in forms
        )
        assert client.get(f"/sign-up?author={'x' * 201}").status_code == 422
        assert client.get("/sign-up?paper=999999").status_code == 200
        assert "Disallow: /sign-up?" in client.get("/robots.txt").text


def test_a_venue_is_shown_and_leads_to_its_papers(engine: Engine) -> None:
    venue = "Journal of Looms & Engines"
    with session_scope(engine) as session:
        paper = make_paper(session, 1, venue=venue, categories=[venue, "cs.SE"]).id
        make_paper(session, 2, title="Another loom", venue=venue)
        make_paper(session, 3, title="A paper elsewhere", venue="Journal of Looms")
    with visit(engine) as client:
        page = client.get(f"/paper/{paper}").text
        assert page.count(">Journal of Looms &amp; Engines</a>") == 1
        [link] = re.findall(r'href="(/search\?venue=.*?)"', page)
        found = client.get(link.replace("&amp;", "&")).text
        assert "Another loom" in found
        assert "A paper elsewhere" not in found
        feed = client.get("/search/feed.json", params={"venue": venue}).json()
    assert len(feed["items"]) == 2


def test_versions_and_what_happened_to_a_paper_are_told(engine: Engine) -> None:
    with session_scope(engine) as session:
        paper = make_paper(session, 7, version=3, doi="10.1000/loom").id or 0
        for kind, version, after in (
            (ChangeKind.REVISED, 2, "We study more."),
            (ChangeKind.PUBLISHED, 0, "10.1000/loom"),
        ):
            session.add(
                PaperChange(
                    paper_id=paper,
                    kind=kind,
                    version=version,
                    before="We study.",
                    after=after,
                    at=utc_now(),
                )
            )
    with visit(engine) as client:
        page = client.get(f"/paper/{paper}").text
    for number in (1, 2, 3):
        assert f'href="https://arxiv.org/abs/2611.00007v{number}"' in page
    assert "version 2 changed the abstract" in page
    assert 'published as <a href="https://doi.org/10.1000/loom"' in page


@pytest.mark.parametrize(
    ("topics", "said"),
    [
        (["Engines, paused"], "It counts when its topic is no longer paused."),
        (["Engines, paused", "Looms"], "Your next digest takes it into account."),
    ],
)
def test_what_is_promised_of_following_holds(engine: Engine, topics: list[str], said: str) -> None:
    typed = [
        TypedTopic.read({"name": name, "keywords": ["x"], "paused": "paused" in name})
        for name in topics
    ]
    reader = add_reader(engine, topics=typed)
    with session_scope(engine) as session:
        paper = make_paper(session, 1).id
    with visit(engine) as client:
        page = client.get(f"{preferences(reader)}/paper/{paper}")
        page = press(client, page, "Follow Ada Lovelace")
    assert re.findall(r"You follow Ada Lovelace\. (.*?)</p>", page.text) == [said]


def test_a_weight_of_nothing_in_a_form_is_none(engine: Engine, reader: str) -> None:
    with session_scope(engine) as session:
        paper = make_paper(session, 1).id
        topic = session.exec(select(Topic.id)).one()
    with visit(engine) as client:
        client.post(
            f"{preferences(reader)}/paper/{paper}/follow",
            data={"author": "Ada Lovelace", "topic": f"{topic}-0.000"},
        )
    assert interests(engine) == {("author", "Ada Lovelace", 1.0)}


def test_buttons_that_are_pressed_several_times_at_once_do_their_work_once(
    engine: Engine, reader: str
) -> None:
    with session_scope(engine) as session:
        paper = make_paper(session, 1).id
    base = preferences(reader)
    with visit(engine) as client, ThreadPoolExecutor(6) as presses:
        for path, form, allowed in (
            (f"{base}/saved/folders", {"name": "Looms"}, {303, 422}),
            (f"{base}/paper/{paper}/follow", {"author": "Ada Lovelace"}, {303}),
        ):
            done = [presses.submit(client.post, path, data=form) for _ in range(6)]
            assert {each.result().status_code for each in done} <= allowed
    assert interests(engine) == {("author", "Ada Lovelace", 1.0)}
    with read_scope(engine) as session:
        assert session.exec(select(Folder.name)).all() == ["Looms"]
