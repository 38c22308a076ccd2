"""LoRA training by our loop against TRL's SFTTrainer and LLaMA-Factory: the same model, rows and LoRA, tokens a second of the steps.

It refuses to let either side skip work, and to compare unlike training: it prints how far the two loss curves lie apart.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from bench import _large, _llamafactory
from bench.generate import _save_random
from rung.errors import ModelError
from rung.models import bundled
from rung.models.cores import free_cores
from rung.tuning.adapted import adapted
from rung.tuning.loop import Encoded, batches, encode_rows
from rung.tuning.precision import Precision
from rung.tuning.recipe import PLAIN, Heard, Means, Recipe, train
from rung.tuning.rows import Row
from rung.tuning.steps import share

KINDS: tuple[Precision, ...] = ("fp32", "bf16")
RECIPE = Recipe(epochs=1, validations=1, batch_tokens=1 << 16)
HARBOR = Path(__file__).resolve().parents[1] / "examples" / "harbor"
Times = list[float]  # seconds of each step but the first, which warms up


def run(small: bool) -> dict[str, object]:
    """Print a table and return its figures: `ratio_default` against TRL as it comes, `ratio_best` against its best settings."""
    if importlib.util.find_spec("trl") is None:
        print("skipped: TRL is not installed; pip install -c requirements.lock -e '.[bench]'")
        return {"skipped": True}
    import torch

    threads = free_cores()
    torch.set_num_threads(threads)
    figures: dict[str, object] = {"threads": threads}
    with tempfile.TemporaryDirectory() as scratch:
        print(f"{'model':<9}{'trainer':<34}{'tokens/s':>10}{'ours is':>9}   {threads} threads")
        for name, folder in _models(Path(scratch)):
            figures |= {f"{name}_{key}": value for key, value in _compared(name, folder, Path(scratch), small).items()}
    for key in ("ratio_default", "ratio_best", "ratio_llamafactory", "loss_gap", "loss_gap_llamafactory"):
        found = [figures[f"{name}_{key}"] for name in ("random", "bundled") if f"{name}_{key}" in figures]
        if found:
            figures[key] = max(found) if key.startswith("loss_gap") else min(found)  # type: ignore[type-var]  # the worse of both models
    if torch.cuda.is_available():
        print()
        names = _large.fitting(torch.cuda.get_device_properties(0).total_memory / (1 << 30), small)
        figures |= _large.compared(names, 96 if small else len(_examples()))
    return figures | {"ratio": figures["ratio_best"]}


def _models(scratch: Path) -> list[tuple[str, Path]]:
    try:
        return [("random", _random(scratch / "random")), ("bundled", bundled.folder("tiny"))]
    except ModelError:
        return [("random", scratch / "random")]


def _random(folder: Path) -> Path:
    """About 10 million random weights, with the bundled model's tokenizer where there is one."""
    import shutil

    _save_random(folder)
    try:
        for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
            shutil.copy(bundled.folder("tiny") / file, folder / file)
    except ModelError:
        pass
    return folder


def rows(count: int) -> list[Row]:
    """Solved examples behind zero to five passages of the handbook, as tuned and RAFT rows have them."""
    examples = _examples()
    paths = sorted((HARBOR / "docs").rglob("*.md"))
    r, made = Random("rows"), []
    for number, example in enumerate(examples[:count]):
        texts = [path.read_text(encoding="utf-8")[:450] for path in r.sample(paths, r.randrange(6))]
        passages = "\n\n".join(f"[{n}] {text}" for n, text in enumerate(texts, 1))
        asked, answer = f"{passages}\n\nQuestion: {example['question']}".strip(), str(example["answer"])
        made.append(Row(f"r{number:03}", ({"role": "user", "content": asked}, {"role": "assistant", "content": answer}), (), ""))
    return made


def _examples() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HARBOR / "examples.jsonl").read_text(encoding="utf-8").splitlines()]


