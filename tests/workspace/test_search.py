"""`mode = "auto"` measures, keeps and shows its choice; `rung index --explain` says why passages are found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rung.config import Config
from rung.errors import ConfigError, KnowledgeError
from rung.project import Project
from rung.workspace import workspace as w
from rung.workspace.searching import searching

TOML = '[project]\ncases = "cases.jsonl"\nexamples = "examples.jsonl"\n[knowledge]\nembedder = "hashing"\nindex = "exact"\nk = 2\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    rows = []
    for number in range(35):
        (tmp_path / "docs" / f"{number}.md").write_text(f"# Part {number}\n\nThe price of part {number} is {number * 3 + 7} euros.\n")
        row = {"id": f"q{number}", "question": f"What is the price of part {number}?", "answer": f"{number * 3 + 7} euros"}
        rows.append(json.dumps(row | {"evidence": [{"document": f"{number}.md"}]}) + "\n")
    (tmp_path / "cases.jsonl").write_text("".join(rows[:5]))
    (tmp_path / "examples.jsonl").write_text("".join(rows[5:]))
    (tmp_path / "rung.toml").write_text(TOML)
    return tmp_path


def index(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "rung", "index", str(folder), *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_auto_measures_on_the_examples_and_shows_its_evidence(project: Path) -> None:
    assert "ranked by" not in index(project)
    (project / "rung.toml").write_text(TOML + 'mode = "auto"\n')
    said = index(project)
    assert "nDCG@10 on 30 solved examples" in said
    assert "95 % interval" in said
    choice = json.loads(index(project, "--json"))["choice"]
    ws = w.open_workspace(project)
    synced = w.sync_knowledge(ws)
    assert synced is not None
    source = searching(ws, synced[0])
    assert source.mode == choice["mode"] != "auto"
    assert choice["mode"] in source.id
    assert source.find("What is the price of part 7?").hits


def test_an_explanation_names_ranks_scores_and_reasons(project: Path) -> None:
    said = index(project, "--explain", "price of part 7")
    assert "ranked by hybrid" in said
    assert "  1  " in said
    assert "by words: rank 1, score" in said
    assert "short of place 2" in said
    told = json.loads(index(project, "--explain", "price of part 7", "--json"))["explanation"]
    assert told["rows"][0]["place"] == 1
    assert told["rows"][0]["hit"]["passage"]["document"] == "7.md"


@pytest.mark.parametrize("mode", ["auto", "words", "z-score:0.4", "min-max:1", "rank:60"])
def test_modes_that_are_known(mode: str) -> None:
    assert Config.model_validate({"knowledge": {"mode": mode}}).knowledge.mode == mode


@pytest.mark.parametrize("mode", ["magic", "z-score", "z-score:2", "rank:0", "dense:1"])
def test_modes_that_are_refused(project: Path, mode: str) -> None:
    (project / "rung.toml").write_text(TOML + f'mode = "{mode}"\n')
    with pytest.raises(ConfigError, match=r"knowledge\.mode"):
        Project(project).index()


def test_an_embedder_that_cannot_be_tuned_is_refused(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rung", "train", str(project), "--embedder"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert "error: this embedder can't be tuned from here" in done.stderr
    assert 'hint: set embedder = "minilm"' in done.stderr


def test_a_tuned_embedder_is_named_by_its_hash(project: Path) -> None:
    (project / "rung.toml").write_text(TOML.replace("hashing", "tuned:0123456789abcdef"))
    with pytest.raises(KnowledgeError, match="no tuned embedder"):
        Project(project).index()
    (project / ".rung" / "embedders" / "0123456789abcdef").mkdir(parents=True)
    with pytest.raises(KnowledgeError, match=r"\.rung/embedders/0123456789abcdef"):
        Project(project).index()
