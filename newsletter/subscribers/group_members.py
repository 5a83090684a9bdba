"""Rows of groups: who leaves, and who has the list after a keeper."""

from collections.abc import Sequence

from sqlalchemy import delete
from sqlmodel import Session, col, select

from newsletter.core.models import (
    GroupMember,
    Interest,
    Profile,
    ReaderGroup,
    Subscriber,
    SubscriberStatus,
    Topic,
)


def before_erasing(session: Session, subscriber_id: int) -> None:
    """Hand a group that this subscriber keeps over to its oldest member, so that its list stays.

    To one who has not confirmed only where all others have not.
    """
    own = session.get(GroupMember, subscriber_id)
    if own is None:
        return
    others = others_of(session, own)
    if own.is_keeper and others:
        heirs = [each for each in others if not _is_pending(session, each)]
        hand_over(session, own, (heirs or others)[0])
    take_out(session, own, others)


def _is_pending(session: Session, member: GroupMember) -> bool:
    return session.get_one(Subscriber, member.subscriber_id).status is SubscriberStatus.PENDING


def take_out(session: Session, own: GroupMember, others: Sequence[GroupMember]) -> None:
    """End a membership, and the group that has no ``others``."""
    learn_anew(session, own.subscriber_id)
    group = session.get_one(ReaderGroup, own.group_id)
    session.delete(own)
    session.flush()
    if not others:
        session.delete(group)
        session.flush()


def hand_over(session: Session, keeper: GroupMember, heir: GroupMember) -> None:
    """Give the heir a copy of the group's topics; where it has any, they replace the heir's own."""
    shared = session.exec(
        select(Topic).where(Topic.subscriber_id == keeper.subscriber_id).order_by(col(Topic.id))
    ).all()
    if shared:
        session.execute(delete(Topic).where(col(Topic.subscriber_id) == heir.subscriber_id))
    for topic in shared:
        copied = Topic(
            subscriber_id=heir.subscriber_id,
            name=topic.name,
            quota=topic.quota,
            paused=topic.paused,
        )
        session.add(copied)
        session.flush()
        stated = session.exec(
            select(Interest).where(Interest.topic_id == topic.id).order_by(col(Interest.id))
        ).all()
        session.add_all(
            Interest(
                topic_id=copied.id or 0,
                kind=each.kind,
                value=each.value,
                weight=each.weight,
                reference=each.reference,
            )
            for each in stated
        )
    keeper.is_keeper, heir.is_keeper = False, True
    session.add_all([keeper, heir])
    session.flush()
    learn_anew(session, keeper.subscriber_id)


def learn_anew(session: Session, subscriber_id: int) -> None:
    """Forget the profiles: ratings count for the topics of who keeps no group, and no others."""
    topics = select(Topic.id).where(Topic.subscriber_id == subscriber_id)
    session.execute(delete(Profile).where(col(Profile.topic_id).in_(topics)))


def others_of(session: Session, own: GroupMember) -> list[GroupMember]:
    """The other members, who joined first first."""
    return list(
        session.exec(
            select(GroupMember)
            .where(
                GroupMember.group_id == own.group_id,
                GroupMember.subscriber_id != own.subscriber_id,
            )
            .order_by(col(GroupMember.joined_at), col(GroupMember.subscriber_id))
        )
    )
