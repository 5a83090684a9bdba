"""The reliability diagram. SVG is written by hand: a few lines of it need no library."""

from collections.abc import Sequence
from pathlib import Path

from newsletter.core.errors import SettingsError

Bin = tuple[float, float, int]  # mean match, share relevant, papers
_SIZE, _LEFT, _TOP = 360.0, 60.0, 20.0
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def draw(bins: Sequence[Bin], error: float, path: Path) -> None:
    """Write the diagram to ``path``: SVG, or by Matplotlib what else its suffix names.

    Raises:
        SettingsError: the file cannot be written, or needs Matplotlib, which is not installed.
    """
    try:
        if path.suffix.lower() == ".svg":
            path.write_text(as_svg(bins, error), encoding="utf-8")
        else:
            _by_matplotlib(bins, error, path)
    except (OSError, ValueError) as problem:
        raise SettingsError(f"--plot {path}: {problem}") from problem


def as_svg(bins: Sequence[Bin], error: float) -> str:
    """The share of relevant papers over the match, a dot a tenth; dots grow with their papers."""
    most = max((papers for _, _, papers in bins), default=1)
    points = [(_x(match), _y(share), papers) for match, share, papers in bins]
    title = f"Reliability of the match: expected calibration error {error:.3f}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE + 90:g} {_SIZE + 90:g}" '
        'font-family="sans-serif" font-size="12" role="img">',
        f"<title>{title}</title>",
        f'<rect width="{_SIZE + 90:g}" height="{_SIZE + 90:g}" fill="white"/>',
    ]
    for tick in _TICKS:
        x, y = _x(tick), _y(tick)
        lines += [
            f'<path d="M{x:.1f} {_y(0):.1f}V{_y(1):.1f}M{_x(0):.1f} {y:.1f}H{_x(1):.1f}" '
            'stroke="#ddd"/>',
            f'<text x="{x:.1f}" y="{_y(0) + 18:.1f}" text-anchor="middle">{tick:g}</text>',
            f'<text x="{_x(0) - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>',
        ]
    lines.append(
        f'<path d="M{_x(0):.1f} {_y(0):.1f}L{_x(1):.1f} {_y(1):.1f}" stroke="#999" '
        'stroke-dasharray="4 4"/>'
    )
    if points:
        way = "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in points)
        lines.append(f'<path d="M{way}" fill="none" stroke="#1f5fa8" stroke-width="2"/>')
    for x, y, papers in points:
        radius = 3 + 6 * (papers / most) ** 0.5
        lines += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="#1f5fa8"/>',
            f'<text x="{x + 11:.1f}" y="{y + 14:.1f}" font-size="10">{papers}</text>',
        ]
    middle = _x(0.5)
    lines += [
        f'<text x="{middle:.1f}" y="{_y(0) + 40:.1f}" text-anchor="middle">match</text>',
        f'<text transform="translate({_LEFT - 40:g} {_y(0.5):.1f}) rotate(-90)" '
        'text-anchor="middle">share of papers that are relevant</text>',
        f'<text x="{middle:.1f}" y="{_TOP - 6:g}" text-anchor="middle">{title}</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _by_matplotlib(bins: Sequence[Bin], error: float, path: Path) -> None:
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 (an optional extra)
    except ImportError as problem:
        raise SettingsError(
            f"--plot {path}: name a file ending in .svg, or install the extra: "
            "pip install 'newsletter[plot]'"
        ) from problem
    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linestyle="--")
    axes.plot([match for match, _, _ in bins], [share for _, share, _ in bins], marker="o")
    for match, share, papers in bins:
        axes.annotate(str(papers), (match, share), textcoords="offset points", xytext=(6, -10))
    axes.set_title(f"expected calibration error {error:.3f}")
    axes.set_xlabel("match")
    axes.set_ylabel("share of papers that are relevant")
    figure.savefig(path)


def _x(match: float) -> float:
    return _LEFT + _SIZE * match


def _y(share: float) -> float:
    return _TOP + _SIZE * (1 - share)
