"""A link in a mail opens the issue with one answer chosen; one button records all of them."""

import re

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.models import Feedback
from newsletter.core.tokens import Purpose
from tests.support.factories import make_paper
from tests.support.visits import SIGNER, add_reader, everything, send_digest, visit


def signals(engine: Engine) -> set[tuple[int, str]]:
    with read_scope(engine) as session:
        return {(row.paper_id, row.signal.value) for row in session.exec(select(Feedback))}


def checked(page: httpx.Response) -> set[tuple[str, str]]:
    """The boxes and buttons that are on, as (name, value)."""
    inputs = re.findall(r"<input[^>]*>", page.text)
    on = [each for each in inputs if " checked" in each]
    return {
        (
            re.findall(r'name="([^"]+)"', each)[0],
            (re.findall(r'value="([^"]*)"', each) or ["on"])[0],
        )
        for each in on
    }


def undo_of(page: httpx.Response) -> dict[str, str]:
    """The hidden fields of the form that undoes."""
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text)
    return dict(hidden)


def test_one_press_three_choices_and_one_button(engine: Engine) -> None:
    delivery, (one, two, three) = send_digest(engine, add_reader(engine), 3)
    link = f"/feedback/{SIGNER.sign(Purpose.FEEDBACK, str(delivery))}/{two}/relevant"
    with visit(engine) as client:
        before = everything(engine)
        page = client.get(link)
        assert everything(engine) == before
        assert checked(page) == {
            (f"rate-{one}", ""), (f"rate-{two}", "relevant"), (f"rate-{three}", ""),
        }  # fmt: skip
        assert "autofocus" in page.text
        assert "Nothing is recorded until you click." in page.text
        assert SIGNER.sign(Purpose.FEEDBACK, str(delivery)) not in page.text
        shown = {f"shown-{each}": "1" for each in (one, two, three)}
        rated = client.post(
            link,
            data={
                "issue": "rate",
                **shown,
                f"rate-{one}": "not_relevant",
                f"rate-{two}": "relevant",
                f"rate-{three}": "",
                f"save-{three}": "on",
            },
        )
        assert "3 ratings saved" in rated.text
        assert signals(engine) == {(one, "not_relevant"), (two, "relevant"), (three, "saved")}
        again = client.get(link.replace("/relevant", "/not_relevant"))
        assert checked(again) == {
            (f"rate-{one}", "not_relevant"), (f"rate-{two}", "not_relevant"),
            (f"rate-{three}", ""), (f"save-{three}", "on"),
        }  # fmt: skip
        undone = client.post(link, data=undo_of(rated))
        assert "Undone" in undone.text
        assert signals(engine) == set()


def test_undo_brings_back_what_was_there(engine: Engine) -> None:
    delivery, (one, two) = send_digest(engine, add_reader(engine))
    link = f"/feedback/{SIGNER.sign(Purpose.FEEDBACK, str(delivery))}/{one}/relevant"
    with visit(engine) as client:
        client.post(link.replace("/relevant", "/saved"))
        client.post(link.replace("/relevant", "/not_relevant"))
        assert signals(engine) == {(one, "saved"), (one, "not_relevant")}
        form = {"issue": "rate", f"shown-{one}": "1", f"rate-{one}": "relevant"}
        changed = client.post(link, data=form)
        assert "Marked as relevant" in changed.text
        assert signals(engine) == {(one, "relevant")}
        client.post(link, data=undo_of(changed))
        assert signals(engine) == {(one, "saved"), (one, "not_relevant")}
        same = client.post(link, data=undo_of(changed) | {"issue": "rate"})
        assert "Nothing to change" in same.text
        assert (two, "relevant") not in signals(engine)


@pytest.mark.parametrize(
    "form",
    [
        {"issue": "rate"},
        {"issue": "rate", "rate-1": "relevant"},
        {"issue": "rate", "shown-x": "1", "rate-x": "relevant"},
    ],
)
def test_papers_that_the_form_did_not_show_stay_as_they_are(
    engine: Engine, form: dict[str, str]
) -> None:
    delivery, (one, _) = send_digest(engine, add_reader(engine))
    link = f"/feedback/{SIGNER.sign(Purpose.FEEDBACK, str(delivery))}/{one}/relevant"
    with visit(engine) as client:
        assert client.post(link, data=form).status_code == 200
    assert signals(engine) == set()


def test_a_form_rates_no_paper_of_another_digest_and_no_other_way(engine: Engine) -> None:
    delivery, (one, _) = send_digest(engine, add_reader(engine))
    with session_scope(engine) as session:
        other = make_paper(session, 9).id
    link = f"/feedback/{SIGNER.sign(Purpose.FEEDBACK, str(delivery))}/{one}/relevant"
    with visit(engine) as client:
        form = {"issue": "rate", f"shown-{other}": "1", f"rate-{other}": "relevant"}
        assert client.post(link, data=form).status_code == 200
        odd = {"issue": "rate", f"shown-{one}": "1", f"rate-{one}": "saved"}
        assert client.post(link, data=odd).status_code == 422
    assert signals(engine) == set()


def test_the_page_shows_what_the_mail_shows(engine: Engine) -> None:
    delivery, _ = send_digest(engine, add_reader(engine, name="Ada Countess"), 2)
    with visit(engine) as client:
        page = client.get(f"/view/{SIGNER.sign(Purpose.VIEW, str(delivery))}").text
    for said in (
        "A study of thing 2", "Strong match", "because you follow program repair",
        "Here are 2 papers chosen for you.", "1 minute to read", "Ada Lovelace", "arXiv · cs.SE",
        "Program repair", "https://arxiv.org/abs/2611.00001", "Why this?",
    ):  # fmt: skip
        assert said in page, said
    assert "Countess" not in page
