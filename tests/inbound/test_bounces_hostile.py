"""Hostile and broken mail: always an outcome, within bounds of time and memory.

The work is done in a process of its own whose limits are the promise: a read that took more
would be killed, and the test fail.
"""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.inbound.bounces import Kind, read
from tests.support.bounce_mails import READER, complaint, letter, person, report

MEGABYTE = 1024 * 1024
HEAD = b"Return-Path: <>\nFrom: MAILER-DAEMON@x.example\nTo: a@b.example\nSubject: Undeliverable\n"
# What patterns repeat over, and what must therefore not cost the square of a mail's length.
UNITS = (
    "=", "- ", "a", "a@", "@", "<", "delivery ", "could not be ", "=?", "=?a?q?", "550 ", "5.5.5.",
    "550-5.1.1 ", "a.", "a@b.", "a@b.c ", "<a@b.c>\n", "x-sender: a@b.c\n", "message-id: <", ">",
    "  ", "\t", "\r", "\n", "\0", "é", "will be ", "click here ", "recipient: ", "(to ", "*", "#",
    "Final-Recipient: rfc822;a@b.c\nAction: failed\n\n", "x: y\n", "<style>", "<p ", "--b\n",
    " for <a@", "original message ", "copy of ", "following ", "=3D", "\"", "rcpt to:<", "held in ",
    "x" * 300 + "@" + "y" * 300 + " ", '{"notificationType": ', "[",
)  # fmt: skip


def wrappings(body: bytes) -> list[bytes]:
    """The body wherever a mail can hold it."""
    folded = body.replace(b"\r", b"\n").replace(b"\n", b"\n ")
    two_parts = (
        b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: %s\n\n%s\n--b\n"
        b"Content-Type: message/rfc822\n\n%s"
    )
    return [
        body,
        HEAD + b"\n" + body,
        HEAD + b"Subject: " + folded + b"\n\nx",
        HEAD + b"To: " + folded + b"\nReceived: " + folded + b"\n\nx",
        HEAD + b"Content-Type: text/html\n\n" + body,
        HEAD + b'Content-Type: multipart/mixed; boundary="' + folded + b"\n\n" + body,
        HEAD + two_parts % (b"message/delivery-status", body, body),
        HEAD + two_parts % (b"message/feedback-report", b"Feedback-Type: abuse\n" + body, body),
        HEAD + b"Content-Transfer-Encoding: base64\n\n" + body,
        HEAD + b"Content-Transfer-Encoding: quoted-printable\n\n" + body,
    ]


def nested(levels: int, inside: bytes) -> bytes:
    mail = inside
    for level in range(levels):
        mail = b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n%s\n--b%d--\n' % (
            level, level, mail, level,
        )  # fmt: skip
    return HEAD + mail


