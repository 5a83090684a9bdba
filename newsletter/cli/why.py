"""`newsletter why`: why a paper is, or is not, in a reader's digest."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.markup import escape

from newsletter.cli.common import DateOption, JsonOption, open_database, print_json, today
from newsletter.cli.console import out
from newsletter.core.database import read_scope
from newsletter.core.errors import UsageError
from newsletter.core.models import Label, Paper
from newsletter.core.one_line import harmless
from newsletter.editions import why as answers
from newsletter.papers.lookup import MOST_NAMED, find_papers
from newsletter.subscribers import accounts

MOST_LISTED = 10


def why(
    email: Annotated[str, typer.Argument(help="The subscriber's address.")],
    paper: Annotated[
        str,
        typer.Argument(
            help="Its number, arXiv id, DOI, address on the web, or title; part of a title is "
            "enough if only one paper has it."
        ),
    ],
    date: DateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a paper is, or is not, in a subscriber's digest."""
    if not paper.strip():
        raise UsageError("PAPER is empty: give a number, an id, an address or a title")
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
        several = find_papers(session, paper)
        if len(several) > 1:
            raise UsageError(which_of(harmless(paper, 300), several))
        one = several[0] if several else None
        found = asking.why(one, date or today(), harmless(paper, 300))
    if as_json:
        print_json(found.as_json())
    else:
        out.print(escape(in_words(found)))


def which_of(asked: str, papers: Sequence[Paper]) -> str:
    """What to ask for instead of a part of several titles."""
    some = f"{MOST_NAMED} titles or more" if len(papers) == MOST_NAMED else f"{len(papers)} titles"
    lines = [f"“{asked}” stands in {some}: write more of it, or one of these numbers"]
    lines += [f"  {paper.id}  {harmless(paper.title, 300)}" for paper in papers[:MOST_LISTED]]
    more = len(papers) - MOST_LISTED
    return "\n".join([*lines, f"  and {more} more"] if more > 0 else lines)


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
