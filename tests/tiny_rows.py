"""Rows that a random model learns in a few steps, and a recipe that does; the same in every test of training."""

from __future__ import annotations

from rung.tuning.recipe import Recipe
from rung.tuning.rows import Row

RECIPE = Recipe(rank=4, alpha=8, epochs=6, learning_rate=5e-3, batch_rows=4, batch_tokens=512, patience=99)


def row(n: int) -> Row:
    messages = ({"role": "user", "content": f"Question: what is {n}?"}, {"role": "assistant", "content": f"it is {n % 3}"})
    return Row(f"r{n:02}", messages, (f"d{n}.md",), f"g{n}")  # type: ignore[arg-type]


TRAINING, HELD = [row(n) for n in range(12)], [row(n) for n in range(20, 24)]
