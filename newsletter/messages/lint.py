"""Checks of a finished message, as a mailbox provider would make them."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import unescape

# Gmail cuts a message off at about 102 KB of HTML (bulk-mail rule 19).
LARGEST_HTML = 100 * 1024
LONGEST_LINE = 998  # RFC 5322 §2.1.1
ONE_CLICK = "List-Unsubscribe=One-Click"  # RFC 8058 §3.1
SPAM_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check; ``passed`` is None if it could not run here."""

    name: str
    passed: bool | None
    found: str


def check_message(data: bytes, *, spam: bool = False) -> list[Check]:
    """Check a message; with ``spam`` also by SpamAssassin, which takes some seconds."""
    message = message_from_bytes(data, policy=policy.default)
    checks = [*_form(data), *_headers(message), *_bodies(message)]
    return [*checks, _spam(data)] if spam else checks


def _form(data: bytes) -> Iterator[Check]:
    longest = max(len(line) for line in data.split(b"\r\n"))
    yield Check("lines", longest <= LONGEST_LINE, f"the longest has {longest} octets")
    bare = len(re.findall(rb"(?<!\r)\n|\r(?!\n)", data))
    yield Check("line ends", not bare, f"{bare} bare CR or LF" if bare else "CRLF throughout")


def _headers(message: EmailMessage) -> Iterator[Check]:
    once = ("From", "To", "Subject", "Date", "Message-ID")
    wrong = [name for name in once if len(message.get_all(name, [])) != 1]
    yield Check("headers", not wrong, f"not exactly one: {', '.join(wrong)}" if wrong else "once")
    uris = re.findall(r"<(https?):", str(message.get("List-Unsubscribe", "")))
    post = message.get("List-Unsubscribe-Post") == ONE_CLICK
    secure = uris == ["https"]
    found = "one HTTPS address" if secure else f"{', '.join(uris) or 'no address'}, not HTTPS"
    yield Check("one-click unsubscribe", post and secure, found)
    domains = re.findall(r"\bd=([^;\s]+)", " ".join(message.get_all("DKIM-Signature", [])))
    yield Check(
        "DKIM", bool(domains), f"signed for {', '.join(domains)}" if domains else "unsigned"
    )


def _bodies(message: EmailMessage) -> Iterator[Check]:
    text, html = _part(message, "plain"), _part(message, "html")
    size = len(html.encode())
    yield Check("size", size <= LARGEST_HTML, f"{size / 1024:.0f} KB of HTML")
    said = {link.rstrip(".,)>") for link in re.findall(r"https?://[^\s<>\"]+", text)}
    shown = {unescape(link) for link in re.findall(r'href="(https?:[^"]+)"', html)}
    found = f"{len(shown)} links" if said == shown else f"{len(said ^ shown)} in one part only"
    yield Check("same links in both parts", said == shown, found)


def _part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    return str(found.get_content()) if found is not None else ""


def _spam(data: bytes) -> Check:
    """SpamAssassin's score by its own rules, without the network."""
    program = shutil.which("spamassassin")
    if program is None:
        return Check("SpamAssassin", None, "not looked at: the program is not installed")
    try:
        done = subprocess.run(  # noqa: S603  (its own path, and our message on standard input)
            [program, "--local", "--test-mode"],
            input=data,
            capture_output=True,
            timeout=SPAM_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Check("SpamAssassin", None, f"not looked at: no answer in {SPAM_SECONDS} s")
    status = re.search(rb"X-Spam-Status: \w+, score=(-?[\d.]+) required=([\d.]+)", done.stdout)
    if status is None:
        return Check("SpamAssassin", None, "not looked at: it gave no score")
    score, needed = float(status[1]), float(status[2])
    return Check("SpamAssassin", score < needed, f"score {score:g}; {needed:g} would be spam")
