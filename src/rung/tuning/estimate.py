"""What a training would take, from a few forward passes on its own rows. It trains nothing and keeps nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from rung.tuning.adapted import QUANTISED
from rung.tuning.loop import Encoded
from rung.tuning.memory import available, gibibytes, passing
from rung.tuning.recipe import PLAIN, Means, Recipe, expected, fitting
from rung.tuning.rows import Row
from rung.tuning.shard import divided
from rung.tuning.spread import joined
from rung.tuning.state import State
from rung.tuning.steps import epoch_of, mean_loss

TIMED = 24  # rows
SHARES = (2, 4, 8)  # processes


def estimate(
    base: Path, training: Sequence[Row], recipe: Recipe, say: Callable[[str], None] = lambda sentence: None, means: Means = PLAIN
) -> dict[str, float]:
    """Steps, seconds and bytes of memory of the training, the bytes that are free, and the rows too long for the window.

    Under torchrun, what each process takes of it; without, also what it would be for each of some if it were split.
    The model is loaded and read once; the learning and its memory are reckoned as the training itself does before it begins.
    """
    from rung.tuning.stream import fastest

    with joined() as group, TemporaryDirectory() as scratch:
        means = means if group.size > 1 else replace(means, shard=False)
        state = State(base, recipe, means, Path(scratch), group)
        rows, dropped = fitting(state.tokenizer, training, state.window)
        state.forward = fastest(state.model, rows, means.checkpointing)
        sample = Random(f"{recipe.seed}/sample").sample(rows, min(len(rows), TIMED))
        mean_loss(state, sample[:2], say)  # the first passes set up what the others use
        started = time.perf_counter()
        mean_loss(state, sample, say)
        pace = (time.perf_counter() - started) / sum(len(row.ids) for row in sample)
        free = available(state.model.device.type)
        found = expected(state, rows, pace, say)
        found |= {"dropped": dropped, "pieces": state.parts, **({"free": free} if free is not None else {})}
        return found | (_shares(state, found["memory"], rows, say) if group.size == 1 and recipe.method not in QUANTISED else {})


def _shares(state: State, memory: float, rows: Sequence[Encoded], say: Callable[[str], None]) -> dict[str, float]:
    passes = max(passing(state.model, state.forward, batch, state.means) for batch in epoch_of(rows, state.recipe, 0))
    each = {n: divided(state.model, state.weights, memory, passes, n) for n in SHARES}
    told = ", ".join(f"over {n} {gibibytes(size)} each" for n, size in each.items())
    say(f"split by shard = true and torchrun: {told}")
    return {f"memory_of_{n}": size for n, size in each.items()}
