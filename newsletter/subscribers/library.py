"""The papers of a reader's bibliography, among the interests of one of their topics.

A paper that is here is an example to learn from. One that is not helps by its title, and its name
waits beside it until the paper comes in. Both are told from what was typed by their ``reference``,
so another upload is a difference, and what was typed stays.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from newsletter.core.batches import batched
from newsletter.core.errors import InputError
from newsletter.core.identifiers import NUMBERED, canonical_doi, split_arxiv_id
from newsletter.core.language import _
from newsletter.core.models import Interest, InterestKind, PaperAlias, Profile, Subscriber, Topic
from newsletter.subscribers.accounts import row_id
from newsletter.subscribers.bibliography import Reference
from newsletter.subscribers.validation import LONGEST_VALUE, InterestInput

# The newest entries stand last in most files, and say what somebody works on.
MOST_PAPERS = 150
_LONGEST_NAME = 300
_NUMBERED = re.compile(r"(?:pmid|pmc):[1-9]\d{0,8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Difference:
    """What an upload changes; each tuple holds entries of a bibliography."""

    added: tuple[InterestInput, ...]
    gone: tuple[InterestInput, ...]
    kept: tuple[InterestInput, ...]


def clues_of(session: Session, references: Sequence[Reference]) -> tuple[InterestInput, ...]:
    """The last `MOST_PAPERS` entries as interests."""
    newest = references[-MOST_PAPERS:]
    known = seeds_of(session, [name for each in newest for name in each.names])
    clues = [_clue(each, known) for each in newest]
    return tuple({(clue.kind, clue.value): clue for clue in clues}.values())


def _clue(reference: Reference, known: dict[str, str]) -> InterestInput:
    seed = next((known[name] for name in reference.names if name in known), None)
    name = (reference.identity or "")[:_LONGEST_NAME]
    if seed or not reference.title:
        return InterestInput(InterestKind.SEED_PAPER, seed or name, reference=name)
    return InterestInput(InterestKind.TEXT, reference.title[:LONGEST_VALUE], reference=name)


def seeds_of(session: Session, names: Iterable[str]) -> dict[str, str]:
    """For each name whose paper is here, the arXiv id, DOI or PubMed number to learn from it."""
    found: dict[str, str] = {}
    by_number: list[tuple[str, int]] = []
    for some in batched(sorted(set(names))):
        plain = [name for name in some if ":" not in name or name.startswith("10.")]
        query = select(PaperAlias.external_id).where(
            col(PaperAlias.source).in_(("arxiv", "doi")), col(PaperAlias.external_id).in_(plain)
        )
        found |= {name: name for name in session.exec(query)}
        for kind, source in NUMBERED.items():
            numbers = {name.partition(":")[2]: name for name in some if name.startswith(f"{kind}:")}
            query_numbers = select(PaperAlias.external_id, PaperAlias.paper_id).where(
                PaperAlias.source == source, col(PaperAlias.external_id).in_(list(numbers))
            )
            by_number += [(numbers[name], paper) for name, paper in session.exec(query_numbers)]
    # A paper of PubMed has a DOI in most cases, by which every source knows it.
    found |= {name: name for name, _paper in by_number}
    for some_papers in batched(sorted({paper for _name, paper in by_number})):
        query_names = select(PaperAlias.paper_id, PaperAlias.external_id).where(
            col(PaperAlias.source).in_(("arxiv", "doi")), col(PaperAlias.paper_id).in_(some_papers)
        )
        named = dict(session.exec(query_names).all())
        found |= {name: named[paper] for name, paper in by_number if paper in named}
    return found


def is_name(name: str) -> bool:
    """Whether a paper can be known by ``name``: an arXiv id, a DOI, or a number of PubMed's."""
    return (
        split_arxiv_id(name)[0] == name
        or canonical_doi(name) == name
        or _NUMBERED.fullmatch(name) is not None
    ) and len(name) <= _LONGEST_NAME


def papers_of(session: Session, subscriber: Subscriber) -> list[InterestInput]:
    """The entries of the subscriber's bibliography, oldest first."""
    return [_input(row) for row in _rows(session, subscriber)]


