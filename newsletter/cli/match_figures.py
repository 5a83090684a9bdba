"""What `newsletter evaluate` says of the match: on reviews, mixed into days of other papers."""

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from newsletter.cli.console import out
from newsletter.core.errors import UsageError
from newsletter.core.models import Label
from newsletter.ranking.evaluation import match_evaluation, mixed_stream, reliability_plot
from newsletter.ranking.evaluation.datasets import Library
from newsletter.ranking.evaluation.match_evaluation import MatchEvaluation
from newsletter.ranking.evaluation.match_report import DAYS, Tally

_TOO_FEW = (
    f"match: not measured; it takes a review with {match_evaluation.FEWEST_RELEVANT} relevant "
    f"papers with abstracts, and {match_evaluation.FEWEST_IN_STREAM} papers of other reviews or "
    "of --stream"
)


def measure(libraries: list[Library], folder: Path, model: str) -> MatchEvaluation | None:
    """The match on these reviews; None where there are too few papers.

    Raises:
        InputError: a file of the stream cannot be read.
        SettingsError: the encoder is not installed.
    """
    reviews = match_evaluation.able(mixed_stream.as_review(each) for each in libraries)
    stream, stream_is = match_evaluation.stream_of(folder)
    return match_evaluation.evaluate(reviews, stream, stream_is=stream_is, encoder=model)


def draw(found: MatchEvaluation | None, path: Path) -> None:
    """The reliability diagram to ``path``.

    Raises:
        UsageError: there is nothing to draw.
        SettingsError: the file cannot be written.
    """
    if found is None:
        raise UsageError(f"--plot: {_TOO_FEW}")
    whole = found.of()
    reliability_plot.draw(whole.reliability(), whole.calibration_error(), path)


def show(found: MatchEvaluation | None) -> None:
    """The figures as a table: a line a way of telling an interest, and one for all."""
    if found is None:
        out.print(_TOO_FEW)
        return
    out.print(
        f"match, on days of {mixed_stream.STREAM} other papers with a review\u2019s relevant and "
        f"turned-down ones ({', '.join(f'{a}+{b}' for a, b in DAYS)})"
    )
    out.print(f"split: {escape(found.split)}", soft_wrap=True)
    out.print(f"stream: {escape(found.stream)}", soft_wrap=True)
    table = Table(
        "interest told by",
        "strong, relevant",
        "good",
        "worth a look",
        "relevant shown",
        "shown by score alone",
        "false claims on empty days",
        "calibration error",
    )
    for way in found.ways:
        table.add_row(way, *_cells(found.of(way), found.of(way, DAYS[:1])))
    table.add_row("all", *_cells(found.of(), found.of(kinds=DAYS[:1])))
    out.print(table)
    for match, share, papers in found.of().reliability():
        out.print(f"match {match:.2f}: {share:.2f} of {papers} papers were relevant")


def _cells(tally: Tally, empty: Tally) -> list[str]:
    labels = ["{} of {}".format(*tally.precision(label)) for label in _LABELS]
    return [
        *labels,
        f"{tally.found} of {tally.to_find}",
        str(tally.found_by_score),
        f"{empty.days_with_claims} of {empty.days}",
        f"{tally.calibration_error():.3f}",
    ]


_LABELS = (Label.STRONG, Label.GOOD, Label.WORTH)
