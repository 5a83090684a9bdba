"""`newsletter evaluate`: ranking quality on a folder of data."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from newsletter.cli import match_figures
from newsletter.cli.common import JsonOption, print_json
from newsletter.cli.console import out
from newsletter.core.config import load_settings
from newsletter.core.errors import UsageError
from newsletter.ranking import evaluation
from newsletter.ranking.evaluation import Evaluation, baselines, learning_curves
from newsletter.ranking.evaluation.baselines import Baseline
from newsletter.ranking.evaluation.learning_curves import Point
from newsletter.ranking.evaluation.metrics import Quality


def evaluate(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="With papers.tsv, saves.tsv, candidates.tsv and truth.tsv, or CSV reviews.",
        ),
    ],
    *,
    as_json: JsonOption = False,
    with_baselines: Annotated[
        bool,
        typer.Option(
            "--baselines", help="Also evaluate other rankers, on a sample of subscribers."
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
    libraries = evaluation.load(folder)
    are_reviews = evaluation.holds_reviews(folder)
    if with_curves and are_reviews:
        raise UsageError("--curves needs subscribers with libraries, not systematic reviews")
    if stream and not are_reviews:
        raise UsageError("--stream is for systematic reviews")
    ours = evaluation.evaluate(libraries, model)
    dated = [split for library in libraries if (split := evaluation.by_time(library))]
    later = evaluation.evaluate(dated, model) if dated else None
    others = baselines.run(libraries) if with_baselines else []
    matches = match_figures.measure(libraries, stream or folder, model) if are_reviews else None
    with_curves = with_curves or (plot is not None and not are_reviews)
    points = learning_curves.curve(libraries[0], model) if with_curves else []
    if plot and are_reviews:
        match_figures.draw(matches, plot)
    elif plot:
        learning_curves.plot(points, plot)
    if as_json:
        figures = _as_json(ours, later, others, points)
        print_json(figures | ({"match": matches.as_json()} if matches else {}))
        return
    _print(ours, later, others, points)
    if are_reviews:
        match_figures.show(matches)


def _as_json(
    ours: Evaluation, later: Evaluation | None, others: list[Baseline], points: list[Point]
) -> dict[str, Any]:
    found: dict[str, Any] = {
        **ours.quality.as_json(),
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
            other.name: {**other.quality.as_json(), "seconds": round(other.seconds, 2)}
            for other in others
        }
    if points:
        found["curves"] = [
            {"likes": point.likes, "keywords": point.keywords, **point.quality.as_json()}
            for point in points
        ]
    return found


def _print(
    ours: Evaluation, later: Evaluation | None, others: list[Baseline], points: list[Point]
) -> None:
    table = Table("ranker", "recall@20", "recall@100", "nDCG@20", "AUC", "subscribers", "seconds")
    seconds = ours.seconds_fit + ours.seconds_score
    table.add_row(f"ours ({ours.feature_space})", *_cells(ours.quality), f"{seconds:.1f}")
    if later:
        seconds = later.seconds_fit + later.seconds_score
        table.add_row("ours, split by time", *_cells(later.quality), f"{seconds:.1f}")
    for other in others:
        table.add_row(other.name, *_cells(other.quality), f"{other.seconds:.1f}")
    out.print(table)
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


def _cells(quality: Quality) -> list[str]:
    figures = (quality.recall_20, quality.recall_100, quality.ndcg_20, quality.auc)
    return [*(f"{figure:.4f}" for figure in figures), str(quality.users)]
