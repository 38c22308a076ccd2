"""A plain recipe: read rows, mask prompts, train, keep the best, see whether it learned, write the adapter.

It stops when validation no longer improves, saves itself on Ctrl-C and at intervals, and goes on exactly where it was.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Literal

from rung.errors import TuningError
from rung.tuning.adapted import adapted, window
from rung.tuning.adapters import adapter_name, find, lineage, store
from rung.tuning.learned import judged
from rung.tuning.loop import Encoded, encode_rows
from rung.tuning.memory import available, gibibytes, held, passing, peak
from rung.tuning.precision import Precision, race, settle
from rung.tuning.rows import Row
from rung.tuning.spread import Group, joined
from rung.tuning.state import State
from rung.tuning.steps import Line, Progress, Say, epoch_of, mean_loss, planned, run

Method = Literal["lora", "rslora", "dora", "qlora", "qlora8", "full", "pretrain"]
PACE = 3.0  # a step takes about three times as long as its forward pass


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what is learned, apart from the rows."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    epochs: int = 8
    learning_rate: float = 2e-3
    batch_rows: int = 16
    batch_tokens: int = 8192  # padding counted; bounds the memory of long rows
    warmup: float = 0.06  # share of the steps
    weight_decay: float = 0.0
    clip: float = 1.0
    patience: int = 3  # validations without a better loss
    validations: int = 2  # per epoch
    seed: int = 0
    precision: Precision = "fp32"  # of the steps; "auto" times both once, and the adapter is named after what it chose
    method: Method = "lora"


@dataclass(frozen=True)
class Means:
    """How it is computed. What is learned stays the same up to rounding, so adapters are not named after it."""

    checkpointing: bool = False  # layers are computed again in the backward pass instead of being kept
    compile: bool = False  # torch.compile; the CPU's stream does not take it


@dataclass(frozen=True)
class Heard:
    """Whom a training tells of its steps: how many are done, sentences for people, and each line of the loss curve."""

    progress: Progress = lambda done, total: None
    say: Say = lambda sentence: None
    watch: Callable[[Line], None] = lambda line: None


SILENT, PLAIN = Heard(), Means()


def train(
    base: Path,
    training: Sequence[Row],
    validation: Sequence[Row],
    recipe: Recipe,
    adapters: Path,
    documents: Mapping[str, str],
    base_id: str = "",
    heard: Heard = SILENT,
    means: Means = PLAIN,
) -> Path:
    """Train an adapter for the model in `base`, or find the one that the same makings made; its folder.

    Started by torchrun, several processes train it together, and give what one of them would with the same batches.
    TuningError where no row fits the window or nothing is left to learn. KeyboardInterrupt saves a checkpoint first.
    """
    with joined() as group:
        if recipe.precision == "auto":
            recipe = _settled(base, training, validation, recipe, adapters, base_id, group)
        name = adapter_name(recipe, base_id or base.name, training, validation)
        ready = find(adapters, name)
        if ready:
            return ready
        work = adapters / f"{name}.partial"
        work.mkdir(parents=True, exist_ok=True)
        state = State(base, recipe, means, work, group)
        heard = heard if group.rank == 0 else Heard(watch=heard.watch)
        scores = _trained(state, training, validation, heard)
        if group.rank == 0:
            told = {"rows.json": lineage(training, validation, documents, base_id or base.name), "scores.json": scores}
            _finish(state, adapters, name, told)
        group.wait()
        made = find(adapters, name)
        assert made, "the first process has just stored it"
        return made


def _trained(state: State, training: Sequence[Row], validation: Sequence[Row], heard: Heard) -> dict[str, Any]:
    from rung.tuning.stream import fastest  # imports torch

    rows, dropped = fitting(state.tokenizer, training, state.window)
    held_rows, _ = fitting(state.tokenizer, validation, state.window)
    sample = Random(f"{state.recipe.seed}/sample").sample(rows, min(len(rows), 48))  # enough to see whether it learned
    state.forward = fastest(state.model, rows, state.means.checkpointing)
    started = time.perf_counter()
    now = mean_loss(state, sample, heard.say), mean_loss(state, held_rows, heard.say)
    before = state.before = state.before or now  # a training that goes on has learned since it began, not since it went on
    estimate = expected(state, rows, (time.perf_counter() - started) / sum(len(row.ids) for row in (*sample, *held_rows)), heard.say)
    started = time.perf_counter()
    run(state, rows, held_rows, heard.progress, heard.say, heard.watch)
    seconds = time.perf_counter() - started
    state.best_back()
    after = mean_loss(state, sample, heard.say), mean_loss(state, held_rows, heard.say)
    why = judged((before[0], after[0]), (before[1], after[1]), state.curve())
    if why:
        heard.say(f"warning: {why}")
    return {
        "training_loss": {"base": before[0], "tuned": after[0]},
        "validation_loss": {"base": before[1], "tuned": after[1]},
        "rows_dropped": dropped,
        "learned": not why,
        "why": why,
        "trained_parameters": sum(weight.numel() for weight in state.weights),
        "seconds": seconds,  # of this run; one that went on took more
        "memory": peak(state.model.device.type),
        "estimate": estimate,
        "pieces": state.parts,
    }


def expected(state: State, rows: Sequence[Encoded], per_token: float, say: Say) -> dict[str, float]:
    """Say before it starts what it will take, in steps, seconds and bytes; where that is more than there is, begin with smaller pieces.

    `per_token` are the seconds that a forward pass took for a token. Empty where nothing is left to do.
    """
    plan = planned(rows, state.recipe)[state.step :]
    if not plan:
        return {}
    kind = state.model.device.type
    stays = peak(kind) + held(state.weights)
    passes = max(passing(state.model, state.forward, state.group.share(batch), state.means) for batch in epoch_of(rows, state.recipe, 0))
    seconds, free = PACE * per_token * sum(len(row.ids) for batch in plan for row in batch), available(kind)
    told = f", {gibibytes(free)} are free" if free is not None else ""
    say(f"{len(plan)} steps, about {seconds:.0f} s and {gibibytes(stays + passes)} of memory{told}")
    while free is not None and passes / state.parts + held(state.weights) > max(free, 1) and state.parts < state.recipe.batch_rows:
        state.parts *= 2
    if state.parts > 1:
        say(f"that is too much at once: batches are taken in {state.parts} pieces, and learn the same")
    return {"steps": len(plan), "seconds": seconds, "memory": stays + passes}


def _settled(
    base: Path, training: Sequence[Row], validation: Sequence[Row], recipe: Recipe, adapters: Path, base_id: str, group: Group
) -> Recipe:
    """The recipe with the precision that a timing chose; the first process times, the others read."""
    path = adapters / f"{adapter_name(recipe, base_id or base.name, training, validation)}.precision.json"
    if group.rank == 0:
        settle(path, lambda: _race(base, training, recipe))
    group.wait()
    return replace(recipe, precision=settle(path, lambda: _race(base, training, recipe)))


def fitting(tokenizer: Any, rows: Sequence[Row], reach: int) -> tuple[list[Encoded], int]:
    """The rows that fit and how many don't. TuningError where none does."""
    encoded, dropped = encode_rows(tokenizer, rows, reach)
    if not encoded:
        sentence = f"no training row fits the model's window of {reach:,} tokens"
        raise TuningError(sentence, "shorten the passages or choose another model")
    return encoded, dropped


def _race(base: Path, training: Sequence[Row], recipe: Recipe) -> tuple[float, float]:
    """On a model of its own, so that the training starts from what it would have started from without a race."""
    from rung.tuning.stream import fastest

    tokenizer, model = adapted(base, recipe)
    rows, _ = fitting(tokenizer, training, window(model))
    return race(model, fastest(model, rows), epoch_of(rows, recipe, 0))


def _finish(state: State, adapters: Path, name: str, told: dict[str, Any]) -> Path:
    temporary = adapters / f"{name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    if state.recipe.method == "full":
        state.tokenizer.save_pretrained(str(temporary))  # a full model stands alone
    else:
        state.model.peft_config["default"].base_model_name_or_path = ""  # a folder of this machine says nothing elsewhere
    state.model.save_pretrained(str(temporary))
    (temporary / "README.md").unlink(missing_ok=True)
    shutil.copy(state.work / "loss.jsonl", temporary / "loss.jsonl")
    path = store(temporary, adapters, name, {"recipe.json": asdict(state.recipe), **told})
    shutil.rmtree(state.work)
    return path
