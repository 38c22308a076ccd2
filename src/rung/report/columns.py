"""Which columns a table of rungs has: the parts that the task measured, and costs where prices are set. It invents no value."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rung.types import Summary

PARTS = {
    "facts": "facts",
    "label": "label",
    "macro_f1": "macro F1",
    "field_f1": "fields",
    "valid": "valid",
    "form": "form",
    "citation_recall": "cited",
    "abstention_recall": "unknown",
}


def parts_of(summaries: Sequence[Summary]) -> dict[str, str]:
    """Part → heading, for each part that a rung was measured by."""
    return {part: heading for part, heading in PARTS.items() if any(part in one.parts for one in summaries)}


def priced(summaries: Sequence[Summary]) -> bool:
    """Whether answers cost anything; without prices in rung.toml a column of zeros would say that they are free."""
    return any(one.cost_per_1000 > 0 for one in summaries)
