"""A climb that may stop early, that repeats, or that only plans; and the same verdict to the bit however the work was done."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from shop_project import refused, rung, write_toml

from rung.measure.record import lines_of

LEAFLET = Path(__file__).resolve().parents[2] / "examples" / "leaflet"
PARTS = ("", "repeat-1", "repeat-2")
TWO = ("--rung", "prompt", "--rung", "rag")


def verdict(folder: Path, *words: str) -> dict[str, Any]:
    """What a climb decided and scored, without what a clock says."""
    done = rung("climb", str(folder), *TWO, *words, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    scores = [(Path(told["folder"]) / name / "scores.jsonl").read_bytes().decode() for name in ("prompt", "rag")]
    return {"verdict": told["verdict"], "scores": scores, "facts": told["facts"], "folder": told["folder"], "rungs": told["rungs"]}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one[name] == other[name] for name in ("verdict", "scores", "facts", "folder"))


@pytest.fixture
def many(project: Path) -> Path:
    """The shop with 60 cases that stand alone, none of which a random model gets right."""
    rows = [{"id": f"c{n:02}", "question": f"Which price has part {n % 6}, asked {n}?", "answer": f"{n} euros"} for n in range(60)]
    (project / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return project


def test_a_clear_climb_stops_early_and_asks_no_more(many: Path) -> None:
    found = verdict(many, "--stop-early")
    assert found["verdict"]["sentence"].endswith("; stopped early: 15 of 60 cases made it certain")
    assert found["facts"]["stopped early"] == "at look 1 of 4, after 15 of 60 cases; 45 were not asked"
    asked = (Path(found["folder"]) / "rag" / "answers.jsonl").read_text().splitlines()
    assert len(asked) == 16  # and its head
    assert "stopped early: at look 1 of 4" in rung("report", str(many)).stdout
    page = (Path(found["folder"]) / "report.html").read_text(encoding="utf-8")
    assert "after 15 of 60 cases" in page
    assert "Rung against rung" in page
    assert "choice of fusion" in page
    assert len(verdict(many)["scores"][0].splitlines()) == 60  # without the option all are asked


def test_seeds_that_change_nothing_are_not_paid_for(many: Path) -> None:
    found = verdict(many, "--repeat", "3")
    assert "seeds have no effect" in found["facts"]["variance"]
    assert not list(Path(found["folder"]).glob("*/repeat-*"))


def test_repetitions_are_averaged_and_their_variance_is_split(project: Path) -> None:
    write_toml(project, model="temperature = 1.5\n")
    rows = [{"id": f"k{n}", "question": f"Who asked {n} times, and whom?", "answer": ["w1", "w2", "w3", "w4", "w5"]} for n in range(6)]
    (project / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = verdict(project, "--repeat", "3")
    own = Path(found["folder"]) / "rag"
    said = [[row["answer"]["text"] for row in lines_of(own / part / "answers.jsonl") if "case" in row] for part in PARTS]
    assert said[0] != said[1] != said[2]
    spread = found["rungs"][1]["spread"]
    assert set(spread) == {"cases", "seeds"}
    each = [[row["primary"] for row in lines_of(own / part / "scores.jsonl")] for part in PARTS[1:]]
    mean = [json.loads(line)["primary"] for line in found["scores"][1].splitlines()]
    assert [round(3 * whole - one - other, 9) in (0.0, 1.0) for whole, one, other in zip(mean, *each, strict=True)] == [True] * 6
    assert same(verdict(project, "--repeat", "3"), found)


def test_a_plan_asks_nothing(many: Path) -> None:
    told = json.loads(rung("climb", str(many), *TWO, "--plan", "--difference", "0.1", "--json").stdout)
    assert (told["rungs"], told["pairs"], told["cases"]) == (2, 1, 60)
    assert told["variation"]["origin"].startswith("assumed")
    assert [need["power"] for need in told["needs"]] == [0.8, 0.9, 0.95]
    assert not (many / ".rung" / "runs").exists()
    text = rung("climb", str(many), "--plan", "--stop-early").stdout
    assert "75% of the 5 % are left for the last look" in text
    assert "plan: the 60 cases there are tell" in text
    verdict(many)
    after = json.loads(rung("climb", str(many), *TWO, "--plan", "--json").stdout)
    assert after["variation"]["origin"].startswith("the run ")
    refused(rung("climb", str(many), "--plan", "--against", "zzz"), "no finished climb")
    refused(rung("climb", str(many), "--plan", "--rung", "rag"), "one rung has nothing")
    refused(rung("climb", str(many), "--difference", "0.1"), "--difference is about a plan")


def interrupted(folder: Path, *words: str) -> None:
    """A climb that Ctrl-C ends after its first answers."""
    command = [sys.executable, "-m", "rung", "climb", str(folder), *TWO, *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not any(path.stat().st_size > 300 for path in (folder / ".rung").glob("runs/*/prompt/answers.jsonl")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("--stop-early",)], ids=["whole", "stop-early"])
def test_the_same_verdict_to_the_bit_with_any_workers_and_after_an_interruption(words: tuple[str, ...], tmp_path: Path) -> None:
    folder = tmp_path / "leaflet"
    shutil.copytree(LEAFLET, folder, ignore=shutil.ignore_patterns(".rung"))
    rows = [json.loads(line) for line in (folder / "cases.jsonl").read_text().splitlines()]
    alone = [{key: value for key, value in row.items() if key != "group"} for row in rows]
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in alone))
    found = []
    for workers in ("1", "2", "4"):
        shutil.rmtree(folder / ".rung", ignore_errors=True)
        found.append(verdict(folder, *words, "--workers", workers))
    shutil.rmtree(folder / ".rung")
    interrupted(folder, *words)
    found.append(verdict(folder, *words, "--workers", "2"))
    assert all(same(one, found[0]) for one in found[1:])
    assert '"primary":1.0' in found[0]["scores"][1]
    assert '"primary":0.0' in found[0]["scores"][1]
