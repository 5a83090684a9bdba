"""`newsletter why`: why a paper is, or is not, in a reader's digest."""

from typing import Annotated

import typer
from rich.markup import escape

from newsletter.cli.common import DateOption, JsonOption, open_database, print_json, today
from newsletter.cli.console import out
from newsletter.core.database import read_scope
from newsletter.core.errors import UsageError
from newsletter.core.models import Label
from newsletter.core.one_line import harmless
from newsletter.editions import why as answers
from newsletter.papers.lookup import find_paper
from newsletter.subscribers import accounts


def why(
    email: Annotated[str, typer.Argument(help="The subscriber's address.")],
    paper: Annotated[
        str, typer.Argument(help="Its number, arXiv id, DOI, address on the web, or title.")
    ],
    date: DateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a paper is, or is not, in a subscriber's digest."""
    settings, engine = open_database()
    with read_scope(engine) as session:
        subscriber = accounts.find_by_email(session, email)
        if subscriber is None:
            raise UsageError(
                f"no subscriber has the address {harmless(email.strip().lower(), 254)}"
            )
        asking = answers.Asking(
            session, subscriber, answers.loader(settings.feature_model), settings.feature_model
        )
        found = asking.why(find_paper(session, paper), date or today(), harmless(paper, 300))
    if as_json:
        print_json(found.as_json())
    else:
        out.print(escape(in_words(found)))


def in_words(found: answers.Why) -> str:
    """The answer in lines."""
    number = f" (paper {found.paper_id})" if found.paper_id else ""
    lines = [
        f"“{harmless(found.title, 300)}”{number}",
        f"{found.outcome.value.replace('_', ' ')}: {found.detail}",
    ]
    if found.score is not None:
        match = "" if found.match is None else f", match {100 * found.match:.0f} of 100"
        label = "" if found.label is Label.NONE else f" ({found.label.value})"
        lines.append(f"score {found.score:.1f}{match}{label}")
    lines += [f"  {share.points:+7.1f}  {share.what}" for share in found.shares]
    return "\n".join(lines)
