"""Import of a CSV file, in chunks of plain inserts: 100,000 lines take seconds, not minutes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine, insert, or_, update
from sqlmodel import Session, col, select

from newsletter.core.batches import batched
from newsletter.core.database import session_scope, upsert, utc_now
from newsletter.core.errors import InputError
from newsletter.core.models import Interest, Paper, Subscriber, SubscriberStatus, Topic
from newsletter.core.tokens import Signer
from newsletter.subscribers.accounts import find_by_email, refusal, subscriber_values
from newsletter.subscribers.csv_reading import PREFERENCE_COLUMNS, Line, Remark, read_lines
from newsletter.subscribers.doubts import doubts_about
from newsletter.subscribers.groups import add as add_to_group
from newsletter.subscribers.suppression import suppressions
from newsletter.subscribers.validation import MOST_TOPICS


@dataclass
class ImportReport:
    """The result for every line: added + topics_added + confirmed + unchanged + refused."""

    file: str
    added: int = 0
    topics_added: int = 0
    confirmed: int = 0
    unchanged: list[Remark] = field(default_factory=list)
    refused: list[Remark] = field(default_factory=list)
    warnings: list[Remark] = field(default_factory=list)


@dataclass
class _Wanted:
    """The good lines of one address, in order."""

    lines: list[Line]

    @property
    def first(self) -> Line:
        return self.lines[0]


@dataclass(frozen=True, slots=True)
class _Known:
    """An existing subscriber; ``topics`` are the names, folded."""

    id: int
    status: SubscriberStatus
    topics: frozenset[str]


def import_csv(
    engine: Engine,
    signer: Signer,
    path: Path,
    *,
    confirmed: bool,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ImportReport:
    """Import ``path``; ``confirmed`` states that consent was given elsewhere.

    Opt-outs and suppressed or erased addresses are never brought back, and nothing a known
    subscriber has set is changed: they gain the topics that are new, and with ``confirmed`` a
    pending one becomes active. ``progress`` is told how many addresses are done, and of how many.

    Raises:
        InputError: the file as a whole cannot be read; nothing was imported then.
    """
    report = ImportReport(file=str(path))
    wanted = _by_address(read_lines(path), report)
    done = 0
    for addresses in batched(wanted):
        with session_scope(engine) as session:
            _import_chunk(session, signer, [wanted[a] for a in addresses], confirmed, report)
            for address in addresses:
                _join_group(session, wanted[address], report)
        done += len(addresses)
        progress(done, len(wanted))
    report.refused.sort(key=lambda remark: remark.line)
    report.unchanged.sort(key=lambda remark: remark.line)
    return report


def _join_group(session: Session, wanted: _Wanted, report: ImportReport) -> None:
    """Put the address into the group that its lines name, if it is a subscriber's by now."""
    named = next((line for line in wanted.lines if line.cells.get("group")), None)
    if named is None or find_by_email(session, named.address) is None:
        return
    try:
        with session.begin_nested():
            add_to_group(session, named.cells["group"], named.address)
    except InputError as error:
        report.warnings.append(Remark(named.number, named.address, f"group: {error}"))


def _by_address(lines: Iterable[Line | Remark], report: ImportReport) -> dict[str, _Wanted]:
    wanted: dict[str, _Wanted] = {}
    for line in lines:
        if isinstance(line, Remark):
            report.refused.append(line)
            continue
        reason = _refused_by_itself(line) or _at_odds(line, wanted.get(line.address))
        if reason:
            report.refused.append(Remark(line.number, line.address, reason))
            continue
        wanted.setdefault(line.address, _Wanted([])).lines.append(line)
        report.warnings += [
            Remark(line.number, line.address, doubt) for doubt in doubts_about(line.topic)
        ]
    return wanted


def _refused_by_itself(line: Line) -> str:
    if not line.status:
        return ""
    if line.status not in set(SubscriberStatus):
        named = line.header.typed["status"]
        return f"{named}: {line.status!r}; must be one of: {', '.join(SubscriberStatus)}"
    if line.status == SubscriberStatus.UNSUBSCRIBED:
        return "marked as unsubscribed in the file; people who unsubscribed are not imported"
    return ""


