"""`newsletter prepare`: rank the papers for every subscriber who is due."""

import sys
from datetime import date
from typing import Annotated

import typer
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.cli.common import DateOption, open_database, today
from newsletter.cli.console import err, out
from newsletter.cli.progress import progress_bar
from newsletter.core.database import read_scope
from newsletter.core.errors import UsageError
from newsletter.core.models import Edition

ForceOption = Annotated[
    bool, typer.Option("--force", help="Freeze the edition of a future date without asking.")
]


def require_not_early(engine: Engine, issue_date: date, *, force: bool) -> None:
    """Ask before freezing the edition of a future date, which later papers could not join.

    Raises:
        UsageError: there is no terminal to ask on.
    """
    if force or issue_date <= today() or _has_edition(engine, issue_date):
        return
    warning = (
        f"{issue_date} is in the future: papers that arrive before then would not be in its edition"
    )
    if not sys.stdin.isatty():
        raise UsageError(f"{warning} (use --force to prepare it anyway)")
    typer.confirm(f"{warning}. Prepare it now?", abort=True, err=True)


def tell_past(engine: Engine, issue_date: date, *, force: bool) -> None:
    """Say that a past date has no edition yet and is going to get one; ask on a terminal only."""
    if issue_date >= today() or _has_edition(engine, issue_date):
        return
    late = (
        f"{issue_date} is over and has no edition: one is made now, from today's papers, for "
        "everyone whose cadence has a digest on that date"
    )
    if force or not sys.stdin.isatty():
        err.print(f"note: {late}", markup=False)
    else:
        typer.confirm(f"{late}. Make it and send it?", abort=True, err=True)


def _has_edition(engine: Engine, issue_date: date) -> bool:
    with read_scope(engine) as session:
        found = session.exec(select(Edition.id).where(Edition.issue_date == issue_date)).first()
    return found is not None


def prepare(date: DateOption = None, force: ForceOption = False) -> None:
    """Rank the papers for every subscriber who is due, and freeze the edition."""
    from newsletter.editions import preparation  # noqa: PLC0415  (`send` needs the checks above)

    settings, engine = open_database("from_address")
    require_not_early(engine, date or today(), force=force)
    with progress_bar("preparing digests") as progress:
        done = preparation.prepare(
            engine,
            date or today(),
            message_domain=settings.from_domain,
            sources=settings.sources,
            model=settings.feature_model,
            progress=progress,
        )
    out.print(f"edition {date or today()}: {done}")
