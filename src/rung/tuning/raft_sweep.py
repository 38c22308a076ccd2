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

from rung.knowledge.replace import replace_file
from rung.tuning.adapters import adapter_name
from rung.tuning.recipe import PLAIN, Heard, Means, Recipe, train
from rung.tuning.rows import Row

SHARES = (0.4, 0.6, 0.8, 1.0)
PLACE = "raft-sweep"  # under the adapters


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
    """All cells, best first. `made(p, distractors)` gives a cell's training rows.

    A sweep that was stopped goes on with the cell it was in. What a cell taught is kept as its scores alone, under the hash of
    its makings, so one that is done is only read again; the settings that win are trained anew as the project's own adapter.
    """
    cells, place = [], adapters / PLACE
    for number, (p, distractors) in enumerate(grid):
        heard.say(f"cell {number + 1} of {len(grid)}: gold passage in {p:.0%} of the rows, {distractors} others")
        rows = made(p, distractors)
        kept = place / f"{adapter_name(recipe, base_id, rows, served)}.json"
        told = kept if kept.exists() else train(base, rows, served, recipe, place, documents, base_id, heard, means) / "scores.json"
        scores = told.read_bytes()
        cells.append((told, kept, scores, Cell(p, distractors, json.loads(scores)["validation_loss"]["tuned"])))
    for _, kept, scores, _ in cells:
        replace_file(kept, scores)
    for folder in {told.parent for told, kept, *_ in cells if told != kept}:  # cells of few rows may teach the same
        shutil.rmtree(folder)
    return sorted((cell for *_, cell in cells), key=lambda cell: cell.loss)
