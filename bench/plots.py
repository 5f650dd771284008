"""Line plots as SVG: a dozen elements each, so that no plotting library has to be installed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 170, 56, 50
_TICKS: Final = 5
#: Told apart in print and by the colour-blind (Okabe and Ito).
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over common axes. ``positions`` names places on the x axis where these are cases rather
    than numbers; then x is an index into them."""

    title: str
    x: str
    y: str
    lines: Mapping[str, Sequence[Point]]
    positions: Sequence[str] = ()

    @property
    def points(self) -> list[Point]:
        return [point for line in self.lines.values() for point in line]


def svg(plot: Plot) -> str:
    """The plot as a document. Raises ``ValueError`` where there is nothing to show."""
    if not plot.points:
        raise ValueError(f"nothing to plot: {plot.title}")
    furthest = max(x for x, _ in plot.points)
    right = max(1.0, furthest) if plot.positions else nice(furthest)
    top = nice(max(y for _, y in plot.points))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_LEFT, 22, plot.title, "start", size=15),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, plot.x, "middle"),
        _text(_LEFT, _TOP - 10, plot.y, "start"),
    ]
    for tick in range(_TICKS + 1):
        value = top * tick / _TICKS
        y = _down(value, top)
        parts.append(_line(_LEFT, y, _WIDTH - _RIGHT, y))
        parts.append(_text(_LEFT - 6, y + 4, f"{value:,.10g}", "end"))
    parts += _x_ticks(plot, right)
    for index, (name, points) in enumerate(plot.lines.items()):
        parts += _drawn(index, name, points, right, top)
    return "\n".join((*parts, "</svg>", ""))


def nice(value: float) -> float:
    """The next 1, 2, 2.5 or 5 times a power of ten: where an axis may end."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value * 0.999999)


def _x_ticks(plot: Plot, right: float) -> list[str]:
    if plot.positions:
        labels = list(enumerate(plot.positions))
    else:
        labels = [(round(right * t / _TICKS), f"{right * t / _TICKS:,.0f}") for t in range(6)]
    y = _HEIGHT - _BOTTOM + 16
    return [_text(_along(x, right), y, label, "middle") for x, label in labels]


def _drawn(index: int, name: str, points: Sequence[Point], right: float, top: float) -> list[str]:
    colour = _COLOURS[index % len(_COLOURS)]
    places = [(_along(x, right), _down(y, top)) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    y = _TOP + 14 + 20 * index
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in places),
        f'<rect x="{_WIDTH - _RIGHT + 14}" y="{y - 9}" width="10" height="10" fill="{colour}"/>',
        _text(_WIDTH - _RIGHT + 30, y, name, "start"),
    ]


def _along(x: float, right: float) -> float:
    return _LEFT + x / right * (_WIDTH - _LEFT - _RIGHT)


def _down(y: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - y / top * (_HEIGHT - _TOP - _BOTTOM)


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1:.1f}" x2="{x2}" y2="{y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, anchor: str, size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">'
        f"{escape(text)}</text>"
    )
