"""`newsletter evaluate`: ranking quality on a folder of data."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from newsletter.cli import match_figures
from newsletter.cli.common import JsonOption, print_json
from newsletter.cli.console import out
from newsletter.cli.progress import progress_bar
from newsletter.core.config import load_settings
from newsletter.core.errors import UsageError
from newsletter.ranking import evaluation, feature_weights
from newsletter.ranking.evaluation import Evaluation, Measured, baselines, datasets, learning_curves
from newsletter.ranking.evaluation.baselines import Baseline
from newsletter.ranking.evaluation.learning_curves import Point
from newsletter.ranking.evaluation.measured import Interval
from newsletter.ranking.evaluation.metrics import NAMES, Quality

COLUMNS = ("recall@20", "recall@100", "nDCG@20", "AUC")


def evaluate(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="With papers.tsv, saves.tsv, candidates.tsv and truth.tsv, or reviews as tables.",
        ),
    ],
    *,
    as_json: JsonOption = False,
    draws: Annotated[
        int,
        typer.Option(min=1, max=1_000, help="How often the likes of each review are drawn."),
    ] = 10,
    with_baselines: Annotated[
        bool,
        typer.Option(
            "--baselines",
            help="Also evaluate other rankers: on the same draws, or a sample of subscribers.",
        ),
    ] = False,
    with_curves: Annotated[
        bool,
        typer.Option(
            "--curves", help="Also show new subscribers: 0 to 20 likes, with and without keywords."
        ),
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the curves, or of reviews the reliability of the match, to FILE (svg, png).",
        ),
    ] = None,
    stream: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="With JSON Lines files of other papers, to mix a review's papers into.",
        ),
    ] = None,
) -> None:
    """Measure ranking quality: rank a folder's new papers and compare with what readers saved."""
    model = load_settings().feature_model
    matches = None
    if datasets.is_library(folder):
        if stream:
            raise UsageError("--stream is for systematic reviews")
        library = datasets.load_library(folder)
        ours = evaluation.evaluate(library, model)
        dated = evaluation.by_time(library)
        later = evaluation.evaluate(dated, model) if dated else None
        others = baselines.run(library) if with_baselines else []
        mine = ours.measured.of_units(baselines.sample(library))
        points = learning_curves.curve(library, model) if with_curves or plot else []
        told = feature_weights.told([])
    else:
        reviews = datasets.load_reviews(folder)
        if with_curves:
            raise UsageError("--curves needs subscribers with libraries, not systematic reviews")
        with progress_bar("ranking reviews") as progress:
            ours = evaluation.evaluate_reviews(reviews, draws, model, progress)
        with progress_bar("baselines") as progress:
            others = baselines.run_reviews(reviews, draws, progress) if with_baselines else []
        later, mine, points = None, ours.measured, []
        told = feature_weights.told([review.name for review in reviews])
        libraries = [review.as_library(0) for review in reviews]
        matches = match_figures.measure(libraries, stream or folder, model)
    if plot and points:
        learning_curves.plot(points, plot)
    elif plot:
        match_figures.draw(matches, plot)
    if as_json:
        judged = {"match": matches.as_json()} if matches else {}
        print_json(_as_json(ours, mine, later, others, points) | {"parameters": told} | judged)
        return
    _print(ours, mine, later, others, points)
    if not datasets.is_library(folder):
        match_figures.show(matches)
    out.print(escape(told))


