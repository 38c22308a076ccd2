"""Writes a LoRA adapter as a GGUF file that llama.cpp puts onto the base model's own GGUF file when it serves.

It refuses what llama.cpp can't add to a tensor of the base, and bases of other architectures than Llama.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from rung.errors import MissingExtra, ModelError
from rung.models.gguf import gguf_name, interleaved, key_heads
from rung.models.merge import base_weights, low_ranks


def write_gguf_lora(adapter: Path, base: Path, file: Path) -> Path:
    """The adapter's matrices in float32; the file. ModelError where it can't be done.

    llama.cpp adds alpha / rank · B · A, with the rank of each pair (llama-adapter.h), so a scale of a layer's own goes into B.
    Rows of B are rows of the weight: for queries and keys they are put in GGUF's order of rotary pairs.
    """
    try:
        from gguf import GGUFWriter
    except ImportError as error:
        raise MissingExtra("writing GGUF", "gguf") from error
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") != "llama":
        raise ModelError(
            f"only adapters of models of type llama are written as GGUF, this is {config.get('model_type')}", "merge it instead"
        )
    alpha = float(json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))["lora_alpha"])
    held, heads = base_weights(base), key_heads(config)
    part = file.with_name(f"{file.name}.part")
    writer = GGUFWriter(str(part), "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    for layer, low in low_ranks(base, adapter).items():
        if layer == "model.embed_tokens" or (layer == "lm_head" and "lm_head.weight" not in held):
            raise ModelError(f"llama.cpp can't add to '{layer}' of this model", "export it merged: --format gguf")
        if low.gain is not None:
            raise ModelError("llama.cpp knows no lengths of DoRA", "export it merged: --format gguf")
        up = low.up * (low.down.shape[0] / alpha)
        if layer[-7:] in heads:
            up = interleaved(up, heads[layer[-7:]])
        writer.add_tensor(f"{gguf_name(layer)}.weight.lora_a", low.down.numpy())
        writer.add_tensor(f"{gguf_name(layer)}.weight.lora_b", up.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(part, file)
    return file
