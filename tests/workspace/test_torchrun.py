"""The same command under torchrun: two processes over gloo learn what one learns, and one that was killed is gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from shop_project import rung, write_toml

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "rung"]


def more_examples(project: Path, tuning: str) -> None:
    rows = [
        {"id": f"e{n}", "question": f"What is the price of part {n}?", "answer": f"{n % 7}0 euros", "group": f"g{n}"} for n in range(10, 41)
    ]
    (project / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_toml(project, more=tuning)


def curve(text: str) -> list[dict[str, float]]:
    return json.loads(text)["losses"]  # type: ignore[no-any-return]


@pytest.mark.slow
@pytest.mark.parametrize("tuning", ["batch_rows = 8", 'batch_rows = 5\nmethod = "full"', "batch_rows = 8\nshard = true"])
def test_two_processes_learn_what_one_learns(project: Path, tuning: str) -> None:
    more_examples(project, tuning)
    write_toml(project, more=tuning.replace("shard = true", ""))
    alone = rung("train", str(project), "--json")
    write_toml(project, more=tuning)
    assert alone.returncode == 0, alone.stderr
    (project / ".rung").rename(project / "alone")
    both = subprocess.run([*TORCHRUN, "train", str(project), "--json"], capture_output=True, text=True, timeout=300, check=False)
    assert both.returncode == 0, both.stderr
    one, two = curve(alone.stdout), curve(both.stdout)
    assert [line["step"] for line in two] == [line["step"] for line in one]
    assert [line["loss"] for line in two] == pytest.approx([line["loss"] for line in one], rel=1e-4)
    assert [line["val_loss"] for line in two if "val_loss" in line] == pytest.approx(
        [line["val_loss"] for line in one if "val_loss" in line], rel=1e-4
    )
    adapters = [
        Path(json.loads(run.stdout)["adapter"].replace(f"{project}/.rung", str(at)))
        for run, at in ((alone, project / "alone"), (both, project / ".rung"))
    ]
    made = [json.loads((adapter / "made.json").read_text()) if (adapter / "made.json").exists() else adapter.name for adapter in adapters]
    assert made[0] == made[1]  # of the same recipe, base and rows


@pytest.mark.slow
@pytest.mark.parametrize(("more", "checkpoint"), [("", "resume.pt"), ("\nshard = true", "resume.json")])
def test_killed_together_they_go_on_together(project: Path, more: str, checkpoint: str) -> None:
    more_examples(project, "batch_rows = 4")
    whole = rung("train", str(project), "--json")
    write_toml(project, more="batch_rows = 4" + more)
    (project / ".rung").rename(project / "whole")
    process = subprocess.Popen(
        [*TORCHRUN, "train", str(project), "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not list(project.glob(f".rung/adapters/*.partial/{checkpoint}")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    again = subprocess.run([*TORCHRUN, "train", str(project), "--json"], capture_output=True, text=True, timeout=300, check=False)
    assert again.returncode == 0, again.stderr
    assert [line["loss"] for line in curve(again.stdout)] == pytest.approx([line["loss"] for line in curve(whole.stdout)], rel=1e-4)


@pytest.mark.slow
def test_together_they_estimate_and_look_for_a_rate(project: Path) -> None:
    more_examples(project, "batch_rows = 4\nshard = true")
    refused = rung("train", str(project))
    assert refused.returncode == 2
    assert "several processes, and this is one alone" in refused.stderr
    alone = json.loads(rung("train", str(project), "--estimate", "--json").stdout)
    assert alone["memory"] > alone["memory_of_2"] > alone["memory_of_8"]
    both = [
        subprocess.run([*TORCHRUN, "train", str(project), option, "--json"], capture_output=True, text=True, timeout=300, check=False)
        for option in ("--estimate", "--lr-range")
    ]
    assert [run.returncode for run in both] == [0, 0], both
    together, found = (json.loads(run.stdout) for run in both)  # one process speaks
    assert together["steps"] == alone["steps"]
    assert "memory_of_2" not in together
    assert found["suggestion"] in found["rates"]
