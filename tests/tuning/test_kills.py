"""kill -9 at thirty random instants of one training: the resumed loss curve and weights are the uninterrupted ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_model import save_random_model

KILLED = """
import os, signal, sys, time
from pathlib import Path
from random import Random
from rung.tuning.recipe import Heard, Recipe, train
from rung.tuning.rows import Row
import peft, torch, transformers, rung.tuning.stream  # loaded once: each training is a fork of this process

def row(n):
    return Row(f"r{n:02}", ({"role": "user", "content": f"what is {n}?"}, {"role": "assistant", "content": f"it is {n % 3}"}), (), f"g{n}")

rows = [row(n) for n in range(12)], [row(n) for n in range(20, 24)]
recipe = Recipe(rank=4, alpha=8, dropout=0.1, epochs=100, learning_rate=2e-3, batch_rows=4, batch_tokens=512, patience=999)
base, adapters, kills = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
r, killed, at = Random(sys.argv[4]), 0, []
while True:
    child = os.fork()
    if not child:
        train(base, *rows, recipe, adapters, {}, "base", Heard(progress=lambda *_: time.sleep(0.03 if kills else 0)))
        os._exit(0)
    if killed < kills:
        time.sleep(r.uniform(0.02, 0.9))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        break
    killed += 1
    at.append(len(lines) if (lines := [l for p in adapters.glob("*.partial/loss.jsonl") for l in p.read_text().splitlines()]) else 0)
    if killed == kills:
        kills = 0
print(killed, at)
"""


def trained(base: Path, adapters: Path, kills: int) -> tuple[list[float], bytes, str]:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(base), str(adapters), str(kills), "seed"],
        capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder,) = (path for path in adapters.iterdir() if (path / "sums.json").exists())
    lines = [json.loads(line) for line in (folder / "loss.jsonl").read_text().splitlines()]
    by_step = {line["step"]: line["loss"] for line in lines}
    return [by_step[step] for step in sorted(by_step)], (folder / "adapter_model.safetensors").read_bytes(), done.stdout


@pytest.mark.slow
def test_thirty_kills_leave_no_trace(tmp_path: Path) -> None:
    base = save_random_model(tmp_path / "base", seed=0)
    curve, weights, _ = trained(base, tmp_path / "whole", 0)
    killed, same, told = trained(base, tmp_path / "killed", 30)
    assert told.startswith("30 "), told
    assert len(set(json.loads(told[3:]))) > 10  # they struck at many places
    assert killed == curve
    assert same == weights
