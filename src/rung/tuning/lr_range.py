"""A learning-rate range test (Smith 2017, arXiv 1506.01186): steps at ever higher rates, and the rate where the loss falls fastest.

It keeps nothing of what it trained, and refuses to suggest a rate where the loss never fell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rung.errors import TuningError
from rung.tuning.recipe import PLAIN, SILENT, Heard, Means, Recipe, fitting
from rung.tuning.rows import Row
from rung.tuning.spread import joined
from rung.tuning.state import State
from rung.tuning.steps import epoch_of, step

SMOOTH = 0.8  # weight of the past in a mean that fades
LOST = 1.5  # times the lowest loss: beyond it nothing more is to be seen


@dataclass(frozen=True)
class Curve:
    """Rates, the smoothed loss at each, and the rate to take."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float


def range_test(
    base: Path,
    training: Sequence[Row],
    recipe: Recipe,
    heard: Heard = SILENT,
    means: Means = PLAIN,
    *,
    low: float = 1e-6,
    high: float = 1.0,
    steps: int = 60,
) -> Curve:
    """One step at each of `steps` rates, evenly spaced in their logarithm. TuningError where the loss falls at none."""
    from rung.tuning.stream import fastest

    with joined() as group, TemporaryDirectory() as scratch:
        state = State(base, recipe, means, Path(scratch), group)
        rows, _ = fitting(state.tokenizer, training, state.window)
        state.forward = fastest(state.model, rows, means.checkpointing)
        plan = [batch for epoch in range(1 + steps // max(1, len(rows) // recipe.batch_rows)) for batch in epoch_of(rows, recipe, epoch)]
        rates, losses, mean = list[float](), list[float](), 0.0
        for n in range(steps):
            rate = low * (high / low) ** (n / (steps - 1))
            try:
                loss = step(state, plan[n % len(plan)], rate, heard.say)["loss"]
            except TuningError:  # no number any more
                break
            mean = SMOOTH * mean + (1 - SMOOTH) * loss
            rates.append(rate)
            losses.append(mean / (1 - SMOOTH ** (n + 1)))
            heard.progress(n + 1, steps)
            if n > steps // 4 and losses[-1] > LOST * min(losses):
                break
    heard.progress(steps, steps)
    return Curve(tuple(rates), tuple(losses), suggested(rates, losses))


def suggested(rates: Sequence[float], losses: Sequence[float]) -> float:
    """The rate where the smoothed loss falls fastest on its way down to the lowest, to one digit."""
    lowest = min(range(len(losses)), key=lambda n: losses[n])
    falls = [(losses[n + 1] - losses[n - 1]) / math.log(rates[n + 1] / rates[n - 1]) for n in range(1, lowest)]
    if not falls or min(falls) >= 0:
        raise TuningError("the loss fell at no learning rate", "look at the rows with rung check")
    return rates[1 + falls.index(min(falls))]
