"""A refusal of ours never costs a reader; a dead reader is known in the same servers' words.

The wordings are those of real servers with invented names. ``{sender}`` is our envelope sender,
``{site}`` its domain, ``{host}`` and ``{ip}`` this machine, ``{account}`` our login at the relay,
``{reader}`` the recipient.
"""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.core.database import session_scope
from newsletter.core.models import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    Permanence,
    Reason,
    Suppression,
)
from newsletter.core.tokens import Signer
from newsletter.inbound import apply
from newsletter.inbound.apply import record_rejection
from newsletter.inbound.bounce_score import weight
from newsletter.inbound.bounces import NOT_THE_ADDRESS, BouncedRecipient, Ours, read_reply
from tests.support.bounce_mails import READER, report
from tests.support.factories import make_delivery, make_edition, make_subscriber

SIGNER = Signer(("a" * 32,))
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SITE = "papers.example"
SENDER = SIGNER.verp_address(17, SITE)
ACCOUNT = "smtp-user-4711"
OURS = Ours.of(SENDER, [SITE, f"mail.{SITE}", f"digest@{SITE}", ACCOUNT])
NAMES = {
    "sender": SENDER,
    "from": f"digest@{SITE}",
    "site": SITE,
    "host": f"mail.{SITE}",
    "ip": "203.0.113.7",
    "account": ACCOUNT,
    "reader": READER,
    "there": READER.rpartition("@")[2],
}

