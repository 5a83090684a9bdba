"""Reading inbound mail: what sort it is, about whom, for good or for now, and why."""

import json

import pytest

from newsletter.core.models import Permanence, Reason
from newsletter.inbound.bounces import Kind, Outcome, read, read_reply
from tests.support.bounce_mails import (
    MESSAGE_ID,
    OURS,
    READER,
    RETURNED,
    complaint,
    letter,
    person,
    report,
)

PERMANENT, TRANSIENT = Permanence.PERMANENT, Permanence.TRANSIENT
DAEMON = "Mail Delivery System <MAILER-DAEMON@mx.example>"


def about(outcome: Outcome) -> list[tuple[str, Permanence, Reason]]:
    return [(each.address, each.permanence, each.reason) for each in outcome.recipients]


def test_a_delivery_report_is_taken_at_its_word() -> None:
    outcome = read(report())
    assert outcome.kind is Kind.BOUNCE
    assert about(outcome) == [(READER, PERMANENT, Reason.NO_SUCH_ADDRESS)]
    assert outcome.recipients[0].status == "5.1.1"
    assert outcome.recipients[0].is_dead
    assert MESSAGE_ID in outcome.message_ids
    assert OURS in outcome.sent_to


def test_a_delay_is_a_transient_bounce_that_says_so() -> None:
    outcome = read(report(action="delayed", status="4.4.1", diagnostic="smtp; 421 try later"))
    assert outcome.kind is Kind.BOUNCE
    [recipient] = outcome.recipients
    assert recipient.delayed
    assert recipient.permanence is TRANSIENT


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_good_news_is_a_delivery_notice(action: str) -> None:
    outcome = read(report(action=action, status="2.0.0", diagnostic="smtp; 250 ok"))
    assert (outcome.kind, outcome.recipients) == (Kind.DELIVERY_NOTICE, ())


@pytest.mark.parametrize(
    ("status", "diagnostic", "reason"),
    [
        ("5.1.1", "smtp; 552 sorry, mailbox is over quota (#5.1.1)", Reason.MAILBOX_FULL),
        ("5.1.1", "smtp; 550 5.1.1 203.0.113.9 has sent to too many recipients this hour",
         Reason.RATE_LIMITED),
        ("5.1.8", "smtp; 501 5.1.8 Sender address rejected", Reason.SENDER_REJECTED),
        ("5.1.1", "smtp; 550 5.7.1 Client host blocked using a list", Reason.BLOCKED),
        ("5.2.2", "smtp; 550 5.2.2 anything at all", Reason.MAILBOX_FULL),
        ("5.7.26", "smtp; 550 5.7.26 no such user, said nobody", Reason.AUTHENTICATION),
        ("5.1.1", "smtp; 550 5.1.1 spam detected", Reason.SPAM),
    ],
)  # fmt: skip
def test_words_about_the_day_or_the_sender_never_make_an_address_dead(
    status: str, diagnostic: str, reason: Reason
) -> None:
    [recipient] = read(report(status=status, diagnostic=diagnostic)).recipients
    assert recipient.reason is reason
    assert not recipient.is_dead


@pytest.mark.parametrize(
    ("status", "diagnostic", "reason"),
    [
        ("5.1.10", "smtp; 556 5.1.10 Recipient address has null MX", Reason.NOT_ACCEPTING),
        ("5.4.4", "smtp; Host or domain name not found", Reason.NO_SUCH_HOST),
        ("5.0.0", "smtp; 550 host antispam.reader.example said: user unknown",
         Reason.NO_SUCH_ADDRESS),
        ("5.4.1", "smtp; 550 5.4.1 Recipient address rejected: Access denied [x.outlook.com]",
         Reason.NO_SUCH_ADDRESS),
        ("5.1.3", "smtp; 553 5.1.3 nothing else is said", Reason.NO_SUCH_ADDRESS),
    ],
)  # fmt: skip
def test_a_dead_address_is_known_by_words_or_code(
    status: str, diagnostic: str, reason: Reason
) -> None:
    [recipient] = read(report(status=status, diagnostic=diagnostic)).recipients
    assert recipient.reason is reason
    assert recipient.is_dead


def test_a_retry_that_was_given_up_stays_transient() -> None:
    [recipient] = read(report(status="4.4.7", diagnostic="smtp; 451 greylisted")).recipients
    assert recipient.permanence is TRANSIENT
    assert not recipient.delayed
    assert not recipient.is_dead


