"""One subscriber's digest to look at: the frozen one, else what would be frozen now."""

from datetime import date, timedelta

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core import language
from newsletter.core.database import read_scope, utc_now
from newsletter.core.errors import UsageError
from newsletter.core.language import gettext
from newsletter.core.models import (
    Cadence,
    Delivery,
    DeliveryStatus,
    Edition,
    Occasion,
    Paper,
    Subscriber,
)
from newsletter.editions import known_papers, quiet_day
from newsletter.editions.ordering import ordered_for
from newsletter.messages import digest, extras, news, subjects
from newsletter.messages.digest import Digest
from newsletter.ranking import ranker
from newsletter.ranking.encoders import DEFAULT
from newsletter.ranking.profiles import groups, profiles
from newsletter.ranking.ranker import Ranking


def preview(engine: Engine, email: str, issue_date: date, model: str = DEFAULT) -> Digest:
    """The digest of ``email`` for a date; after `prepare`, exactly what is sent.

    Raises:
        UsageError: no subscriber has that address.
    """
    with read_scope(engine) as session:
        wanted = email.strip().lower()
        subscriber = session.exec(select(Subscriber).where(Subscriber.email == wanted)).first()
        if subscriber is None:
            raise UsageError(f"no subscriber has the address {wanted}")
        frozen = _frozen(session, subscriber, issue_date)
        if frozen is not None:
            return frozen
        since = utc_now() - digest.CANDIDATE_WINDOW
        candidates = profiles.load_candidates(session, since, model)
        [profile] = profiles.load_profiles(session, [subscriber.id or 0], model)
        profile = ordered_for(session, profile, issue_date, utc_now())
        ranked = ranker.rank(candidates, [profile])[0]
        return build_unsaved(session, subscriber, ranked, issue_date)


def _frozen(session: Session, subscriber: Subscriber, issue_date: date) -> Digest | None:
    delivery = session.exec(
        select(Delivery)
        .join(Edition, col(Edition.id) == col(Delivery.edition_id))
        .where(
            Edition.issue_date == issue_date,
            Delivery.subscriber_id == subscriber.id,
            Delivery.status != DeliveryStatus.CANCELLED,
        )
    ).first()
    if delivery is None or delivery.id is None or delivery.edition_id is None:
        return None
    contents = digest.Contents(digest.load_contents(session, delivery.edition_id))
    return digest.load(session, [delivery.id], contents)[delivery.id]


def build_unsaved(
    session: Session, subscriber: Subscriber, ranked: Ranking, issue_date: date
) -> Digest:
    """A ranking shown as a value only: delivery 0, which is in no row."""
    with language.speaking(subscriber.language):
        return _unsaved(session, subscriber, ranked, issue_date)


def _unsaved(session: Session, subscriber: Subscriber, ranked: Ranking, issue_date: date) -> Digest:
    ids = [pick.paper_id for pick in ranked.picks]
    papers = session.exec(select(Paper).where(col(Paper.id).in_(ids)))
    added = extras.frozen(session, ids)
    contents = digest.Contents(
        {paper.id or 0: digest.content_of(paper) | added.get(paper.id or 0, {}) for paper in papers}
    )
    items = [
        (
            pick.section,
            digest.DigestPaper(
                contents[pick.paper_id],
                position=pick.position,
                label=pick.label,
                explanation=pick.explanation,
                highlights=digest.spans_of(
                    digest.offsets_of(contents[pick.paper_id].abstract, pick.highlights)
                ),
                in_short=digest.spans_of(
                    digest.offsets_of(
                        contents[pick.paper_id].abstract, (pick.in_short,) if pick.in_short else ()
                    )
                ),
                bars=pick.bars,
            ),
        )
        for pick in ranked.picks
    ]
    why = quiet_day.reason(
        ranked,
        gettext(ranker.NO_NEW),
        is_member=bool(groups.keeper_of(session, [ranked.subscriber_id])),
    )
    own = subscriber.id or 0
    told = known_papers.untold(session, [own], utc_now()).get(own, ())
    titles = [paper.title for _, paper in items]
    is_weekly = bool(titles) and subscriber.cadence is Cadence.WEEKLY
    return Digest(
        delivery_id=0,
        subscriber_public_id=subscriber.public_id,
        link_generation=subscriber.link_generation,
        to_address=subscriber.email,
        to_name=subscriber.name,
        message_id="preview@localhost",
        subject=subjects.subject_line(titles, is_weekly=is_weekly)
        if titles or not told
        else news.subject_line(told[0].kind, [each.title for each in told]),
        preheader=subjects.preheader_line(titles) or why,
        issue_date=issue_date,
        created_at=utc_now(),
        sections=digest.sections_of(items),
        length=subscriber.length,
        read_here=subscriber.read_here,
        language=subscriber.language,
        covers_from=issue_date - timedelta(days=6) if is_weekly else None,
        occasion=Occasion.REGULAR if titles else Occasion.NOTHING,
        reason="" if titles else why,
        news=tuple(news.NewsItem(n.paper_id, n.title, n.said, n.url) for n in told),
        notice=subjects.minimum_notice(subscriber.min_score) if subscriber.minimum_changed else "",
    )
