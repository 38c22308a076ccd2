"""Two processes that train one split model, forked so that what they import is loaded once; prints what each of them held.

Its arguments: the base, the folder for what is trained. Started by the tests of sharding.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import peft  # noqa: F401  # loaded once, before the fork
import pytest
import torch
import transformers  # noqa: F401
from tiny_rows import HELD, RECIPE, TRAINING

import rung.tuning.stream  # noqa: F401
from rung.errors import TuningError
from rung.tuning.loop import encode_rows
from rung.tuning.memory import local
from rung.tuning.recipe import Heard, Means, Recipe, train
from rung.tuning.spread import Group, joined
from rung.tuning.state import State
from rung.tuning.steps import fitted, step

SHORT = replace(RECIPE, batch_rows=5, epochs=2)
JOBS = {
    "lora": (SHORT, Means(shard=True)),
    "checkpointing": (SHORT, Means(shard=True, checkpointing=True)),
    "full": (replace(SHORT, method="full", learning_rate=1e-3, validations=1), Means(shard=True)),
    "bf16": (replace(SHORT, precision="bf16"), Means(shard=True)),
}
BROKEN_OFF = 5  # steps, of which three stand in a checkpoint


def jobs(base: Path, out: Path) -> None:
    """Every job once; the one of all weights also broken off and gone on with, and broken off for the tests to go on with."""
    with joined() as group:
        for name, (recipe, means) in JOBS.items():
            train(base, TRAINING, HELD, recipe, out / name, {}, "base", means=means)
        recipe, means = JOBS["full"]
        for name in ("resumed", "left"):
            broken_off(base, recipe, means, out / name)
        for name in ("resumed", "taken over"):  # the latter was begun by one process
            train(base, TRAINING, HELD, recipe, out / name, {}, "base", means=means)
        (out / f"held{group.rank}.json").write_text(json.dumps(shares(base, recipe, means, group)))


def broken_off(base: Path, recipe: Recipe, means: Means, out: Path) -> None:
    def stop(line: Mapping[str, float]) -> None:
        if line["step"] == BROKEN_OFF:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        train(base, TRAINING, HELD, recipe, out, {}, "base", Heard(watch=stop), means)
        raise AssertionError("it was not broken off")


def shares(base: Path, recipe: Recipe, means: Means, group: Group) -> dict[str, float]:
    """Of weights, the best of them and the optimizer's means: what this process holds of all there is, after a step."""
    with TemporaryDirectory() as scratch:
        state = State(base, recipe, means, Path(scratch), group)
        rows, _ = encode_rows(state.tokenizer, TRAINING, 512)
        step(state, rows[:4], 1e-3, lambda _: None)
        every = sum(weight.numel() for weight in state.model.parameters())
        gives_up(state)
        means_held = [value for held in state.optimizer.state.values() for key, value in held.items() if key != "step"]
        return {
            "weights": sum(local(weight).numel() for weight in state.model.parameters()) / every,
            "optimizer": sum(local(value).numel() for value in means_held) / (2 * every),
            "best": sum(local(value).numel() for value in state.kept) / every,
        }


def gives_up(state: State) -> None:
    """Where memory runs out, all end, and the next run begins with more pieces."""

    def full(parts: int) -> float:
        if parts == 1 and state.group.rank == 1:
            raise MemoryError
        return 0.0

    if state.group.rank == 0:
        return
    with pytest.raises(TuningError) as refused:
        fitted(state, full, 4, lambda _: None)
    assert "in 2 pieces" in str(refused.value.hint)
    state.load()
    assert state.parts == 2
    assert fitted(state, full, 4, lambda _: None) == 0.0


def main(base: Path, out: Path) -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1]), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    torch.set_num_threads(1)
    children = []
    for rank in range(2):
        child = os.fork()
        if not child:
            os.environ |= told | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            jobs(base, out)
            sys.stdout.flush()
            os._exit(0)
        children.append(child)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
