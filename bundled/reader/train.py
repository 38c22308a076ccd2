"""Trains the bundled reader: `python -m bundled.reader.train RC_MIX OUT`. Seeded; goes on where it was stopped."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from bundled.reader.data import Group, Shelf, group, part, read
from rung.knowledge.embedders import minilm
from rung.models.spans import SIZE, kinds


@dataclass(frozen=True)
class Recipe:
    """What decides the weights, apart from the rows."""

    epochs: int = 1
    rate: float = 6e-4
    warmup: float = 0.06  # share of the steps
    tokens: int = 3072  # of a step, padding counted
    size: int = SIZE
    rank: int = 64
    scale: float = 2.0  # of the product of the two factors
    seed: int = 0


def reader(folder: Path, recipe: Recipe) -> Any:
    """MiniLM with a factored change on every linear layer, free norms and biases, and two logits a token."""
    import torch
    from torch.nn.utils import parametrize
    from transformers import AutoModel

    torch.manual_seed(recipe.seed)
    minilm.verified(folder / "model.safetensors")
    bert = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32, add_pooling_layer=False, attn_implementation="sdpa")
    bert.requires_grad_(False)

    class Change(torch.nn.Module):
        def __init__(self, out: int, into: int) -> None:
            super().__init__()
            self.a = torch.nn.Parameter(torch.randn(recipe.rank, into) / math.sqrt(into))
            self.b = torch.nn.Parameter(torch.zeros(out, recipe.rank))

        def forward(self, weight: Any) -> Any:
            return weight + recipe.scale * (self.b @ self.a)

    for name, layer in bert.encoder.named_modules():
        if isinstance(layer, torch.nn.Linear):
            parametrize.register_parametrization(layer, "weight", Change(*layer.weight.shape))
            layer.bias.requires_grad_(True)
        if isinstance(layer, torch.nn.LayerNorm):
            layer.requires_grad_(True)
    head = torch.nn.Linear(384, 2)
    torch.nn.init.normal_(head.weight, std=0.02)
    torch.nn.init.zeros_(head.bias)
    return torch.nn.ModuleDict({"bert": bert, "head": head})


def batches(groups: Sequence[Group], r: Random, tokens: int) -> list[list[Group]]:
    """Groups of like length together, so that little is padding; in mixed order."""
    ordered = sorted(groups, key=lambda g: (max(len(w.ids) for w in g.windows) + r.randint(0, 12)))
    made: list[list[Group]] = []
    batch: list[Group] = []
    for one in ordered:
        rows = [w for g in [*batch, one] for w in g.windows]
        if batch and len(rows) * max(len(w.ids) for w in rows) > tokens:
            made.append(batch)
            batch = []
        batch = [*batch, one]
    made.append(batch)
    r.shuffle(made)
    return made


def logits(model: Any, groups: Sequence[Group]) -> Any:
    """float32 (windows, tokens, 2), in bf16 where the processor computes in it."""
    import torch

    rows = [window for one in groups for window in one.windows]
    longest = -(-max(len(window.ids) for window in rows) // 8) * 8
    ids, types, mask = (torch.zeros(len(rows), longest, dtype=torch.long) for _ in range(3))
    for number, window in enumerate(rows):
        n = len(window.ids)
        ids[number, :n], types[number, :n], mask[number, :n] = torch.tensor(window.ids), torch.tensor(kinds(window)), 1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model["bert"](input_ids=ids, token_type_ids=types, attention_mask=mask).last_hidden_state
    return model["head"](hidden.float())


def loss(found: Any, groups: Sequence[Group]) -> Any:
    """Cross-entropy of start and end over all tokens of a group's windows and one "no answer" (Clark and Gardner 2018)."""
    import torch

    total, row = torch.zeros(()), 0
    for one in groups:
        scores, targets = [], []
        for number, window in enumerate(one.windows):
            here = found[row + number]
            scores.append(here[window.first : window.first + len(window.offsets)] - here[0])
        before = [0, *(len(window.offsets) for window in one.windows)]
        if one.target:
            number, *ends = one.target
            targets = [1 + sum(before[: number + 1]) + end - one.windows[number].first for end in ends]
        else:
            targets = [0, 0]
        flat = torch.cat([torch.zeros(1, 2), *scores])
        total = total + torch.nn.functional.cross_entropy(flat.T, torch.tensor(targets))
        row += len(one.windows)
    return total / len(groups)


