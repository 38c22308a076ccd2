"""Several processes, started by torchrun, that train one model: each takes its share of every batch, and their gradients are added.

It refuses to let them part ways: what one of them alone would decide (out of memory, when to stop) all decide together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Group:
    """This process's number among all of them; the one with number 0 writes files and speaks."""

    rank: int = 0
    size: int = 1

    def share(self, items: Sequence[T]) -> list[T]:
        """Which of them are this process's."""
        return list(items[self.rank :: self.size])

    def add(self, tensors: Sequence[Any]) -> None:
        """Each tensor becomes its sum over all processes, in one message."""
        if self.size > 1:
            import torch

            flat = torch.cat([tensor.flatten() for tensor in tensors])
            torch.distributed.all_reduce(flat)
            parts = torch.split(flat, [tensor.numel() for tensor in tensors])
            for tensor, part in zip(tensors, parts, strict=True):
                tensor.copy_(part.view_as(tensor))

    def total(self, *values: float) -> list[float]:
        """Sums over all processes."""
        return self._reduced(values, "SUM")

    def most(self, value: float) -> float:
        """The largest of all processes."""
        return self._reduced((value,), "MAX")[0]

    def _reduced(self, values: Sequence[float], how: str) -> list[float]:
        if self.size == 1:
            return list(values)
        import torch

        held = torch.tensor(values, dtype=torch.float64, device="cuda" if torch.distributed.get_backend() == "nccl" else "cpu")
        torch.distributed.all_reduce(held, getattr(torch.distributed.ReduceOp, how))
        return [float(value) for value in held]

    def wait(self) -> None:
        """Until all have come here."""
        if self.size > 1:
            import torch

            torch.distributed.barrier()

    def first(self, work: Callable[[], T]) -> T:
        """The first process does it alone, since it writes; then the others, which find what was written."""
        if self.rank:
            self.wait()
        done = work()
        if not self.rank:
            self.wait()
        return done


ALONE = Group()


def started() -> Group:
    """What torchrun says about this process; without it, it is alone."""
    return Group(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


@contextmanager
def joined() -> Iterator[Group]:
    """Meet the others and part at the end: over NCCL on CUDA, over gloo elsewhere. Within another `joined` it changes nothing."""
    group = started()
    if group.size == 1:
        yield group
        return
    import torch

    if torch.distributed.is_initialized():
        yield group
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield group
    finally:
        torch.distributed.destroy_process_group()
