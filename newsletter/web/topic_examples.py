"""Papers that show what a topic stands for: the last it brought, and those it was named with."""

from sqlmodel import Session, col, select

from newsletter.core.models import DigestItem, Paper, Subscriber
from newsletter.ranking.profiles import evidence

# Of each topic, so that a reader sees what it stands for.
EXAMPLES = 3


def examples_of(session: Session, subscriber: Subscriber) -> dict[str, list[tuple[int, str]]]:
    """The last papers that each topic brought: (id, title) by the topic's id as forms write it."""
    found: dict[str, list[tuple[int, str]]] = {}
    rows = session.exec(
        select(DigestItem.topic_id, Paper.id, Paper.title)
        .join(Paper, col(Paper.id) == col(DigestItem.paper_id))
        .where(DigestItem.subscriber_id == subscriber.id, col(DigestItem.topic_id).is_not(None))
        .order_by(col(DigestItem.id).desc())
        .limit(100)
    )
    for topic_id, paper_id, title in rows:
        named = found.setdefault(str(topic_id), [])
        if len(named) < EXAMPLES:
            named.append((paper_id or 0, title))
    return found


def titles_of(session: Session, names: list[str]) -> dict[str, str]:
    """Titles by the arXiv id or DOI that papers were named with, of those we have."""
    if not names:
        return {}
    ids = evidence.seed_papers(session, names)
    rows = session.exec(select(Paper.id, Paper.title).where(col(Paper.id).in_(ids.values())))
    titles = dict(rows.all())
    return {name: titles[paper_id] for name, paper_id in ids.items() if paper_id in titles}
