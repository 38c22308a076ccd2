"""The chart of cost and quality is one well-formed SVG in which no label stands on another and nothing lies outside."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from rung.report.svg import APART, HEIGHT, TOP, WIDTH, Point, chart

SHARES = st.floats(0, 1)
COSTS = st.floats(0, 1e6, allow_nan=False)


def a_point(number: int, costs: list[float], shares: list[float]) -> Point:
    low, cost, high = sorted(costs)
    worst, right, best = sorted(shares)
    return Point(f"rung{number}@<model>&", (cost, low, high), (right, worst, best), number == 0)


POINTS = st.lists(st.tuples(st.lists(COSTS, min_size=3, max_size=3), st.lists(SHARES, min_size=3, max_size=3)), min_size=1, max_size=21)


@given(POINTS, SHARES)
def test_it_is_well_formed_and_everything_is_on_it(drawn: list[tuple[list[float], list[float]]], bar: float) -> None:
    points = [a_point(number, *one) for number, one in enumerate(drawn)]
    root = ElementTree.fromstring(chart(points, bar, "USD"))
    assert len(root.findall("g")) == len(points)
    assert [group.find("text").text for group in root.findall("g")] == [one.name for one in points]  # type: ignore[union-attr]
    labels = sorted(float(group.find("text").attrib["y"]) for group in root.findall("g"))  # type: ignore[union-attr]
    assert all(second - first >= APART - 0.2 for first, second in pairwise(labels))
    assert labels[0] >= TOP
    for circle in root.iter("circle"):
        assert 0 <= float(circle.attrib["cx"]) <= WIDTH
        assert 0 <= float(circle.attrib["cy"]) <= HEIGHT


def test_it_tells_the_numbers_to_whom_it_is_read_out() -> None:
    root = ElementTree.fromstring(chart([a_point(0, [1, 2, 3], [0.5, 0.6, 0.7])], 0.8, "EUR"))
    named = root.attrib["aria-labelledby"].split()
    assert [root.find(f"*[@id='{one}']").tag for one in named] == ["title", "desc"]  # type: ignore[union-attr]
    assert "2 EUR for 1,000 answers, 60 % right" in root.find("desc").text  # type: ignore[union-attr, operator]


def test_far_apart_costs_are_on_powers_of_ten_and_near_ones_on_round_steps() -> None:
    def ticks(*costs: float) -> list[str]:
        drawn = chart([a_point(n, [cost] * 3, [0.5] * 3) for n, cost in enumerate(costs)], 0.8, "USD")
        return re.findall(r'text-anchor="middle">([\d.,]+)<', drawn)

    assert ticks(1.5, 800) == ["1", "10", "100", "1,000"]
    assert ticks(30, 40) == ["0", "20", "40"]
    assert chart([], 0.8, "USD") == ""
