"""`newsletter prepare`: rank the papers for everyone who is due."""

from newsletter.cli.common import DateOption, open_database, out, today
from newsletter.cli.progress import progress_bar
from newsletter.editions import preparation


def prepare(date: DateOption = None) -> None:
    """Rank the papers for everyone who is due, and freeze the edition."""
    settings, engine = open_database("from_address")
    with progress_bar("preparing digests") as progress:
        done = preparation.prepare(
            engine,
            date or today(),
            message_domain=settings.from_domain,
            sources=settings.sources,
            model=settings.feature_model,
            progress=progress,
        )
    out.print(
        f"edition {date or today()}: {done.new} digests prepared, "
        f"{done.nothing} subscribers with nothing to get, {done.due} due"
    )
