"""Codes and words in a bounce: which code counts, and whether the server still tries."""

import pytest

from newsletter.core.models import Permanence
from newsletter.inbound.bounces import Kind, read
from newsletter.inbound.bounces.status_codes import (
    is_still_trying,
    permanence_of,
    reply_in,
    status_in,
)
from tests.support.bounce_mails import READER, letter

DAEMON = "Mail Delivery System <MAILER-DAEMON@mx.example>"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("5.0.0 (see below) 550 5.1.1 no such user", "5.1.1"),
        ("5.1.1 no such user; 5.0.0", "5.1.1"),
        ("4.2.2 full, then 5.1.1", "4.2.2"),
        ("5.0.0 and nothing else", "5.0.0"),
        ("5.0.0 first, 4.0.0 second", "5.0.0"),
        ("5.0.1", "5.0.1"),
        ("5.1.0", "5.1.0"),
        ("(#5.1.1)", "5.1.1"),
        ("host 192.0.2.5.1.1 said", ""),
        ("version 15.1.1", ""),
        ("3.1.1 is no class", ""),
        ("5.1.1234", ""),
        ("x" * 3000 + " 5.1.1", ""),
        ("no code", ""),
    ],
)
def test_the_first_status_code_with_a_detail_is_the_one(text: str, code: str) -> None:
    assert status_in(text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("550 no such user", "550"),
        ("host mx said: 451 later", "451"),
        ("250 2.0.0 ok\n550 no", "550"),
        ("250 ok", "250"),
        ("error: 421-4.7.0 later", "421"),
        ("we have 550 users", ""),
        ("x550 no", ""),
        ("5500 no", ""),
    ],
)
def test_a_reply_code_stands_where_a_servers_words_begin(text: str, code: str) -> None:
    assert reply_in(text) == code


WARNINGS = [
    "THIS IS A WARNING MESSAGE ONLY",
    "This is only a warning.",
    "This is only a notification about a delay",
    "This is a warning only: your mail waits.",
    "The server will be retried for two days.",
    "We will keep trying.",
    "We will continue for some days.",
    "We will attempt delivery again.",
    "Delivery attempts will continue.",
    "It is still being retried.",
    "We are still trying.",
    "It is still in the queue.",
    "It has not yet been delivered.",
    "Your mail was delayed.",
    "Delivery has been postponed.",
    "You do not need to resend your message.",
    "There is no need to re-send.",
    "Delayed mail",
    "Please wait: we keep trying.",
    "Temporary failure report",
    "Die Zustellung wird weiter versucht.",
    "Ihre Nachricht wurde noch nicht zugestellt.",
    "Votre message sera retenté.",
    "Le message n'a pas encore été remis.",
    "Se seguirá intentando.",
    "Сервер продолжит попытки.",
]


@pytest.mark.parametrize("text", WARNINGS)
def test_a_letter_that_only_warns_is_known_however_its_lines_are_broken(text: str) -> None:
    assert is_still_trying(text)
    assert is_still_trying("Hello!\n\n" + text.replace(" ", "\n    ") + "\n\n")


@pytest.mark.parametrize(
    "text",
    [
        "We will not be retried.",
        "We gave up. It was delayed for 5 days.",
        "The message was delayed; we are giving up.",
        "It was delayed, and is given up now.",
        "It was delayed. This is a permanent error.",
        "It was delayed. No further attempts will be made.",
        "It was delayed. The message will be deleted.",
        "It has been delayed: could not be delivered for 5 days.",
        "It was delayed and abandoned.",
        "It was delayed. Delivery was aborted.",
        "It was delayed. We will not try again.",
        "User unknown.",
        "Warning: user unknown",
        "",
    ],
)
def test_a_letter_that_gave_up_does_not_try_any_more(text: str) -> None:
    assert not is_still_trying(text)


def test_a_warning_about_later_failure_is_not_a_bounce() -> None:
    assert is_still_trying(
        "This is a warning message only. After 5 days we give up; that is permanent."
    )


@pytest.mark.parametrize(
    "warning",
    [
        "THIS IS A WARNING MESSAGE ONLY",
        "This is only a warning.",
        "**  THIS IS A WARNING\n    MESSAGE ONLY  **",
    ],
)
@pytest.mark.parametrize("said", ["", "550 5.1.1 User unknown", "451 4.4.1 no answer"])
def test_a_warning_is_never_a_permanent_bounce(warning: str, said: str) -> None:
    mail = letter(
        DAEMON,
        "Undeliverable mail",
        f"{warning}\n\nYour message could not be delivered yet to:\n\n<{READER}>:\n{said}\n",
    )
    outcome = read(mail)
    assert outcome.kind is Kind.BOUNCE
    assert [each.address for each in outcome.recipients] == [READER]
    assert all(each.permanence is Permanence.TRANSIENT for each in outcome.recipients)
    assert all(each.delayed and not each.is_dead for each in outcome.recipients)


@pytest.mark.parametrize(
    ("status", "reply", "expected"),
    [
        ("5.1.1", "", Permanence.PERMANENT),
        ("4.2.2", "550", Permanence.TRANSIENT),
        ("", "451", Permanence.TRANSIENT),
        ("", "550", Permanence.PERMANENT),
        ("5.0.0", "451", Permanence.TRANSIENT),
        ("5.0.0", "550", Permanence.PERMANENT),
        ("5.0.0", "", Permanence.PERMANENT),
        ("5.1.1", "451", Permanence.PERMANENT),
        ("", "", Permanence.PERMANENT),
    ],
)
def test_the_status_code_tells_permanence_before_the_reply_does(
    status: str, reply: str, expected: Permanence
) -> None:
    assert permanence_of(status, reply) is expected