# Server, reply code, words.
OUR_FAULT = [
    ("Postfix", 550, "5.1.0 <{sender}>: Sender address rejected: User unknown"),
    ("Postfix", 550, "5.1.1 <{sender}>: Sender address rejected: User unknown in virtual table"),
    ("Postfix", 550, "5.1.1 <{sender}>: Sender address rejected: undeliverable address: host "
     "mx.{site}[{ip}] said: 550 5.1.1 User unknown (in reply to RCPT TO command)"),
    ("Postfix", 450, "4.1.7 <{sender}>: Sender address rejected: unverified address"),
    ("Postfix", 550, "5.1.8 <{sender}>: Sender address rejected: Domain not found"),
    ("Postfix", 553, "5.7.1 <{sender}>: Sender address rejected: not owned by user {account}"),
    ("Postfix", 504, "5.5.2 <{host}>: Helo command rejected: need fully-qualified hostname"),
    ("Postfix", 550, "5.7.1 <{host}>: Helo command rejected: Host not found"),
    ("Postfix", 550, "5.1.0 <{sender}>: User unknown (in reply to RCPT TO command)"),
    ("Postfix", 550, "5.1.0 User unknown (in reply to MAIL FROM command)"),
    ("Exim", 550, "Sender verify failed"),
    ("Exim", 550, "Verification failed for <{sender}> No Such User Here Sender verify failed"),
    ("Exim", 550, "Verification failed for <{sender}> The mail server could not deliver mail to "
     "{sender}. The account or domain may not exist, they may be blacklisted, or missing the "
     "proper dns entries. Sender verify failed"),
    ("Exim", 550, "Verification failed for <{sender}> Unrouteable address"),
    ("Exim", 550, "SMTP error from remote mail server after MAIL FROM:<{sender}>: 550 Unknown "
     "user"),
    ("Exim", 550, "Domain {site} has exceeded the max defers and failures per hour (5/5 (100%)) "
     "allowed. Message discarded."),
    ("Exim", 550, "Access denied - Invalid HELO name (See RFC2821 4.1.1.1)"),
    ("Sendmail", 553, "5.1.8 <{sender}>... Domain of sender address {sender} does not exist"),
    ("Sendmail", 553, "5.5.4 <{sender}>... Domain name required for sender address"),
    ("Sendmail", 550, "5.1.0 <{sender}>... User unknown"),
    ("Sendmail", 501, "5.1.7 <{sender}>... Bad sender address"),
    ("Microsoft", 550, "5.1.8 Access denied, bad outbound sender. For more information please go "
     "to http://go.microsoft.com/fwlink/?LinkId=875724. S(1234) [AM0P1.prod.outlook.com]"),
    ("Microsoft", 550, "5.1.90 Your message can't be sent because you've reached your daily limit "
     "for message recipients"),
    ("Microsoft", 550, "5.2.0 submission quota exceeded"),
    ("Microsoft", 530, "5.7.57 Client not authenticated to send mail. [AM0P1.prod.outlook.com]"),
    ("Microsoft", 554, "5.2.252 SendAsDenied; {account} not allowed to send as {from}; "
     "STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied"),
    ("Microsoft", 550, "5.7.501 Access denied, spam abuse detected from {ip}"),
    ("Microsoft", 550, "5.1.1 <{sender}>: address not found"),
    ("Google", 550, "5.4.5 Daily user sending limit exceeded. For more information on Gmail "
     "sending limits go to https://support.google.com/a/answer/166852 a1-20gsmtp"),
    ("Google", 550, "5.4.5 Daily sending quota exceeded. gsmtp"),
    ("Google", 550, "5.7.1 Invalid credentials for relay [{ip}]. The IP address you've registered "
     "in your G Suite SMTP Relay service doesn't match domain of the account"),
    ("Google", 553, "5.1.7 The sender address <{sender}> is not a valid RFC-5321 address"),
    ("Google", 535, "5.7.8 Username and Password not accepted"),
    ("Google", 530, "5.7.0 Authentication Required. For more information, go to support"),
    ("SES", 554, "Message rejected: Email address is not verified. The following identities "
     "failed the check in region EU-WEST-1: {from}"),
    ("SES", 554, "Message rejected: identity not verified"),
    ("SES", 554, "Message rejected: Sending paused for this account. For more information, please "
     "check the inbox of the email address associated with your AWS account."),
    ("SES", 454, "Throttling failure: Daily message quota exceeded."),
    ("SES", 454, "Throttling failure: Maximum sending rate exceeded."),
    ("SES", 554, "Access denied: User `arn:aws:iam::1234:user/{account}' is not authorized to "
     "perform `ses:SendRawEmail' on resource `arn:aws:ses:identity/{site}'"),
    ("SendGrid", 550, "The from address does not match a verified Sender Identity. Mail cannot be "
     "sent until this error is resolved."),
    ("SendGrid", 451, "Authentication failed: Maximum credits exceeded"),
    ("SendGrid", 550, "Unauthenticated senders not allowed"),
    ("Postmark", 550, "5.1.0 The 'From' address you supplied ({from}) is not a Sender Signature "
     "on your account."),
    ("Postmark", 550, "5.1.1 Your account is pending approval: you can only send to your domain"),
    ("Mailgun", 550, "5.7.1 Relaying denied: domain {site} is not verified"),
    ("Mailgun", 421, "Domain {site} is not allowed to send: recipient limit exceeded, try later"),
    ("Mailgun", 550, "Domain {site} is disabled"),
    ("Mailgun", 554, "Free accounts are for test purposes only. Please upgrade or add the address "
     "to authorized recipients in Account Settings."),
    ("Yahoo", 554, "5.7.9 Message not accepted for policy reasons. See the postmaster's page"),
    ("Yahoo", 553, "5.7.1 [TS03] All messages from {ip} will be permanently deferred"),
    ("Yahoo", 550, "relaying denied for <{sender}>"),
    ("Yahoo", 501, "5.1.8 Domain {site} not found for sender"),
    ("qmail", 553, "sorry, your envelope sender domain must exist (#5.7.1)"),
    ("qmail", 550, "sorry, your envelope sender has been denied (#5.1.0)"),
    ("GMX", 554, "Transaction failed. Unauthorized sender address."),
    ("Zoho", 553, "5.1.1 Sender is not allowed to relay emails"),
    ("Zoho", 550, "5.4.6 Unusual sending activity detected. Please try after sometime"),
    ("a shared host", 550, "5.1.1 {account}: no such user"),
    ("a shared host", 550, "5.1.1 unknown domain {site}"),
    ("a shared host", 550, "5.1.2 {host}: host unknown"),
    ("a shared host", 550, "5.1.1 {site} is invalid"),
    ("a shared host", 550, "5.1.1 [{ip}] unknown"),
    ("a shared host", 552, "5.2.2 your sending quota exceeded, quota exceeded"),
    ("a shared host", 550, "5.1.1 Authentication required, no such user"),
    ("a shared host", 554, "5.1.0 Your account has been suspended, user unknown"),
    ("a shared host", 550, "5.1.1 hourly mail quota reached, no such address"),
    ("a forwarder", 550, "5.1.1 <SRS0=ab=cd={site}={sender}>: Recipient unknown"),
]  # fmt: skip

