"""Compute the shapes of SVG plots: stacked bars, bars up and down, a line. Pure.

A plot is `WIDTH` by `HEIGHT`; a template draws its shapes, with a class for each series, so that
the style sheet colours them in light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 640
HEIGHT = 140
GAP = 0.2
"""The share of a column's width that stays empty."""
COLUMN_AT_MOST = WIDTH / 12
"""The greatest width of a column, where there are few."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A rectangle of a series, in units of the plot."""

    series: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot: shapes, the points of a line ("" for none), and the y of the baseline."""

    shapes: tuple[Shape, ...] = ()
    line: str = ""
    baseline: float = HEIGHT


def draw_line(values: Sequence[int]) -> Plot:
    """Draw values as one line that fills the height of the plot."""
    lowest = min(values, default=0)
    highest = max(values, default=0)
    room = max(highest - lowest, 1)
    step = WIDTH / max(len(values) - 1, 1)
    points = (
        f"{number * step:.1f},{4 + (HEIGHT - 8) * (1 - (value - lowest) / room):.1f}"
        for number, value in enumerate(values)
    )
    line = " ".join(points)
    if len(values) == 1:
        line = f"{line} {WIDTH},{HEIGHT - 4}"
    return Plot(line=line)


def draw_up_and_down(up: Sequence[int], down: Sequence[int], names: tuple[str, str]) -> Plot:
    """Draw two series as bars: one up, one down from a common line."""
    highest = max(up, default=0)
    lowest = max(down, default=0)
    scale = HEIGHT / max(highest + lowest, 1)
    baseline = highest * scale
    shapes = []
    for number, (above, below) in enumerate(zip(up, down, strict=True)):
        x, width = _place_column(number, len(up))
        shapes.append(Shape(names[0], x, baseline - above * scale, width, above * scale))
        shapes.append(Shape(names[1], x, baseline, width, below * scale))
    return Plot(_drop_empty(shapes), baseline=baseline)


def draw_stacks(columns: Sequence[Sequence[int]], names: Sequence[str]) -> Plot:
    """Draw columns of several series, one on top of the other."""
    highest = max((sum(column) for column in columns), default=0)
    scale = HEIGHT / max(highest, 1)
    shapes = []
    for number, column in enumerate(columns):
        x, width = _place_column(number, len(columns))
        y = float(HEIGHT)
        for name, value in zip(names, column, strict=True):
            y -= value * scale
            shapes.append(Shape(name, x, y, width, value * scale))
    return Plot(_drop_empty(shapes))


def _place_column(number: int, columns: int) -> tuple[float, float]:
    """Return the beginning and width of a column; few columns stay narrow, in their places."""
    step = WIDTH / columns
    width = min(step * (1 - GAP), COLUMN_AT_MOST)
    return number * step + (step - width) / 2, width


def _drop_empty(shapes: Sequence[Shape]) -> tuple[Shape, ...]:
    return tuple(shape for shape in shapes if shape.height > 0)
