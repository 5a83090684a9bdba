"""`newsletter train`: profiles from interests and feedback."""

from typing import Annotated

import typer
from rich.markup import escape
from sqlmodel import Session, select

from newsletter.cli.common import open_database
from newsletter.cli.console import err, out
from newsletter.cli.progress import progress_bar
from newsletter.core import database
from newsletter.core.errors import UsageError
from newsletter.core.models import Subscriber
from newsletter.ranking import encoders
from newsletter.ranking.profiles import training


def train(
    subscriber: Annotated[
        str | None, typer.Option(metavar="EMAIL", help="Train this subscriber only.")
    ] = None,
) -> None:
    """Train the profile of every topic from interests and feedback."""
    settings, engine = open_database()
    with database.read_scope(engine) as session:
        chosen = None if subscriber is None else _subscriber_id(session, subscriber)
    with progress_bar("training") as progress, encoders.watched(progress):
        report = training.train(engine, chosen, model=settings.feature_model, progress=progress)
    if report.rebuilt:
        out.print(f"feature space {report.feature_space} rebuilt: {report.rebuilt}")
    if report.others is not None and report.others.subscribers:
        out.print(
            f"weight of what others liked: {report.others.weight:g}; recall of held-out likes "
            f"{report.others.without:.3f} without, {report.others.with_others:.3f} with"
        )
    if report.match is not None:
        out.print(report.match.line())
    if not report.papers:
        err.print("no papers yet: run `newsletter ingest`")
    out.print(escape(f"{report.topics} topics trained on {report.papers} papers"))


def _subscriber_id(session: Session, email: str) -> int:
    """The subscriber with this address.

    Raises:
        UsageError: there is none.
    """
    found = session.exec(select(Subscriber.id).where(Subscriber.email == email.lower())).first()
    if found is None:
        raise UsageError(f"no subscriber has the address {email}")
    return found