def difference(
    session: Session, subscriber: Subscriber, wanted: Sequence[InterestInput]
) -> Difference:
    """What `apply` would change. A paper that has come in since the last upload is the same."""
    there = {_key(each): each for each in papers_of(session, subscriber)}
    asked = {_key(each): each for each in wanted}
    return Difference(
        tuple(each for key, each in asked.items() if key not in there),
        tuple(each for key, each in there.items() if key not in asked),
        tuple(each for key, each in there.items() if key in asked),
    )


def apply(
    session: Session, subscriber: Subscriber, topic_id: int | None, wanted: Sequence[InterestInput]
) -> None:
    """Make the subscriber's bibliography that of ``wanted``; what is new goes into a topic.

    Without ``topic_id`` the topic that has the bibliography, or the first one, takes it.

    Raises:
        InputError: the topic is not theirs.
    """
    topics = [
        row_id(topic)
        for topic in session.exec(
            select(Topic).where(Topic.subscriber_id == subscriber.id).order_by(col(Topic.id))
        )
    ]
    if topic_id not in topics and (topic_id is not None or not topics):
        raise InputError(_("this topic no longer exists; reload the page"), where="topics")
    change = difference(session, subscriber, wanted)
    gone = {_key(each) for each in change.gone}
    rows = _rows(session, subscriber)
    home = topic_id or next((row.topic_id for row in rows), topics[0])
    left = [row for row in rows if _key(_input(row)) in gone]
    touched = {home, *(row.topic_id for row in left)}
    session.execute(delete(Interest).where(col(Interest.id).in_([row.id for row in left])))
    typed = {
        (row.kind, row.value)
        for row in session.exec(select(Interest).where(Interest.topic_id == home))
    }
    session.add_all(
        Interest(topic_id=home, kind=each.kind, value=each.value, reference=each.reference)
        for each in change.added
        if (each.kind, each.value) not in typed
    )
    if change.added or change.gone:
        # The profile of the old interests is rebuilt when it is next needed.
        session.execute(delete(Profile).where(col(Profile.topic_id).in_(touched)))
    session.flush()


def settle(session: Session) -> int:
    """Entries whose papers have come in become examples to learn from; returns how many."""
    named = col(PaperAlias.external_id) == col(Interest.reference)
    waiting = select(Interest).where(Interest.kind == InterestKind.TEXT)
    come = [
        *session.exec(
            waiting.join(PaperAlias, named).where(col(PaperAlias.source).in_(("arxiv", "doi")))
        )
    ]
    for kind, source in NUMBERED.items():
        number = func.substr(col(Interest.reference), len(kind) + 2)
        come += session.exec(
            waiting.join(PaperAlias, col(PaperAlias.external_id) == number).where(
                PaperAlias.source == source, col(Interest.reference).startswith(f"{kind}:")
            )
        )
    seeds = seeds_of(session, [row.reference or "" for row in come])
    topics = sorted({row.topic_id for row in come})
    there: set[tuple[int, str]] = set()
    for some in batched(topics):
        query = select(Interest.topic_id, Interest.value).where(
            col(Interest.topic_id).in_(some), Interest.kind == InterestKind.SEED_PAPER
        )
        there |= set(session.exec(query).all())
        session.execute(delete(Profile).where(col(Profile.topic_id).in_(some)))
    for row in come:
        seed = seeds[row.reference or ""]
        if (row.topic_id, seed) in there:
            session.delete(row)
            continue
        there.add((row.topic_id, seed))
        session.add(
            Interest(
                topic_id=row.topic_id,
                kind=InterestKind.SEED_PAPER,
                value=seed,
                weight=row.weight,
                reference=row.reference,
            )
        )
        session.delete(row)
    session.flush()
    return len(come)


def _rows(session: Session, subscriber: Subscriber) -> Sequence[Interest]:
    return session.exec(
        select(Interest)
        .join(Topic, col(Topic.id) == col(Interest.topic_id))
        .where(Topic.subscriber_id == row_id(subscriber), col(Interest.reference).is_not(None))
        .order_by(col(Interest.id))
    ).all()


def _input(row: Interest) -> InterestInput:
    return InterestInput(row.kind, row.value, row.weight, row.reference)


def _key(clue: InterestInput) -> str:
    return clue.reference or clue.value.casefold()
