"""Papers that show what a topic stands for: the last it brought, and those it was named with."""

from sqlalchemy import bindparam, select
from sqlmodel import Session

from newsletter.core.models import Subscriber
from newsletter.papers.tables import DIGEST_ITEM, PAPER
from newsletter.ranking.profiles import evidence

# Of each topic, so that a reader sees what it stands for.
EXAMPLES = 3


_LAST = (
    select(DIGEST_ITEM.c.topic_id, PAPER.c.id, PAPER.c.title)
    .join(PAPER, PAPER.c.id == DIGEST_ITEM.c.paper_id)
    .where(
        DIGEST_ITEM.c.subscriber_id == bindparam("subscriber_id"),
        DIGEST_ITEM.c.topic_id.is_not(None),
    )
    .order_by(DIGEST_ITEM.c.id.desc())
    .limit(100)
)


def examples_of(session: Session, subscriber: Subscriber) -> dict[str, list[tuple[int, str]]]:
    """The last papers that each topic brought: (id, title) by the topic's id as forms write it."""
    found: dict[str, list[tuple[int, str]]] = {}
    rows = session.connection().execute(_LAST, {"subscriber_id": subscriber.id})
    for topic_id, paper_id, title in rows:
        named = found.setdefault(str(topic_id), [])
        if len(named) < EXAMPLES:
            named.append((paper_id, title))
    return found


def titles_of(session: Session, names: list[str]) -> dict[str, str]:
    """Titles by the arXiv id or DOI that papers were named with, of those we have."""
    if not names:
        return {}
    ids = evidence.seed_papers(session, names)
    rows = session.execute(
        select(PAPER.c.id, PAPER.c.title).where(PAPER.c.id.in_(list(ids.values())))
    )
    titles = {row.id: row.title for row in rows}
    return {name: titles[paper_id] for name, paper_id in ids.items() if paper_id in titles}
