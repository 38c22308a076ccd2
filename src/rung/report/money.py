"""The page of `rung cost`: cost against volume with the crossings, and against quality, in one file that asks nothing of a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rung.costs.costs import Range


def page(told: Mapping[str, Any]) -> str:
    """The whole page."""
    from rung.report.html import rendered

    return rendered("money", told, {"money": money}, told=told)


def money(value: float | None) -> str:
    """Three digits, and thousands apart; None is never."""
    if value is None:
        return "never"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def money_range(told: Range) -> str:
    """An estimate with its interval; a dash for "never"."""
    return "–" if told.estimate is None else f"{money(told.estimate)} ({money(told.low)} to {money(told.high)})"
