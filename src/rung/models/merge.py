"""Writes a base model with an adapter added to its weights as one folder in the transformers format.

It refuses adapters that don't fit the base. Sums are made in float32; the result has the type of the base's weights, unless
another is asked for.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rung.models.adapters import LowRank, read_adapter
from rung.models.folder import NAMING, check_adapter, check_model

if TYPE_CHECKING:
    import torch


def write_merged(base: Path, adapter: Path | None, folder: Path, kind: Literal["base", "f16", "f32"] = "base") -> Path:
    """Tokenizer, template, configuration and summed weights in `folder`, which is made; the folder. ModelError for a misfit."""
    import torch
    from safetensors.torch import save_file

    check_model(base)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*NAMING, "special_tokens_map.json"):
        if (base / name).is_file():
            shutil.copy(base / name, folder / name)
    weights = base_weights(base)
    for layer, low in low_ranks(base, adapter).items() if adapter else ():
        weight = weights[f"{layer}.weight"]
        weights[f"{layer}.weight"] = low.added(weight.to(torch.float32)).to(weight.dtype if kind == "base" else torch.float32)
    if kind != "base":
        to = torch.float16 if kind == "f16" else torch.float32
        weights = {name: weight.to(to) if weight.is_floating_point() else weight for name, weight in weights.items()}
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        named = {key: str(to).removeprefix("torch.") for key in ("dtype", "torch_dtype") if key in config} or {"dtype": str(to)[6:]}
        (folder / "config.json").write_text(json.dumps(config | named, indent=2), encoding="utf-8")
    save_file({name: weight.contiguous() for name, weight in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    return folder


def low_ranks(base: Path, adapter: Path) -> dict[str, LowRank]:
    """The adapter's matrices by layer, float32, held to the shapes of the base's weights. ModelError for a misfit."""
    check_adapter(adapter)
    found = base_weights(base).items()
    return read_adapter(
        adapter, {name.removesuffix(".weight"): held for name, held in found if name.endswith(".weight") and held.ndim == 2}
    )


def base_weights(base: Path) -> dict[str, torch.Tensor]:
    """All tensors of a model folder by name."""
    from safetensors.torch import load_file

    return {name: tensor for path in sorted(base.glob("*.safetensors")) for name, tensor in load_file(path).items()}
