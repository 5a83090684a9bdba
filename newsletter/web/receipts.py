"""The receipt of a mailed paper, and "Why not this paper?": what a score is made of, and steering.

GET shows, also what "less of this" would do; only the button on that page saves.
"""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlmodel import Session, col, select

from newsletter.core import language
from newsletter.core.database import utc_now
from newsletter.core.language import _
from newsletter.core.models import Delivery, DigestItem, Edition, Label, Paper, Subscriber
from newsletter.core.one_line import harmless
from newsletter.core.tokens import Purpose
from newsletter.editions import receipts
from newsletter.editions.why import Asking, Frozen, Load, loader
from newsletter.messages import wording
from newsletter.papers.lookup import find_papers
from newsletter.ranking.candidates import Candidates
from newsletter.ranking.standing import Standing, seen_until
from newsletter.web.forms import FormDep, text_of
from newsletter.web.ratings import subscriber_of
from newsletter.web.site import READ, RowId, Site, SiteDep

router = APIRouter()
# The candidates that pages keep in memory reach back as far as a digest of the last day or so
# does; for an older one they are read anew.
KEPT_FOR = timedelta(days=2)
Handle = Annotated[str, Query(max_length=40)]
Asked = Annotated[str, Query(max_length=1_000)]


def _load(site: Site) -> Load:
    anew = loader(site.settings.feature_model)

    def load(session: Session, until: datetime) -> Candidates:
        if until < utc_now() - KEPT_FOR:
            return anew(session, until)
        return seen_until(site.pool.candidates(session), until)

    return load


def _asking(site: Site, session: Session, subscriber: Subscriber) -> Asking:
    return Asking(session, subscriber, _load(site), site.settings.feature_model)


def _of(
    session: Session, site: Site, token: str, paper_id: int
) -> tuple[Subscriber, Paper, Frozen]:
    """The paper in the digest that the link came from, and whose digest it is."""
    delivery_id = site.delivery_of(session, Purpose.RECEIPT, token)
    found = session.exec(
        select(DigestItem, Paper, Delivery)
        .join(Paper, col(Paper.id) == col(DigestItem.paper_id))
        .join(Delivery, col(Delivery.id) == col(DigestItem.delivery_id))
        .where(DigestItem.delivery_id == delivery_id, DigestItem.paper_id == paper_id)
    ).one_or_none()
    if found is None:
        raise HTTPException(410)
    item, paper, delivery = found
    edition = session.get_one(Edition, delivery.edition_id)
    subscriber = session.get_one(Subscriber, item.subscriber_id)
    return subscriber, paper, Frozen(item, delivery, edition)


@router.api_route("/receipt/{token}/{paper_id}", methods=READ)
def receipt_page(
    site: SiteDep, token: str, paper_id: RowId, saved: Handle = "", undone: bool = False
) -> HTMLResponse:
    """What the paper's score was made of, each part with the way to less of it."""
    with site.reading() as session:
        subscriber, paper, frozen = _of(session, site, token, paper_id)
        found = receipts.receipt(_asking(site, session, subscriber), paper, frozen)
    return site.page(
        "receipt.html",
        receipt=found,
        paper=paper,
        label=wording.label(found.why.label),
        day=frozen.edition.issue_date,
        action=f"{site.root}/receipt/{token}/{paper_id}",
        saved=saved,
        undone=undone,
    )


@router.api_route("/receipt/{token}/{paper_id}/less", methods=READ)
def less_page(site: SiteDep, token: str, paper_id: RowId, part: Handle = "") -> HTMLResponse:
    """Where the paper would stand with less of one part. Nothing is saved."""
    with site.reading() as session:
        subscriber, paper, frozen = _of(session, site, token, paper_id)
        asking = _asking(site, session, subscriber)
        now = asking.standing(paper_id, frozen.delivery)
        lines = receipts.receipt(asking, paper, frozen).lines
    line = next((line for line in lines if line.handle and line.handle == part), None)
    if line is None or now is None:
        raise HTTPException(404)
    with site.trying() as session:
        subscriber, _, frozen = _of(session, site, token, paper_id)
        if not receipts.less(session, subscriber, part):
            raise HTTPException(404)
        after = _asking(site, session, subscriber).standing(paper_id, frozen.delivery)
    return site.page(
        "less.html",
        paper=paper,
        line=line,
        mailed_at=frozen.item.position,
        now=_place(now),
        after=_place(after or now),
        action=f"{site.root}/receipt/{token}/{paper_id}",
    )


def _place(found: Standing) -> str:
    """A place in words, with the score."""
    score = (
        _("score {score}", score=language.decimal(found.score)) if found.score is not None else ""
    )
    if found.verdict == "selected":
        return _(
            "place {rank} of {count}, {score}",
            rank=found.rank,
            count=len(found.picks),
            score=score,
        )
    detail = found.detail[:1].lower() + found.detail[1:].rstrip(".")
    return _("not in the digest, {score}: {detail}", score=score, detail=detail)


@router.post("/receipt/{token}/{paper_id}/less")
def save_less(site: SiteDep, token: str, paper_id: RowId, form: FormDep) -> RedirectResponse:
    """Save less of one part; pressing twice is the same."""
    return _change(site, token, paper_id, text_of(form, "part")[:40], back=False)


@router.post("/receipt/{token}/{paper_id}/undo")
def undo_less(site: SiteDep, token: str, paper_id: RowId, form: FormDep) -> RedirectResponse:
    """Count it in full again."""
    return _change(site, token, paper_id, text_of(form, "part")[:40], back=True)


def _change(site: Site, token: str, paper_id: int, part: str, *, back: bool) -> RedirectResponse:
    with site.writing() as session:
        subscriber, _, _ = _of(session, site, token, paper_id)
        changed = (receipts.undo if back else receipts.less)(session, subscriber, part)
    if not changed:
        raise HTTPException(404)
    said = "undone=true" if back else f"saved={part}"
    return RedirectResponse(f"{site.root}/receipt/{token}/{paper_id}?{said}", 303)


@router.api_route("/preferences/{token}/why", methods=READ)
def why_page(site: SiteDep, token: str, paper: Asked = "") -> HTMLResponse:
    """Why a paper is, or is not, in today's digest."""
    with site.reading() as session:
        subscriber = subscriber_of(session, site, token)
        found, several = None, find_papers(session, paper)
        if paper.strip() and len(several) < 2:
            asking = _asking(site, session, subscriber)
            one = several[0] if several else None
            found = asking.why(one, utc_now().date(), harmless(paper, 300))
    return site.page(
        "why.html",
        asked=harmless(paper, 1_000),
        found=found,
        several=[] if found else several,
        label=wording.label(found.label if found else Label.NONE),
        action=f"{site.root}/preferences/{token}",
    )
