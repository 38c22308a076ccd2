"""The page of `rung cost`: cost against volume with the crossings, and against quality, in one file that asks nothing of a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rung.report.html import rendered


def page(told: Mapping[str, Any]) -> str:
    """The whole page."""
    return rendered("money", told, {"money": money}, told=told)


def money(value: float | None) -> str:
    """Three digits, and thousands apart; None is never."""
    if value is None:
        return "never"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
