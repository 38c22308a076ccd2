"""RAFT's two settings swept on the validation split: how often the gold passage is there, and among how many others.

It refuses to judge by rows made with the settings it judges: every cell is validated on the same rows, whose passages are
those that the serving search brings.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rung.tuning.recipe import PLAIN, Heard, Means, Recipe, train
from rung.tuning.rows import Row

SHARES = (0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Cell:
    """`loss` is the mean loss on the validation rows as they are served."""

    gold_probability: float
    distractors: int
    loss: float


def sweep(
    base: Path,
    made: Callable[[float, int], Sequence[Row]],
    served: Sequence[Row],
    grid: Sequence[tuple[float, int]],
    recipe: Recipe,
    adapters: Path,
    documents: Mapping[str, str],
    base_id: str,
    heard: Heard,
    means: Means = PLAIN,
) -> list[Cell]:
    """All cells, best first. `made(p, distractors)` gives a cell's training rows. Cells that were trained before are kept and reused.

    What a cell taught is kept as its loss alone; the settings that win are trained again as the project's own adapter.
    """
    cells = []
    place = adapters / "raft-sweep"
    for number, (p, distractors) in enumerate(grid):
        heard.say(f"cell {number + 1} of {len(grid)}: gold passage in {p:.0%} of the rows, {distractors} others")
        folder = train(base, made(p, distractors), served, recipe, place, documents, base_id, heard, means)
        scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        cells.append(Cell(p, distractors, scores["validation_loss"]["tuned"]))
    shutil.rmtree(place)
    return sorted(cells, key=lambda cell: cell.loss)
