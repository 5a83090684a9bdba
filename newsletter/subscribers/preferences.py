"""What a subscriber changes about themselves: preferences, topics, interests."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Table, bindparam, delete, update
from sqlalchemy import select as sql_select
from sqlmodel import Session, SQLModel, col, select

from newsletter.core.errors import InputError
from newsletter.core.language import N_, _, gettext
from newsletter.core.models import Interest, InterestKind, Profile, Subscriber, Topic
from newsletter.subscribers.accounts import add_topic, row_id
from newsletter.subscribers.validation import MOST_TOPICS, InterestInput, Preferences, TopicRequest

_TOPIC: Table = SQLModel.metadata.tables["topic"]
_INTEREST: Table = SQLModel.metadata.tables["interest"]
# The lists of a form or a CSV line, and the interests that each holds.
COLUMN_KINDS: dict[str, tuple[InterestKind, bool]] = {
    "text": (InterestKind.TEXT, False),
    "keywords": (InterestKind.KEYWORD, False),
    "categories": (InterestKind.CATEGORY, False),
    "authors": (InterestKind.AUTHOR, False),
    "seed_papers": (InterestKind.SEED_PAPER, False),
    "mutes": (InterestKind.KEYWORD, True),
}


@dataclass(frozen=True, slots=True)
class StatedTopic:
    """A topic as it stands in the tables, its interests sorted by kind."""

    id: int
    request: TopicRequest

    def values(self, kind: InterestKind, *, muted: bool = False, typed: bool = False) -> list[str]:
        """The stated values of one kind, wanted or muted; ``typed``: without a bibliography's."""
        return [
            clue.value
            for clue in self.request.clues
            if clue.kind == kind
            and (clue.weight < 0) == muted
            and not (typed and clue.reference is not None)
        ]


def preferences_of(subscriber: Subscriber) -> Preferences:
    """The preferences in a subscriber's row, which were checked when they were written."""
    return Preferences.model_construct(
        **{name: getattr(subscriber, name) for name in Preferences.model_fields}
    )


def set_preferences(session: Session, subscriber_id: int, wanted: Preferences) -> None:
    """Write checked preferences."""
    session.execute(
        update(Subscriber).where(col(Subscriber.id) == subscriber_id).values(wanted.model_dump())
    )


# Built once and without objects: .2 ms of the preferences page in place of .7.
_TOPICS = (
    sql_select(
        *(_TOPIC.c.id, _TOPIC.c.name, _TOPIC.c.quota, _TOPIC.c.paused),
        *(_INTEREST.c.kind, _INTEREST.c.value, _INTEREST.c.weight, _INTEREST.c.reference),
    )
    .select_from(_TOPIC.outerjoin(_INTEREST, _INTEREST.c.topic_id == _TOPIC.c.id))
    .where(_TOPIC.c.subscriber_id == bindparam("subscriber_id"))
    .order_by(_TOPIC.c.id, _INTEREST.c.id)
)


def topics_of(session: Session, subscriber_id: int) -> list[StatedTopic]:
    """All topics of a subscriber, oldest first."""
    session.flush()
    topics: dict[int, tuple[str, int | None, bool]] = {}
    clues: dict[int, list[InterestInput]] = {}
    for number, name, quota, paused, *clue in session.connection().execute(
        _TOPICS, {"subscriber_id": subscriber_id}
    ):
        topics[number] = name, quota, paused
        stated = clues.setdefault(number, [])
        if clue[0] is not None:
            stated.append(InterestInput(*clue))
    return [
        StatedTopic(number, TopicRequest(name, tuple(clues[number]), quota, paused))
        for number, (name, quota, paused) in topics.items()
    ]


# Past what anybody states by hand; each one costs every ranking.
MOST_IN_ALL = 1000


def set_topics(
    session: Session, subscriber: Subscriber, wanted: Sequence[tuple[int | None, TopicRequest]]
) -> None:
    """Make the subscriber's topics those of ``wanted``: (id of a known topic or None, content).

    Known topics that are not named are deleted, with their profile. What a known topic has of a
    bibliography stays (see `newsletter.subscribers.library`).

    Raises:
        InputError: two topics of one name, none or too many, or another's topic.
    """
    names = [request.name.casefold() for _, request in wanted]
    if len(set(names)) < len(names):
        raise InputError(_("two topics have the same name"), where="topics")
    if not 1 <= len(wanted) <= MOST_TOPICS:
        raise InputError(
            _("{count} topics; must be 1 to {most}", count=len(wanted), most=MOST_TOPICS),
            where="topics",
        )
    stated = sum(clue.reference is None for _, request in wanted for clue in request.clues)
    if stated > MOST_IN_ALL:
        raise InputError(
            _("{count} interests in all; at most {most}", count=stated, most=MOST_IN_ALL),
            where="topics",
        )
    known = {
        topic.id: topic
        for topic in session.exec(select(Topic).where(Topic.subscriber_id == subscriber.id))
    }
    kept = {topic_id for topic_id, _ in wanted if topic_id is not None}
    if not kept <= known.keys():
        raise InputError(_("this topic no longer exists; reload the page"), where="topics")
    for topic_id in known.keys() - kept:
        session.delete(known[topic_id])
    # Two topics may swap names; a passing name keeps the UNIQUE constraint content.
    for topic_id in kept:
        known[topic_id].name = f"\x1f{topic_id}"
    session.flush()
    for topic_id, request in wanted:
        if topic_id is None:
            add_topic(session, row_id(subscriber), request)
        else:
            _rewrite(session, known[topic_id], request, keep_library=True)
    session.flush()


