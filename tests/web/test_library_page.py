"""Bibliographies on the pages: what is read, what is left out, and what a second upload changes."""

import re
from html import unescape

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.config import Settings
from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import Delivery, Interest, InterestKind, PaperAlias, SignUp, Topic
from newsletter.messages.renderer import Renderer
from newsletter.subscribers import library
from tests.support.factories import make_paper
from tests.support.signing_up import confirm, interests
from tests.support.visits import EMAIL, KEY, SIGNER, add_reader, everything, preferences, visit

FIRST = (
    b"@misc{a, title={Looms of the north}, doi={10.1000/1}}\n"
    b"@misc{b, title={Mills and engines}}\n"
    b"@misc{c, year={1843}}\n"
    b"@misc{d, title={Again}, note={doi: 10.1000/1}}\n"
)
SECOND = (
    b"TY  - JOUR\nTI  - Looms of the north\nDO  - 10.1000/1\nER  - \n"
    b"TY  - JOUR\nTI  - <b>Bernoulli</b> & numbers\nUR  - arxiv.org/abs/1843.00001\nER  - \n"
)


def library_of(engine: Engine) -> set[tuple[InterestKind, str, str | None]]:
    """Kind, value and reference of every entry of a bibliography."""
    with read_scope(engine) as session:
        rows = session.exec(select(Interest))
        return {(row.kind, row.value, row.reference) for row in rows if row.reference is not None}


def upload(client: httpx.Client, page: str, data: bytes, **fields: str) -> httpx.Response:
    return client.post(f"{page}/library", data=fields, files={"library": ("my.bib", data)})


def save(client: httpx.Client, page: str, shown: str) -> httpx.Response:
    """Press the button of the page that shows the change, as a browser without JavaScript does."""
    fields = dict(re.findall(r'<input type="hidden" name="(papers|topic)" value="([^"]*)"', shown))
    data = {name: unescape(value).replace("\n", "\r\n") for name, value in fields.items()}
    return client.post(f"{page}/library/save", data=data)


def test_a_sign_up_says_on_the_page_and_in_the_mail_what_came_of_the_file(engine: Engine) -> None:
    with visit(engine) as client:
        answer = client.post(
            "/sign-up", data={"email": EMAIL}, files={"library": ("a.bib", FIRST)}
        ).text
        said = "We found 4 entries in your file and read 2 of them."
        assert said in answer
        assert "<li>Line 3: it has neither a title nor an identifier</li>" in answer
        assert "<li>Line 4: it is the same paper as in line 1</li>" in answer
        with read_scope(engine) as session:
            remark = session.exec(select(SignUp.remark)).one()
            delivery = session.exec(select(Delivery)).one()
        assert remark == (
            f"{said} Left out: line 3: it has neither a title nor an identifier; "
            "line 4: it is the same paper as in line 1."
        )
        settings = Settings(
            secret_keys=KEY, from_address="papers@papers.example", postal_address="1 Mill Lane"
        )
        mail = Renderer(settings, SIGNER).confirmation(
            delivery_id=delivery.id or 0,
            to_address=EMAIL,
            message_id=delivery.message_id,
            created_at=delivery.created_at,
            public_id="x",
            remark=remark,
        )
        body = mail.data.replace(b"=\r\n", b"").decode()
        assert body.count("line 4: it is the same paper as in line 1.") == 2  # text and HTML
        confirm(client, engine)
    assert library_of(engine) == {
        (InterestKind.TEXT, "Looms of the north", "10.1000/1"),
        (InterestKind.TEXT, "Mills and engines", ""),
    }


def test_preferences_show_what_a_file_changes_before_it_is_saved(engine: Engine) -> None:
    page = preferences(add_reader(engine))
    before = everything(engine)
    with visit(engine) as client:
        assert f'action="{page}/library"' in client.get(page).text
        shown = upload(client, page, FIRST)
        assert shown.status_code == 200
        assert "Not saved yet" in shown.text
        assert "Added: 2" in shown.text
        assert "Line 3: it has neither" in shown.text
        assert everything(engine) == before
        assert save(client, page, shown.text).status_code == 303
        assert "2 papers of your bibliography" in client.get(f"{page}/library").text
    assert library_of(engine) == {
        (InterestKind.TEXT, "Looms of the north", "10.1000/1"),
        (InterestKind.TEXT, "Mills and engines", ""),
    }


