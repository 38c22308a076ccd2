"""A base model made ready to learn by a method: LoRA matrices on every linear layer, or all of its weights.

It takes local safetensors only.
"""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec
from logging import ERROR, getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import MissingExtra
from rung.tuning.loop import causal_of

if TYPE_CHECKING:
    from rung.tuning.recipe import Means, Recipe

QUANTISED = ("qlora", "qlora8")


def adapted(base: Path, recipe: Recipe, means: Means | None = None) -> tuple[Any, Any]:
    """Tokenizer and model; the seed decides the new matrices. On a GPU a bf16 recipe holds a frozen base in bf16 too.

    On a CPU it stays in fp32: autocast was as fast from there, and validation then scores what will be served. What learns
    is in fp32 everywhere. MissingExtra where a quantised base lacks bitsandbytes.
    """
    import torch
    from transformers import AutoTokenizer

    torch.manual_seed(recipe.seed)
    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    model = _loaded(base, recipe)
    with warnings.catch_warnings():  # peft asks transformers for gradient checkpointing by its old name
        warnings.filterwarnings("ignore", message=".is_gradient_checkpointing. is deprecated")
        model = model if recipe.method == "full" else _with_lora(model, recipe)
    if means and means.checkpointing:
        _checkpointed(causal_of(model))
    if means and means.compile:
        causal = causal_of(model)
        causal.forward, causal.get_decoder().forward = (
            torch.compile(part.forward, dynamic=True) for part in (causal, causal.get_decoder())
        )
    return tokenizer, model


def _checkpointed(causal: Any) -> None:
    enable = getattr(causal, "activation_checkpointing_enable", None) or causal.gradient_checkpointing_enable  # its earlier name
    enable({"use_reentrant": False})


def _loaded(base: Path, recipe: Recipe) -> Any:
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # ours says when it will be done
    gpu, options = torch.cuda.is_available(), dict[str, Any]()
    kind = torch.bfloat16 if gpu and recipe.precision == "bf16" and recipe.method != "full" else torch.float32
    if recipe.method in QUANTISED:
        options = {"quantization_config": _quantised(recipe.method, kind), "device_map": {"": device()}}
    model: Any = AutoModelForCausalLM.from_pretrained(base, local_files_only=True, use_safetensors=True, dtype=kind, **options)
    return model if options else model.to(device())


def device() -> str:
    """This process's own GPU, Apple's, or the CPU."""
    import torch

    if torch.cuda.is_available():
        return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _quantised(method: str, kind: Any) -> Any:
    """Four bits: NF4 with its scales quantised too (Dettmers et al. 2023, arXiv 2305.14314); eight: LLM.int8 (Dettmers et al. 2022,
    arXiv 2208.07339). bitsandbytes has both for CUDA and for CPUs."""
    if find_spec("bitsandbytes") is None:
        raise MissingExtra("qlora", "qlora")
    from transformers import BitsAndBytesConfig

    made: Any = BitsAndBytesConfig
    if method == "qlora8":
        getLogger("bitsandbytes.autograd._functions").setLevel(ERROR)  # says at every product that it rounds inputs to fp16
        return made(load_in_8bit=True)
    return made(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=kind)


def _with_lora(model: Any, recipe: Recipe) -> Any:
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    if recipe.method in QUANTISED:
        for module in model.modules():  # at the first validation bitsandbytes would lay weights out anew for its CPU kernel,
            if hasattr(module, "support_avx512bf16_for_cpu"):  # through which no gradient flows
                module.support_avx512bf16_for_cpu = False
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)  # type: ignore[no-untyped-call]
    lora = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        use_rslora=recipe.method == "rslora",
        use_dora=recipe.method == "dora",
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, lora)


def window(model: Any) -> int:
    """Tokens that the model's positions reach."""
    return int(model.config.max_position_embeddings)
