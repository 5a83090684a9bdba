"""`newsletter subscribers set`, `unsubscribe`, `rename`: one subscriber, changed in one step."""

from typing import Annotated

import typer

from newsletter.cli.common import JsonOption, as_options, open_database, print_json
from newsletter.cli.console import err, out
from newsletter.cli.subscriber_view import describe, required
from newsletter.core.database import session_scope
from newsletter.core.errors import UsageError
from newsletter.core.models import SubscriberStatus
from newsletter.core.tokens import Signer
from newsletter.subscribers import accounts, changes
from newsletter.subscribers.accounts import row_id
from newsletter.subscribers.csv_reading import LIST_COLUMNS, PREFERENCE_COLUMNS
from newsletter.subscribers.doubts import doubts_about
from newsletter.subscribers.preferences import topics_of

EmailArgument = Annotated[str, typer.Argument(help="The subscriber's address.")]


def set_values(
    context: typer.Context,
    email: EmailArgument,
    name: Annotated[str | None, typer.Option(help="Name used in the greeting.")] = None,
    topic: Annotated[
        str | None, typer.Option(help="Topic for the interests; created if it is new.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="Interests in a sentence or two.")] = None,
    keywords: Annotated[str | None, typer.Option(help="Separated by ;")] = None,
    categories: Annotated[str | None, typer.Option(help="For example cs.CL;stat.ML")] = None,
    authors: Annotated[str | None, typer.Option(help="Separated by ;")] = None,
    seed_papers: Annotated[
        str | None, typer.Option(help="arXiv ids or DOIs, separated by ;")
    ] = None,
    mutes: Annotated[str | None, typer.Option(help="Words to exclude, separated by ;")] = None,
    cadence: Annotated[str | None, typer.Option(help="daily, weekdays or weekly")] = None,
    weekday: Annotated[str | None, typer.Option(help="Day of the weekly digest.")] = None,
    timezone: Annotated[str | None, typer.Option(help="As in Europe/Berlin")] = None,
    send_hour: Annotated[str | None, typer.Option(help="0 to 23, in their time zone.")] = None,
    max_papers: Annotated[str | None, typer.Option(help="1 to 50")] = None,
    min_score: Annotated[str | None, typer.Option(help="0 to 100")] = None,
    length: Annotated[str | None, typer.Option(help="compact, normal or full")] = None,
    tell_when_nothing: Annotated[
        str | None, typer.Option(help="Note on a day without papers: daily, weekly or never")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of their mails and pages: en or de")
    ] = None,
    vacation_until: Annotated[
        str | None, typer.Option(help='Vacation until, for example 2026-12-24; "" ends it.')
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Change what is given; everything else stays. An empty list clears that list."""
    # The options above, by name.
    typed = {option: value for option, value in context.params.items() if value is not None}
    preferences = {
        field: typed[column] for column, field in PREFERENCE_COLUMNS.items() if column in typed
    }
    interests = {column: typed[column].split(";") for column in LIST_COLUMNS if column in typed}
    if text is not None:
        interests["text"] = [text]
    if not preferences and not interests and name is None and topic is None:
        raise UsageError("nothing to change: give at least one option (see --help)")
    _, engine = open_database()
    with as_options(context), session_scope(engine) as session:
        subscriber = required(session, email)
        changes.change(
            session,
            subscriber,
            name=name,
            preferences=preferences,
            topic=topic,
            interests=interests,
        )
        described = describe(session, subscriber)
        stated = topics_of(session, row_id(subscriber))
    warnings = [doubt for each in stated for doubt in doubts_about(each.request)]
    if as_json:
        print_json({"subscriber": described, "warnings": warnings})
        return
    for warning in warnings:
        err.print(f"warning: {warning}", markup=False)
    out.print(f"{subscriber.email} changed", markup=False)


def unsubscribe(email: EmailArgument, as_json: JsonOption = False) -> None:
    """End a subscription for its owner; only they can come back, by signing up again."""
    _, engine = open_database()
    with session_scope(engine) as session:
        subscriber = required(session, email)
        already = subscriber.status is SubscriberStatus.UNSUBSCRIBED
        address = subscriber.email
        accounts.unsubscribe(session, subscriber.public_id)
    if as_json:
        print_json({"email": address, "unsubscribed": True, "already": already})
        return
    state = "already unsubscribed" if already else "unsubscribed: gets no more mail"
    out.print(f"{address} {state}", markup=False)


def rename(
    old: Annotated[str, typer.Argument(help="Current address.")],
    new: Annotated[str, typer.Argument(help="New address.")],
    as_json: JsonOption = False,
) -> None:
    """Move a subscriber to another address, with topics, ratings and history."""
    settings, engine = open_database("secret_keys")
    with session_scope(engine) as session:
        subscriber = required(session, old)
        before = subscriber.email
        after = changes.rename(session, Signer(settings.keys), subscriber, new)
    if as_json:
        print_json({"email": after, "before": before})
        return
    out.print(f"{before} is {after} now", markup=False)
