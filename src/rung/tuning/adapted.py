"""A base model with fresh LoRA matrices on every linear layer, ready to be trained; it takes local safetensors only."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rung.tuning.recipe import Recipe


def adapted(base: Path, recipe: Recipe) -> tuple[Any, Any]:
    """Tokenizer and model; the seed decides the new matrices. On a GPU a bf16 recipe holds the base in bf16 too.

    On a CPU it stays in fp32: autocast was as fast from there, and validation then scores what will be served.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    torch.manual_seed(recipe.seed)
    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    gpu = torch.cuda.is_available()
    kind = torch.bfloat16 if gpu and recipe.precision == "bf16" else torch.float32
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # ours says when it will be done
    model: Any = AutoModelForCausalLM.from_pretrained(base, local_files_only=True, use_safetensors=True, dtype=kind)
    lora = LoraConfig(
        r=recipe.rank, lora_alpha=recipe.alpha, lora_dropout=recipe.dropout, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    with warnings.catch_warnings():  # peft asks transformers for gradient checkpointing by its old name
        warnings.filterwarnings("ignore", message=".is_gradient_checkpointing. is deprecated")
        model = get_peft_model(model, lora)
    return tokenizer, model.to("cuda" if gpu else "cpu")


def window(model: Any) -> int:
    """Tokens that the model's positions reach."""
    return int(model.config.max_position_embeddings)
