"""The labelled inbound mails, and how a reader of mails is scored on them.

A reader is a function from bytes to a verdict: is it a bounce, and which addresses failed for
good or for now. Ours, flufl.bounce alone and the standard library alone are scored alike.
"""

import csv
import email
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from newsletter.core.models import Permanence
from newsletter.inbound.bounces import Kind, read

FOLDERS = ("bounces", "arf", "auto_replies", "unsubscribe")
# What the corpus calls a sort of mail, and what we do. Reports of forged mail and people who
# write are neither bounce nor complaint: they stay unknown, for the operator to look at.
OUR_KIND = {
    "bounce": Kind.BOUNCE,
    "delivered_notice": Kind.DELIVERY_NOTICE,
    "challenge_response": Kind.CHALLENGE,
    "not_bounce": Kind.UNKNOWN,
    "abuse_report": Kind.COMPLAINT,
    "auth_failure_report": Kind.UNKNOWN,
    "auto_reply": Kind.AUTO_REPLY,
    "unsubscribe": Kind.UNSUBSCRIBE,
    "human_request": Kind.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Labelled:
    """One mail and what its labels say; permanence per lower-case address, or empty."""

    name: str
    data: bytes
    kind: Kind
    recipients: dict[str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reader made of a mail; addresses in lower case."""

    is_bounce: bool
    recipients: dict[str, str]


@dataclass(slots=True)
class Score:
    """A reader's figures on the corpus."""

    recipients: int = 0
    found: int = 0
    permanences: int = 0
    right: int = 0
    no_bounces: int = 0
    false_bounces: int = 0
    surplus: int = 0
    seconds: float = 0.0
    missed: list[str] = field(default_factory=list)

    @property
    def recipient_share(self) -> float:
        return self.found / self.recipients

    @property
    def permanence_share(self) -> float:
        return self.right / self.permanences


def labelled_mails(corpus: Path) -> list[Labelled]:
    """Every mail of the four folders with its labels (a form's HTTP request is no mail)."""
    return [mail for folder in FOLDERS for mail in _folder(corpus / "payloads" / folder)]


def _folder(folder: Path) -> Iterator[Labelled]:
    rows: dict[str, list[dict[str, str]]] = {}
    with (folder / "labels.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            rows.setdefault(row["file"], []).append(row)
    for name, labels in rows.items():
        if name.endswith(".eml"):
            yield Labelled(
                name,
                (folder / name).read_bytes(),
                OUR_KIND[labels[0]["kind"]],
                {
                    row["recipient"].lower(): row["permanence"].replace("temporary", "transient")
                    for row in labels
                    if row.get("recipient")
                },
            )


def ours(data: bytes) -> Verdict:
    outcome = read(data)
    return Verdict(
        outcome.kind is Kind.BOUNCE,
        {
            recipient.address.lower(): str(recipient.permanence)
            for recipient in outcome.recipients
            if outcome.kind is Kind.BOUNCE
        },
    )


def flufl_alone(data: bytes) -> Verdict:
    from flufl.bounce import all_failures

    message: Any = email.message_from_bytes(data)
    transient, permanent = all_failures(message)
    recipients = {address.decode().lower(): "transient" for address in transient}
    recipients |= {address.decode().lower(): "permanent" for address in permanent}
    return Verdict(bool(recipients), recipients)


def library_alone(data: bytes) -> Verdict:
    """What the standard library gives: the fields of delivery-status parts, and no more."""
    recipients: dict[str, str] = {}
    for part in email.message_from_bytes(data).walk():
        if part.get_content_type() != "message/delivery-status" or not part.is_multipart():
            continue
        for block in part.get_payload():
            assert isinstance(block, email.message.Message)
            named = block.get("Final-Recipient") or block.get("Original-Recipient")
            action = (block.get("Action") or "").strip().lower()
            if named and action in {"failed", "delayed"}:
                address = parseaddr(str(named).partition(";")[2])[1].lower()
                status = (block.get("Status") or "").strip()
                is_transient = action == "delayed" or status.startswith("4")
                recipients[address] = Permanence.TRANSIENT if is_transient else Permanence.PERMANENT
    return Verdict(bool(recipients), recipients)


READERS: dict[str, Callable[[bytes], Verdict]] = {
    "newsletter": ours,
    "flufl.bounce": flufl_alone,
    "standard library": library_alone,
}


def score(mails: list[Labelled], reader: Callable[[bytes], Verdict]) -> Score:
    """Read every mail once and count; only the reading is timed."""
    result = Score()
    for mail in mails:
        started = time.perf_counter()
        verdict = reader(mail.data)
        result.seconds += time.perf_counter() - started
        if mail.kind is not Kind.BOUNCE:
            result.no_bounces += 1
            if verdict.is_bounce:
                result.false_bounces += 1
                result.missed.append(f"{mail.name}: acted on as a bounce")
            continue
        for address, permanence in mail.recipients.items():
            _count(result, mail.name, address, permanence, verdict)
        if mail.recipients:
            result.surplus += len(set(verdict.recipients) - set(mail.recipients))
    return result


def _count(result: Score, name: str, address: str, permanence: str, verdict: Verdict) -> None:
    got = verdict.recipients.get(address, "")
    result.recipients += 1
    result.found += bool(got)
    if not got:
        result.missed.append(f"{name}: {address} not found, but {sorted(verdict.recipients)}")
    if permanence:
        result.permanences += 1
        result.right += got == permanence
        if got and got != permanence:
            result.missed.append(f"{name}: {address} labelled {permanence}, read {got}")


def confusion(mails: list[Labelled]) -> dict[tuple[Kind, Kind], int]:
    """How often mail of one kind was read as another: (labelled, read) to a number."""
    counts: dict[tuple[Kind, Kind], int] = {}
    for mail in mails:
        pair = (mail.kind, read(mail.data).kind)
        counts[pair] = counts.get(pair, 0) + 1
    return counts
