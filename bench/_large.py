"""LoRA in bf16 on random Llamas of real size: tokens a second, peak memory and the share of the chip's speed, of each trainer.

It refuses to let trainers share a process, since memory is counted by process and Unsloth patches what the others use.
`python -m bench._large tiny` runs the same on a model that any CPU trains in seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

from rung.tuning.loop import Encoded, batches, encode_rows
from rung.tuning.memory import GIB, peak
from rung.tuning.recipe import Means, Recipe


@dataclass(frozen=True)
class Size:
    """A model's shape, and how much of it is trained on at once."""

    hidden: int
    inner: int
    layers: int
    heads: int
    key_heads: int
    vocabulary: int = 128_256
    batch_rows: int = 8
    checkpointing: bool = False
    gibibytes: int = 0  # of GPU memory without which it is left out

    @property
    def layer_numbers(self) -> int:
        """Of the linear layers, through which every token passes."""
        kept = 1 + self.key_heads / self.heads
        return int(self.layers * (2 * kept * self.hidden**2 + 3 * self.hidden * self.inner))


SIZES = {
    "tiny": Size(64, 256, 2, 4, 2, vocabulary=8192),
    "1B": Size(2048, 8192, 16, 32, 8, gibibytes=30),
    "8B": Size(4096, 14336, 32, 32, 8, checkpointing=True, gibibytes=60),
}
TRAINERS: dict[str, dict[str, object]] = {"ours": {}, "TRL": {}, "TRL, padding-free": {"padding_free": True}, "Unsloth": {}}
Found = tuple[list[float], list[float]]  # seconds of each step but the first, and the loss of each


def compared(names: Sequence[str], count: int) -> dict[str, float | str]:
    """Print a line for each size and trainer; figures by size and trainer."""
    found: dict[str, float | str] = {}
    print(f"{'model':<7}{'trainer':<20}{'tokens/s':>10}{'peak GiB':>10}{'of the chip':>13}{'ours is':>9}")
    for name in names:
        with tempfile.TemporaryDirectory() as scratch:
            folder = _saved(SIZES[name], Path(scratch) / "model")
            told = {trainer: _apart(name, trainer, folder, count) for trainer in TRAINERS}
        for trainer, said in told.items():
            if "why" in said:
                print(f"{name:<7}{trainer:<20}left out: {said['why']}")
                continue
            ratio = told["ours"]["tokens_per_second"] / said["tokens_per_second"]
            print(f"{name:<7}{trainer:<20}{said['tokens_per_second']:>10.0f}{said['peak_gib']:>10.2f}{said['share_of_chip']:>12.1%}{ratio:>9.2f}")
            key = f"{name}_{trainer.replace(', ', '_')}"
            found |= {f"{key}_{figure}": round(value, 4) for figure, value in said.items() if figure != "losses"}
        curves = [said["losses"] for said in told.values() if "losses" in said]
        gap = max(abs(a - b) / a for curve in curves[1:] for a, b in zip(curves[0], curve, strict=True)) if curves[1:] else 0.0
        found[f"{name}_loss_gap"] = round(gap, 4)
    return found