def _as_json(
    ours: Evaluation,
    mine: Measured,
    later: Evaluation | None,
    others: list[Baseline],
    points: list[Point],
) -> dict[str, Any]:
    found: dict[str, Any] = {
        **_figures(ours.measured),
        "draws": len(ours.measured.values),
        "seconds_fit": round(ours.seconds_fit, 2),
        "seconds_score": round(ours.seconds_score, 2),
        "feature_space": ours.feature_space,
        "others_liked": {
            "weight": ours.others.weight,
            "held_out_recall_without": round(ours.others.without, 4),
            "held_out_recall_with": round(ours.others.with_others, 4),
            "subscribers": ours.others.subscribers,
        },
    }
    if later:
        found["by_time"] = later.quality.as_json()
    if others:
        found["baselines"] = {
            other.measured.ranker: {
                **_figures(other.measured),
                "seconds": round(other.seconds, 2),
                "difference": _difference(mine.minus(other.measured)),
            }
            for other in others
        }
    if points:
        found["curves"] = [
            {"likes": point.likes, "keywords": point.keywords, **point.quality.as_json()}
            for point in points
        ]
    return found


def _figures(measured: Measured) -> dict[str, Any]:
    """Plain numbers, and intervals under keys of their own."""
    return {
        **measured.quality.as_json(),
        "intervals": _rounded(measured.intervals()),
        f"intervals_over_{measured.units}": _rounded(measured.over_units()),
    }


def _difference(difference: Measured) -> dict[str, Any]:
    """Ours less the baseline, on the same draws and units."""
    figures = _figures(difference)
    return {name: figures[name] for name in figures if name != "users"}


def _rounded(intervals: dict[str, Interval | None]) -> dict[str, list[float] | None]:
    return {
        name: None if ends is None else [round(end, 4) for end in ends]
        for name, ends in intervals.items()
    }


def _print(
    ours: Evaluation,
    mine: Measured,
    later: Evaluation | None,
    others: list[Baseline],
    points: list[Point],
) -> None:
    measured = ours.measured
    table = Table("ranker", *COLUMNS, measured.units, "seconds")
    seconds = ours.seconds_fit + ours.seconds_score
    table.add_row(f"ours ({ours.feature_space})", *_with_intervals(measured), f"{seconds:.1f}")
    if later:
        seconds = later.seconds_fit + later.seconds_score
        table.add_row("ours, split by time", *_with_intervals(later.measured), f"{seconds:.1f}")
    for other in others:
        row = _with_intervals(other.measured)
        table.add_row(other.measured.ranker, *row, f"{other.seconds:.1f}")
    for other in others:
        difference = mine.minus(other.measured)
        table.add_row(difference.ranker, *_with_intervals(difference, signed=True), "")
    out.print(table)
    drawn = len(measured.values)
    out.print(
        f"95 % intervals over {drawn} draws of likes, the same for every ranker: how far other "
        "likes of these reviews would move the figures. Differences are paired. --json adds "
        "intervals over the reviews."
        if measured.units == "reviews"
        else f"95 % intervals over {measured.units}; differences are paired."
    )
    asked = ours.others
    if asked.subscribers:
        out.print(
            f"What others liked counts {asked.weight:g}: recall of held-out likes "
            f"{asked.without:.3f} without, {asked.with_others:.3f} with "
            f"({asked.subscribers} subscribers)."
        )
    if points:
        table = Table(
            "likes", "keywords", "recall@20", "recall@100", "nDCG@20", "AUC", "subscribers"
        )
        for point in points:
            stated = "five" if point.keywords else "none"
            table.add_row(str(point.likes), stated, *_cells(point.quality))
        out.print(table)


def _with_intervals(measured: Measured, *, signed: bool = False) -> list[str]:
    """Each figure with its interval, and how many units."""
    figures = measured.quality.as_json()
    intervals = measured.intervals()
    sign = "+" if signed else ""
    cells = []
    for name in NAMES:
        ends = intervals[name]
        told = "" if ends is None else f"\n{ends[0]:{sign}.4f} to {ends[1]:{sign}.4f}"
        cells.append(f"{figures[name]:{sign}.4f}{told}")
    return [*cells, str(measured.quality.users)]


def _cells(quality: Quality) -> list[str]:
    figures = (quality.recall_20, quality.recall_100, quality.ndcg_20, quality.auc)
    return [*(f"{figure:.4f}" for figure in figures), str(quality.users)]