def test_a_second_upload_is_a_difference_and_what_was_typed_stays(engine: Engine) -> None:
    page = preferences(add_reader(engine))
    with visit(engine) as client:
        save(client, page, upload(client, page, FIRST).text)
        shown = upload(client, page, SECOND).text
        assert re.findall(r"<summary>(.*)</summary>", shown) == [
            "Added: 1",
            "Removed, since your file does not have them any more: 1",
            "Kept: 1",
        ]
        assert "&lt;b&gt;" not in shown.split('name="papers"')[0]
        assert save(client, page, shown).status_code == 303
        again = upload(client, page, SECOND).text
        assert "Nothing: your bibliography is the same as the file." in again
        after = everything(engine)
        save(client, page, shown)
        assert everything(engine) == after
    assert library_of(engine) == {
        (InterestKind.TEXT, "Looms of the north", "10.1000/1"),
        (InterestKind.TEXT, "Bernoulli & numbers", "1843.00001"),
    }
    assert (InterestKind.KEYWORD, "engine") in interests(engine)


def test_saving_the_form_of_preferences_keeps_the_bibliography_out_of_sight(engine: Engine) -> None:
    page = preferences(add_reader(engine))
    with visit(engine) as client:
        save(client, page, upload(client, page, FIRST).text)
        areas = client.get(page).text.split("<textarea")[1:]
        assert not any("Mills and engines" in area.split("</textarea>")[0] for area in areas)
        with read_scope(engine) as session:
            topic = session.exec(select(Topic.id)).one()
        form = {"topic-0-id": str(topic), "topic-0-name": "Engines", "topic-0-keywords": "steam"}
        assert client.post(page, data=form).status_code == 303
        assert "In your bibliography:" in client.get(f"{page}/learned").text
        assert len(library_of(engine)) == 2
        assert (InterestKind.KEYWORD, "steam") in interests(engine)
        client.post(f"{page}/library/save", data={})
    assert library_of(engine) == set()
    assert (InterestKind.KEYWORD, "steam") in interests(engine)


def test_papers_that_are_here_become_examples_under_whatever_name(engine: Engine) -> None:
    with session_scope(engine) as session:
        for number, names in enumerate(
            ([("arxiv", "2101.00001"), ("doi", "10.1000/1")], [("pubmed", "777")],
             [("pubmed", "778"), ("doi", "10.1000/778")]), start=1
        ):  # fmt: skip
            paper = make_paper(session, number)
            session.add_all(
                PaperAlias(paper_id=paper.id or 0, source=source, external_id=name)
                for source, name in names
            )
    page = preferences(add_reader(engine))
    data = (
        b"@a{a, title={A}, doi={10.1000/1}, eprint={9999.99999}}\n@a{b, title={B}, pmid={777}}\n"
        b"@a{c, title={C}, pmid={778}}\n@a{d, title={D}, pmid={779}}\n@a{e, doi={10.1000/none}}"
    )
    with visit(engine) as client:
        save(client, page, upload(client, page, data).text)
    assert library_of(engine) == {
        (InterestKind.SEED_PAPER, "10.1000/1", "9999.99999"),
        (InterestKind.SEED_PAPER, "pmid:777", "pmid:777"),
        (InterestKind.SEED_PAPER, "10.1000/778", "pmid:778"),
        (InterestKind.TEXT, "D", "pmid:779"),
        (InterestKind.SEED_PAPER, "10.1000/none", "10.1000/none"),
    }
    with session_scope(engine) as session:
        paper = make_paper(session, 9)
        session.add(PaperAlias(paper_id=paper.id or 0, source="pubmed", external_id="779"))
        session.flush()
        assert library.settle(session) == 1
        assert library.settle(session) == 0
    assert (InterestKind.SEED_PAPER, "pmid:779", "pmid:779") in library_of(engine)
    with visit(engine) as client:
        assert "is the same as the file" in upload(client, page, data).text