def steps(tokenizer: Any, rows: Sequence[Any], recipe: Recipe) -> Iterator[tuple[int, int, list[Group]]]:
    """(step, steps, batch); an epoch's batches are drawn from its own seed."""
    shelf, done = Shelf(rows), 0
    for epoch in range(recipe.epochs):
        groups = [one for n, row in enumerate(rows) if (one := group(tokenizer, row, shelf, Random(f"{recipe.seed}/{epoch}/{n}"), recipe.size))]
        ordered = batches(groups, Random(f"{recipe.seed}/{epoch}"), recipe.tokens)
        for batch in ordered:
            yield done, len(ordered) * recipe.epochs, batch
            done += 1


def train(folder: Path, tokenizer: Any, made: Iterator[tuple[int, int, list[Group]]], recipe: Recipe, out: Path, most: int, start: Path | None) -> None:
    """Train, keeping all that is needed to go on every 50 steps; `most` steps at most (0: all)."""
    import torch

    out.mkdir(parents=True, exist_ok=True)
    model = reader(folder, recipe).train()
    for layer in model.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.05
    learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(learned.values(), lr=recipe.rate, weight_decay=0.01, fused=True)
    if start:
        model.load_state_dict(torch.load(start)["model"], strict=False)
    ready, kept = -1, out / "resume.pt"
    if kept.exists():
        state = torch.load(kept)
        model.load_state_dict(state["model"], strict=False)
        optimizer.load_state_dict(state["optimizer"])
        ready = state["step"]
    began, seen, mean = time.time(), 0, 0.0
    for step, total, batch in made:
        if step <= ready:
            continue
        total = min(total, most or total)
        if step >= total:
            break
        rate = recipe.rate * min(1, (step + 1) / (recipe.warmup * total)) * (1 - step / total)
        for chosen in optimizer.param_groups:
            chosen["lr"] = rate
        value = loss(logits(model, batch), batch)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(learned.values(), 1.0)
        optimizer.step()
        seen += sum(len(w.ids) for g in batch for w in g.windows)
        mean = float(value.detach()) if not mean else 0.98 * mean + 0.02 * float(value.detach())
        if step % 50 == 49 or step == total - 1:
            torch.save({"model": {n: p.detach() for n, p in learned.items()}, "optimizer": optimizer.state_dict(), "step": step}, out / "resume.tmp")
            os.replace(out / "resume.tmp", kept)
            pace = (time.time() - began) / (step - ready)
            print(f"{step + 1}/{total} loss {mean:.3f}, {seen / (time.time() - began):.0f} tokens/s, {pace * (total - step) / 60:.0f} min left", flush=True)
    (out / "recipe.json").write_text(json.dumps(asdict(recipe), indent=1), encoding="utf-8")


def main() -> None:
    """See the module."""
    import torch
    from tokenizers import Tokenizer

    parser = argparse.ArgumentParser(description="Trains the bundled reader.")
    parser.add_argument("rows", type=Path, help="the folder that holds train.jsonl.gz")
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--rate", type=float, default=Recipe.rate)
    parser.add_argument("--most", type=int, default=0, help="steps")
    asked = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    folder = minilm.open_embedder(runtime="torch").folder
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    recipe = Recipe(epochs=asked.epochs, rate=asked.rate)
    rows = [row for row in read(asked.rows / "train.jsonl.gz") if part(row) == "train"]
    train(folder, tokenizer, steps(tokenizer, rows, recipe), recipe, asked.out, asked.most, None)


if __name__ == "__main__":
    main()
