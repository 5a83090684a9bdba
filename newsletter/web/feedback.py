"""Rating from a mail: a link opens the issue with one answer chosen, one button records all.

A link that is opened changes nothing, because mail scanners open links (bulk-mail rule 5).
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse
from sqlmodel import Session, col, select

from newsletter.core.language import N_, _, gettext, ngettext
from newsletter.core.models import DigestItem, Paper, Signal
from newsletter.core.tokens import Purpose
from newsletter.messages.paper_card import Links
from newsletter.ranking.profiles import feedback
from newsletter.sending import ledger
from newsletter.web import archive, issue
from newsletter.web.bodies import Form
from newsletter.web.forms import FormDep, text_of
from newsletter.web.site import READ, RowId, Site, SiteDep

router = APIRouter()

DONE = {
    frozenset({Signal.RELEVANT}): N_("Marked as relevant"),
    frozenset({Signal.NOT_RELEVANT}): N_("Marked as not relevant"),
    frozenset({Signal.SAVED}): N_("Saved"),
}
REMOVED = N_("Rating removed")
_RATINGS = frozenset({Signal.RELEVANT, Signal.NOT_RELEVANT})


class Change(NamedTuple):
    """A paper whose signals a form changed."""

    paper: Paper
    before: frozenset[Signal]
    after: frozenset[Signal]


def _items(session: Session, delivery_id: int) -> Sequence[tuple[DigestItem, Paper]]:
    return session.exec(
        select(DigestItem, Paper)
        .join(Paper, col(Paper.id) == col(DigestItem.paper_id))
        .where(DigestItem.delivery_id == delivery_id)
        .order_by(col(DigestItem.position))
    ).all()


def _item(session: Session, site: Site, token: str, paper_id: int) -> tuple[DigestItem, Paper]:
    """Find the paper and the digest that the link came from.

    The token belongs to a delivery: only papers in that digest can be rated with it.
    """
    delivery_id = site.delivery_of(session, Purpose.FEEDBACK, token)
    for item, paper in _items(session, delivery_id):
        if paper.id == paper_id:
            return item, paper
    raise HTTPException(410)


@router.api_route("/feedback/{token}/{paper_id}/{signal}", methods=READ)
def feedback_page(site: SiteDep, token: str, paper_id: RowId, signal: Signal) -> HTMLResponse:
    """The issue with a choice for every paper; the one that was pressed is chosen."""
    with site.reading() as session:
        item, _ = _item(session, site, token, paper_id)
        loaded = archive.load(session, item.delivery_id)
        ids = [paper.paper_id for paper in loaded.papers]
        given = feedback.signals_of(session, item.subscriber_id, ids)
    chosen = dict(given)
    chosen[paper_id] = feedback.with_signal(given.get(paper_id, frozenset()), signal)
    # The page leads nowhere else that needs a token: the link may be forwarded.
    shown = issue.values(site, loaded, Links("", "", ""))
    return site.page("rate.html", **shown, chosen=chosen, pressed=paper_id)


@router.post("/feedback/{token}/{paper_id}/{signal}")
def give_feedback(
    site: SiteDep, token: str, paper_id: RowId, signal: Signal, form: FormDep
) -> HTMLResponse:
    """Record the choices of the form; without a form, the one signal of the link.

    Repeating it changes nothing; the opposite of a signal replaces it.
    """
    with site.writing() as session:
        item, _ = _item(session, site, token, paper_id)
        ledger.settle_arrived(session, delivery_id=item.delivery_id)
        mine = _items(session, item.delivery_id)
        ids = [paper.id or 0 for _, paper in mine]
        before = feedback.signals_of(session, item.subscriber_id, ids)
        if "issue" in form:
            wanted = _wanted(form, ids, before)
        else:
            had = before.get(paper_id, frozenset())
            wanted = {paper_id: feedback.with_signal(had, signal)}
        topics = {item.paper_id: item.topic_id for item, _ in mine}
        for rated, signals in wanted.items():
            feedback.replace(session, item.subscriber_id, rated, signals, topic_id=topics[rated])
        # What is pressed again after a reset of ratings counts again, though it stood there.
        given = wanted.get(paper_id, before.get(paper_id, frozenset()))
        stands = feedback.with_signal(given, signal) == given
        counts_again = stands and feedback.record(
            session, item.subscriber_id, paper_id, signal, topic_id=topics[paper_id]
        )
    changes = [
        Change(paper, before.get(paper.id or 0, frozenset()), wanted[paper.id or 0])
        for _, paper in mine
        if paper.id in wanted and wanted[paper.id] != before.get(paper.id, frozenset())
    ]
    is_undo = text_of(form, "issue") == "undo"
    title = _title(changes, is_undo)
    if counts_again and not changes:
        title = gettext(DONE[frozenset({signal})])
    return site.page(
        "rated.html", title=title, changes=changes, is_undo=is_undo, counts_again=counts_again
    )


def _wanted(
    form: Form, ids: Sequence[int], before: Mapping[int, frozenset[Signal]]
) -> dict[int, frozenset[Signal]]:
    """The signals that the form asks for, of the papers that it shows."""
    wanted = {}
    for paper_id in ids:
        if f"shown-{paper_id}" not in form:
            continue
        rating = text_of(form, f"rate-{paper_id}")
        if rating and not re.fullmatch("|".join(_RATINGS), rating):
            raise HTTPException(422)
        signals = {Signal(rating)} if rating else set()
        if f"save-{paper_id}" in form:
            signals.add(Signal.SAVED)
        wanted[paper_id] = frozenset(signals)
    return {
        paper_id: signals
        for paper_id, signals in wanted.items()
        if signals != before.get(paper_id, frozenset())
    }


def _title(changes: Sequence[Change], is_undo: bool) -> str:
    if is_undo:
        return _("Undone")
    if not changes:
        return _("Nothing to change")
    if len(changes) == 1:
        [change] = changes
        return gettext(DONE.get(change.after - change.before, REMOVED))
    return ngettext("{count} rating saved", "{count} ratings saved", len(changes))
