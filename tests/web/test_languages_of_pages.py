"""Pages in another language than English: chosen by the browser, the site, or the subscriber."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core import language
from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.core.models import Delivery, FetchLog, FetchStatus, NoDigest, Subscriber
from newsletter.editions import preparation
from newsletter.messages import digest
from newsletter.messages.renderer import Renderer
from newsletter.ranking.profiles import training
from tests.support import digests
from tests.support.factories import ISSUE_DATE, make_paper, make_subscriber
from tests.support.signing_up import confirm, only
from tests.support.visits import EMAIL, SIGNER, add_reader, preferences, visit

PAGES = Path(__file__).parents[2] / "templates/pages"
# Names and file formats are the same in every language.
NAMES = {"Atom", "JSON", "BibTeX", "RIS", "CSL JSON", "DOI:", "ORCID", "(ORCID)", "UTC", "%"}


@pytest.fixture
def hebrew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A site that knows English and some Hebrew."""
    monkeypatch.setattr(language, "FOLDER", Path(__file__).parents[1] / "support/locale")
    language.languages.cache_clear()
    yield
    language.languages.cache_clear()


def test_every_text_of_a_readers_page_is_marked_for_translation() -> None:
    for path in PAGES.glob("*.html"):
        if path.name.startswith("inbox"):  # the demo's, in English
            continue
        marked = r"&\w+;|\{% trans.*?endtrans %\}|\{#.*?#\}"
        text = re.sub(marked, "", path.read_text(), flags=re.DOTALL)
        bare = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "\x00", text, flags=re.DOTALL)
        said = re.findall(r"(?:aria-label|placeholder|alt)=\"([^\"]*)\"", bare)
        said += re.sub(r"<[^>]*>", "\x01", bare).split("\x01")
        left = {
            part.strip()
            for each in said
            for part in re.split("[\x00·]", each)
            if re.search(r"[A-Za-z]{2}", part)
        } - NAMES
        left = {each for each in left if not re.match(r"aria-|-|.*\{", each)}
        assert left <= {"wide"}, f"{path.name}: put {left} into {{% trans %}} … {{% endtrans %}}"


def test_public_pages_follow_the_browser_then_the_site(engine: Engine) -> None:
    with visit(engine) as client:
        german = client.get("/sign-up", headers={"Accept-Language": "de-AT, en;q=0.5"})
        # Kept by language.
        english = client.get("/sign-up", headers={"Accept-Language": "en"})
        other = client.get("/sign-up", headers={"Accept-Language": "fr"})
    assert '<html lang="de" dir="ltr">' in german.text
    assert "Sagen Sie uns, was Sie gern lesen" in german.text
    assert '<html lang="en" dir="ltr">' in english.text
    assert "Tell us what you like to read" in english.text
    assert other.text == english.text
    assert "Accept-Language" in german.headers["Vary"]
    with visit(engine, language="de") as client:
        assert 'lang="de"' in client.get("/privacy").text
        assert 'lang="en"' in client.get("/privacy", headers={"Accept-Language": "en-GB"}).text
        missing = client.get("/nothing-here")
        assert (missing.status_code, "Seite nicht gefunden" in missing.text) == (404, True)
        # The operator's are in English.
        assert "Abbestellen" not in client.get("/operator").text


def test_who_signs_up_on_a_german_page_gets_german_from_the_first_mail_on(engine: Engine) -> None:
    with visit(engine) as client:
        client.headers["Accept-Language"] = "de"
        answer = client.post("/sign-up", data={"email": EMAIL, "text": "Engines."})
        assert "Sehen Sie in Ihrem Postfach nach" in answer.text
        wrong = client.post("/sign-up", data={"email": "no address"})
        assert wrong.status_code == 422
        assert "Adresse" in wrong.text
        assert "keine gültige E-Mail-Adresse" in wrong.text
        with read_scope(engine) as session:
            assert session.exec(select(Delivery)).one().language == "de"
        client.headers["Accept-Language"] = "en"
        confirm(client, engine)
        reader = only(engine)
        assert reader.language == "de"
        mine = client.get(preferences(reader.public_id))
        assert '<html lang="de" dir="ltr">' in mine.text


def test_a_subscriber_changes_the_language_for_pages_and_mails_to_come(engine: Engine) -> None:
    public_id = add_reader(engine)
    link = preferences(public_id)
    with visit(engine) as client:
        topic = {"topic-0-id": "", "topic-0-name": "Engines", "topic-0-keywords": "engine"}
        saved = client.post(link, data={"language": "de", **topic})
        assert saved.status_code == 303
        page = client.get(link, headers={"Accept-Language": "en"}).text
        assert "Ihre Einstellungen" in page
        assert re.search(r'<option value="de" lang="de" selected>Deutsch</option>', page)
        wrong = client.post(link, data={"language": "tlh", **topic})
        assert wrong.status_code == 422
        assert "Sprache: &#39;tlh&#39;; möglich sind: en, de" in wrong.text
        client.post("/account", data={"email": EMAIL})
    with read_scope(engine) as session:
        assert session.exec(select(Delivery)).one().language == "de"


def test_a_prepared_digest_keeps_its_language_and_its_bytes(engine: Engine) -> None:
    with session_scope(engine) as session:
        make_subscriber(session, language="de")
        make_subscriber(session, "quiet@reader.example", language="de", min_score=100)
        make_paper(session, 1)
        session.add(
            FetchLog(
                source="arxiv-rss",
                status=FetchStatus.OK,
                started_at=utc_now() - timedelta(hours=1),
                announced=1200,
                new=1200,
            )
        )
    training.train(engine)
    edition_id = preparation.prepare(engine, ISSUE_DATE, message_domain="x.example").edition_id
    renderer = Renderer(digests.settings(), SIGNER)

    def mails() -> list[tuple[bytes, str]]:
        with read_scope(engine) as session:
            ids = session.exec(select(Delivery.id).order_by(Delivery.id)).all()  # type: ignore[arg-type]
            contents = digest.Contents(digest.load_contents(session, edition_id))
            loaded = digest.load(session, [each or 0 for each in ids], contents)
        return [(renderer.digest(each).data, renderer.parts(each).text) for each in loaded.values()]

    before = mails()
    [(_data, text), (_quiet_data, quiet)] = sorted(before, key=lambda each: "heute gibt" in each[1])
    assert re.search(r"hier ist 1 .*Artikel", text)
    assert "Ausgewählt aus 1" in text
    assert "Heute gibt es keine Artikel" in quiet or "heute gibt es keine Artikel" in quiet
    assert "durchgesehen" in quiet, quiet
    assert not re.search(r"keyword|Mentions|Close|minimum", text + quiet)
    with session_scope(engine) as session:
        for reader in session.exec(select(Subscriber)):
            reader.language = "en"
        # The operator's report is in English.
        assert session.exec(select(NoDigest)).one().reason.startswith("no new paper reached")
    assert mails() == before


@pytest.mark.usefixtures("hebrew")
def test_pages_from_right_to_left_say_so(engine: Engine) -> None:
    public_id = add_reader(engine)
    with session_scope(engine) as session:
        session.exec(select(Subscriber)).one().language = "he"
    with visit(engine) as client:
        page = client.get(preferences(public_id)).text
    assert '<html lang="he" dir="rtl">' in page
    assert "ההעדפות שלך" in page
    for name in ("style.css", "reader.css"):
        style = (PAGES / name).read_text()
        assert not re.search(
            r"(margin|padding|border)-(left|right)|(float|text-align): (left|r)", style
        )
