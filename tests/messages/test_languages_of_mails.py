"""Mails in another language than English: German, and one from right to left."""

import re
from collections.abc import Iterator
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from newsletter.core import language
from newsletter.core.models import Occasion
from newsletter.messages import templates
from newsletter.messages.renderer import Renderer
from tests.support import digests as mails

LABELS = ("Passt sehr gut", "Passt gut", "Einen Blick wert")


def parsed(data: bytes) -> EmailMessage:
    return message_from_bytes(data, policy=policy.default)


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(mails.settings(), mails.signer())


@pytest.fixture
def hebrew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A site that knows English and some Hebrew."""
    monkeypatch.setattr(language, "FOLDER", Path(__file__).parents[1] / "support/locale")
    language.languages.cache_clear()
    yield
    language.languages.cache_clear()


def test_a_german_digest_is_german_but_for_what_authors_wrote(renderer: Renderer) -> None:
    digest = mails.digest(language="de", covers_from=date(2026, 11, 14), coverage="")
    for body in renderer.parts(digest):
        said = " ".join(body.split())
        assert "Ihre Woche, 14.–20. Nov. 2026" in said
        assert "Im Browser ansehen" in said
        assert "18 Stimmen" in said.replace("\xa0", " ")
        assert any(label in said for label in LABELS)
        assert digest.papers[0].title in said
        assert not re.search(
            r"Strong match|Unsubscribe|upvote|chosen for you|minutes? to read", said
        )
    assert '<html lang="de" dir="ltr"' in renderer.parts(digest).html


def test_one_renderer_serves_languages_side_by_side(renderer: Renderer) -> None:
    english, german = mails.digest(), mails.digest(language="de")
    before = renderer.digest(english).data
    assert b"Abbestellen" in renderer.digest(german).data
    assert renderer.digest(english).data == before


@pytest.mark.parametrize("occasion", list(Occasion))
def test_the_fast_way_says_the_same_as_the_plain_way_in_german(
    renderer: Renderer, occasion: Occasion
) -> None:
    papers = 0 if occasion is Occasion.NOTHING else 4
    digest = mails.digest(papers, language="de", occasion=occasion, reason="es gibt nichts")
    message = parsed(renderer.digest(digest).data)
    for body, kind in zip(renderer.parts(digest), ("html", "plain"), strict=True):
        part = message.get_body((kind,))
        assert part is not None
        assert part.get_content().split() == body.split()


@pytest.mark.parametrize("kind", ["confirmation", "account_link"])
def test_short_mails_are_german_too(renderer: Renderer, kind: str) -> None:
    envelope = getattr(renderer, kind)(**mails.note_to(language="de"))
    message = parsed(envelope.data)
    wanted = {
        "confirmation": "Bitte bestätigen Sie Ihr Abonnement von Morning Papers",
        "account_link": "Ihre Seite bei Morning Papers",
    }
    assert message["Subject"] == wanted[kind]
    body = message.get_body(("plain",))
    assert body is not None
    assert "Abbestellen: https://" in body.get_content()


@pytest.mark.usefixtures("hebrew")
def test_a_mail_from_right_to_left_is_mirrored_and_keeps_names_apart(renderer: Renderer) -> None:
    html, text = renderer.parts(mails.digest(language="he"))
    assert '<html lang="he" dir="rtl"' in html
    assert "text-align:left" not in html
    assert 'align="left"' not in html
    assert "margin-right" not in html
    assert "\u2068ada@reader.example\u2069 רשום אל \u2068Morning Papers\u2069" in text
    # Titles keep their own direction, and what has no translation is in English.
    assert re.search(r'<h3 class="title"[^>]* dir="auto"', html)
    assert "In short: " in text
    message = parsed(renderer.confirmation(**mails.note_to(language="he")).data)
    assert message["Subject"] == "אישור המינוי אל \u2068Morning Papers\u2069"


@pytest.mark.parametrize("name", ["digest", "note", "broadcast"])
def test_compiled_mails_can_be_mirrored_side_by_side(name: str) -> None:
    html = templates.compile_mjml(Path(__file__).parents[2] / f"templates/{name}.mjml")
    # Four numbers in a row would need swapping as well.
    four = re.findall(r"(?:margin|padding|border-radius):\s*(?:[\w.-]+\s+){3}[\w.-]+", html)
    assert all(each.split()[-1] == each.split()[-3] for each in four), four
    assert templates.mirrored(templates.mirrored(html)) == html
    assert templates.mirrored(html) != html
