"""Draws lots over rows of which part is to be measured on. What hangs together stays on one side, and it refuses rows tied to both.

Rows hang together that share a group or a document of their evidence, or that ask the same, or nearly the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal

from rung.errors import DataError
from rung.tuning.audit.same import Near, shape
from rung.tuning.split import components
from rung.types import Case

Side = Literal["examples", "cases"]


def sides(rows: Sequence[Case], there: Mapping[Side, Sequence[Case]], share: float, seed: int) -> dict[str, Side]:
    """Id → side, so that about `share` of all rows, those that are `there` already too, are cases. Rows tied to both sides have none.

    The lots hang on the questions and the seed alone. DataError where all rows hang together; MissingExtra without `audit`.
    """
    every = [*there["cases"], *there["examples"], *rows]
    roots = components(_ties(every))
    on: dict[int, set[Side]] = {}
    for root, side in zip(roots, [*["cases"] * len(there["cases"]), *["examples"] * len(there["examples"])], strict=False):
        on.setdefault(root, set()).add(side)  # type: ignore[arg-type]
    clusters: dict[int, list[Case]] = {}
    for case, root in zip(rows, roots[len(every) - len(rows) :], strict=True):
        clusters.setdefault(root, []).append(case)
    of = {root: next(iter(tied)) for root, tied in on.items() if len(tied) == 1}
    free = sorted((root for root in clusters if root not in on), key=lambda root: _lot(clusters[root], seed))
    room = round(share * len(every)) - len(there["cases"]) - sum(len(clusters[root]) for root in clusters if of.get(root) == "cases")
    for root in free:
        of[root] = "cases" if len(clusters[root]) <= room else "examples"
        room -= len(clusters[root]) if of[root] == "cases" else 0
    found = {case.id: of[root] for root, cluster in clusters.items() if root in of for case in cluster}
    if rows and len({*found.values(), *(side for side in there if there[side])}) < 2:
        raise DataError(
            f"{len(rows):,} rows can't be parted: what shares a group, a document or a question makes {len(clusters):,} clusters",
            "name another share, take rows of more groups, or bring two files with --to cases and --to examples",
        )
    return found


def _lot(cluster: Sequence[Case], seed: int) -> float:
    return Random(f"{seed}/held-out/{min(case.question for case in cluster)}").random()


def _ties(every: Sequence[Case]) -> list[frozenset[str]]:
    """What ties each row to others."""
    seen, ties = Near(), list[frozenset[str]]()
    for at, case in enumerate(every):
        asked = shape(case.question)
        alike = [f"like:{number}" for number in (at, *seen.of(asked))]
        seen.add([asked])
        ties.append(frozenset([*alike, *([case.group] if case.group else []), *(e.document for e in case.evidence)]))
    return ties
