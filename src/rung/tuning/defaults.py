"""A recipe out of what the configuration says and, where it says nothing, of the data's and the model's size.

It refuses to look at the rows' contents: the same counts give the same recipe.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from rung.sections import TuningConfig
from rung.tuning.recipe import Recipe

VIEWS = 2800  # rows seen in a training: small sets are passed over more often
MANY = 10_000  # rows from which on the matrices and batches are larger


def derived(asked: TuningConfig, rows: int, width: int, seed: int) -> Recipe:
    """The recipe for so many training rows and a model of this hidden size.

    The learning rate is 5e-4 (2000 / width)^0.781 for LoRA and a tenth of it for full fine-tuning, to one digit: the rule
    that Thinking Machines fitted on Llamas beside "LoRA Without Regret" (2025).
    """
    rank = asked.rank or (64 if asked.method == "pretrain" or rows >= MANY else 16)
    rate = 5e-4 * (2000 / width) ** 0.781 * (0.1 if asked.method == "full" else 1.0)
    batch = 32 if rows >= MANY else 16 if rows >= 160 else max(2, 1 << int(math.log2(max(rows, 20) / 10)))
    return Recipe(
        rank=rank,
        alpha=asked.alpha or 2 * rank,
        epochs=asked.epochs or min(8, math.ceil(VIEWS / max(rows, 1))),
        learning_rate=asked.learning_rate or min(5e-3, float(f"{rate:.0e}")),
        batch_rows=asked.batch_rows or batch,
        precision=asked.precision,
        method=asked.method,
        seed=seed,
    )


def told(asked: TuningConfig, recipe: Recipe) -> str:
    """The recipe in a sentence that says which of it was derived."""
    names = {"rank": "rank", "alpha": "alpha", "learning_rate": "learning rate", "epochs": "epochs", "batch_rows": "rows a batch"}
    shown = [key for key in names if recipe.method != "full" or key not in ("rank", "alpha")]
    values = ", ".join(f"{names[key]} {getattr(recipe, key):g}" for key in shown)
    guessed = [names[key] for key in shown if getattr(asked, key) is None]
    return f"method {recipe.method}: {values}" + (f"; derived: {', '.join(guessed)}" if guessed else "")


def hidden_size(base: Path) -> int:
    """Of the model in this folder."""
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    return int(config.get("text_config", config).get("hidden_size", 2000))
