"""Mails as systems write them, about one reader, for tests of what comes back."""

from email.message import EmailMessage

READER = "ada@reader.example"
OURS = "bounce+1-abc@news.example.org"
MESSAGE_ID = "digest-1@news.example.org"
RETURNED = (
    "Received: from relay.example by mx.reader.example; Fri, 20 Nov 2026 07:00:00 +0000\n"
    f"Message-ID: <{MESSAGE_ID}>\n"
    "From: Papers <papers@news.example.org>\n"
    f"To: {READER}\n"
    "Subject: Your papers for Friday\n"
)


def letter(sender: str, subject: str, text: str, *headers: str, to: str = OURS) -> bytes:
    """A plain mail from nobody, as mail systems send them."""
    lines = ["Return-Path: <>", *headers, f"From: {sender}", f"To: {to}", f"Subject: {subject}"]
    return ("\n".join([*lines, "Message-ID: <report@mx.example>", "", text])).encode()


def report(
    *,
    recipient: str = READER,
    action: str = "failed",
    status: str = "5.1.1",
    diagnostic: str = "smtp; 550 5.1.1 User unknown",
    to: str = OURS,
    returned: str = RETURNED,
    report_id: str = "report@mx.example",
) -> bytes:
    """A delivery report in three parts, as RFC 3464 has it."""
    return f"""Return-Path: <>
From: MAILER-DAEMON@mx.example (Mail Delivery System)
To: {to}
Subject: Undelivered Mail Returned to Sender
Message-ID: <{report_id}>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example. Your message could not be delivered.
--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
Arrival-Date: Fri, 20 Nov 2026 07:00:00 +0000

Final-Recipient: rfc822; {recipient}
Action: {action}
Status: {status}
Diagnostic-Code: {diagnostic}

--b1
Content-Type: message/rfc822

{returned}
Hello

--b1--
""".encode()


def complaint(*, feedback_type: str = "abuse", returned: str = RETURNED) -> bytes:
    """A reader's complaint, as RFC 5965 has it, with the reader's name blacked out."""
    return f"""From: feedback@fbl.example
To: abuse@news.example.org
Subject: FW: Your papers
Message-ID: <complaint@fbl.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b1"

--b1
Content-Type: text/plain

This is an email abuse report.
--b1
Content-Type: message/feedback-report

Feedback-Type: {feedback_type}
User-Agent: SomeGenerator/1.0
Version: 1

--b1
Content-Type: message/rfc822

{returned}
Hello
--b1--
""".encode()


def person(subject: str, text: str, **headers: str) -> bytes:
    """Somebody who writes."""
    message = EmailMessage()
    message["Return-Path"] = f"<{READER}>"
    message["From"] = f"Ada <{READER}>"
    message["To"] = OURS
    message["Subject"] = subject
    message["Message-ID"] = "<person@reader.example>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()
