"""Training rows as files that others train on: OpenAI's fine-tuning API, TRL and Axolotl, with settings that say the same as ours.

The rows are those that `rung train` would learn from, split as it splits them; held-out cases are never among them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from rung.tuning.recipe import Recipe
from rung.tuning.rows import Row

TRAINING, VALIDATION = "train.jsonl", "validation.jsonl"
FEWEST = 10  # examples that OpenAI's fine-tuning API asks for

SCRIPT = '''\
"""Fine-tunes with TRL on the rows beside this file: `python train.py`. Written by rung."""

from __future__ import annotations

from pathlib import Path

from datasets import load_dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

HERE = Path(__file__).resolve().parent
MODEL = {model}


def main() -> None:
    rows = load_dataset("json", data_files={{"train": str(HERE / "{training}"), "validation": str(HERE / "{validation}")}})
    settings = SFTConfig(
        output_dir=str(HERE / "output"),
        num_train_epochs={epochs},
        learning_rate={learning_rate},
        per_device_train_batch_size={batch_rows},
        lr_scheduler_type="cosine",
        warmup_steps={warmup_steps},
        weight_decay={weight_decay},
        max_grad_norm={clip},
        seed={seed},
        bf16={bf16},
        max_length={window},
        completion_only_loss=True,
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_steps=1,
        report_to="none",
    )
    lora = LoraConfig(r={rank}, lora_alpha={alpha}, lora_dropout={dropout}, target_modules="all-linear", task_type="CAUSAL_LM")
    trainer = SFTTrainer(
        model=MODEL, args=settings, train_dataset=rows["train"], eval_dataset=rows["validation"], peft_config=lora
    )
    trainer.train()
    trainer.save_model(str(HERE / "adapter"))


if __name__ == "__main__":
    main()
'''


@dataclass(frozen=True)
class Base:
    """The model to tune, as others load it, and its window in tokens."""

    name: str
    window: int


def openai_files(training: Sequence[Row], validation: Sequence[Row], recipe: Recipe, base: Base) -> dict[str, str]:
    """File name → text: chats, one to a line, as the fine-tuning API takes them."""
    return {
        TRAINING: _lines({"messages": list(row.messages)} for row in training),
        VALIDATION: _lines({"messages": list(row.messages)} for row in validation),
    }


def trl_files(training: Sequence[Row], validation: Sequence[Row], recipe: Recipe, base: Base) -> dict[str, str]:
    """File name → text: prompts and completions, whose loss TRL takes over the completion alone, and a script that trains."""
    told = {name: repr(value) for name, value in recipe.__dict__.items()}
    steps = recipe.epochs * math.ceil(len(training) / recipe.batch_rows)
    told["warmup_steps"] = str(max(1, int(steps * recipe.warmup)))  # TRL 1.16 on transformers 5 takes no share
    told |= {"model": json.dumps(base.name), "window": str(base.window), "bf16": str(recipe.precision == "bf16")}
    script = SCRIPT.format(training=TRAINING, validation=VALIDATION, **told)
    return {TRAINING: _lines(map(_completion, training)), VALIDATION: _lines(map(_completion, validation)), "train.py": script}


def axolotl_files(training: Sequence[Row], validation: Sequence[Row], recipe: Recipe, base: Base) -> dict[str, str]:
    """File name → text: chats, and a configuration for `axolotl train config.yml` that trains on the last answer alone."""
    config = {
        "base_model": base.name,
        "datasets": [_chats(TRAINING)],
        "test_datasets": [_chats(VALIDATION)],
        "chat_template": "tokenizer_default",
        "train_on_inputs": False,
        "sequence_len": base.window,
        "sample_packing": False,
        "pad_to_sequence_len": False,
        "adapter": "lora",
        "lora_r": recipe.rank,
        "lora_alpha": recipe.alpha,
        "lora_dropout": recipe.dropout,
        "lora_target_linear": True,
        "num_epochs": recipe.epochs,
        "micro_batch_size": recipe.batch_rows,
        "gradient_accumulation_steps": 1,
        "optimizer": "adamw_torch_fused",
        "lr_scheduler": "cosine",
        "learning_rate": recipe.learning_rate,
        "warmup_ratio": recipe.warmup,
        "weight_decay": recipe.weight_decay,
        "max_grad_norm": recipe.clip,
        "bf16": recipe.precision == "bf16",
        "evals_per_epoch": recipe.validations,
        "saves_per_epoch": 1,
        "logging_steps": 1,
        "seed": recipe.seed,
        "output_dir": "output",
    }
    files = openai_files(training, validation, recipe, base)
    return {**files, "config.yml": yaml.safe_dump(config, sort_keys=False, allow_unicode=True)}


def _chats(file: str) -> dict[str, object]:
    """A data set of chats whose assistant turns are trained on, each with the token that ends it."""
    return {
        "path": file,
        "ds_type": "json",
        "split": "train",
        "type": "chat_template",
        "field_messages": "messages",
        "message_property_mappings": {"role": "role", "content": "content"},
        "roles_to_train": ["assistant"],
        "train_on_eos": "turn",
    }


FORMATS = {"openai": openai_files, "trl": trl_files, "axolotl": axolotl_files}


def _completion(row: Row) -> dict[str, object]:
    return {"prompt": list(row.messages[:-1]), "completion": [row.messages[-1]]}


def _lines(values: object) -> str:
    assert not isinstance(values, Mapping)
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)  # type: ignore[attr-defined]
