"""Splits rows by group and by document, never by row: what shares a document stays on one side."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from rung.errors import TuningError
from rung.tuning.rows import Row


def split(rows: Sequence[Row], share: float, seed: int, by: Sequence[frozenset[str]] | None = None) -> tuple[list[Row], list[Row]]:
    """Training and validation rows; about `share` of the rows are validated on, at least one group.

    `by` names what ties each row to others (default: its group). TuningError where all rows hang together.
    """
    ties = by or [frozenset({f"group:{row.group}"}) for row in rows]
    roots = components(ties)
    clusters: dict[int, list[Row]] = {}
    for row, root in zip(rows, roots, strict=True):
        clusters.setdefault(root, []).append(row)
    if len(clusters) < 2:
        raise TuningError("all training rows share one group, so none can be set aside to validate on", "give examples of several groups")
    order = sorted(clusters.values(), key=lambda cluster: min(row.id for row in cluster))
    Random(f"{seed}/split").shuffle(order)
    held: list[Row] = []
    while order and (not held or len(held) + len(order[0]) <= share * len(rows)) and len(order) > 1:
        held += order.pop(0)
    return sorted((row for cluster in order for row in cluster), key=lambda row: row.id), sorted(held, key=lambda row: row.id)


def components(ties: Sequence[frozenset[str]]) -> list[int]:
    """The root of each row in the graph where rows that share a tie are joined (union-find)."""
    parent = list(range(len(ties)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    for i, names in enumerate(ties):
        for name in names:
            parent[root(i)] = root(first.setdefault(name, i))
    return [root(i) for i in range(len(ties))]
