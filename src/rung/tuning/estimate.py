"""What a training would take, from a few forward passes on its own rows. It trains nothing and keeps nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from rung.tuning.memory import available
from rung.tuning.recipe import PLAIN, Means, Recipe, expected, fitting
from rung.tuning.rows import Row
from rung.tuning.spread import Group
from rung.tuning.state import State
from rung.tuning.steps import mean_loss

TIMED = 24  # rows


def estimate(
    base: Path, training: Sequence[Row], recipe: Recipe, say: Callable[[str], None] = lambda sentence: None, means: Means = PLAIN
) -> dict[str, float]:
    """Steps, seconds and bytes of memory of the training, the bytes that are free, and the rows too long for the window.

    The model is loaded and read once; the learning and its memory are reckoned as the training itself does before it begins.
    """
    from rung.tuning.stream import fastest

    with TemporaryDirectory() as scratch:
        state = State(base, recipe, means, Path(scratch), Group())
        rows, dropped = fitting(state.tokenizer, training, state.window)
        state.forward = fastest(state.model, rows, means.checkpointing)
        sample = Random(f"{recipe.seed}/sample").sample(rows, min(len(rows), TIMED))
        mean_loss(state, sample[:2], say)  # the first passes set up what the others use
        started = time.perf_counter()
        mean_loss(state, sample, say)
        pace = (time.perf_counter() - started) / sum(len(row.ids) for row in sample)
        free = available(state.model.device.type)
        found = expected(state, rows, pace, say)
    return {**found, "dropped": dropped, "pieces": state.parts, **({"free": free} if free is not None else {})}
