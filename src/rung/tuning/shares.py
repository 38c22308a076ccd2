"""The checkpoint of a split training: every process writes what it holds, and any number of processes reads it again.

It refuses to be half there: a small file names the folder that is whole, and is replaced at once.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rung.tuning.state import State

TOLD = "resume.json"


def save(state: State) -> None:
    """All processes together. What was there before goes when all of the new is written."""
    import torch
    from torch.distributed.checkpoint.state_dict_saver import save as write

    folder = state.work / f"resume-{state.step}"
    write({**_tensors(state), f"rng.{state.group.rank}": torch.get_rng_state()}, checkpoint_id=folder)
    state.group.wait()
    if state.group.rank == 0:
        told = {"folder": folder.name, "processes": state.group.size, **state.place()}
        (state.work / "resume.tmp").write_text(json.dumps(told), encoding="utf-8")
        os.replace(state.work / "resume.tmp", state.work / TOLD)
        (state.work / "resume.pt").unlink(missing_ok=True)  # of a time when it was not split
        for other in state.work.glob("resume-*"):
            if other != folder:
                shutil.rmtree(other)


def load(state: State) -> None:
    """Into a split training of as many or of other processes, or into one that is not split."""
    import torch
    from torch.distributed.checkpoint.state_dict_loader import load as read

    told = json.loads((state.work / TOLD).read_text(encoding="utf-8"))
    for weight in state.weights:  # as the optimizer would make them at its first step
        state.optimizer.state[weight] = {
            "step": torch.zeros((), device=weight.device),
            "exp_avg": torch.zeros_like(weight),
            "exp_avg_sq": torch.zeros_like(weight),
        }
    rng = {f"rng.{state.group.rank}": torch.get_rng_state()} if told["processes"] == state.group.size else {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # so it is, in one process
        read(_tensors(state) | rng, checkpoint_id=state.work / told["folder"], no_dist=state.group.size == 1)
    for value in rng.values():
        torch.set_rng_state(value)
    state.placed(told)


def _tensors(state: State) -> dict[str, Any]:
    """Weights, the best of them and the optimizer's means, by name; read in place."""
    found: dict[str, Any] = {}
    for n, (weight, kept) in enumerate(zip(state.weights, state.kept, strict=True)):
        found |= {f"weight.{n}": weight.detach(), f"kept.{n}": kept}
        found |= {f"{key}.{n}": value for key, value in state.optimizer.state[weight].items()}
    return found
