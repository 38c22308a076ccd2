"""Whether a training has taught anything, and if not, why most likely; it refuses to call a loss that fell by chance learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

LEAST = 0.01  # of the loss before
FEW = 10  # steps


def judged(own: tuple[float, float], held: tuple[float, float], curve: Sequence[Mapping[str, float]]) -> str:
    """What is wrong, with what to do; "" where it learned.

    `own` and `held` are mean losses before and after, of rows trained on and rows set aside; `curve` has a line for each step.
    """
    if own[1] < (1 - LEAST) * own[0]:
        if held[1] < (1 - LEAST) * held[0]:
            return ""
        return (
            f"it learned its own rows ({_fell(own)}) and nothing that helps with the rows set aside ({_fell(held)}): "
            "the rows are too few or too unlike one another; add rows, or lower epochs or rank"
        )
    return f"it learned nothing ({_fell(own)} on its own rows): {_why(own, curve)}"


def _why(own: tuple[float, float], curve: Sequence[Mapping[str, float]]) -> str:
    rate = max((line["lr"] for line in curve), default=0.0)
    quarter = max(1, len(curve) // 4)
    first, last = (sum(line["loss"] for line in part) / quarter for part in (curve[:quarter], curve[-quarter:]))
    if own[0] < 0.05:
        return "the model knew these rows before; ask for something it can't do yet"
    if max((line.get("norm", 1.0) for line in curve), default=0.0) < 1e-8:
        return "no gradient reached what is trained; look at the rows with rung check"
    if last > 1.05 * first or own[1] > 1.05 * own[0]:
        return f"the loss went up, which a learning rate of {rate:g} that is too high does; try a tenth, or rung train --lr-range"
    if len(curve) < FEW:
        return f"there were {len(curve)} steps; set more epochs or smaller batches (batch_rows)"
    return f"the learning rate of {rate:g} is most likely too low; try ten times that, or rung train --lr-range"


def _fell(loss: tuple[float, float]) -> str:
    return f"loss {loss[0]:.3f} before, {loss[1]:.3f} after"