DEAD = [
    ("Postfix", 550, "5.1.1 <{reader}>: Recipient address rejected: User unknown in local "
     "recipient table"),
    ("Postfix", 550, "5.1.1 <{reader}>: Recipient address rejected: User unknown in virtual "
     "mailbox table (in reply to RCPT TO command)"),
    ("Postfix", 550, "5.1.1 <{reader}>: Recipient address rejected: User unknown; "
     "from=<{sender}> to=<{reader}> proto=ESMTP helo=<{host}>"),
    ("Postfix", 550, "5.1.0 <{reader}>: Recipient address rejected: undeliverable address: host "
     "mx.{there}[192.0.2.9] said: 550 5.1.1 User unknown (in reply to RCPT TO command)"),
    ("Exim", 550, "Unrouteable address"),
    ("Exim", 550, "Verification failed for <{reader}> Unrouteable address"),
    ("Exim", 550, "Callout verification failed: 550 5.1.1 No such user here"),
    ("Exim", 550, "No Such User Here"),
    ("Exim", 550, "SMTP error from remote mail server after RCPT TO:<{reader}>: 550 Unknown user"),
    ("Sendmail", 550, "5.1.1 <{reader}>... User unknown"),
    ("Sendmail", 550, "5.1.2 <{reader}>... Host unknown (Name server: {there}: host not found)"),
    ("Microsoft", 550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {reader} not found by "
     "SMTP address lookup"),
    ("Microsoft", 550, "5.4.1 Recipient address rejected: Access denied. AS(201806281) "
     "[AM0P1.prod.outlook.com]"),
    ("Microsoft", 550, "5.5.0 Requested action not taken: mailbox unavailable (S2017062302)"),
    ("Microsoft", 550, "5.1.1 The email address you entered couldn't be found: mailbox not found"),
    ("Google", 550, "5.1.1 The email account that you tried to reach does not exist. Please try "
     "double-checking the recipient's email address for typos or unnecessary spaces. For more "
     "information, go to https://support.google.com/mail/?p=NoSuchUser a1-20gsmtp"),
    ("Yahoo", 554, "5.1.1 delivery error: dd This user doesn't have a yahoo.example account "
     "({reader}) [0] - mta1.yahoo.example"),
    ("Yahoo", 552, "1 Requested mail action aborted, mailbox not found"),
    ("iCloud", 550, "5.1.6 recipient no longer on server: {reader}"),
    ("iCloud", 550, "5.1.1 <{reader}>: user does not exist"),
    ("SES", 550, "5.1.1 <{reader}>: user unknown, as told by the mailbox provider"),
    ("Mailgun", 550, "5.1.1 The email account that you tried to reach does not exist"),
    ("Postmark", 550, "5.1.1 The recipient {reader} does not exist"),
    ("IronPort", 550, "#5.1.0 Address rejected. {reader}"),
    ("Mimecast", 550, "Invalid Recipient - https://community.mimecast.example/docs/DOC-1369#550"),
    ("Proofpoint", 550, "5.1.1 User Unknown"),
    ("Zoho", 550, "5.1.1 User does not exist - <{reader}>"),
    ("GMX", 550, "Requested action not taken: mailbox unavailable For explanation visit "
     "https://postmaster.gmx.example/de/error-messages?ip={ip}&c=hi"),
    ("qmail", 550, "sorry, no mailbox here by that name (#5.1.1 - chkuser)"),
    ("a null MX", 556, "5.1.10 <{reader}>: Recipient address rejected: Domain {there} does not "
     "accept mail (nullMX)"),
    ("a server", 550, "5.1.1 <{reader}> unknown; mail was from {sender}"),
    ("a server", 550, "5.1.1 no such user {reader} (client {host} [{ip}])"),
    ("a server", 550, "5.1.1 user unknown"),
    ("a server", 550, "5.1.2 {there}: no such domain"),
    ("a server", 550, "5.1.1"),
]  # fmt: skip

# Final, and nobody can say why: no reader pays for what we do not understand.
UNKNOWN = [
    (550, "5.0.0 frobnication inhibited"),
    (554, "Transaction frobnicated"),
    (550, "5.3.0 the moon is full"),
    (571, "5.5.9 come back never"),
    (550, "5.1.0 zzz"),
    (554, ""),
]