def _at_odds(line: Line, others: _Wanted | None) -> str:
    """Why ``line`` contradicts an earlier line of the same address; empty when it does not."""
    if others is None:
        return ""
    first = others.first
    for name in line.given:
        value = getattr(line.preferences, name)
        if value != getattr(first.preferences, name):
            [column] = [key for key, wish in PREFERENCE_COLUMNS.items() if wish == name]
            named = line.header.typed[column]
            return f"{named}: {value} conflicts with line {first.number}"
    if line.name and line.name != first.name:
        return f"name: {line.name!r} conflicts with line {first.number}"
    for other in others.lines:
        if other.topic.name.casefold() == line.topic.name.casefold():
            return f"topic {line.topic.name!r} of this address is already on line {other.number}"
    if len(others.lines) == MOST_TOPICS:
        return f"more than {MOST_TOPICS} topics for one address"
    return ""


def _import_chunk(
    session: Session,
    signer: Signer,
    wanted: list[_Wanted],
    confirmed: bool,
    report: ImportReport,
) -> None:
    known = _known(session, [each.first.address for each in wanted])
    hashes = {each.first.address: signer.hash_address(each.first.address) for each in wanted}
    suppressed = suppressions(session, list(hashes.values()))
    fresh: list[_Wanted] = []
    topics: list[tuple[int, Line]] = []
    for each in wanted:
        address = each.first.address
        reason = suppressed.get(hashes[address])
        there = known.get(address)
        if reason:
            _refuse(report, each, refusal(reason))
        elif there is None:
            fresh.append(each)
        elif there.status == SubscriberStatus.UNSUBSCRIBED:
            _refuse(report, each, "has unsubscribed; only its owner can sign up again")
        else:
            topics += _update_known(session, each, there, confirmed, report)
    topics += _insert_subscribers(session, fresh, hashes, confirmed, report)
    _insert_topics(session, topics, report)


def _known(session: Session, addresses: list[str]) -> dict[str, _Known]:
    names: dict[int, set[str]] = {}
    rows = session.exec(
        select(Subscriber.email, Subscriber.id, Subscriber.status, Topic.name)
        .join(Topic, col(Topic.subscriber_id) == col(Subscriber.id), isouter=True)
        .where(col(Subscriber.email).in_(addresses))
    ).all()
    for _, subscriber_id, _, name in rows:
        if subscriber_id is not None:
            names.setdefault(subscriber_id, set()).add((name or "").casefold())
    return {
        email: _Known(subscriber_id, SubscriberStatus(status), frozenset(names[subscriber_id]))
        for email, subscriber_id, status, _ in rows
        if subscriber_id is not None
    }


def _refuse(report: ImportReport, wanted: _Wanted, reason: str) -> None:
    report.refused += [Remark(line.number, line.address, reason) for line in wanted.lines]


def _update_known(
    session: Session, wanted: _Wanted, known: _Known, confirmed: bool, report: ImportReport
) -> list[tuple[int, Line]]:
    """The topics to add to a known subscriber; with consent stated, a pending one is activated."""
    activated = (
        confirmed
        and known.status == SubscriberStatus.PENDING
        and wanted.first.status in {"", SubscriberStatus.ACTIVE}
    )
    if activated:
        session.execute(
            update(Subscriber)
            .where(
                col(Subscriber.id) == known.id,
                col(Subscriber.status) == SubscriberStatus.PENDING,
            )
            .values(status=SubscriberStatus.ACTIVE, confirmed_at=utc_now())
        )
        report.confirmed += 1
    new = [line for line in wanted.lines if line.topic.name.casefold() not in known.topics]
    if len(known.topics) + len(new) > MOST_TOPICS:
        _refuse(report, wanted, f"more than {MOST_TOPICS} topics for one address")
        return []
    report.topics_added += len(new)
    report.unchanged += [
        Remark(
            line.number,
            line.address,
            "was pending, is now active"
            if activated
            else f"already a subscriber ({known.status}); nothing changed",
        )
        for line in wanted.lines
        if line not in new
    ]
    return [(known.id, line) for line in new]


