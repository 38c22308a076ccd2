"""Trains a small change of MiniLM's weights that finds answers in windows of text; the base's own weights stay as they are.

A factored change (Hu et al. 2021) on every linear layer of the encoder, free biases and norms, and two logits a token. It refuses
to start on weights that are not the official ones.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from rung.errors import TuningError
from rung.models.spans import SIZE, Window, kinds

SHOWN = 50  # steps between two checkpoints
Learned = dict[str, Any]  # name as in the file → tensor
Progress = Callable[[int, int, float], None]  # step, steps, loss


@dataclass(frozen=True)
class SpanRecipe:
    """What decides the weights, apart from the rows."""

    epochs: int = 1
    rate: float = 6e-4
    warmup: float = 0.06  # share of the steps
    tokens: int = 3072  # of a step, padding counted
    size: int = SIZE  # tokens of a window
    rank: int = 64
    scale: float = 2.0  # of the product of the two factors
    dropout: float = 0.05
    decay: float = 0.01
    seed: int = 0


@dataclass(frozen=True)
class Group:
    """Windows that are normalised together; the target is (window, first token, last token), or None for no answer."""

    windows: tuple[Window, ...]
    target: tuple[int, int, int] | None


def opened(folder: Path, recipe: SpanRecipe) -> Any:
    """MiniLM in torch, frozen, its weights verified."""
    import torch
    from transformers import AutoModel
    from transformers.utils import logging

    from rung.knowledge.embedders.minilm import verified

    verified(folder / "model.safetensors")
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    drawn = {"hidden_dropout_prob": recipe.dropout, "attention_probs_dropout_prob": recipe.dropout, "add_pooling_layer": False}
    bert: Any = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, **drawn)
    return bert.requires_grad_(False).train()


def fresh(bert: Any, recipe: SpanRecipe) -> Learned:
    """A change that changes nothing yet, and a head drawn from the seed."""
    import torch

    torch.manual_seed(recipe.seed)
    learned: Learned = {}
    for name, layer in bert.encoder.named_modules():
        if isinstance(layer, torch.nn.Linear):
            out, into = layer.weight.shape
            learned[f"encoder.{name}.a"] = torch.randn(recipe.rank, into) / math.sqrt(into)
            learned[f"encoder.{name}.b"] = torch.zeros(out, recipe.rank)
            learned[f"encoder.{name}.bias"] = layer.bias.clone()
        if isinstance(layer, torch.nn.LayerNorm):
            learned |= {f"encoder.{name}.{key}": value.clone() for key, value in layer.named_parameters()}
    return learned | {"head.weight": 0.02 * torch.randn(2, bert.config.hidden_size), "head.bias": torch.zeros(2)}


def loaded(change: Path) -> Learned:
    """A change that was learned before, to go on from."""
    from safetensors.torch import load_file

    return {name: value.float() for name, value in load_file(change / "change.safetensors").items()}


def logits(bert: Any, learned: Learned, groups: Sequence[Group], scale: float) -> Any:
    """float32 (windows, tokens, 2), computed in bf16 where the processor has it."""
    import torch

    rows = [window for one in groups for window in one.windows]
    longest = -(-max(len(window.ids) for window in rows) // 8) * 8
    ids, types, mask = (torch.zeros(len(rows), longest, dtype=torch.long) for _ in range(3))
    for number, window in enumerate(rows):
        n = len(window.ids)
        ids[number, :n], types[number, :n], mask[number, :n] = torch.tensor(window.ids), torch.tensor(kinds(window)), 1
    weights = {name: value for name, value in learned.items() if name.endswith((".bias", ".weight")) and not name.startswith("head.")}
    for name in learned:
        if name.endswith(".a"):
            layer = name.removesuffix(".a")
            weights[f"{layer}.weight"] = bert.get_parameter(f"{layer}.weight") + scale * (learned[f"{layer}.b"] @ learned[name])
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=torch.backends.cpu.get_cpu_capability().startswith("AVX512")):
        given = {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}
        hidden: Any = torch.func.functional_call(bert, weights, (), given)
    return torch.nn.functional.linear(hidden.last_hidden_state.float(), learned["head.weight"], learned["head.bias"])


def loss(found: Any, groups: Sequence[Group]) -> Any:
    """Cross-entropy of start and end over all tokens of a group's windows and one "no answer" (Clark and Gardner 2018)."""
    import torch

    total, row = torch.zeros(()), 0
    for one in groups:
        lengths = [len(window.offsets) for window in one.windows]
        parts = [
            found[row + n, w.first : w.first + length] - found[row + n, 0]
            for n, (w, length) in enumerate(zip(one.windows, lengths, strict=True))
        ]
        targets = [0, 0]
        if one.target:
            number, *ends = one.target
            targets = [1 + sum(lengths[:number]) + end - one.windows[number].first for end in ends]
        total = total + torch.nn.functional.cross_entropy(torch.cat([torch.zeros(1, 2), *parts]).T, torch.tensor(targets))
        row += len(one.windows)
    return total / len(groups)


