"""The steps of a training: a batch, its gradient, the optimizer, and now and then a validation that may end it.

It refuses to fail for want of memory as long as a batch can be taken in smaller pieces, and to go on with a loss that is no number.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, TypeVar

from rung.errors import TuningError
from rung.tuning.loop import Encoded, batches, total_loss
from rung.tuning.memory import freed, gibibytes, out_of_memory, peak
from rung.tuning.precision import stepped
from rung.tuning.state import State

if TYPE_CHECKING:
    from rung.tuning.recipe import Recipe

T = TypeVar("T")
Line = dict[str, float]
TRIM = 30.0  # seconds between two times that the heap is trimmed, which in a large process takes long itself
Progress = Callable[[int, int], None]
Say = Callable[[str], None]


def run(
    state: State, rows: Sequence[Encoded], held: Sequence[Encoded], progress: Progress, say: Say, watch: Callable[[Line], None]
) -> None:
    """All steps that are left. KeyboardInterrupt leaves a checkpoint."""
    plan = planned(rows, state.recipe)
    every = max(1, len(plan) // (state.recipe.epochs * state.recipe.validations))
    begun, first = time.perf_counter(), state.step
    trimmed = begun
    try:
        while state.step < len(plan) and not state.stopped:
            line = step(state, plan[state.step], state.recipe.learning_rate * share(state.recipe, state.step, len(plan)), say)
            if state.step % every == 0 or state.step == len(plan):
                line |= {"val_loss": _validate(state, held, say), "memory": peak(state.model.device.type)}
            state.log(line)
            if "val_loss" in line:
                state.save()
                if state.model.device.type == "cpu" and time.perf_counter() - trimmed > TRIM:
                    freed("cpu")  # batches of many lengths leave holes in the C library's heap, which else grows with every step
                    trimmed = time.perf_counter()
                say(_told(line, len(plan), (time.perf_counter() - begun) / (state.step - first)))
            watch(line)
            progress(len(plan) if state.stopped else state.step, len(plan))
    except KeyboardInterrupt:
        state.save()
        raise


def _told(line: Line, steps: int, pace: float) -> str:
    left = (steps - line["step"]) * pace
    return (
        f"step {line['step']} of {steps}: loss {line['loss']:.3f}, held out {line['val_loss']:.3f}, "
        f"{line['tokens'] / line['seconds']:,.0f} tokens/s, {gibibytes(line['memory'])}, {left:.0f} s left"
    )


def planned(rows: Sequence[Encoded], recipe: Recipe) -> list[list[Encoded]]:
    """The batches of all epochs."""
    return [batch for epoch in range(recipe.epochs) for batch in epoch_of(rows, recipe, epoch)]


def epoch_of(rows: Sequence[Encoded], recipe: Recipe, epoch: int) -> list[list[Encoded]]:
    """The batches of one epoch."""
    return batches(rows, recipe.batch_rows, recipe.batch_tokens, Random(f"{recipe.seed}/epoch/{epoch}"))


def step(state: State, batch: Sequence[Encoded], rate: float, say: Say) -> Line:
    """One step of the optimizer at this learning rate."""
    import torch

    started = time.perf_counter()
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.model.train()
    (value,) = state.group.total(fitted(state, lambda parts: _gradient(state, batch, parts), len(batch), say))
    norm = torch.nn.utils.clip_grad_norm_(state.weights, state.recipe.clip)
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    if not math.isfinite(value):
        raise TuningError("the training loss is not a number", "lower learning_rate under [tuning]")
    state.step += 1
    tokens, seconds = sum(len(row.ids) for row in batch), time.perf_counter() - started
    return {"step": state.step, "tokens": tokens, "loss": value, "lr": rate, "seconds": seconds, "norm": float(norm)}


def _gradient(state: State, batch: Sequence[Encoded], parts: int) -> float:
    """The mean loss over the batch's learned tokens, after its gradient was added up over pieces and processes."""
    recipe, kind = state.recipe, state.model.device.type
    if parts == 1 and state.group.size == 1:
        loss = stepped(state.forward, batch, recipe.precision, kind)
        loss.backward()
        return float(loss.detach())
    learned, own = sum(len(row.ids) - row.prompt for row in batch), state.group.share(batch)
    size, value = max(1, -(-len(batch) // parts // state.group.size)), 0.0
    for start in range(0, len(own), size):
        loss = stepped(state.forward, own[start : start + size], recipe.precision, kind, summed=True) / learned
        loss.backward()
        value += float(loss.detach())
    return value


def fitted(state: State, work: Callable[[int], T], most: int, say: Say) -> T:
    """What the work comes to with the batch in as few pieces as fit the memory, in no more than `most`.

    All processes take the same number. TuningError where a single row does not fit.
    """
    while True:
        found, failed = _tried(state, work)
        if not state.group.total(failed)[0]:
            _shared(state)
            return found  # type: ignore[return-value]
        state.optimizer.zero_grad(set_to_none=True)
        freed(state.model.device.type)
        if state.parts >= most:
            hint = "set checkpointing = true under [tuning], shorten the rows (smaller k), or take qlora or a smaller model"
            raise TuningError("one row alone does not fit the memory", hint)
        state.parts *= 2
        say(f"out of memory: batches are taken in {state.parts} pieces from here, and learn the same")


def _tried(state: State, work: Callable[[int], T]) -> tuple[T | None, bool]:
    """Out of here nothing holds what the failed attempt had in memory."""
    try:
        return work(state.parts), False
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return None, True


def _shared(state: State) -> None:
    """Gradients are added over the processes, also of one that had no row of this batch."""
    import torch

    if state.group.size > 1 and torch.is_grad_enabled() and state.model.training:
        for weight in state.weights:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        state.group.add([weight.grad for weight in state.weights])


def share(recipe: Recipe, step: int, steps: int) -> float:
    """Of the peak learning rate at a step: a line up, then half a cosine down to a fiftieth."""
    warm = max(1, int(steps * recipe.warmup))
    if step < warm:
        return (step + 1) / warm
    return max(0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))), 0.02)


def mean_loss(state: State, rows: Sequence[Encoded], say: Say) -> float:
    """Of the answers' tokens in fp32, without dropout, over what all processes were given of the rows."""
    state.model.eval()
    own, tokens = state.group.share(rows), state.recipe.batch_tokens
    found = fitted(state, lambda parts: total_loss(state.forward, own, tokens // parts), len(rows), say)
    total, learned = state.group.total(*found)
    return total / learned


def _validate(state: State, held: Sequence[Encoded], say: Say) -> float:
    value = mean_loss(state, held, say)
    if value < state.best - 1e-4:
        state.best, state.since = value, 0
        state.kept = [w.detach().clone() for w in state.weights]
    else:
        state.since += 1
        state.stopped = state.since >= state.recipe.patience
    return value