def put_topic(session: Session, subscriber: Subscriber, request: TopicRequest) -> None:
    """Set the content of the topic with this name; create it if missing and if there is room."""
    topics = session.exec(select(Topic).where(Topic.subscriber_id == subscriber.id)).all()
    same = [topic for topic in topics if topic.name.casefold() == request.name.casefold()]
    if same:
        _rewrite(session, same[0], request, keep_library=False)
    elif len(topics) < MOST_TOPICS:
        add_topic(session, row_id(subscriber), request)


def _rewrite(session: Session, topic: Topic, request: TopicRequest, *, keep_library: bool) -> None:
    topic.name, topic.quota, topic.paused = request.name, request.quota, request.paused
    stated = {
        (interest.kind, interest.value): interest
        for interest in session.exec(select(Interest).where(Interest.topic_id == topic.id))
    }
    wanted = {
        key: InterestInput(each.kind, each.value, each.weight, each.reference)
        for key, each in stated.items()
        if keep_library and each.reference is not None
    }
    wanted |= {(clue.kind, clue.value): clue for clue in request.clues}
    if {key: each.weight < 0 for key, each in stated.items()} == {
        key: clue.weight < 0 for key, clue in wanted.items()
    }:
        return
    # The profile of the old interests is rebuilt when it is next needed.
    session.execute(delete(Profile).where(col(Profile.topic_id) == topic.id))
    gone = [interest.id for key, interest in stated.items() if key not in wanted]
    session.execute(delete(Interest).where(col(Interest.id).in_(gone)))
    for key, clue in wanted.items():
        interest = stated.get(key)
        if interest is None:
            session.add(
                Interest(
                    topic_id=row_id(topic),
                    kind=clue.kind,
                    value=clue.value,
                    weight=clue.weight,
                    reference=clue.reference,
                )
            )
        elif (interest.weight < 0) != (clue.weight < 0):
            interest.weight = clue.weight


@dataclass(frozen=True, slots=True)
class StatedInterest:
    """An interest in its row, with its weight."""

    id: int
    kind: InterestKind
    value: str
    weight: float
    is_of_library: bool = False

    @property
    def is_followed(self) -> bool:
        """Whether it counts by itself rather than by its words: then in full or half, no other."""
        return self.kind in {InterestKind.AUTHOR, InterestKind.CATEGORY}

    @property
    def percent(self) -> int:
        """How much a wanted interest counts in a ranking, from 1 to 100."""
        if self.is_followed:
            return 100 if self.weight >= FULL else 50
        return max(1, round(100 * min(FULL, self.weight)))

    @property
    def lead(self) -> str:
        """The words that lead to the value in a sentence."""
        return _("In your bibliography:") if self.is_of_library else gettext(_LEADS[self.kind])


_LEADS = {
    InterestKind.KEYWORD: N_("You follow the keyword"),
    InterestKind.CATEGORY: N_("You follow the category"),
    InterestKind.AUTHOR: N_("You follow the author"),
    InterestKind.SEED_PAPER: N_("You liked the paper"),
    InterestKind.TEXT: N_("You wrote:"),
}
# "Less of this" counts an interest half.
FULL, LESS = 1.0, 0.5


def interests_of(session: Session, topic_id: int) -> list[StatedInterest]:
    """The interests of one topic, oldest first."""
    rows = session.exec(
        select(Interest).where(Interest.topic_id == topic_id).order_by(col(Interest.id))
    )
    return [
        StatedInterest(row.id or 0, row.kind, row.value, row.weight, row.reference is not None)
        for row in rows
    ]


def lessen(session: Session, subscriber_id: int, interest_id: int) -> bool:
    """Count a wanted interest half, or as it is where that is less already."""
    interest = _wanted(session, subscriber_id, interest_id)
    weight = min(LESS, interest.weight) if interest else LESS
    return weigh(session, subscriber_id, interest_id, weight)


def weigh(session: Session, subscriber_id: int, interest_id: int, weight: float) -> bool:
    """Give a wanted interest another weight; returns whether the subscriber has it."""
    interest = _wanted(session, subscriber_id, interest_id)
    if interest is None:
        return False
    interest.weight = weight
    session.execute(delete(Profile).where(col(Profile.topic_id) == interest.topic_id))
    session.flush()
    return True


def _wanted(session: Session, subscriber_id: int, interest_id: int) -> Interest | None:
    return session.exec(
        select(Interest)
        .join(Topic, col(Topic.id) == col(Interest.topic_id))
        .where(
            Interest.id == interest_id,
            Topic.subscriber_id == subscriber_id,
            col(Interest.weight) > 0,
        )
    ).one_or_none()
