"""Several LoRA adapters in peft's format on one loaded base model, one of them or none in use at a time.

It refuses adapters that don't fit the base before it touches the model, and never merges one into the base itself: adding
and subtracting would leave traces, so that answers came to depend on which adapters were loaded before. One that was
unloaded is read again when it is asked for, if its files still are what they were.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import ModelError
from rung.models.folder import adapter_hash, check_adapter
from rung.types import Json

if TYPE_CHECKING:
    import torch

_KEY = re.compile(r"base_model\.model\.(.+)\.lora_(?:([AB])\.weight|(magnitude_vector))")
_PLAIN = {"modules_to_save": None, "bias": "none", "fan_in_fan_out": False}  # all that is served
_MERGE = "train it as plain LoRA, or merge it into its base model"


@dataclass(frozen=True)
class LowRank:
    """What LoRA adds to a linear layer: x ↦ up · (down · x), with the scale already in `up` (arXiv 2106.09685).

    DoRA (arXiv 2402.09353) gives the sum's rows lengths of their own: `gain` times the layer's, with the gain in `up` too.
    """

    down: torch.Tensor  # (rank, in), float32
    up: torch.Tensor  # (out, rank), float32
    gain: torch.Tensor | None = None  # (out,), float32

    def added(self, weight: torch.Tensor) -> torch.Tensor:
        """The layer's weight (out, in) with this added, in its type."""
        kept = weight if self.gain is None else weight * self.gain[:, None].to(weight.dtype)
        return kept + (self.up @ self.down).to(weight.dtype)


class Adapters:
    """Callers hold the engine's lock: loading and switching change what the decoding loop runs."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._loaded: dict[str, dict[str, LowRank]] = {"": {}}
        self._folders: dict[str, Path] = {}
        self._hooked: set[str] = set()
        self._current: dict[str, LowRank] = {}

    def load(self, folder: Path) -> str:
        """The adapter's name, which is its hash; loading it twice costs nothing. ModelError where it does not fit."""
        check_adapter(folder)
        name = adapter_hash(folder)[:32]
        if name not in self._loaded:
            layers = read_adapter(folder, _linear(self._model))
            for layer in layers.keys() - self._hooked:
                self._model.get_submodule(layer).register_forward_hook(self._hook(layer))
                self._hooked.add(layer)
            self._loaded[name] = layers
        self._folders[name] = folder
        return name

    def unload(self, name: str) -> None:
        """Free the adapter's matrices."""
        if name:
            self._loaded.pop(name, None)

    def use(self, name: str) -> None:
        """Answer with this adapter from now on; "" is the bare base model. ModelError where it is gone, changed or blocked."""
        self._current = self._layers(name)

    def _layers(self, name: str) -> dict[str, LowRank]:
        if name not in self._loaded and self.load(self._folders[name]) != name:
            raise ModelError(f"the adapter at {self._folders[name]} was changed", "adapters are not to be changed: train another")
        return self._loaded[name]

    def merged(self, name: str, layer: str) -> torch.Tensor:
        """A linear layer's weight (out, in) with an adapter added, in a tensor of its own; without one, the base's own."""
        weight: torch.Tensor = self._model.get_submodule(layer).weight.detach()
        low = self._layers(name).get(layer)
        return weight if low is None else low.added(weight)

    def _hook(self, layer: str) -> Callable[[Any, tuple[torch.Tensor, ...], torch.Tensor], torch.Tensor | None]:
        from torch.nn.functional import linear

        def add(linearly: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor | None:
            low = self._current.get(layer)
            if low is None:
                return None
            if low.gain is not None:
                bias = 0.0 if linearly.bias is None else linearly.bias
                output = (output - bias) * low.gain.to(output.dtype) + bias
            return output + linear(linear(inputs[0].to(low.down.dtype), low.down), low.up).to(output.dtype)

        return add


def read_adapter(folder: Path, places: Mapping[str, torch.Tensor]) -> dict[str, LowRank]:
    """Every layer's matrices by the layer's name, on its device; `places` are the weights (out, in) of the base's linear layers.

    ModelError where any of them has no place there.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    _check_kind(folder, config)
    try:
        tensors = {name: tensor for path in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(path).items()}
    except SafetensorError as error:
        raise ModelError(f"the weights of the adapter at {folder} are damaged: {error}", "train it again, or copy it again") from error
    found: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        match = _KEY.fullmatch(name)
        if not match:
            raise _misfit(folder, f"'{name}' is no matrix of LoRA")
        found.setdefault(match[1], {})[match[2] or "lengths"] = tensor
    if not found:
        raise _misfit(folder, "it holds no matrices")
    return {layer: _low_rank(folder, places, config, layer, pair) for layer, pair in found.items()}


def _linear(model: Any) -> dict[str, torch.Tensor]:
    import torch

    return {name: layer.weight for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)}


def _low_rank(
    folder: Path, places: Mapping[str, torch.Tensor], config: dict[str, Json], layer: str, pair: dict[str, torch.Tensor]
) -> LowRank:
    import torch

    if pair.keys() != ({"A", "B", "lengths"} if config.get("use_dora") else {"A", "B"}):
        raise _misfit(folder, f"one of the matrices of '{layer}' is missing")
    down, up = pair["A"], pair["B"]
    if layer not in places:
        raise _misfit(folder, f"the model has no linear layer '{layer}'")
    place = places[layer]
    outer, inner = place.shape
    rank = _pattern(config.get("rank_pattern"), layer, config["r"])
    if down.shape != (rank, inner) or up.shape != (outer, rank):
        raise _misfit(folder, f"'{layer}' is {inner} → {outer} in the model and otherwise in the adapter")
    alpha = _pattern(config.get("alpha_pattern"), layer, config["lora_alpha"])
    scale = alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank
    down, up = down.to(place.device, torch.float32), (up.to(torch.float32) * scale).to(place.device)
    if "lengths" not in pair:
        return LowRank(down, up)
    gain = pair["lengths"].to(place.device, torch.float32) / (place.detach().float() + up @ down).norm(dim=1)
    return LowRank(down, up * gain[:, None], gain)


def _pattern(patterns: dict[str, Any] | None, layer: str, default: Any) -> Any:
    """A layer's own rank or alpha, by the rule of peft: the pattern is a regular expression for the end of its name."""
    return next((value for key, value in (patterns or {}).items() if re.match(rf"(.*\.)?({key})$", layer)), default)


def _check_kind(folder: Path, config: dict[str, Json]) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        raise ModelError(f"the adapter at {folder} is of kind {kind}, only LORA can be served", _MERGE)
    for key, plain in _PLAIN.items():
        if config.get(key, plain) != plain:
            raise ModelError(f"the adapter at {folder} was trained with {key} = {config[key]}, which is not plain LoRA", _MERGE)


def _misfit(folder: Path, why: str) -> ModelError:
    return ModelError(f"the adapter at {folder} does not fit the model: {why}", "an adapter fits the base that it was trained on alone")