def _compared(name: str, folder: Path, scratch: Path, small: bool) -> dict[str, float]:
    """Each trainer's best time of every step over some rounds, in which they take turns, and what follows from it."""
    made = rows(48 if small else 96)
    tokenizer, _ = adapted(folder, RECIPE)
    encoded, _ = encode_rows(tokenizer, made, 2048)
    plan = batches(encoded, RECIPE.batch_rows, RECIPE.batch_tokens, Random(f"{RECIPE.seed}/epoch/0"))
    assert {len(batch) for batch in plan} == {RECIPE.batch_rows}  # so that TRL, reading them in order, makes the same batches
    why = _llamafactory.missing()
    contestants: dict[str, Callable[[], Times]] = {"TRL, its defaults": lambda: _trl_default(folder, encoded, scratch)}
    for kind in KINDS:
        contestants[f"ours, {kind}"] = partial(_ours_times, folder, made, kind, scratch)
        for how in ("padded", "accumulating") if small else ("padded", "accumulating", "oneDNN"):
            contestants[f"TRL, {kind}, {how}"] = partial(_trl_times, folder, plan, kind, scratch, how)
        for how in () if why else ("padded", "accumulating") if small else ("padded", "accumulating", "oneDNN"):
            contestants[f"LLaMA-Factory, {kind}, {how}"] = lambda kind=kind, how=how: _factory(folder, plan, kind, scratch, how)[0]
    best: dict[str, Times] = {}
    for _ in range(1 if small else 2):
        for trainer, timed in contestants.items():
            taken = timed()
            best[trainer] = [min(pair) for pair in zip(taken, best.get(trainer, taken), strict=True)]
    total, first = sum(len(row.ids) for row in encoded), sum(len(row.ids) for row in plan[0])
    speeds = {trainer: (total - first) / sum(times) for trainer, times in best.items()}
    # TRL shuffles for itself, so its first batch is one of average length.
    times = best["TRL, its defaults"]
    speeds["TRL, its defaults"] = total * len(times) / (len(times) + 1) / sum(times)
    told = _told(name, speeds) | {"loss_gap": _gap(folder, made, plan, scratch), "tokens": total, "steps": len(plan)}
    if why:
        print(f"{name:<9}LLaMA-Factory is left out: {why}")
        return told
    curves = ours(folder, made, RECIPE, scratch)[1], _factory(folder, plan, "fp32", scratch, "log")[1]
    return told | {"loss_gap_llamafactory": _apart(*curves)}


def _told(name: str, speeds: dict[str, float]) -> dict[str, float]:
    """The table's lines. Precision is equal in `ratio_best`: the less favourable of both precisions counts."""
    ratios = {}
    for trainer, speed in speeds.items():
        kind = "bf16" if "bf16" in trainer else "fp32"
        ratios[trainer] = speeds[f"ours, {kind}"] / speed
        print(f"{name:<9}{trainer:<34}{speed:>10.0f}{ratios[trainer]:>9.2f}")

    def best(peer: str) -> dict[str, float]:
        """Against the peer's best settings."""
        found = {kind: [ratio for trainer, ratio in ratios.items() if trainer.startswith(f"{peer}, {kind}")] for kind in KINDS}
        return {kind: min(those) for kind, those in found.items() if those}

    factory = best("LLaMA-Factory")
    return {
        **{trainer.replace(", ", "_").replace(" ", "_") + "_tokens_per_second": round(speed, 1) for trainer, speed in speeds.items()},
        "ratio_default": round(ratios["TRL, its defaults"], 3),
        **{f"ratio_{kind}": round(ratio, 3) for kind, ratio in best("TRL").items()},
        "ratio_best": round(min(best("TRL").values()), 3),
        **({"ratio_llamafactory": round(min(factory.values()), 3)} if factory else {}),
    }


def _gap(folder: Path, made: list[Row], plan: list[list[Encoded]], scratch: Path) -> float:
    """The largest difference of a step's loss, over the mean loss, in fp32."""
    own, theirs = ours(folder, made, RECIPE, scratch)[1], trl(folder, plan, RECIPE, scratch, {"logging_strategy": "steps"})[1]
    return _apart(own, theirs)


def _apart(own: list[float], theirs: list[float]) -> float:
    return float(f"{max(abs(a - b) for a, b in zip(own, theirs, strict=True)) / (sum(own) / len(own)):.2g}")


def _now() -> float:
    """Of one thread the seconds it computed, since on a machine with other work that is what it takes by itself."""
    import torch

    return time.process_time() if torch.get_num_threads() == 1 and not torch.cuda.is_available() else time.perf_counter()


def _ours_times(folder: Path, made: list[Row], kind: Precision, scratch: Path) -> Times:
    return ours(folder, made, replace(RECIPE, precision=kind), scratch)[0]


def ours(folder: Path, made: list[Row], recipe: Recipe, scratch: Path, means: Means = PLAIN) -> tuple[Times, list[float]]:
    """Through the public door; the last step's time holds the validation, of one row."""
    stamps: Times = []
    heard = Heard(progress=lambda *_: stamps.append(_now()))
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        adapter = train(folder, made, made[:1], recipe, Path(place), {}, heard=heard, means=means)
        lines = [json.loads(line) for line in (adapter / "loss.jsonl").read_text(encoding="utf-8").splitlines()]
    return [b - a for a, b in pairwise(stamps)], [line["loss"] for line in lines]


