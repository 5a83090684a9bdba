"""Pictures as SVG: coordinates only; colours are the style sheet's, words the page's."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 8, 12, 24


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a bar; ``part`` is its colour's number."""

    x: float
    y: float
    width: float
    height: float
    part: int


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a place."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Stacked bars with a scale on the left, in a picture of `WIDTH` by `HEIGHT` units."""

    boxes: tuple[Box, ...]
    below: tuple[Label, ...]
    scale: tuple[Label, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT


def stacked(names: Sequence[str], bars: Sequence[Sequence[int]]) -> Bars:
    """One bar per name, made of one part per number."""
    top = scale_top(max((sum(bar) for bar in bars), default=0))
    room = HEIGHT - TOP - BOTTOM
    step = (WIDTH - LEFT - RIGHT) / max(1, len(bars))
    boxes = []
    for place, bar in enumerate(bars):
        y = float(HEIGHT - BOTTOM)
        for part, value in enumerate(bar):
            height = room * value / top
            y -= height
            if value:
                x, width = round(LEFT + place * step + step * 0.15, 1), round(step * 0.7, 1)
                boxes.append(Box(x, round(y, 1), width, round(height, 1), part))
    # A label needs some 45 units.
    every = max(1, -(-45 // max(1, int(step))))
    below = tuple(
        Label(round(LEFT + place * step + step / 2, 1), HEIGHT - 6, name)
        for place, name in enumerate(names)
        if place % every == 0
    )
    scale = tuple(
        Label(LEFT - 8, round(HEIGHT - BOTTOM - room * value / top, 1), f"{value:,}")
        for value in dict.fromkeys((0, top // 2, top))
    )
    return Bars(tuple(boxes), below, scale)


def scale_top(largest: int) -> int:
    """The end of a scale: 2, 4, 10, 20, 40, 100, …, the first that is not below ``largest``."""
    power = 1
    while True:
        for factor in (2, 4, 10):
            if factor * power >= largest:
                return factor * power
        power *= 10