def test_only_the_last_papers_of_a_large_library_are_used_and_the_page_says_so(
    sqlite_engine: Engine,
) -> None:
    page = preferences(add_reader(sqlite_engine))
    data = b"".join(b"@a{k%d, title={Paper number %d}}\n" % (n, n) for n in range(1, 301))
    with visit(sqlite_engine) as client:
        shown = upload(client, page, data).text
        assert "We found 300 entries in your file and read all of them. We use the last 150." in (
            shown
        )
        save(client, page, shown)
    values = {value for _, value, _ in library_of(sqlite_engine)}
    assert values == {f"Paper number {number}" for number in range(151, 301)}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no file was chosen"),
        (b"%PDF-1.4", "my.bib: is a PDF file"),
        (b"x" * (5 * 1024 * 1024 + 1), "my.bib: is larger than 5 MB"),
        (b"x" * 5 * 1024 * 1024, "my.bib: contains no BibTeX"),
        (b"@a{k,title={A}}" * 5_001, "my.bib: contains more than 5,000 entries"),
        (b"<html>", "my.bib: is a web page"),
    ],
    ids=["none", "PDF", "size", "one line", "entries", "HTML"],
)
def test_a_wrong_file_is_named_in_a_line_and_changes_nothing(
    sqlite_engine: Engine, data: bytes, said: str
) -> None:
    page = preferences(add_reader(sqlite_engine))
    before = everything(sqlite_engine)
    with visit(sqlite_engine) as client:
        answer = upload(client, page, data)
    assert answer.status_code == 422
    assert said in answer.text
    assert everything(sqlite_engine) == before


def test_what_is_saved_is_checked_like_anything_typed(sqlite_engine: Engine) -> None:
    page = preferences(add_reader(sqlite_engine))
    other = add_reader(sqlite_engine, "other@reader.example")
    with read_scope(sqlite_engine) as session:
        theirs = max(topic.id or 0 for topic in session.exec(select(Topic)))
    with visit(sqlite_engine) as client:
        for papers, topic, said in (
            ("\tA\x07B", "", "control character"),
            ("\t" + "x" * 201, "", "the maximum is 200"),
            ("\tLooms", str(theirs), "this topic no longer exists"),
            ("\tLooms", "99999", "this topic no longer exists"),
        ):
            form = {"papers": papers, "topic": topic}
            answer = client.post(f"{page}/library/save", data=form)
            assert answer.status_code == 422
            assert said in answer.text
        form = {"papers": "javascript:x 10.1000/1 ../etc\t\n\n" + "\tLooms\n" * 400, "topic": "-1"}
        assert client.post(f"{page}/library/save", data=form).status_code == 303
        assert client.post("/preferences/forged/library", files={"library": ("a", b"x")})
        forged = client.post("/preferences/forged/library/save", data=form)
        assert forged.status_code == 404
    assert {value for _, value, _ in library_of(sqlite_engine)} == {"10.1000/1", "Looms"}
    assert preferences(other) != page


def test_a_first_file_is_used_at_once_and_a_later_one_never(engine: Engine) -> None:
    page = preferences(add_reader(engine))
    with visit(engine) as client:
        assert "Upload and use it" in client.get(page).text
        answer = upload(client, page, FIRST, now="yes")
        assert "Saved." in answer.text
        kept = library_of(engine)
        assert kept
        assert "Upload and use it" not in client.get(page).text
        assert (
            "Not saved yet" in upload(client, page, b"@article{x, title={Looms}}", now="yes").text
        )
        assert library_of(engine) == kept
        client.post(f"{page}/library/save", data={})
        assert "Not saved." in upload(client, page, b"no entries", now="yes").text
    assert library_of(engine) == set()
