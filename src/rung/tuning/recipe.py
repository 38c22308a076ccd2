"""A plain LoRA recipe (Hu et al. 2021): read rows, mask prompts, train, keep the best, write the adapter.

It stops when validation no longer improves, saves itself on Ctrl-C and at intervals, and goes on exactly where it was.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from rung.errors import TuningError
from rung.tuning.adapted import adapted, window
from rung.tuning.adapters import adapter_name, find, lineage, store
from rung.tuning.loop import Encoded, batches, encode_rows, mean_loss, padded
from rung.tuning.precision import Precision, race, settle, stepped
from rung.tuning.rows import Row

Progress = Callable[[int, int], None]


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


def train(
    base: Path,
    training: Sequence[Row],
    validation: Sequence[Row],
    recipe: Recipe,
    adapters: Path,
    documents: Mapping[str, str],
    base_id: str = "",
    progress: Progress | None = None,
) -> Path:
    """Train an adapter for the model in `base`, or find the one that the same makings made; its folder.

    TuningError where no row fits the window or nothing is left to learn. KeyboardInterrupt saves a checkpoint first.
    """
    if recipe.precision == "auto":
        asked = adapter_name(recipe, base_id or base.name, training, validation)
        chosen = settle(adapters / f"{asked}.precision.json", lambda: _race(base, training, recipe))
        recipe = replace(recipe, precision=chosen)
    name = adapter_name(recipe, base_id or base.name, training, validation)
    ready = find(adapters, name)
    if ready:
        return ready
    from rung.tuning.stream import fastest  # imports torch

    work = adapters / f"{name}.partial"
    work.mkdir(parents=True, exist_ok=True)
    state = _State(base, recipe, work)
    train_rows, dropped = _fitting(state.tokenizer, training, state.window)
    held_rows, _ = _fitting(state.tokenizer, validation, state.window)
    sample = Random(f"{recipe.seed}/sample").sample(train_rows, min(len(train_rows), 48))  # enough to see whether it learned
    state.logits = fastest(state.model, train_rows)
    before = state.mean_loss(sample), state.mean_loss(held_rows)
    _run(state, train_rows, held_rows, progress)
    state.best_back()
    after = state.mean_loss(sample), state.mean_loss(held_rows)
    scores = {
        "training_loss": {"base": before[0], "tuned": after[0]},
        "validation_loss": {"base": before[1], "tuned": after[1]},
        "rows_dropped": dropped,
        "learned": after[0] < before[0] and after[1] < before[1],
    }
    return _finish(
        state, adapters, name, {"rows.json": lineage(training, validation, documents, base_id or base.name), "scores.json": scores}
    )


def _fitting(tokenizer: Any, rows: Sequence[Row], reach: int) -> tuple[list[Encoded], int]:
    encoded, dropped = encode_rows(tokenizer, rows, reach)
    if not encoded:
        sentence = f"no training row fits the model's window of {reach:,} tokens"
        raise TuningError(sentence, "shorten the passages or choose another model")
    return encoded, dropped


def _race(base: Path, training: Sequence[Row], recipe: Recipe) -> tuple[float, float]:
    """On a model of its own, so that the training starts from what it would have started from without a race."""
    from rung.tuning.stream import fastest

    tokenizer, model = adapted(base, recipe)
    rows, _ = _fitting(tokenizer, training, window(model))
    return race(model, fastest(model, rows), _epoch(rows, recipe, 0))


class _State:
    """Model, optimizer and position of a training, on disk between runs."""

    def __init__(self, base: Path, recipe: Recipe, work: Path) -> None:
        import torch

        self.recipe, self.work = recipe, work
        self.tokenizer, self.model = adapted(base, recipe)
        self.window = window(self.model)
        self.logits = padded(self.model)
        self.weights = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.weights, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
        self.step, self.best, self.since, self.stopped = 0, math.inf, 0, False
        self.kept: list[Any] = [w.detach().clone() for w in self.weights]
        self.load()

    def load(self) -> None:
        """Go on from the last checkpoint, if there is one."""
        import torch

        path = self.work / "resume.pt"
        if path.exists():
            held = torch.load(path, weights_only=True)
            with torch.no_grad():
                for weight, saved in zip(self.weights, held["weights"], strict=True):
                    weight.copy_(saved)
            self.optimizer.load_state_dict(held["optimizer"])
            torch.set_rng_state(held["rng"])
            self.kept = held["kept"]
            self.step, self.best, self.since, self.stopped = held["step"], held["best"], held["since"], held["stopped"]

    def save(self) -> None:
        """A checkpoint, replaced at once."""
        import torch

        held = {
            "weights": [w.detach().cpu() for w in self.weights],
            "kept": self.kept,
            "optimizer": self.optimizer.state_dict(),
            "rng": torch.get_rng_state(),
            "step": self.step,
            "best": self.best,
            "since": self.since,
            "stopped": self.stopped,
        }
        torch.save(held, self.work / "resume.tmp")
        os.replace(self.work / "resume.tmp", self.work / "resume.pt")

    def best_back(self) -> None:
        """The weights with the lowest validation loss."""
        import torch

        with torch.no_grad():
            for weight, kept in zip(self.weights, self.kept, strict=True):
                weight.copy_(kept)

    def mean_loss(self, rows: Sequence[Encoded]) -> float:
        """Of the answers' tokens in fp32, without dropout."""
        self.model.eval()
        return mean_loss(self.logits, rows, self.recipe.batch_tokens)

    def log(self, line: dict[str, float]) -> None:
        """A line of the loss curve; lines after the checkpoint that a kill undid are written again."""
        with (self.work / "loss.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _run(state: _State, rows: Sequence[Encoded], held: Sequence[Encoded], progress: Progress | None) -> None:
    plan = [batch for epoch in range(state.recipe.epochs) for batch in _epoch(rows, state.recipe, epoch)]
    every = max(1, len(plan) // (state.recipe.epochs * state.recipe.validations))
    try:
        while state.step < len(plan) and not state.stopped:
            line = _step(state, plan[state.step], len(plan))
            if state.step % every == 0 or state.step == len(plan):
                line["val_loss"] = _validate(state, held)
            state.log(line)
            if "val_loss" in line:
                state.save()
            if progress:
                progress(len(plan) if state.stopped else state.step, len(plan))
    except KeyboardInterrupt:
        state.save()
        raise


def _epoch(rows: Sequence[Encoded], recipe: Recipe, epoch: int) -> list[list[Encoded]]:
    return batches(rows, recipe.batch_rows, recipe.batch_tokens, Random(f"{recipe.seed}/epoch/{epoch}"))


def _step(state: _State, batch: Sequence[Encoded], steps: int) -> dict[str, float]:
    import torch

    started, recipe = time.perf_counter(), state.recipe
    rate = recipe.learning_rate * share(recipe, state.step, steps)
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.model.train()
    loss = stepped(state.logits, batch, recipe.precision, state.model.device.type)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.weights, recipe.clip)
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TuningError("the training loss is not a number", "lower learning_rate under [tuning]")
    state.step += 1
    tokens, seconds = sum(len(row.ids) for row in batch), time.perf_counter() - started
    return {"step": state.step, "tokens": tokens, "loss": value, "lr": rate, "seconds": seconds}


def share(recipe: Recipe, step: int, steps: int) -> float:
    """Of the peak learning rate at a step: a line up, then half a cosine down to a fiftieth."""
    warm = max(1, int(steps * recipe.warmup))
    if step < warm:
        return (step + 1) / warm
    return max(0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))), 0.02)


def _validate(state: _State, held: Sequence[Encoded]) -> float:
    value = state.mean_loss(held)
    if value < state.best - 1e-4:
        state.best, state.since = value, 0
        state.kept = [w.detach().clone() for w in state.weights]
    else:
        state.since += 1
        state.stopped = state.since >= state.recipe.patience
    return value


def _finish(state: _State, adapters: Path, name: str, told: dict[str, Any]) -> Path:
    temporary = adapters / f"{name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    state.model.peft_config["default"].base_model_name_or_path = ""  # a folder of this machine says nothing elsewhere
    state.model.save_pretrained(str(temporary))
    (temporary / "README.md").unlink(missing_ok=True)
    shutil.copy(state.work / "loss.jsonl", temporary / "loss.jsonl")
    path = store(temporary, adapters, name, {"recipe.json": asdict(state.recipe), **told})
    shutil.rmtree(state.work)
    return path
