"""A model split over all processes by torch's FSDP2: each holds its share of every weight, of its gradient and of the optimizer.

It refuses to split what can't be: without torchrun, on Apple's GPUs, or a base in few bits.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from rung.errors import ConfigError
from rung.tuning.loop import at_once, causal_of
from rung.tuning.memory import available, held
from rung.tuning.spread import Group

if TYPE_CHECKING:
    from rung.tuning.recipe import Recipe

T = TypeVar("T")
Shard = Literal["auto"] | bool
ROOM = 0.7  # of the free memory: the rest is for what passes leave behind
LEARNS = 20  # bytes for each number that learns: its value, the best of it, its gradient and Adam's two means


def sharding(base: Path, recipe: Recipe, asked: Shard, group: Group) -> bool:
    """Whether the model is split: where it is asked for, and with "auto" where not every process could hold a copy.

    ConfigError where it is asked for and can't be.
    """
    why, hint = _refusal(recipe, group)
    if asked is True and why:
        raise ConfigError(why, hint)
    if asked is not True and (why or not asked):
        return False
    return asked is True or group.most(needed(base, recipe) > ROOM * _free()) > 0


def _refusal(recipe: Recipe, group: Group) -> tuple[str, str]:
    import torch

    if group.size == 1:
        hint = 'start it with torchrun --nproc-per-node 2 -m rung train, or set shard = "auto" under [tuning]'
        return "shard = true splits a model over several processes, and this is one alone", hint
    if recipe.method.startswith("qlora"):
        return f"the base of {recipe.method} can't be split over processes", f"take lora with shard, or {recipe.method} without it"
    if torch.backends.mps.is_available():
        return "Apple's GPU can't be one of several that share a model", "take shard out of [tuning] and start it without torchrun"
    return "", ""


def needed(base: Path, recipe: Recipe) -> int:
    """Bytes that a whole copy takes on one device before any row passes, from the shapes in the files."""
    import torch
    from safetensors import safe_open

    numbers = 0
    for path in sorted(base.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            numbers += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118  # not a dict
    half = torch.cuda.is_available() and recipe.precision == "bf16"
    return numbers * (LEARNS if recipe.method == "full" else 2 if half else 4)


def _free() -> float:
    """Bytes for this process alone."""
    import torch

    if torch.cuda.is_available():
        return float(available("cuda") or 0)
    free = available("cpu")
    return math.inf if free is None else free / int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def split(model: Any, recipe: Recipe, group: Group) -> None:
    """Each layer becomes a group of weights that is gathered for its passes alone; embeddings, last norm and head are another.

    On a GPU layer after layer is moved there, so that none ever holds the whole. A bf16 recipe gathers and computes in bf16
    and adds gradients up in fp32; what learns is kept in fp32.
    """
    import torch
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    causal, gpu = causal_of(model), torch.cuda.is_available()
    mesh = init_device_mesh("cuda" if gpu else "cpu", (group.size,))
    half = recipe.precision == "bf16"
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32) if half else MixedPrecisionPolicy()
    for part in (*layers(causal), causal):
        for weight in part.parameters():
            if weight.requires_grad:
                weight.data = weight.data.float()
        fully_shard(part, mesh=mesh, mp_policy=policy)


def layers(causal: Any) -> list[Any]:
    """The blocks that transformers says must stay whole."""
    names = set(causal._no_split_modules or ())
    return [part for part in causal.modules() if type(part).__name__ in names]


def is_split(causal: Any) -> bool:
    """Whether `split` has been here."""
    from torch.distributed.fsdp import FSDPModule

    return isinstance(causal, FSDPModule)


def gathering(model: Any) -> Callable[[Callable[[], T]], T]:
    """What calls a pass: for a split model, with the weights outside its layers gathered from beginning to end.

    FSDP gathers them for the module's own forward; here a pass is hidden states, head and loss together.
    """
    import torch
    from torch.distributed.fsdp import register_fsdp_forward_method

    causal = causal_of(model)
    if not is_split(causal):
        return at_once
    causal.passed = at_once
    register_fsdp_forward_method(causal, "passed")

    def run(work: Callable[[], T]) -> T:
        found: T = causal.passed(work)
        if not torch.is_grad_enabled():
            causal.reshard()  # a backward pass does it otherwise
        return found

    return run


def whole(model: Any, group: Group) -> dict[str, Any]:
    """What learned and every buffer, by name, on the CPU of the first process; the others help and get nothing."""
    found: dict[int, Any] = {}
    for weight in model.parameters():
        if weight.requires_grad:
            value = weight.detach().full_tensor()
            found[id(weight)] = value.cpu() if group.rank == 0 else None
    named = model.state_dict(keep_vars=True)
    buffers = {name: value for name, value in named.items() if not value.requires_grad and not hasattr(value, "full_tensor")}
    return {name: found[id(value)] for name, value in named.items() if id(value) in found} | buffers if group.rank == 0 else {}


def share_of(value: Any, weight: Any) -> Any:
    """Of a whole value what this process holds of it, as it holds the weight."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(weight, DTensor) or isinstance(value, DTensor):
        return value
    return distribute_tensor(value, weight.device_mesh, weight.placements, src_data_rank=None)  # all have read the same


def divided(model: Any, learned: Sequence[Any], memory: float, passes: float, processes: int) -> float:
    """Bytes that each of so many processes would hold of a model that is not split: of what is split its share, and all of
    what is gathered for a pass, which is two layers (the next comes while one is computed) and all that is in no layer.
    """
    each = [sum(weight.nbytes for weight in layer.parameters()) for layer in layers(causal_of(model))]
    weights = sum(weight.nbytes for weight in model.parameters())
    shared = weights + held(learned) + sum(weight.nbytes for weight in learned) + passes  # the best is kept beside the last
    return float(memory - shared * (1 - 1 / processes) + weights - sum(each) + 2 * max(each, default=0))
