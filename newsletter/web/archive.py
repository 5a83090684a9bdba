"""Digests in the browser: one by its own link, all of a subscriber's, and as a private feed."""

from collections.abc import Sequence

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import HTMLResponse
from sqlmodel import Session, col, select

from newsletter.core.models import (
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    DigestItem,
    Edition,
    EditionPaper,
    Paper,
    Subscriber,
)
from newsletter.core.tokens import Purpose, of_generation
from newsletter.messages import digest
from newsletter.messages.paper_card import Links
from newsletter.subscribers.accounts import row_id
from newsletter.web import feeds, issue
from newsletter.web.site import READ, Site, SiteDep

router = APIRouter()
# A year of weekdays.
MOST = 260
IN_FEED = 30
_ARRIVED = (DeliveryStatus.SENT, DeliveryStatus.UNCERTAIN, DeliveryStatus.BOUNCED)


@router.api_route("/view/{token}", methods=READ)
def view_page(site: SiteDep, token: str) -> HTMLResponse:
    """One digest as a page. Shows no address, because the link may be forwarded."""
    with site.reading() as session:
        delivery_id = site.delivery_of(session, Purpose.VIEW, token)
        loaded = load(session, delivery_id)
    # Feed readers get here: nothing on the page leads to preferences, or ends the subscription.
    value = of_generation(str(delivery_id), loaded.link_generation)
    links = Links(
        feedback=f"{site.root}/feedback/{site.signer.sign(Purpose.FEEDBACK, value)}",
        receipt=f"{site.root}/receipt/{site.signer.sign(Purpose.RECEIPT, value)}",
        paper=f"{site.root}/paper",
        figures=f"{site.root}/figures" if site.settings.figures else "",
        in_words=site.settings.rephrase_url is not None,
    )
    shown = issue.values(site, loaded, links)
    return site.page(
        "view.html",
        **shown,
        notice=loaded.notice,
        feedback=links.feedback,
    )


def load(session: Session, delivery_id: int) -> digest.Digest:
    """A digest as its edition froze it.

    Raises:
        HTTPException: 410, there is none any more.
    """
    delivery = session.get(Delivery, delivery_id)
    if delivery is None or delivery.edition_id is None or not delivery.subject:
        raise HTTPException(410)
    return digest.load(session, [delivery_id], _contents(session, delivery))[delivery_id]


def _contents(session: Session, delivery: Delivery) -> digest.Contents:
    """The papers of one digest as its edition froze them."""
    rows = session.exec(
        select(EditionPaper)
        .join(DigestItem, col(DigestItem.paper_id) == col(EditionPaper.paper_id))
        .where(
            EditionPaper.edition_id == delivery.edition_id, DigestItem.delivery_id == delivery.id
        )
    )
    return digest.Contents({row.paper_id: row.content for row in rows})


def _digests(
    session: Session, subscriber_id: int, limit: int
) -> Sequence[tuple[Delivery, Edition]]:
    return session.exec(
        select(Delivery, Edition)
        .join(Edition, col(Edition.id) == col(Delivery.edition_id))
        .where(
            Delivery.subscriber_id == subscriber_id,
            Delivery.kind == DeliveryKind.DIGEST,
            col(Delivery.status).in_(_ARRIVED),
            Delivery.subject != "",  # `newsletter prune` has emptied the others
        )
        .order_by(col(Edition.issue_date).desc())
        .limit(limit)
    ).all()


@router.api_route("/archive/{token}", methods=READ)
def archive_page(site: SiteDep, token: str) -> HTMLResponse:
    """All past digests, and the address of the private feed."""
    with site.reading() as session:
        subscriber = site.subscriber_of(session, Purpose.PREFERENCES, token)
        past = _digests(session, row_id(subscriber), MOST)
    own = of_generation(subscriber.public_id, subscriber.link_generation)
    return site.page(
        "archive.html",
        past=[
            (edition.issue_date, delivery.subject, _view_url(site, subscriber, delivery.id))
            for delivery, edition in past
        ],
        feed_url=f"{site.settings.base_url}/feed/{site.signer.sign(Purpose.FEED, own)}",
        preferences_url=site.preferences_url(subscriber),
    )


@router.api_route("/feed/{token}", methods=READ)
def private_feed(site: SiteDep, token: str) -> Response:
    """The subscriber's digests as Atom; its link opens nothing else."""
    base = site.settings.base_url
    with site.reading() as session:
        subscriber = site.subscriber_of(session, Purpose.FEED, token)
        past = _digests(session, row_id(subscriber), IN_FEED)
        lines = _lines(session, [delivery.id or 0 for delivery, _ in past])
    entries = tuple(
        _entry(site, subscriber, delivery, edition, lines.get(delivery.id or 0, []))
        for delivery, edition in past
    )
    feed = feeds.Feed(
        title=f"{site.settings.site_name}: your digests",
        home=f"{base}/",
        address=f"{base}/feed/{token}",
        entries=entries,
    )
    return feeds.answer(feeds.atom(feed))


def _lines(session: Session, delivery_ids: Sequence[int]) -> dict[int, list[str]]:
    """A line per paper, by digest."""
    lines: dict[int, list[str]] = {}
    rows = session.exec(
        select(DigestItem, Paper.title, Paper.url)
        .join(Paper, col(Paper.id) == col(DigestItem.paper_id))
        .where(col(DigestItem.delivery_id).in_(delivery_ids))
        .order_by(col(DigestItem.delivery_id), col(DigestItem.position))
    )
    for item, title, url in rows:
        line = f"{item.position}. {title} ({item.explanation}) {url}"
        lines.setdefault(item.delivery_id, []).append(line)
    return lines


def _entry(
    site: Site, subscriber: Subscriber, delivery: Delivery, edition: Edition, lines: list[str]
) -> feeds.Entry:
    path = _view_url(site, subscriber, delivery.id).removeprefix(site.root)
    return feeds.Entry(
        address=f"{site.settings.base_url}{path}",
        title=f"{edition.issue_date}: {delivery.subject}",
        text="\n".join(lines),
        authors=(),
        updated=delivery.finished_at or delivery.created_at,
    )


def _view_url(site: Site, subscriber: Subscriber, delivery_id: int | None) -> str:
    value = of_generation(str(delivery_id), subscriber.link_generation)
    return f"{site.root}/view/{site.signer.sign(Purpose.VIEW, value)}"
