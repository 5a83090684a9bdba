"""Groups as ranking sees them: members are ranked by the interests of who keeps their group.

What members rate stays theirs: a group's digest is the same for all, and tells of nobody.
"""

from collections.abc import Sequence

from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from newsletter.core.batches import batched
from newsletter.core.models import GroupMember
from newsletter.core.one_of import one_of


def keeper_of(session: Session, subscriber_ids: Sequence[int]) -> dict[int, int]:
    """Who keeps the group that each is in; who is in none, or keeps it, is left out."""
    keeper = aliased(GroupMember)
    found: dict[int, int] = {}
    for some in batched(subscriber_ids):
        query = (
            select(GroupMember.subscriber_id, keeper.subscriber_id)
            .join(keeper, col(keeper.group_id) == col(GroupMember.group_id))
            .where(
                one_of(col(GroupMember.subscriber_id), some),
                col(keeper.is_keeper),
                ~col(GroupMember.is_keeper),
            )
        )
        found |= dict(session.exec(query).all())
    return found


def keepers(session: Session, subscriber_ids: Sequence[int]) -> set[int]:
    """Those among the subscribers who keep a group."""
    found: set[int] = set()
    for some in batched(subscriber_ids):
        query = select(GroupMember.subscriber_id).where(
            one_of(col(GroupMember.subscriber_id), some), col(GroupMember.is_keeper)
        )
        found.update(session.exec(query))
    return found
