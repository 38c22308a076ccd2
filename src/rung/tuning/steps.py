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
SMALLER = "set checkpointing = true under [tuning], shorten the rows (smaller k), or take qlora or a smaller model"
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
        if not state.split:  # the others may be elsewhere by now; the last validation's checkpoint stands
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
    norm = norm.full_tensor() if state.split else norm  # type: ignore[attr-defined]  # a DTensor
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
    most, value = -(-len(batch) // state.group.size), 0.0
    size = max(1, -(-most // parts))
    for start in range(0, most, size):  # as many passes in each process, since those of a split model meet in each
        piece = own[start : start + size]
        loss = stepped(state.forward, piece or batch[:1], recipe.precision, kind, summed=True) * bool(piece) / learned
        (loss * state.group.size if state.split else loss).backward()  # FSDP takes the mean over the processes
        value += float(loss.detach())
    return value


def fitted(state: State, work: Callable[[int], T], most: int, say: Say) -> T:
    """What the work comes to with the batch in as few pieces as fit the memory, in no more than `most`.

    All processes take the same number. TuningError where a single row does not fit.
    """
    while True:
        found, failed = _tried(state, work)
        if failed and state.split:
            _given_up(state, most)
        if state.split or not state.group.total(failed)[0]:
            _shared(state)
            return found  # type: ignore[return-value]
        state.optimizer.zero_grad(set_to_none=True)
        freed(state.model.device.type)
        if state.parts >= most:
            raise TuningError("one row alone does not fit the memory", SMALLER)
        state.parts *= 2
        say(f"out of memory: batches are taken in {state.parts} pieces from here, and learn the same")


def _given_up(state: State, most: int) -> None:
    """One process of a split model can't try again, since the others wait for it within the pass: all must begin anew."""
    if state.parts >= -(-most // state.group.size):
        raise TuningError("one row alone does not fit the memory", SMALLER)
    state.begin_with(2 * state.parts)
    hint = f"run the same command again (torchrun --max-restarts 3 does): it goes on with batches in {2 * state.parts} pieces"
    raise TuningError("out of memory", hint)


def _tried(state: State, work: Callable[[int], T]) -> tuple[T | None, bool]:
    """Out of here nothing holds what the failed attempt had in memory."""
    try:
        return work(state.parts), False
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return None, True


def _shared(state: State) -> None:
    """Gradients are added over the processes; FSDP has done it for a model that is split."""
    if state.group.size > 1 and state.model.training and not state.split:
        state.group.add([weight.grad for weight in state.weights if weight.grad is not None])


def share(recipe: Recipe, step: int, steps: int) -> float:
    """Of the peak learning rate at a step: a line up, then half a cosine down to a fiftieth."""
    warm = max(1, int(steps * recipe.warmup))
    if step < warm:
        return (step + 1) / warm
    return max(0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))), 0.02)


def mean_loss(state: State, rows: Sequence[Encoded], say: Say) -> float:
    """Of the answers' tokens in fp32, without dropout, over what all processes were given of the rows."""
    state.model.eval()
    tokens = state.recipe.batch_tokens
    found = fitted(state, lambda parts: total_loss(state.forward, rows, tokens // parts, state.group), len(rows), say)
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
