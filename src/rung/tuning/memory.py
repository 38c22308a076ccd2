"""Memory and time of a training: what it will need, what there is, what it took, and whether an error means there is none left.

It refuses to be exact: the estimate counts tensors, and libraries take room of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.tuning.loop import LOGITS, Encoded, Forward

if TYPE_CHECKING:
    from rung.tuning.recipe import Means

GIB = 1 << 30
_SAID = ("out of memory", "can't allocate memory", "not enough memory", "Cannot allocate memory", "bad_alloc")
_ONEDNN = ("could not create a memory", "could not create a primitive")  # says no more where the room for either is missing


def out_of_memory(error: BaseException) -> bool:
    """Whether it was the memory: torch raises an error of its own on a GPU and says it in words on a CPU."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _SAID + _ONEDNN)


def peak(kind: str) -> int:
    """The most bytes that this process has held, on the GPU where it trains there."""
    import torch

    if kind == "cuda":
        return int(torch.cuda.max_memory_allocated())
    import resource
    import sys

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def available(kind: str) -> int | None:
    """Bytes that can still be had; None where nobody says."""
    if kind == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    told = Path("/proc/meminfo")
    if not told.is_file():
        return None
    lines = dict(line.split(":", 1) for line in told.read_text(encoding="utf-8").splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and (most := limit.read_text(encoding="utf-8").strip()).isdigit():
        free = min(free, int(most) - int(used.read_text(encoding="utf-8")))
    return free


def freed(kind: str) -> None:
    """Give back what is no longer used: torch's cache on a GPU, the C library's elsewhere, where it can be asked to."""
    import ctypes
    import gc
    import sys

    gc.collect()
    if kind == "cuda":
        import torch

        torch.cuda.empty_cache()
    elif sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)


def held(weights: Sequence[Any]) -> int:
    """Bytes that learning adds for as long as it lasts: for each number its gradient and Adam's two means, in fp32."""
    return sum(3 * 4 * local(weight).numel() for weight in weights)


def local(weight: Any) -> Any:
    """This process's share of a weight that is split, or all of it."""
    return weight.to_local() if hasattr(weight, "to_local") else weight


def passing(model: Any, forward: Forward, batch: Sequence[Encoded], means: Means) -> int:
    """Bytes of a batch's activations and logits, counted by Korthikanti et al. 2022 (arXiv 2205.05198) with ours of fp32.

    Of each layer, its inputs and what its products are made of; with checkpointing, its input alone and one layer whole.
    """
    config = model.config.get_text_config()
    width, inner = config.hidden_size, getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    layers, heads = config.num_hidden_layers, config.num_attention_heads
    tokens = sum(len(row.ids) for row in batch)
    layer = tokens * (12 * width + 4 * inner) + heads * sum(len(row.ids) ** 2 for row in batch)
    kept = layers * tokens * width + layer if means.checkpointing else layers * layer
    learned = sum(len(row.ids) - row.prompt for row in batch)
    vocabulary = max(forward.vocabulary, config.vocab_size)
    logits = learned * vocabulary if forward.vocabulary == 1 else min(learned * vocabulary, LOGITS)
    return int(4 * (kept + 3 * logits))


def gibibytes(size: float) -> str:
    """As people read it."""
    return f"{size / GIB:.1f} GiB"
