"""Cost against quality as one inline SVG that needs no script; it draws what it is given and computes no cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 380, 56, 150, 16, 52
APART = 15  # pixels between two labels
WIDE = 20  # the dearest over the cheapest, from which the scale is logarithmic


@dataclass(frozen=True)
class Point:
    """A rung: money for 1,000 answers and the share right, each with its 95 % interval."""

    name: str
    cost: tuple[float, float, float]  # estimate, low, high
    right: tuple[float, float, float]
    chosen: bool = False


@dataclass(frozen=True)
class Scale:
    """Money to pixels, and the ticks of its axis."""

    low: float
    high: float
    logarithmic: bool

    def at(self, value: float) -> float:
        """The pixel of a cost."""
        if self.logarithmic:
            share = log10(max(value, self.low) / self.low) / log10(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)

    @property
    def ticks(self) -> list[float]:
        """Powers of ten, or steps of 1, 2 or 5 times one."""
        if self.logarithmic:
            return [10.0**power for power in range(round(log10(self.low)), round(log10(self.high)) + 1)]
        rough = self.high / 4
        power = 10.0 ** floor(log10(rough))
        step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough)
        return [step * number for number in range(floor(self.high / step) + 1)]


def chart(points: Sequence[Point], bar: float, currency: str) -> str:
    """The chart with its own title and description. No points, no chart: ""."""
    if not points:
        return ""
    scale = _scale(points)
    said = "; ".join(f"{one.name}: {_money(one.cost[0])} {currency} for 1,000 answers, {100 * one.right[0]:.0f} % right" for one in points)
    marks = "".join(_mark(point, scale, label) for point, label in zip(points, _labels(points), strict=True))
    return (
        f'<svg class="svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="cost-title cost-said">'
        f'<title id="cost-title">Cost against quality</title><desc id="cost-said">{escape(said)}</desc>'
        f"{_axes(scale, bar, currency)}{marks}</svg>"
    )


def _scale(points: Sequence[Point]) -> Scale:
    costs = [cost for one in points for cost in one.cost]
    low, high = min(one.cost[0] for one in points), max(costs)
    if low > 0 and high / low > WIDE:
        return Scale(10.0 ** floor(log10(max(min(costs), low / WIDE))), 10.0 ** ceil(log10(high)), logarithmic=True)
    return Scale(0.0, 1.05 * high or 1.0, logarithmic=False)


def _y(share: float) -> float:
    return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)


def _axes(scale: Scale, bar: float, currency: str) -> str:
    base, end = HEIGHT - BOTTOM, WIDTH - RIGHT
    lines = [
        f'<line class="grid" x1="{LEFT}" x2="{end}" y1="{_y(s):.1f}" y2="{_y(s):.1f}"/>'
        f'<text class="tick" x="{LEFT - 8}" y="{_y(s) + 4:.1f}" text-anchor="end">{100 * s:.0f} %</text>'
        for s in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    lines += [
        f'<text class="tick" x="{scale.at(t):.1f}" y="{base + 18}" text-anchor="middle">{escape(_money(t))}</text>' for t in scale.ticks
    ]
    lines.append(f'<line class="bar" x1="{LEFT}" x2="{end}" y1="{_y(bar):.1f}" y2="{_y(bar):.1f}"/>')
    middle = (LEFT + end) / 2
    lines.append(f'<text class="tick" x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(currency)} for 1,000 answers</text>')
    return "".join(lines)


def _mark(point: Point, scale: Scale, label: float) -> str:
    x, y = scale.at(point.cost[0]), _y(point.right[0])
    left, right, low, high = scale.at(point.cost[1]), scale.at(point.cost[2]), _y(point.right[1]), _y(point.right[2])
    kind = "mark chosen" if point.chosen else "mark"
    return (
        f'<g class="{kind}"><line x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{high:.1f}" y2="{low:.1f}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
        f'<text x="{WIDTH - RIGHT + 10}" y="{label + 4:.1f}">{escape(point.name)}</text>'
        f'<path d="M{x + 6:.1f} {y:.1f}L{WIDTH - RIGHT + 6} {label:.1f}"/></g>'
    )


def _labels(points: Sequence[Point]) -> list[float]:
    """Where each label stands, beside the chart: near its point's height, and none upon another."""
    order = sorted(range(len(points)), key=lambda one: (-points[one].right[0], one))
    heights = [max(_y(points[one].right[0]), TOP + APART * place) for place, one in enumerate(order)]
    for place in range(1, len(order)):
        heights[place] = max(heights[place], heights[place - 1] + APART)
    lowest = max(HEIGHT - 8.0, TOP + APART * (len(order) - 1.0))
    for place in reversed(range(len(order))):
        heights[place] = min(heights[place], lowest - APART * (len(order) - 1 - place))
    places = dict(zip(order, heights, strict=True))
    return [places[one] for one in range(len(points))]


def _money(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