def wordings(table: list[tuple[str, int, str]]) -> list[Any]:
    return [
        pytest.param(code, words.format(**NAMES), id=f"{server}: {words[:50]}")
        for server, code, words in table
    ]


def judged(code: int, words: str, reader: str = READER) -> BouncedRecipient:
    return read_reply(code, words, address=reader, ours=OURS)


@pytest.mark.parametrize(("code", "words"), wordings(OUR_FAULT))
def test_a_refusal_of_ours_is_not_charged_to_the_reader(code: int, words: str) -> None:
    found = judged(code, words)
    assert not found.is_dead
    assert found.reason in NOT_THE_ADDRESS, found.reason
    assert weight(found.permanence, found.reason) == 0


@pytest.mark.parametrize(("code", "words"), wordings(OUR_FAULT))
def test_nor_does_it_when_it_comes_in_capitals_or_over_several_lines(code: int, words: str) -> None:
    assert not judged(code, words.upper()).is_dead
    assert not judged(code, words.replace(" ", "\r\n ", 3)).is_dead


@pytest.mark.parametrize(("code", "words"), wordings(DEAD))
def test_a_dead_reader_in_the_same_servers_words_is_dead(code: int, words: str) -> None:
    found = judged(code, words)
    assert found.permanence is Permanence.PERMANENT
    assert found.is_dead, found.reason


@pytest.mark.parametrize(("code", "words"), wordings(DEAD))
def test_a_dead_reader_at_our_own_domain_is_dead_too(code: int, words: str) -> None:
    words = words.replace(READER, f"ada@{SITE}").replace(NAMES["there"], SITE)
    assert judged(code, words, f"ada@{SITE}").is_dead


@pytest.mark.parametrize(("code", "words"), UNKNOWN)
def test_unknown_words_are_unknown_and_score_nothing(code: int, words: str) -> None:
    found = judged(code, words)
    assert (found.permanence, found.reason) == (Permanence.PERMANENT, Reason.UNDEFINED)
    assert not found.is_dead
    assert weight(found.permanence, found.reason) == 0


@pytest.mark.parametrize("words", ["5.7.1 user unknown", "5.2.2 no such user: over quota"])
def test_neither_policy_nor_a_full_mailbox_is_a_dead_address(words: str) -> None:
    assert not judged(550, words).is_dead


@pytest.fixture
def session(engine: Engine) -> Any:
    with session_scope(engine) as session:
        yield session


def delivery(session: Session) -> Delivery:
    reader = make_subscriber(session, READER, address_hash=SIGNER.hash_address(READER))
    edition = make_edition(session)
    return make_delivery(session, edition, reader, status=DeliveryStatus.FAILED)


def test_a_relays_refusal_of_our_address_suppresses_nobody_and_is_written_down(
    session: Session,
) -> None:
    row = delivery(session)
    record_rejection(session, SIGNER, row, judged(550, f"5.1.0 <{SENDER}>: User unknown"), now=NOW)
    assert session.exec(select(Suppression)).all() == []
    [event] = session.exec(select(DeliveryEvent)).all()
    assert event.reason == Reason.SENDER_REJECTED


@pytest.mark.parametrize(
    ("status", "diagnostic"),
    [
        ("5.1.0", "smtp; 550 5.1.0 <{sender}>: Sender address rejected: User unknown"),
        ("5.1.1", "smtp; 550 5.1.1 <{sender}>: User unknown"),
        ("5.1.1", "smtp; 550 5.1.1 <digest@papers.example>: User unknown"),
        ("5.1.2", "smtp; 550 papers.example: no such domain"),
        ("5.1.0", "smtp; 550 Sender verify failed"),
        ("5.0.0", "smtp; 554 Message rejected: identity not verified"),
        ("5.1.1", "smtp; 550 daily sending quota exceeded, user unknown"),
    ],
)
def test_nor_does_a_report_that_quotes_it(session: Session, status: str, diagnostic: str) -> None:
    row = delivery(session)
    row.status = DeliveryStatus.SENT
    session.flush()
    sender = SIGNER.verp_address(row.id or 0, "bounces.example")
    mail = report(to=sender, status=status, diagnostic=diagnostic.format(sender=sender))
    recorded = apply.receive(session, SIGNER, mail, size=len(mail), now=NOW)
    assert recorded.matched
    assert session.exec(select(Suppression)).all() == []