def batches(groups: Sequence[Group], r: Random, tokens: int) -> list[list[Group]]:
    """Groups of like length together, so that little is padding; in mixed order."""
    ordered = sorted(groups, key=lambda one: max(len(window.ids) for window in one.windows) + r.randint(0, 12))
    made: list[list[Group]] = [[]]
    rows = longest = 0
    for one in ordered:
        rows, longest = rows + len(one.windows), max(longest, *(len(window.ids) for window in one.windows))
        if made[-1] and rows * longest > tokens:
            made.append([])
            rows, longest = len(one.windows), max(len(window.ids) for window in one.windows)
        made[-1].append(one)
    r.shuffle(made)
    return made if made[0] else []


def train(
    folder: Path,
    learned: Learned | None,
    made: Sequence[list[Group]],
    recipe: SpanRecipe,
    kept: Path,
    progress: Progress | None = None,
    every: int = SHOWN,
) -> Learned:
    """Train on the batches in their order, `recipe.epochs` times over. With the checkpoint `kept`, written `every` so many
    steps, a killed training goes on.

    Adam with a rate that rises, then falls to 0. TuningError where the loss is not a number.
    """
    import torch

    bert = opened(folder, recipe)
    learned = {name: value.requires_grad_() for name, value in (learned or fresh(bert, recipe)).items()}
    optimizer: Any = torch.optim.AdamW(list(learned.values()), lr=recipe.rate, weight_decay=recipe.decay)
    done = _resume(kept, learned, optimizer)
    steps = recipe.epochs * len(made)
    for step in range(done, steps):
        batch = made[step % len(made)]
        for chosen in optimizer.param_groups:
            chosen["lr"] = recipe.rate * min(1, (step + 1) / max(recipe.warmup * steps, 1)) * (1 - step / steps)
        torch.manual_seed(recipe.seed + step)  # of the dropout, so that a resumed training draws the same
        value = loss(logits(bert, learned, batch, recipe.scale), batch)
        if not math.isfinite(float(value.detach())):
            raise TuningError("the training loss is not a number", "lower the learning rate")
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(list(learned.values()), 1.0)
        optimizer.step()
        if progress:
            progress(step + 1, steps, float(value.detach()))
        if (step + 1) % every == 0 or step + 1 == steps:
            torch.save({"learned": learned, "optimizer": optimizer.state_dict(), "step": step + 1}, f"{kept}.tmp")
            os.replace(f"{kept}.tmp", kept)
    return {name: value.detach() for name, value in learned.items()}


def _resume(kept: Path, learned: Learned, optimizer: Any) -> int:
    """The number of steps that are already done; their weights are put in place."""
    import torch

    if not kept.exists():
        return 0
    state = torch.load(kept, weights_only=True)
    with torch.no_grad():
        for name, value in learned.items():
            value.copy_(state["learned"][name])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def write(learned: Learned, folder: Path, facts: dict[str, Any]) -> None:
    """The change in half precision, and what goes with it, its hash and the base's among it."""
    import hashlib

    import torch
    from safetensors.torch import save_file

    from rung.knowledge.embedders.minilm import SHA256

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.detach().to(torch.float16).contiguous() for name, value in learned.items()}, folder / "change.safetensors")
    with (folder / "change.safetensors").open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    told = {"base": SHA256, "sha256": sha256, **facts}
    (folder / "reader.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def shown() -> Progress:
    """Prints the mean loss and the minutes left at each checkpoint."""
    began, mean, first = time.monotonic(), 0.0, 0

    def progress(step: int, steps: int, value: float) -> None:
        nonlocal mean, first
        first = first or step
        mean = value if not mean else 0.98 * mean + 0.02 * value
        if step % SHOWN == 0 or step == steps:
            pace = (time.monotonic() - began) / (step - first + 1)
            print(f"{step}/{steps} loss {mean:.3f}, {pace * (steps - step) / 60:.0f} min left", flush=True)

    return progress