def in_limits(script: str, *, seconds: int, megabytes: int) -> None:
    """Run a Python script in a process that may use no more than this."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes * MEGABYTE, megabytes * MEGABYTE))

    done = subprocess.run(
        [sys.executable, "-c", script],
        preexec_fn=limit,
        cwd=Path(__file__).parents[2],
        env={"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("size", "places"), [(15_000, 4), (MEGABYTE, 10)], ids=["small", "large"])
@pytest.mark.parametrize("start", range(0, len(UNITS), 10))
def test_no_repetition_costs_more_than_its_length(size: int, places: int, start: int) -> None:
    # Small mails are asked of flufl.bounce too. 100 mails have 40 seconds of the processor.
    in_limits(
        "from tests.inbound.test_bounces_hostile import *\n"
        f"for unit in UNITS[{start}:{start + 10}]:\n"
        f"    body = (unit.encode() * ({size} // len(unit.encode()) + 1))[:{size}]\n"
        f"    for mail in wrappings(body)[:{places}]:\n"
        "        assert read(mail).kind in Kind\n",
        seconds=40,
        megabytes=200,
    )


@pytest.mark.parametrize(
    "mail",
    [
        "nested(200, report())",
        "nested(2000, report())",
        "HEAD + b'Content-Type: multipart/mixed; boundary=b\\n\\n--b\\n' * 20000",
        "HEAD + b'\\n' + b'x' * 50_000_000",
        "HEAD + b'\\n' + b'a@b.example\\n' * 4_000_000",
        "report() + b'\\n' * 50_000_000",
        "HEAD + b'\\n'.join(b'X-%d: y' % n for n in range(1_000_000)) + b'\\n\\nx'",
    ],
)
def test_giants_are_read_within_two_seconds_and_200_megabytes(mail: str) -> None:
    # The mail itself, 50 MB and its making, is not the reader's: it comes on top.
    in_limits(
        "from tests.inbound.test_bounces_hostile import *\n"
        f"mail = {mail}\n"
        "import resource\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "spent = int(used.ru_utime + used.ru_stime) + 3\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (spent, spent))\n"
        "assert read(mail).kind in Kind\n",
        seconds=60,
        megabytes=400,
    )


def test_a_report_200_levels_deep_is_not_followed_there() -> None:
    assert read(nested(3, report()[len(b"Return-Path: <>\n") :])).kind is Kind.BOUNCE
    assert read(nested(200, report())).kind in Kind


SAMPLES = (report(), complaint(), letter("MAILER-DAEMON", "failure", f"<{READER}>: no such user"))


@pytest.mark.parametrize("sample", SAMPLES, ids=["report", "complaint", "letter"])
def test_line_ends_do_not_matter(sample: bytes) -> None:
    plain = read(sample)
    for end in (b"\r\n", b"\r", b"\r\r\n"):
        assert read(sample.replace(b"\n", end)) == plain


@pytest.mark.parametrize("sample", SAMPLES, ids=["report", "complaint", "letter"])
def test_nuls_do_not_matter(sample: bytes) -> None:
    assert read(sample.replace(b"e", b"e\0")) == read(sample)


@pytest.mark.parametrize(
    "charset",
    ["ansi_x3.110-1983", "unicode-1-1-utf-7", "utf-7", "idna", "punycode", "zip", "rot13", "hex",
     "undefined", "unicode_escape", "iso-2022-jp", "utf-16", "x" * 100, "\N{SNOWMAN}", ""],
)  # fmt: skip
def test_any_character_set_is_survived(charset: str) -> None:
    text = f"<{READER}>: user unknown \x1b$B"
    declared = f'Content-Type: text/plain; charset="{charset}"'
    mail = letter("MAILER-DAEMON", "failure", text, declared)
    assert read(mail).kind is Kind.BOUNCE
    assert read(mail + bytes(range(256))).kind is Kind.BOUNCE


def test_output_and_rows_contain_no_control_characters() -> None:
    text = f"<{READER}>: \x1b[31mno such user\x07 \x00"
    outcome = read(letter("MAILER-DAEMON", "=?utf-8?q?fail=00ure=1B[2J?=", text))
    assert outcome.subject.isprintable()
    assert all(recipient.diagnostic.isprintable() for recipient in outcome.recipients)


def test_every_mail_of_the_corpus_can_be_cut_anywhere(corpus: Path) -> None:
    for path in sorted(corpus.glob("payloads/*/*.eml")):
        data = path.read_bytes()
        for end in range(0, min(len(data), 6000), 397):
            assert read(data[:end]).kind in Kind, (path.name, end)
            assert read(data[end:]).kind in Kind, (path.name, end)


def test_every_mail_of_the_corpus_survives_flipped_bits(corpus: Path) -> None:
    for path in sorted(corpus.glob("payloads/*/*.eml")):
        data = bytearray(path.read_bytes()[:8000])
        for place in range(0, len(data), 211):
            data[place] ^= 1 << (place % 8)
        assert read(bytes(data)).kind in Kind, path.name


def test_every_mail_of_the_corpus_survives_200_levels_of_wrapping(corpus: Path) -> None:
    for path in sorted(corpus.glob("payloads/*/*.eml")):
        assert read(nested(200, path.read_bytes())).kind in Kind, path.name


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3000))
def test_any_bytes_have_an_outcome(data: bytes) -> None:
    assert read(data).kind in Kind
    assert read(HEAD + data).kind in Kind
    assert read(report() + data).kind in Kind


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_in_any_place_has_an_outcome(first: str, second: str) -> None:
    data = first.encode("utf-8", "replace")
    for mail in wrappings(data):
        assert read(mail + second.encode("utf-8", "replace")).kind in Kind


def test_a_person_is_never_mistaken_for_a_machine() -> None:
    assert read(person("Question", "Why did I not get Thursday's digest?")).kind is Kind.UNKNOWN
