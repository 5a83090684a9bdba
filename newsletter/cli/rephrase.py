"""`newsletter rephrase`: the papers of an edition in other words, by an operator's model."""

from typing import Annotated

import typer
from rich.markup import escape

from newsletter.cli.common import DateOption, JsonOption, open_database, print_json, today
from newsletter.cli.console import err, out
from newsletter.cli.progress import progress_bar
from newsletter.core.database import read_scope
from newsletter.core.errors import UsageError
from newsletter.editions import illustrate
from newsletter.editions import rephrase as step
from newsletter.ranking import encoders
from newsletter.sources.chat_endpoint import ChatEndpoint


def rephrase(
    date: DateOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Calls at most.")] = step.MOST_A_RUN,
    as_json: JsonOption = False,
) -> None:
    """Ask a language model to put the papers of a prepared edition in other words."""
    settings, engine = open_database()
    if settings.rephrase_url is None:
        raise UsageError("no language model is set up: set NEWSLETTER_REPHRASE_URL")
    settings.require("rephrase_model")
    issue_date = date or today()
    edition = illustrate.edition_of(engine, issue_date)
    with read_scope(engine) as session:
        papers = step.wanted(session, edition, limit)
    key = settings.rephrase_key.get_secret_value() if settings.rephrase_key else ""
    with (
        progress_bar("asking the model") as progress,
        ChatEndpoint(settings.rephrase_url, settings.rephrase_model, key) as endpoint,
    ):
        done = step.rephrase(
            engine,
            endpoint,
            papers,
            # What is close enough was measured with this encoder.
            encoders.encoder(encoders.DEFAULT).encode,
            model=settings.rephrase_model,
            progress=progress,
        )
    shown = illustrate.illustrate(engine, edition)
    if as_json:
        print_json(
            {
                "edition": str(issue_date),
                "asked": done.asked,
                "kept": done.kept,
                "refused": done.refused,
                "changed": shown is not None,
                "failures": list(done.failures),
            }
        )
    else:
        out.print(
            f"edition {issue_date}: {done.asked} answers, {done.kept} kept, {done.refused} refused "
            "(the abstract's own sentence stands)"
        )
        if shown is None:
            out.print("sending has begun: its mails stay as they are")
    for failure in done.failures:
        err.print(escape(f"failed: {failure}"))
    if done.failures:
        raise typer.Exit(1)
