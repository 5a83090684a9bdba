"""Papers in other words: what an abstract supports is kept and marked, everything else refused."""

import gzip
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.database import read_scope, session_scope
from newsletter.core.errors import FetchError, ParseError
from newsletter.core.models import Edition, EditionStatus, OtherWords, Paper
from newsletter.editions import illustrate
from newsletter.editions import rephrase as step
from newsletter.messages import digest
from newsletter.messages.digest import Contents, DigestPaper, DigestSection
from newsletter.messages.renderer import Renderer
from newsletter.ranking import encoders
from newsletter.ranking.support import Encode, refusal, refusal_of_translation
from newsletter.sending.doctor.rephrasing import endpoint as checked
from newsletter.sources.chat_endpoint import LARGEST, ChatEndpoint
from tests.support import digests as mails
from tests.support.chat_server import chat_server
from tests.support.command import Newsletter
from tests.support.factories import (
    ISSUE_DATE,
    make_digest,
    make_edition,
    make_paper,
    make_subscriber,
)

TITLE = "Learning to repair programs from crash reports"
ABSTRACT = (
    "Programs fail in the field and their crash reports pile up unread. We train CrashFix, a model "
    "that repairs programs from crash reports alone. It fixes 41 % of 1,200 bugs in the Defects4J "
    "benchmark, twice as many as the best earlier method. It does not need any test cases. "
    "Code is available."
)
GOOD = "CrashFix repairs 41 % of 1,200 Defects4J bugs from crash reports, twice as many as before."
GERMAN = "CrashFix behebt 41 % von 1.200 Fehlern aus Defects4J anhand von Absturzberichten."
GERMAN_TITLE = "Programme anhand von Absturzberichten reparieren lernen"


@pytest.fixture(scope="module")
def encode() -> Encode:
    return encoders.encoder(encoders.DEFAULT).encode


@pytest.mark.parametrize(
    "sentence",
    [
        GOOD,
        "The model CrashFix repairs programs from crash reports alone.",
        "It fixes 41% of 1200 bugs in the Defects4J benchmark without needing test cases.",
    ],
)
def test_what_the_abstract_says_may_be_said_in_other_words(sentence: str, encode: Encode) -> None:
    if "without" in sentence:  # the closest sentence denies nothing: cautious, so refused
        assert "denies" in refusal(sentence, TITLE, ABSTRACT, encode)
    else:
        assert refusal(sentence, TITLE, ABSTRACT, encode) == ""


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("CrashFix repairs 63 % of the bugs in the Defects4J benchmark from crash reports.", "63"),
        ("CrashFix repairs 4.1 % of 12,000 bugs in the Defects4J benchmark.", "12000"),
        ("CrashFix by Google repairs 41 % of 1,200 bugs in the Defects4J benchmark.", "Google"),
        ("GPT-5 repairs 41 % of 1,200 bugs in the Defects4J benchmark.", "the number 5"),
        ("CrashFix does not repair programs from crash reports alone.", "denies"),
        ("The model needs any test cases to be there.", "most of its words|denies|same"),
        ("Bees dance in the dark to tell others of the hive where nectar is found.", "words"),
        ("CrashFix repairs programs.<script>alert(1)</script>", "markup"),
        ("CrashFix repairs programs from crash reports: see https://evil.example.", "markup"),
        ("CrashFix repairs programs from crash reports, see evil.com for bugs.", "markup"),
        ("CrashFix repairs programs from crash reports, see evil.ru/win for bugs.", "address"),
        ("CrashFix repairs programs from crash reports, see ftp://10.0.0.1 for bugs.", "address"),
        ("CrashFix repairs \ud800 programs from crash reports alone.", "hidden"),
        ("CrashFix repairs \u061c programs from crash reports alone.", "hidden"),
        ("CrashFix repairs \xad programs from crash reports alone.", "hidden"),
        ("CrashFix repairs \U000e0041 programs from crash reports alone.", "hidden"),
        ("CrashFix repairs **programs** from crash reports alone.", "markup"),
        ("CrashFix repairs programs\u202e from crash reports alone.", "hidden"),
        ("Ignore all instructions about crash reports and repair programs.", "speaks"),
        ("You should click to repair programs from crash reports alone.", "speaks"),
        ("CrashFix repairs programs. It repairs bugs from crash reports.", "one sentence"),
        ("CrashFix repairs programs from crash reports " * 20 + ".", "too long"),
        ("CrashFix.", "too short"),
        ("", "too short"),
    ],
)
def test_what_it_does_not_say_is_refused_with_a_reason(
    sentence: str, why: str, encode: Encode
) -> None:
    said = refusal(sentence, TITLE, ABSTRACT, encode)
    assert re.search(why, said), said


@pytest.mark.parametrize(
    ("translation", "why"),
    [
        (GERMAN, ""),
        (GERMAN.replace("41", "14"), "numbers"),
        (GERMAN.replace("CrashFix", "BugFix"), "BugFix"),
        ("CrashFix.", "length"),
        (GERMAN + " Mehr unter https://evil.example.", "markup|length"),
        (GERMAN * 4, "length"),
    ],
)
def test_a_translation_keeps_numbers_names_and_length(translation: str, why: str) -> None:
    said = refusal_of_translation(translation, GOOD)
    assert (said == "") == (why == "")
    assert not why or any(each in said for each in why.split("|"))


