"""Where each rung loses its answers: in the search or in the reading, and how far it keeps to its passages. It invents no value."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rung.types import Summary

ADDRESS = {
    "evidence_found": "found",
    "ndcg@10": "nDCG",
    "right_if_found": "right if found",
    "lost_in_search": "lost in search",
    "lost_in_reading": "in reading",
    "faithful": "faithful",
    "hallucinated": "invented",
}


def headings(ran: Sequence[Summary]) -> dict[str, str]:
    """Part → heading, for what was measured of any rung that brings passages; empty where none does."""
    shown = {part: heading for part, heading in ADDRESS.items() if any(part in one.parts for one in ran)}
    return shown if "evidence_found" in shown or "faithful" in shown else {}


def rows(ran: Sequence[Summary]) -> list[tuple[str, tuple[str, ...]]]:
    """Rung → its cells under `headings`; rungs without passages are left out, since nothing can be lost in a search there."""
    parts = headings(ran)
    return [(one.name, tuple(_cell(one.parts, part) for part in parts)) for one in ran if any(part in one.parts for part in parts)]


def _cell(parts: Mapping[str, float], part: str) -> str:
    if part not in parts:
        return "–"
    return f"{parts[part]:.2f}" if part.startswith("ndcg") else f"{100 * parts[part]:.0f} %"