def _insert_subscribers(
    session: Session,
    fresh: list[_Wanted],
    hashes: dict[str, str],
    confirmed: bool,
    report: ImportReport,
) -> list[tuple[int, Line]]:
    if not fresh:
        return []
    now = utc_now()
    source = f"import {Path(report.file).name}" + (
        ", consent given elsewhere, according to the operator" if confirmed else ""
    )
    rows = [
        subscriber_values(
            address=each.first.address,
            address_hash=hashes[each.first.address],
            name=each.first.name,
            preferences=each.first.preferences,
            status=_first_status(each.first.status, confirmed),
            source=source,
            now=now,
        )
        for each in fresh
    ]
    ids = session.scalars(
        insert(Subscriber).returning(col(Subscriber.id), sort_by_parameter_order=True), rows
    ).all()
    report.added += len(ids)
    report.topics_added += sum(len(each.lines) for each in fresh)
    return [
        (subscriber_id, line)
        for subscriber_id, each in zip(ids, fresh, strict=True)
        for line in each.lines
        if subscriber_id is not None
    ]


def _first_status(stated: str, confirmed: bool) -> SubscriberStatus:
    """A subscriber is active only with stated consent, and not if the file says pending."""
    if not confirmed:
        return SubscriberStatus.PENDING
    return SubscriberStatus(stated or SubscriberStatus.ACTIVE)


def _insert_topics(session: Session, topics: list[tuple[int, Line]], report: ImportReport) -> None:
    if not topics:
        return
    ids = session.scalars(
        insert(Topic).returning(col(Topic.id), sort_by_parameter_order=True),
        [
            {
                "subscriber_id": subscriber_id,
                "name": line.topic.name,
                "quota": line.topic.quota,
                "paused": line.topic.paused,
            }
            for subscriber_id, line in topics
        ],
    ).all()
    interests = [
        {"topic_id": topic_id, "kind": clue.kind, "value": clue.value, "weight": clue.weight}
        for topic_id, (_, line) in zip(ids, topics, strict=True)
        for clue in line.topic.clues
    ]
    if interests:
        session.execute(insert(Interest), interests)
    _insert_judgements(session, list(zip(ids, topics, strict=True)), report)


def _insert_judgements(
    session: Session, topics: list[tuple[int | None, tuple[int, Line]]], report: ImportReport
) -> None:
    """Judgements of papers that are here; of others a remark, for they cannot be learned from."""
    wanted = {identity for _, (_, line) in topics for _, identity in line.judged}
    if not wanted:
        return
    papers: dict[str, int] = {}
    for chunk in batched(sorted(wanted)):
        found = session.exec(
            select(Paper.id, Paper.source, Paper.external_id, Paper.doi).where(
                or_(col(Paper.external_id).in_(chunk), col(Paper.doi).in_(chunk))
            )
        )
        for paper_id, source, external_id, doi in found:
            papers |= {
                key: paper_id or 0 for key in (doi, external_id * (source == "arxiv")) if key
            }
    rows = []
    for topic_id, (subscriber_id, line) in topics:
        unknown = [identity for _, identity in line.judged if identity not in papers]
        rows += [
            {
                "subscriber_id": subscriber_id,
                "topic_id": topic_id,
                "paper_id": papers[identity],
                "signal": signal,
                "created_at": utc_now(),
            }
            for signal, identity in line.judged
            if identity in papers
        ]
        if unknown:
            what = f"{len(unknown)} judged papers are not here, so nothing is learned from them"
            report.unchanged.append(Remark(line.number, line.address, what))
    if rows:
        session.connection().execute(upsert(session, "feedback").on_conflict_do_nothing(), rows)