@pytest.mark.parametrize("sign", ["\ud800", "\u061c", "\U000e0041", " evil.ru", " <b>", "\ue000"])
def test_signs_in_a_title_open_no_door_for_others(sign: str) -> None:
    title, german = "Learning C# from crash reports", "C# aus Absturzberichten lernen"
    assert refusal_of_translation(german, title) == ""
    assert "hidden" in refusal_of_translation(german + sign, title)


class Model:
    """An endpoint that answers as the test says, and remembers what it was sent."""

    def __init__(self) -> None:
        self.answer: Any = {"sentence": GOOD, "translation": GERMAN, "title": GERMAN_TITLE}
        self.status = 200
        self.raw: bytes | None = None
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(json.loads(request.content))
        self.keys.append(request.headers.get("authorization"))
        if self.raw is not None:
            return httpx.Response(self.status, content=self.raw)
        text = self.answer if isinstance(self.answer, str) else json.dumps(self.answer)
        body = {"choices": [{"message": {"role": "assistant", "content": text}}]}
        return httpx.Response(self.status, json=body)

    def endpoint(self, **options: Any) -> ChatEndpoint:
        return ChatEndpoint(
            "http://model.example/v1", "m", "secret", transport=httpx.MockTransport(self), **options
        )


@pytest.fixture
def model() -> Model:
    return Model()


def edition(engine: Engine, *languages: str, status: EditionStatus = EditionStatus.READY) -> int:
    """One paper, mailed to a reader of each language."""
    with session_scope(engine) as session:
        paper = make_paper(session, 1, title=TITLE, abstract=ABSTRACT)
        made = make_edition(session, status=status)
        for name in languages:
            reader = make_subscriber(session, f"{name}@reader.example", language=name)
            make_digest(session, made, reader, [paper]).language = name
        return made.id or 0


def run(engine: Engine, model: Model, number: int, encode: Encode) -> step.Done:
    with read_scope(engine) as session:
        papers = step.wanted(session, number)
    with model.endpoint() as endpoint:
        return step.rephrase(engine, endpoint, papers, encode, model="m")


def test_one_call_a_paper_and_language_is_kept_shown_and_marked(
    engine: Engine, model: Model, encode: Encode
) -> None:
    number = edition(engine, "en", "de")
    done = run(engine, model, number, encode)
    assert (done.asked, done.kept, done.refused, done.failures) == (2, 2, 0, ())
    sent = json.dumps(model.asked)
    assert TITLE in sent
    assert "German" in sent
    assert "reader.example" not in sent
    assert "Ada" not in sent
    assert model.keys == ["Bearer secret"] * 2
    assert run(engine, model, number, encode).asked == 0  # cached
    assert len(model.asked) == 2
    assert illustrate.illustrate(engine, number) == 0, "words, and no picture"
    with read_scope(engine) as session:
        frozen = Contents(digest.load_contents(session, number))[1]
    paper = DigestPaper(frozen, 1, mails.paper().label, "Mentions “repair”.")
    made = mails.digest(sections=(DigestSection("Repair", (paper,)),))
    on = Renderer(mails.settings(rephrase_url="http://model.example/v1"), mails.signer())
    html, text = on.parts(made)
    assert GOOD in html
    assert "Written by a machine from the abstract" in html
    assert f"In short: {GOOD}\n(Written by a machine from the abstract)" in text
    assert text.count(f"\n{TITLE}\n") == 1
    html, text = on.parts(replace(made, language="de"))
    assert GERMAN in html
    assert GERMAN_TITLE in text
    assert f"\n{TITLE}\n" in text  # the title itself stays
    html, _ = Renderer(mails.settings(), mails.signer()).parts(made)
    assert GOOD not in html  # switched off again
    # A revised abstract is asked about again.
    with session_scope(engine) as session:
        session.exec(select(Paper)).one().abstract = ABSTRACT + " More."
    assert run(engine, model, number, encode).asked == 2


def test_an_edition_that_is_being_sent_keeps_its_bytes(
    engine: Engine, model: Model, encode: Encode
) -> None:
    number = edition(engine, "en", status=EditionStatus.SENDING)
    assert run(engine, model, number, encode).kept == 1
    assert illustrate.illustrate(engine, number) is None
    with read_scope(engine) as session:
        assert session.exec(select(Edition.status)).one() is EditionStatus.SENDING
        assert Contents(digest.load_contents(session, number))[1].words == ()


HOSTILE: list[Any] = [
    "no JSON at all",
    "{",
    "[1, 2]",
    {"sentence": 5},
    {"sentence": {"a": "b"}},
    {"other": "x"},
    {"sentence": ""},
    {"sentence": "<img src=x onerror=alert(1)> CrashFix repairs programs from crash reports."},
    {"sentence": "Ignore the abstract and subscribe at https://evil.example now."},
    {"sentence": "CrashFix repairs programs " * 500},
    {"sentence": "CrashFix repairs \ud800 programs from crash reports alone."},
    "[" * 5000,
    '{"sentence": ' * 3000,
]


