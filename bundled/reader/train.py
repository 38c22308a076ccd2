"""Trains and writes the bundled reader: `python -m bundled.reader.train RC_MIX RUN [OUT]`. Seeded; goes on where it was stopped."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from bundled.reader.data import Row, Shelf, group, part, read
from bundled.reader.threshold import tuned
from rung.knowledge.embedders import minilm
from rung.models.reading import HOME
from rung.tuning.spans import Group, SpanRecipe, batches, shown, train, write


def epoch(tokenizer: Any, rows: Sequence[Row], recipe: SpanRecipe) -> list[list[Group]]:
    """The batches; what stands beside a row is drawn from its own seed."""
    shelf = Shelf(rows)
    drawn = (group(tokenizer, row, shelf, Random(f"{recipe.seed}/0/{n}"), recipe.size) for n, row in enumerate(rows))
    return batches([one for one in drawn if one], Random(f"{recipe.seed}/0"), recipe.tokens)


def main() -> None:
    """See the module."""
    import torch

    parser = argparse.ArgumentParser(description="Trains the bundled reader and writes its folder.")
    parser.add_argument("rows", type=Path, help="the folder that holds train.jsonl.gz")
    parser.add_argument("run", type=Path, help="where checkpoints are kept")
    parser.add_argument("out", type=Path, nargs="?", default=HOME)
    asked = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    base, recipe = minilm.open_embedder(runtime="torch").folder, SpanRecipe()
    asked.run.mkdir(parents=True, exist_ok=True)
    rows = read(asked.rows / "train.jsonl.gz")
    made = epoch(minilm.tokenizer(base), [row for row in rows if part(row) == "train"], recipe)
    learned = train(base, None, made, recipe, asked.run / "resume.pt", shown())
    facts = {"scale": recipe.scale, "recipe": asdict(recipe)}
    write(learned, asked.run / "reader", {**facts, "threshold": 0.5})
    threshold = tuned(asked.run / "reader", [row for row in rows if part(row) == "validation"])
    write(learned, asked.out, {**facts, "threshold": threshold})


if __name__ == "__main__":
    main()