def _trl_times(folder: Path, plan: list[list[Encoded]], kind: Precision, scratch: Path, how: str) -> Times:
    import torch

    quarter = RECIPE.batch_rows // 4
    options = {
        "padded": {},
        "accumulating": {"per_device_train_batch_size": quarter, "gradient_accumulation_steps": 4},
        "oneDNN": {},
    }
    # A switch of torch's that few know: on a CPU without AMX it exchanges MKL for oneDNN, and fp32 stays fp32.
    torch.set_float32_matmul_precision("medium" if how == "oneDNN" else "highest")
    try:
        return trl(folder, plan, replace(RECIPE, precision=kind), scratch, options[how])[0]
    finally:
        torch.set_float32_matmul_precision("highest")


def trl(folder: Path, plan: list[list[Encoded]], recipe: Recipe, scratch: Path, options: dict[str, object]) -> tuple[Times, list[float]]:
    """From the same start as ours."""
    return best(*adapted(folder, recipe), plan, recipe, scratch, options)


def best(
    tokenizer: Any, model: Any, plan: list[list[Encoded]], recipe: Recipe, scratch: Path, options: dict[str, object]
) -> tuple[Times, list[float]]:
    """SFTTrainer with our batches in our order, our optimizer and schedule: only the loop differs."""
    import torch

    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=recipe.learning_rate, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: share(recipe, min(step, len(plan) - 1), len(plan)))
    settings = {
        "per_device_train_batch_size": recipe.batch_rows, "max_grad_norm": recipe.clip, "gradient_checkpointing": False,
        "bf16": recipe.precision == "bf16", "logging_strategy": "no", "logging_steps": 1, "train_sampling_strategy": "sequential",
        "max_length": None,
    }  # fmt: skip
    encoded = [row for batch in plan for row in batch]
    return _trained(model, tokenizer, encoded, settings | options, scratch, optimizers=(optimizer, schedule))


def _factory(folder: Path, plan: list[list[Encoded]], kind: Precision, scratch: Path, how: str) -> tuple[Times, list[float]]:
    """LLaMA-Factory on our batches in our order, from the same start, with our schedule."""
    import torch

    start, parts = scratch / "start", 4 if how == "accumulating" else 1
    adapted(folder, RECIPE)[1].save_pretrained(str(start))
    told = _llamafactory.trained({
        "model": str(folder), "adapter": str(start), "rows": [(row.ids, row.prompt) for batch in plan for row in batch],
        "batch": RECIPE.batch_rows // parts, "accumulate": parts, "kind": kind, "threads": torch.get_num_threads(),
        "matmul": "medium" if how == "oneDNN" else "highest", "rate": RECIPE.learning_rate, "clip": RECIPE.clip,
        "shares": [share(RECIPE, step, len(plan)) for step in range(len(plan))], "log": how == "log",
    })  # fmt: skip
    return told["times"], told["losses"]


def _trl_default(folder: Path, encoded: list[Encoded], scratch: Path) -> Times:
    """As SFTTrainer comes, with the same LoRA."""
    from peft import LoraConfig
    from transformers import AutoTokenizer

    lora = LoraConfig(r=RECIPE.rank, lora_alpha=RECIPE.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return _trained(str(folder), tokenizer, encoded, {}, scratch, peft_config=lora)[0]


def _trained(
    model: Any, tokenizer: Any, encoded: Sequence[Encoded], options: dict[str, object], scratch: Path, **more: Any
) -> tuple[Times, list[float]]:
    """From the end of the first step to the end of the last, with whatever TRL does between steps."""
    import torch
    from datasets import Dataset
    from datasets.utils.logging import disable_progress_bar
    from transformers import PrinterCallback, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Watch(TrainerCallback):  # TRL takes no function
        def on_step_end(self, *_: Any, **__: Any) -> None:
            stamps.append(_now())

    stamps: Times = []
    disable_progress_bar()
    data = Dataset.from_list([{"input_ids": list(r.ids), "labels": [-100] * r.prompt + list(r.ids[r.prompt :])} for r in encoded])
    quiet = {"report_to": "none", "disable_tqdm": True, "save_strategy": "no", "num_train_epochs": 1, "seed": 0}
    config = SFTConfig(output_dir=str(scratch / "trl"), use_cpu=not torch.cuda.is_available(), **(quiet | options))
    trainer = SFTTrainer(model, args=config, train_dataset=data, processing_class=tokenizer, callbacks=[Watch()], **more)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    return [b - a for a, b in pairwise(stamps)], losses