LETTERS = {
    "qmail": (
        DAEMON, "failure notice",
        "Hi. This is the qmail-send program at mx.example.\n"
        f"I'm afraid I wasn't able to deliver your message.\n\n<{READER}>:\n"
        "Sorry, I couldn't find any host named reader.example. (#5.1.2)\n\n"
        f"--- Below this line is a copy of the message.\n\n{RETURNED}",
        PERMANENT, Reason.NO_SUCH_HOST,
    ),
    "exim": (
        DAEMON, "Mail delivery failed: returning message to sender",
        "A message that you sent could not be delivered to one or more of its\n"
        f"recipients. The following address(es) failed:\n\n  {READER}\n"
        "    host mx.reader.example [192.0.2.9]\n    SMTP error from remote mail server after\n"
        f"    RCPT TO:<{READER}>:\n    451 4.7.1 Greylisted: retry timeout exceeded\n",
        TRANSIENT, Reason.POLICY,
    ),
    "exim warning": (
        DAEMON, "Warning: message 1abc delayed 24 hours",
        "A message that you sent has not yet been delivered to one or more of its\nrecipients.\n\n"
        f"The address to which the message has not yet been delivered is:\n\n  {READER}\n\n"
        "Delivery attempts will continue for some time.\n",
        TRANSIENT, Reason.EXPIRED,
    ),
    "MDaemon": (
        "MDaemon@mx.example", "Permanent Delivery Failure",
        "The attached message had PERMANENT fatal delivery errors!\n\n"
        f"Failed address: {READER}\n\n--- Session Transcript ---\n  <<< 552 quota exceeded\n",
        PERMANENT, Reason.MAILBOX_FULL,
    ),
    "GroupWise": (
        "Postmaster@gw.example", "Message status - undeliverable",
        f"The message that you sent was undeliverable to the following:\n\t{READER} "
        "(user not found)\n",
        PERMANENT, Reason.NO_SUCH_ADDRESS,
    ),
    "hMailServer": (
        DAEMON, "Message undeliverable",
        "Your message did not reach some or all of the intended recipients.\n\n   Sent: Friday\n\n"
        f"The following recipient(s) could not be reached:\n\n{READER}\n   Error Type: SMTP\n"
        "   Remote server replied: 550 5.1.1 No such user\n",
        PERMANENT, Reason.NO_SUCH_ADDRESS,
    ),
    "Yahoo": (
        "MAILER-DAEMON@yahoo.example", "Failure Notice",
        "Sorry, we were unable to deliver your message to the following address.\n\n"
        f"<{READER}>:\n554: delivery error: dd This user doesn't have an account ({READER}) [0]\n",
        PERMANENT, Reason.NO_SUCH_ADDRESS,
    ),
    "MailMarshal": (
        "postmaster@gw.example", "Undeliverable Mail",
        "Your message:\n   From:    papers@news.example.org\n   Subject: Your papers\n\n"
        "Could not be delivered because of\n\n550 5.1.1 User unknown\n\n"
        f"The following recipients were affected: \n    {READER}\n",
        PERMANENT, Reason.NO_SUCH_ADDRESS,
    ),
    "Chinese": (
        "PostMaster@mail.example", "系统退信",
        f"抱歉，您的邮件被退回来了……\n\n收件人：{READER}\n退信原因：收件人邮件地址不存在，邮件无法送达。\n",
        PERMANENT, Reason.NO_SUCH_ADDRESS,
    ),
    "German": (
        DAEMON, "Nachricht konnte nicht zugestellt werden",
        f"Ihre Nachricht konnte nicht zugestellt werden an:\n\n  {READER}: Postfach ist voll\n",
        PERMANENT, Reason.MAILBOX_FULL,
    ),
}  # fmt: skip


@pytest.mark.parametrize("system", LETTERS)
def test_a_letter_tells_whom_why_and_for_how_long(system: str) -> None:
    sender, subject, text, permanence, reason = LETTERS[system]
    outcome = read(letter(sender, subject, text))
    assert outcome.kind is Kind.BOUNCE
    assert about(outcome) == [(READER, permanence, reason)]


def test_several_recipients_of_a_letter_each_have_their_own_reason() -> None:
    text = (
        "The following addresses had delivery problems:\n\n<a@x.example>: 550 5.1.1 no such user\n"
        "<b@x.example>: 552 5.2.2 over quota\n"
    )
    assert about(read(letter(DAEMON, "Undeliverable", text))) == [
        ("a@x.example", PERMANENT, Reason.NO_SUCH_ADDRESS),
        ("b@x.example", PERMANENT, Reason.MAILBOX_FULL),
    ]


def test_a_bounce_that_names_nobody_still_says_why() -> None:
    text = "The following mail could not be delivered. Reason: mailbox is full.\n"
    outcome = read(letter("postmaster@gw.example", "Mail could not be delivered", text))
    assert (outcome.kind, outcome.recipients) == (Kind.BOUNCE, ())
    assert outcome.nameless is not None
    assert outcome.nameless.reason is Reason.MAILBOX_FULL