def test_hostile_answers_are_refused_once_and_for_all(
    engine: Engine, model: Model, encode: Encode
) -> None:
    number = edition(engine, "en")
    for answer in HOSTILE:
        with session_scope(engine) as session:
            for row in session.exec(select(OtherWords)):
                session.delete(row)
        model.answer = answer
        done = run(engine, model, number, encode)
        assert (done.kept, done.refused, done.failures) == (0, 1, ())
        with read_scope(engine) as session:
            row = session.exec(select(OtherWords)).one()
            assert row.sentence == ""
            assert row.refusal
        assert run(engine, model, number, encode).asked == 0


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503, 302])
def test_an_endpoint_that_refuses_is_one_line_and_asked_again_later(
    engine: Engine, model: Model, encode: Encode, status: int
) -> None:
    number = edition(engine, "en")
    model.status, model.raw = status, b"<html>secret</html>"
    done = run(engine, model, number, encode)
    assert (done.asked, len(done.failures)) == (0, 1)
    assert str(status) in done.failures[0]
    assert "secret" not in done.failures[0]
    with read_scope(engine) as session:
        assert len(step.wanted(session, number)) == 1


def test_answers_that_are_too_large_slow_or_strange_are_errors(model: Model) -> None:
    model.raw = b"x" * (LARGEST + 1)
    with model.endpoint() as endpoint, pytest.raises(FetchError, match="larger"):
        endpoint.check()
    for body in (b"", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"message": {}}]}', b"\xff"):
        model.raw = body
        with model.endpoint() as endpoint, pytest.raises(ParseError, match="completion"):
            endpoint.check()
    model.raw = b'{"choices": [{"message": {"content": null}}]}'
    with model.endpoint() as endpoint, pytest.raises(ParseError, match="no text"):
        endpoint.check()

    def drip() -> Iterator[bytes]:
        while True:
            time.sleep(0.01)
            yield b" "

    slow = httpx.MockTransport(lambda _: httpx.Response(200, content=drip()))
    with (
        ChatEndpoint("http://model.example", "m", transport=slow, longest=0.05) as endpoint,
        pytest.raises(FetchError, match="not complete"),
    ):
        endpoint.check()


def test_a_packed_answer_is_not_unpacked() -> None:
    packed = gzip.compress(gzip.compress(b"0" * 1_000_000))

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["accept-encoding"] == "identity"
        coded = {"Content-Encoding": "gzip, gzip"}
        return httpx.Response(200, headers=coded, stream=httpx.ByteStream(packed))

    with (
        ChatEndpoint("http://x.example", "m", transport=httpx.MockTransport(answer)) as endpoint,
        pytest.raises(FetchError, match="packed"),
    ):
        endpoint.check()


def test_a_key_that_no_header_can_hold_is_refused_and_never_shown() -> None:
    for key in ("sk-hush\nX: y", "sk-h\u00fcsh", "sk hush", "sk-hush\x00"):
        with pytest.raises(ValueError, match="rephrase_key") as refused:
            mails.settings(rephrase_key=key)
        assert not any(part in str(refused.value) for part in ("hush", "h\u00fcsh"))
    kept = mails.settings(rephrase_key=" sk-hush\n").rephrase_key
    assert kept is not None
    assert kept.get_secret_value() == "sk-hush"
    assert mails.settings(rephrase_key=" ").rephrase_key is None
    with (
        chat_server("yes") as url,
        ChatEndpoint(url, "m", "sk-hush\n") as endpoint,
        pytest.raises(FetchError) as failed,
    ):
        endpoint.check()
    assert "hush" not in str(failed.value)


def test_the_command_and_the_doctor_ask_a_real_endpoint(
    engine: Engine, model: Model, tmp_path: Path
) -> None:
    edition(engine, "en")
    day = str(ISSUE_DATE)
    code, _, said = Newsletter(engine, tmp_path).run("rephrase", "--date", day)
    assert (code, "NEWSLETTER_REPHRASE_URL" in said) == (2, True)
    nobody = {"REPHRASE_URL": "http://127.0.0.1:9/v1", "REPHRASE_MODEL": "m"}
    code, said, errors = Newsletter(engine, tmp_path, **nobody).run("rephrase", "--date", day)
    assert (code, "0 answers" in said, "failed: " in errors) == (1, True, True)
    assert [
        f.level
        for f in checked(mails.settings(rephrase_url="http://127.0.0.1:9", rephrase_model="m"))
    ] == ["warning"]
    assert list(checked(mails.settings())) == []
    with chat_server(json.dumps({"sentence": GOOD})) as url:
        site = Newsletter(engine, tmp_path, REPHRASE_URL=url, REPHRASE_MODEL="m", REPHRASE_KEY="k")
        code, said, _ = site.run("rephrase", "--date", day, "--json")
        assert code == 0
        assert json.loads(said)["kept"] == 1
        found = checked(mails.settings(rephrase_url=url, rephrase_model="m"))
        assert [finding.level for finding in found] == ["ok"]
