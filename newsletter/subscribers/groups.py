"""Groups: one list of interests for several readers, each with links and ratings of their own.

The topics of the one who keeps a group are the group's; those of the other members rest.
"""

from dataclasses import dataclass

from sqlalchemy import bindparam, func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from newsletter.core.errors import InputError
from newsletter.core.models import GroupMember, ReaderGroup, Subscriber, SubscriberStatus
from newsletter.subscribers.accounts import find_by_email, row_id
from newsletter.subscribers.group_members import hand_over, learn_anew, others_of, take_out
from newsletter.subscribers.validation import clean_line

LONGEST_GROUP = 100


@dataclass(frozen=True, slots=True)
class Group:
    """A group with the addresses of its members, the keeper's first."""

    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Membership:
    """The group of one subscriber, as a page shows it: nothing of another member."""

    name: str
    is_keeper: bool
    count: int


def listing(session: Session) -> list[Group]:
    """All groups, by name."""
    rows = session.exec(
        select(ReaderGroup.name, Subscriber.email)
        .join(GroupMember, col(GroupMember.group_id) == col(ReaderGroup.id))
        .join(Subscriber, col(Subscriber.id) == col(GroupMember.subscriber_id))
        .order_by(col(ReaderGroup.name), col(GroupMember.is_keeper).desc(), col(Subscriber.email))
    )
    members: dict[str, list[str]] = {}
    for name, email in rows:
        members.setdefault(name, []).append(email)
    return [Group(name, tuple(emails)) for name, emails in members.items()]


_fellow = aliased(GroupMember)
# Built once: a page of a reader who is in no group asks for it too.
_MEMBERSHIP = (
    select(
        ReaderGroup.name,
        GroupMember.is_keeper,
        select(func.count())
        .where(col(_fellow.group_id) == col(GroupMember.group_id))
        .scalar_subquery(),
    )
    .join(GroupMember, col(GroupMember.group_id) == col(ReaderGroup.id))
    .where(col(GroupMember.subscriber_id) == bindparam("subscriber_id"))
)


def membership(session: Session, subscriber: Subscriber) -> Membership | None:
    """The group that a subscriber is in."""
    found = session.execute(_MEMBERSHIP, {"subscriber_id": row_id(subscriber)}).one_or_none()
    return Membership(*found) if found else None


def create(session: Session, name: str, keeper: str) -> None:
    """Make a group of one: its keeper, whose topics are the group's from now on.

    Raises:
        InputError: the name is taken or empty, there is no such subscriber, they are in a group, or
            have not confirmed.
    """
    wanted = clean_line(name, where="group", longest=LONGEST_GROUP)
    if not wanted:
        raise InputError("must have a name", where="group")
    if session.exec(select(ReaderGroup.id).where(ReaderGroup.name == wanted)).first():
        raise InputError("is already a group", where=repr(wanted))
    first = _free(session, keeper)
    _require_confirmed(first)
    group = ReaderGroup(name=wanted)
    session.add(group)
    try:
        session.flush()
        session.add(
            GroupMember(subscriber_id=row_id(first), group_id=group.id or 0, is_keeper=True)
        )
        session.flush()
    except IntegrityError as error:  # the same command elsewhere was first
        what = "was made, or its keeper joined a group, at this moment; see: newsletter groups list"
        raise InputError(what, where=repr(wanted)) from error
    learn_anew(session, row_id(first))


def add(session: Session, name: str, email: str) -> None:
    """Let a subscriber share the group's list; their own topics rest until they leave.

    Raises:
        InputError: there is no such group or subscriber, or they are in a group already.
    """
    group = _group(session, name)
    member = _free(session, email)
    where = f"address {member.email!r}"
    session.add(GroupMember(subscriber_id=row_id(member), group_id=group.id or 0))
    try:
        session.flush()
    except IntegrityError as error:  # the same command elsewhere was first
        what = "joined a group at this moment; see: newsletter groups list"
        raise InputError(what, where=where) from error


def remove(session: Session, email: str) -> str:
    """Take a subscriber out of their group, and a group that is empty then away; returns its name.

    Raises:
        InputError: there is no such subscriber, they are in no group, or they keep one that has
            other members.
    """
    member = _known(session, email)
    own = session.get(GroupMember, row_id(member))
    if own is None:
        raise InputError("is in no group", where=f"address {member.email!r}")
    group = session.get_one(ReaderGroup, own.group_id)
    others = others_of(session, own)
    if own.is_keeper and others:
        raise InputError(
            f"keeps the group {group.name!r}; name another keeper first: "
            "newsletter groups keeper GROUP EMAIL",
            where=f"address {member.email!r}",
        )
    name = group.name
    take_out(session, own, others)
    return name


def leave(session: Session, subscriber: Subscriber) -> bool:
    """Leave one's group; returns whether there was one. Its keeper cannot while it has others."""
    own = session.get(GroupMember, row_id(subscriber))
    others = others_of(session, own) if own else []
    if own is None or (own.is_keeper and others):
        return False
    take_out(session, own, others)
    return True


def set_keeper(session: Session, name: str, email: str) -> None:
    """Hand the group's list over to another member, in place of the topics that they had.

    Raises:
        InputError: there is no such group or subscriber, they are not in it, or have not confirmed.
    """
    group, heir = _group(session, name), _known(session, email)
    own = session.get(GroupMember, row_id(heir))
    if own is None or own.group_id != group.id:
        raise InputError(f"is not in the group {group.name!r}", where=f"address {heir.email!r}")
    _require_confirmed(heir)
    keeper = session.exec(
        select(GroupMember).where(GroupMember.group_id == group.id, col(GroupMember.is_keeper))
    ).one()
    if keeper.subscriber_id != own.subscriber_id:
        hand_over(session, keeper, own)


def disband(session: Session, name: str) -> int:
    """End a group; each member has their own topics again. Returns how many there were.

    Raises:
        InputError: there is no such group.
    """
    group = _group(session, name)
    members = session.exec(select(GroupMember).where(GroupMember.group_id == group.id)).all()
    for member in members:
        learn_anew(session, member.subscriber_id)
        session.delete(member)
    session.flush()
    session.delete(group)
    return len(members)


def _group(session: Session, name: str) -> ReaderGroup:
    wanted = clean_line(name, where="group", longest=LONGEST_GROUP)
    found = session.exec(select(ReaderGroup).where(ReaderGroup.name == wanted)).first()
    if found is None:
        raise InputError("there is no such group", where=repr(wanted))
    return found


def _known(session: Session, email: str) -> Subscriber:
    found = find_by_email(session, email)
    if found is None:
        raise InputError("is not a subscriber", where=f"address {email!r}")
    return found


def _require_confirmed(keeper: Subscriber) -> None:
    """Who only asked to sign up has no topics yet, and is forgotten unless they confirm."""
    if keeper.status is SubscriberStatus.PENDING:
        raise InputError(
            "has not confirmed yet, so they cannot keep a group", where=f"address {keeper.email!r}"
        )


def _free(session: Session, email: str) -> Subscriber:
    found = _known(session, email)
    own = session.get(GroupMember, row_id(found))
    if own is not None:
        group = session.get_one(ReaderGroup, own.group_id)
        raise InputError(f"is in the group {group.name!r} already", where=f"address {email!r}")
    return found