def _apart(name: str, trainer: str, folder: Path, count: int) -> dict[str, Any]:
    if trainer.startswith("Unsloth") and find_spec("unsloth") is None:
        return {"why": "unsloth is not installed"}
    print(f"{name}, {trainer} ...", file=sys.stderr)
    command = [sys.executable, "-m", "bench._large", name, trainer, str(folder), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"why": (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:200]}
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _saved(size: Size, folder: Path) -> Path:
    """Random weights in bf16, and the bundled tokenizer, whose ids are all below the vocabulary's."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from rung.models import bundled

    torch.manual_seed(0)
    tokenizer: Any = AutoTokenizer.from_pretrained(bundled.folder("tiny"), local_files_only=True)
    config = LlamaConfig(
        vocab_size=size.vocabulary, hidden_size=size.hidden, intermediate_size=size.inner, num_hidden_layers=size.layers,
        num_attention_heads=size.heads, num_key_value_heads=size.key_heads, max_position_embeddings=4096, tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def measured(name: str, trainer: str, folder: Path, count: int) -> dict[str, Any]:
    """In this process: one epoch, its first step left out of the time."""
    import torch

    from bench.train import RECIPE, rows

    size = SIZES[name]
    recipe = replace(RECIPE, precision="bf16", batch_rows=size.batch_rows)
    tokenizer = _tokenizer(folder)
    encoded, _ = encode_rows(tokenizer, rows(count), 4096)
    plan = batches(encoded, recipe.batch_rows, recipe.batch_tokens, Random(f"{recipe.seed}/epoch/0"))
    with tempfile.TemporaryDirectory() as scratch:
        times, losses = _passed(trainer, folder, plan, recipe, size, count, Path(scratch))
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    held = peak(kind)
    timed = [row for batch in plan[1:] for row in batch]
    tokens, learned = sum(len(row.ids) for row in timed), sum(len(row.ids) - row.prompt for row in timed)
    # Forward and the gradient of what flows, two operations a number each; frozen weights have no gradient. Attention not counted.
    work = 4.0 * (tokens * size.layer_numbers + learned * size.hidden * size.vocabulary)
    return {
        "tokens_per_second": tokens / sum(times),
        "peak_gib": held / GIB,
        "share_of_chip": work / sum(times) / _chip(kind),
        "losses": losses,
    }


def _passed(trainer: str, folder: Path, plan: list[list[Encoded]], recipe: Recipe, size: Size, count: int, scratch: Path) -> Found:
    from bench import train as peers

    if trainer == "ours":
        return peers.ours(folder, peers.rows(count), recipe, scratch, Means(checkpointing=size.checkpointing))
    options: dict[str, object] = {"gradient_checkpointing": size.checkpointing, "logging_strategy": "steps", **TRAINERS[trainer]}
    if trainer == "Unsloth":
        return peers.best(*_unsloth(folder, recipe), plan, recipe, scratch, options)
    return peers.trl(folder, plan, recipe, scratch, options)


def _unsloth(folder: Path, recipe: Recipe) -> tuple[Any, Any]:
    """Its own model and LoRA, with the settings of the others. Imported before transformers, which it patches."""
    from unsloth import FastLanguageModel

    model, tokenizer = FastLanguageModel.from_pretrained(str(folder), max_seq_length=4096, load_in_4bit=False)
    linear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    options = {"r": recipe.rank, "lora_alpha": recipe.alpha, "lora_dropout": 0, "random_state": 0, "target_modules": linear}
    return tokenizer, FastLanguageModel.get_peft_model(model, use_gradient_checkpointing=False, **options)


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def _chip(kind: str) -> float:
    """Operations a second of one large product in bf16: what the chip gives at most, measured rather than advertised."""
    import torch

    side = 8192 if kind == "cuda" else 1024
    a, b = (torch.randn(side, side, device=kind, dtype=torch.bfloat16) for _ in range(2))
    wait: Callable[[], None] = torch.cuda.synchronize if kind == "cuda" else lambda: None
    best = float("inf")
    for _ in range(10):
        wait()
        started = time.perf_counter()
        a @ b
        wait()
        best = min(best, time.perf_counter() - started)
    return 2.0 * side**3 / best


def fitting(gibibytes: float, small: bool) -> list[str]:
    """The sizes that so much GPU memory holds; the smaller alone for a quick look."""
    return [name for name, size in SIZES.items() if 0 < size.gibibytes <= gibibytes][: 1 if small else None]


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(json.dumps(compared([sys.argv[1]], 48) | {"shape": asdict(SIZES[sys.argv[1]])}))
    else:
        if sys.argv[2] == "Unsloth":
            import unsloth  # noqa: F401  # before all that it patches
        print(json.dumps(measured(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))))
