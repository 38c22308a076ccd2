"""LLaMA-Factory's LoRA training in an environment of its own, since it needs older packages than ours.

It refuses to import anything of this project: what is trained on goes over in one file, and JSON comes back.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

PYTHON = "RUNG_LLAMAFACTORY_PYTHON"


def missing() -> str:
    """Why it can't be asked; "" where it can."""
    python = os.environ.get(PYTHON)
    if not python:
        return f"{PYTHON} names no interpreter of an environment that holds it"
    done = subprocess.run([python, "-c", "import llamafactory.train.tuner"], capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def trained(job: dict[str, Any]) -> dict[str, Any]:
    """What `main` prints for this job."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "job.json"
        path.write_text(json.dumps(job), encoding="utf-8")
        done = subprocess.run(
            [os.environ[PYTHON], __file__, path], cwd=scratch, capture_output=True, text=True, check=False,
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"LLaMA-Factory failed: {done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def main(job: Path) -> None:
    """Seconds of each step but the first, the loss of each, and the versions, as the last line."""
    import torch
    import transformers
    from llamafactory.train.tuner import run_exp

    told = json.loads(job.read_text(encoding="utf-8"))
    torch.set_num_threads(told["threads"])
    torch.set_float32_matmul_precision(told["matmul"])
    model, adapter = _model(Path(told["model"]), job.parent / "model"), _adapter(Path(told["adapter"]), job.parent / "adapter")
    rows = _rows(told["rows"], job.parent / "rows")
    stamps, losses = [], []

    class Watch(transformers.TrainerCallback):
        def on_train_begin(self, *_: Any, optimizer: Any, lr_scheduler: Any, **__: Any) -> None:
            """Our learning rates, step by step."""
            lr_scheduler.lr_lambdas = [lambda step: told["shares"][min(step, len(told["shares"]) - 1)]] * len(lr_scheduler.lr_lambdas)
            for group in optimizer.param_groups:
                group["lr"] = told["rate"] * told["shares"][0]

        def on_step_end(self, *_: Any, **__: Any) -> None:
            stamps.append(time.process_time() if told["threads"] == 1 and not torch.cuda.is_available() else time.perf_counter())

        def on_log(self, *_: Any, logs: dict[str, float], **__: Any) -> None:
            losses.extend([logs["loss"]] if "loss" in logs else [])

    settings = {
        "stage": "sft", "do_train": True, "model_name_or_path": str(model), "dataset": "read", "tokenized_path": str(rows),
        "template": "empty",
        "output_dir": str(job.parent / "out"), "overwrite_output_dir": True, "save_strategy": "no", "report_to": "none",
        "finetuning_type": "lora", "adapter_name_or_path": str(adapter), "per_device_train_batch_size": told["batch"],
        "gradient_accumulation_steps": told["accumulate"], "learning_rate": told["rate"], "max_grad_norm": told["clip"],
        "num_train_epochs": 1, "disable_shuffling": True, "disable_gradient_checkpointing": True, "optim": "adamw_torch_fused",
        "bf16": told["kind"] == "bf16", "use_cpu": not torch.cuda.is_available(), "seed": 0, "disable_tqdm": True,
        "logging_strategy": "steps", "logging_steps": 1 if told["log"] else 1000, "plot_loss": False,
    }  # fmt: skip
    run_exp(settings, [Watch()])
    from importlib.metadata import version

    versions = {name: version(name) for name in ("llamafactory", "transformers", "peft", "torch")}
    print(json.dumps({"times": [b - a for a, b in pairwise(stamps)], "losses": losses, "versions": versions}))


def _model(folder: Path, copy: Path) -> Path:
    """With a tokenizer's description that older transformers read."""
    shutil.copytree(folder, copy)
    path = copy / "tokenizer_config.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    told |= {"tokenizer_class": "PreTrainedTokenizerFast", "extra_special_tokens": {}}
    path.write_text(json.dumps(told), encoding="utf-8")
    return copy


def _adapter(folder: Path, copy: Path) -> Path:
    """The untrained matrices that all begin with, without settings that an older peft has no name for."""
    from peft import LoraConfig

    shutil.copytree(folder, copy)
    path = copy / "adapter_config.json"
    known = {*LoraConfig.__dataclass_fields__, "peft_type"}
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text(encoding="utf-8")).items() if key in known}))
    return copy


def _rows(rows: list[tuple[list[int], int]], folder: Path) -> Path:
    """Token ids and labels as LLaMA-Factory keeps what it has read."""
    from datasets import Dataset, DatasetDict

    made = [{"input_ids": ids, "attention_mask": [1] * len(ids), "labels": [-100] * prompt + ids[prompt:]} for ids, prompt in rows]
    empty = {name: [None] * len(made) for name in ("images", "videos", "audios")}
    columns = {name: [row[name] for row in made] for name in made[0]}
    DatasetDict({"train": Dataset.from_dict(columns | empty)}).save_to_disk(str(folder))
    return folder


if __name__ == "__main__":
    main(Path(sys.argv[1]))
