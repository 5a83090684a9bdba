"""`newsletter scorecard`: how good the picks were, by what readers judged."""

from datetime import timedelta
from typing import Annotated

import typer

from newsletter.cli.common import JsonOption, open_database, print_json, today
from newsletter.cli.say import say
from newsletter.core.database import read_scope
from newsletter.core.errors import UsageError
from newsletter.core.one_line import harmless
from newsletter.editions import scorecard as cards
from newsletter.editions.scorecard_counts import scorecard as count
from newsletter.subscribers import accounts


def scorecard(
    email: Annotated[
        str | None, typer.Argument(help="A subscriber's address. Default: all subscribers.")
    ] = None,
    days: Annotated[
        int | None,
        typer.Option("--days", min=1, max=36_500, help="Only the last N days. Default: all."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show how good the picks were: per label, how many were judged, and how many relevant."""
    _, engine = open_database()
    since = today() - timedelta(days=days - 1) if days else None
    with read_scope(engine) as session:
        subscriber = None
        if email is not None:
            subscriber = accounts.find_by_email(session, email)
            if subscriber is None:
                raise UsageError(
                    f"no subscriber has the address {harmless(email.strip().lower(), 254)}"
                )
        card = count(session, subscriber_id=subscriber.id if subscriber else None, since=since)
    if as_json:
        print_json(cards.as_json(card))
        return
    for line in in_lines(card):
        say(line)


def in_lines(card: cards.Scorecard) -> list[str]:
    """The scorecard in lines; before anything was mailed, that and what readers rated."""
    lines = [cards.judging_in_words(card)]
    if card.total.shown:
        lines += [
            f"  {cards.NAMES[label]}: {counts.shown:,} mailed, {counts.judged:,} judged, "
            f"{counts.relevant:,} relevant: {cards.share_in_words(counts)}"
            for label, counts in card.labels.items()
        ]
        lines += [cards.minimum_in_words(*each) for each in card.below.items()]
    return [*lines, cards.late_in_words(card.late)]