def test_a_report_wrapped_by_a_gateway_is_unwrapped() -> None:
    wrapped = (
        f"From: postmaster@gw.example\nTo: {OURS}\nSubject: Delivery Status\n"
        "Content-Type: multipart/mixed; boundary=outer\n\n--outer\nContent-Type: text/plain\n\n"
        "See below.\n--outer\nContent-Type: message/rfc822\n\n"
    ).encode() + report()
    assert about(read(wrapped + b"\n--outer--\n")) == [(READER, PERMANENT, Reason.NO_SUCH_ADDRESS)]


@pytest.mark.parametrize(
    ("mail", "kind"),
    [
        (person("Automatic reply: Your papers", "I am away until Monday."), Kind.AUTO_REPLY),
        (person("Away", "Back on Monday.", Auto_Submitted="auto-replied"), Kind.AUTO_REPLY),
        (person("Gone", "No longer here.", X_Autoreply="yes"), Kind.AUTO_REPLY),
        (
            letter("A Person <p@reader.example>", "Thank you", "I shall reply as soon as I can."),
            Kind.AUTO_REPLY,
        ),
        (
            letter(
                "A Person <p@reader.example>",
                "Automatic reply: Your papers",
                "I have left; this message could not be delivered to me. Ask bob@reader.example.",
                "Auto-Submitted: auto-replied",
            ),
            Kind.AUTO_REPLY,
        ),
        (person("Re: Your papers", "Please take me off this list."), Kind.UNKNOWN),
        (person("Delivery of my preprint", "It could not be delivered, said b@x.example."),
         Kind.UNKNOWN),
        (person("Fwd: Undelivered Mail Returned to Sender", f"<{READER}>: user unknown"),
         Kind.UNKNOWN),
        (person("unsubscribe", "This message was automatically generated."), Kind.UNSUBSCRIBE),
        (complaint(), Kind.COMPLAINT),
        (complaint(feedback_type="opt-out"), Kind.COMPLAINT),
        (complaint(feedback_type="auth-failure"), Kind.UNKNOWN),
        (complaint(feedback_type="not-spam"), Kind.UNKNOWN),
        (
            letter(
                "confirm@reader.example",
                "Please confirm your message",
                "Your message is being held because the address has not been verified.\n"
                "To release your message for delivery, reply to this mail.",
            ),
            Kind.CHALLENGE,
        ),
    ],
)  # fmt: skip
def test_mail_that_only_looks_like_a_bounce_is_not_one(mail: bytes, kind: Kind) -> None:
    assert read(mail).kind is kind


def test_an_unsubscribe_address_is_known_in_any_case() -> None:
    outcome = read(letter("Ada <a@b.example>", "", "", to="UNSUBSCRIBE+abc.DEF@news.example.org"))
    assert outcome.kind is Kind.UNSUBSCRIBE
    assert outcome.sent_to == ("UNSUBSCRIBE+abc.DEF@news.example.org",)


def test_a_complaint_with_a_redacted_name_is_matched_by_the_returned_message() -> None:
    returned = RETURNED.replace(READER, "redacted@reader.example")
    outcome = read(complaint(returned=f"Return-Path: <{OURS.upper()}>\n{returned}"))
    assert [each.address for each in outcome.recipients] == ["redacted@reader.example"]
    assert outcome.message_ids == (MESSAGE_ID,)
    assert OURS.upper() in outcome.sent_to


def test_marks_are_the_returned_messages_x_headers() -> None:
    outcome = read(report(returned=f"X-Newsletter-Delivery: {OURS}\n{RETURNED}"))
    assert ("x-newsletter-delivery", OURS) in outcome.marks


def test_amazon_notifications_by_mail_are_read() -> None:
    bounced = {"emailAddress": READER, "status": "5.1.1", "diagnosticCode": "550 unknown user"}
    notification = {
        "notificationType": "Bounce",
        "bounce": {"bounceType": "Permanent", "bouncedRecipients": [bounced]},
        "mail": {"source": OURS},
    }
    text = json.dumps(notification) + "\n--\nTo stop these notifications, visit a link."
    outcome = read(person("AWS Notification Message", text))
    assert outcome.kind is Kind.BOUNCE
    assert about(outcome) == [(READER, PERMANENT, Reason.NO_SUCH_ADDRESS)]
    assert OURS in outcome.sent_to


@pytest.mark.parametrize(
    ("code", "text", "permanence", "reason"),
    [
        (550, "5.1.1 user unknown", PERMANENT, Reason.NO_SUCH_ADDRESS),
        (550, "5.7.1 blocked using a list", PERMANENT, Reason.BLOCKED),
        (552, "5.2.2 mailbox full", PERMANENT, Reason.MAILBOX_FULL),
        (550, "no", PERMANENT, Reason.UNDEFINED),
        (451, "try again", TRANSIENT, Reason.UNDEFINED),
    ],
)
def test_a_relays_own_refusal_is_read_like_a_report(
    code: int, text: str, permanence: Permanence, reason: Reason
) -> None:
    recipient = read_reply(code, text, address=READER)
    assert (recipient.permanence, recipient.reason) == (permanence, reason)
