"""`newsletter trial …`: compare two ways of ordering papers by what readers rate."""

from typing import Annotated

import typer

from newsletter.cli.common import JsonOption, open_database, print_json
from newsletter.cli.say import say
from newsletter.core.database import read_scope, session_scope, utc_now
from newsletter.editions import trial_report, trials
from newsletter.ranking.recipes import RECIPES, named

trial_commands = typer.Typer(
    no_args_is_help=True, help="Compare two ways of ordering papers by what readers rate."
)


@trial_commands.command()
def start(
    recipe: Annotated[str, typer.Argument(help=f"The challenger: {', '.join(RECIPES)}.")],
    days: Annotated[
        int,
        typer.Option("--days", min=1, max=365, help="End without an answer after this many days."),
    ] = trials.DAYS,
    margin: Annotated[
        float,
        typer.Option(
            "--margin", min=0.01, max=0.5, help="A smaller difference in shares counts as none."
        ),
    ] = trials.MARGIN,
    as_json: JsonOption = False,
) -> None:
    """Start a trial of a recipe against the one in use, with the next edition."""
    _, engine = open_database()
    now = utc_now()
    with session_scope(engine) as session:
        trial = trials.start(session, recipe, now, days=days, margin=margin)
        found = trials.pace(session, now)
        values = trial_report.as_json(trial, trials.seen_in(session, trial), (0, 0), now)
        compared = f"“{trial.challenger}” against “{trial.control}”"
    outlook = trial_report.outlook(*found, trials.PACE_DAYS)
    if as_json:
        print_json({"trial": values, "outlook": outlook})
        return
    say(f"trial of {compared} starts with the next edition, for {days} days at most")
    say(outlook)


@trial_commands.command()
def status(as_json: JsonOption = False) -> None:
    """Show the recipe in use, and what the last trial has shown so far."""
    _, engine = open_database()
    now = utc_now()
    with read_scope(engine) as session:
        recipe, trial = trials.current_recipe(session), trials.latest(session)
        values, lines = None, ["No trial has been started."]
        if trial is not None:
            told = trial, trials.seen_in(session, trial), trials.reach(session, trial.id or 0), now
            values, lines = trial_report.as_json(*told), trial_report.in_lines(*told)
    if as_json:
        print_json({"recipe": recipe, "recipes": list(RECIPES), "trial": values})
        return
    say(f"Recipe in use: “{recipe}”, {named(recipe).about}.")
    for line in lines:
        say(line)


@trial_commands.command()
def stop(as_json: JsonOption = False) -> None:
    """Stop the running trial, and keep the recipe from before it."""
    _, engine = open_database()
    now = utc_now()
    with session_scope(engine) as session:
        trial = trials.stop(session, now)
        reach = trials.reach(session, trial.id or 0)
        told = trial, trials.restored(trial.figures), reach, now
        values, lines = trial_report.as_json(*told), trial_report.in_lines(*told)
    if as_json:
        print_json({"trial": values})
        return
    for line in lines:
        say(line)


@trial_commands.command()
def use(
    recipe: Annotated[str, typer.Argument(help=f"One of {', '.join(RECIPES)}.")],
) -> None:
    """Use a recipe from the next edition on, without a trial."""
    _, engine = open_database()
    with session_scope(engine) as session:
        trials.use(session, recipe, utc_now())
    say(f"editions opened from now on use “{recipe}”: {RECIPES[recipe].about}")
