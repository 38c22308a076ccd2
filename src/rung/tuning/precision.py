"""Settles once per training whether its steps run in fp32 or under bf16 autocast, by timing both on one of its batches.

It refuses to settle twice: the choice is kept beside the adapters, where going on or starting again reads it, since a
second timing could come out the other way and the weights with it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from rung.tuning.loop import Encoded, Forward, loss_of

Precision = Literal["auto", "fp32", "bf16"]
MARGIN = 1.1  # bf16 rounds, so it has to be worth something; the noise of a timing is not


def settle(path: Path, timed: Callable[[], tuple[float, float]]) -> Precision:
    """The choice kept in `path`; where there is none yet, what the seconds of a step in fp32 and in bf16 say, then kept."""
    if not path.exists():
        fp32, bf16 = timed()
        told = {"precision": "bf16" if fp32 > MARGIN * bf16 else "fp32", "seconds": {"fp32": fp32, "bf16": bf16}}
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(told), encoding="utf-8")
        os.replace(temporary, path)
    return cast(Precision, json.loads(path.read_text(encoding="utf-8"))["precision"])


def race(model: Any, forward: Forward, batches: Sequence[Sequence[Encoded]], rounds: int = 3) -> tuple[float, float]:
    """Seconds of a step in fp32 and in bf16 on the batch of median size, the best of rounds in turns; nothing is learned."""
    batch = sorted(batches, key=lambda batch: sum(len(row.ids) for row in batch))[len(batches) // 2]
    model.train()
    passed = [(_timed(model, forward, batch, "fp32"), _timed(model, forward, batch, "bf16")) for _ in range(rounds)]
    return min(fp32 for fp32, _ in passed), min(bf16 for _, bf16 in passed)


def _timed(model: Any, forward: Forward, batch: Sequence[Encoded], precision: Precision) -> float:
    started = time.perf_counter()
    loss = stepped(forward, batch, precision, model.device.type)
    loss.backward()
    float(loss.detach())  # waits for a GPU
    model.zero_grad(set_to_none=True)
    return time.perf_counter() - started


def stepped(forward: Forward, batch: Sequence[Encoded], precision: Precision, device: str, *, summed: bool = False) -> Any:
    """The loss of a step. Weights that learn, their gradients and the loss itself stay in fp32."""
    import torch

    with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
        return loss_of(forward, batch, summed=summed)
