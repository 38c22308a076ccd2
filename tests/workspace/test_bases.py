"""Several base models on one ladder, through the real command: rows, verdict, prices, adapters, resuming and reading back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from shop_project import refused, rung
from tiny_model import save_random_model

from rung.climb import climb
from rung.errors import ConfigError
from rung.runs import climb_of, climbs, last_climb
from rung.sections import OtherModel
from rung.workspace import workspace as w
from rung.workspace.bases import answering_by, bases, short
from rung.workspace.workspace import Workspace

MODELS = """
[[models]]
name = "local:other"
prices = { input = 50.0 }
"""
RUNGS = ("prompt", "tuned")


@pytest.fixture
def two(project: Path, tmp_path: Path) -> Path:
    """The shop with a second base model, which costs more."""
    save_random_model(project / "other", seed=1)
    toml = project / "rung.toml"
    toml.write_text(toml.read_text() + MODELS)
    return project


def test_each_rung_is_climbed_with_each_model(two: Path) -> None:
    ws = w.open_workspace(two)
    done = climb(ws, rungs=RUNGS)
    assert [one.summary.name for one in done.rungs] == ["prompt@model", "prompt@other", "tuned@model", "tuned@other"]
    assert done.models == {"model": "local:model", "other": "local:other"}
    assert len(done.verdict.comparisons) == 6  # Holm is over all pairs of rows
    assert {one.first for one in done.verdict.comparisons} <= {one.summary.name for one in done.rungs}
    assert "prompt@" in done.verdict.sentence or "tuned@" in done.verdict.sentence
    costs = {one.summary.name: one.summary.cost_per_1000 for one in done.rungs}
    assert costs["prompt@model"] == 0 < costs["prompt@other"]
    said = {one.summary.name: [answer.text for answer in one.answers] for one in done.rungs}
    assert said["prompt@model"] != said["prompt@other"]
    adapters = {one.answers[0].made_by["adapter"] for one in done.rungs if one.summary.name.startswith("tuned")}
    assert len(adapters) == 2  # one for each base
    back = last_climb(ws)
    assert (back.verdict, back.models, back.rungs) == (done.verdict, done.models, done.rungs)


def test_it_goes_on_where_it_stopped_and_says_the_same(two: Path) -> None:
    ws = w.open_workspace(two)
    done = climb(ws, rungs=("prompt",))
    record = done.folder.with_name(done.folder.name.removesuffix("-prompt")) / "prompt@other" / "answers.jsonl"
    record.write_bytes(b"".join(record.read_bytes().splitlines(keepends=True)[:2]))  # one answer of an unfinished block
    again = climb(ws, rungs=("prompt",))
    assert again.folder == done.folder
    assert again.verdict == done.verdict


def test_rungs_named_for_once_replace_no_whole_climb_and_are_not_asked_again(project: Path) -> None:
    toml = project / "rung.toml"
    toml.write_text(toml.read_text().replace("[project]\n", '[project]\nrungs = ["prompt", "rag"]\n', 1))
    ws = w.open_workspace(project)
    whole = climb(ws)
    record = whole.folder / "rag" / "answers.jsonl"
    written = record.stat().st_mtime_ns
    part = climb(ws, rungs=("rag",))
    assert (part.folder.name, record.stat().st_mtime_ns) == (f"{whole.folder.name}-rag", written)
    assert climb_of(ws, whole.folder.name).verdict == whole.verdict  # its name is the start of the other's, too
    assert [one.folder for one in climbs(ws)] == [part.folder, whole.folder]
    assert last_climb(ws).rungs == part.rungs == whole.rungs[1:]


def test_a_run_written_before_there_were_models_is_read(project: Path) -> None:
    ws = w.open_workspace(project)
    done = climb(ws, rungs=("prompt",))
    assert [one.summary.name for one in done.rungs] == ["prompt"]
    path = done.folder / "climb.json"
    told = json.loads(path.read_text())
    del told["models"]
    path.write_text(json.dumps(told))
    assert last_climb(ws) == replace(done, models={}, seconds=told["seconds"])
    assert rung("report", str(project)).returncode == 0
    assert rung("cost", str(project)).returncode == 0


def test_the_command_names_models_and_asks_one(two: Path) -> None:
    done = rung("climb", str(two), "--rung", "prompt", "--model", "other", "--model", "local:model")
    assert done.returncode == 0, done.stderr
    assert "prompt@other" in done.stdout
    assert "prompt@model" in done.stdout
    cost = rung("cost", str(two), "--json")
    assert {one["name"] for one in json.loads(cost.stdout)["rungs"]} == {"prompt@model", "prompt@other"}
    asked = [
        rung("ask", "What is the price of part 1?", str(two), "--rung", "prompt", *more, "--json") for more in ((), ("--model", "other"))
    ]
    assert [one.returncode for one in asked] == [0, 0]
    first, second = (json.loads(one.stdout) for one in asked)
    assert first["made_by"]["model"] != second["made_by"]["model"]
    refused(rung("climb", str(two), "--model", "othr"), "did you mean 'other'?")


def test_one_named_model_needs_no_telling_apart(two: Path) -> None:
    ws = w.open_workspace(two)
    (only,) = bases(ws, ["other"]).items()
    assert only[0] == ""
    assert only[1].config.model.name == "local:other"
    assert only[1].config.model.max_tokens == ws.config.model.max_tokens
    assert answering_by(ws, "") is ws
    assert answering_by(ws, "local:model") is ws


def test_short_names_differ(two: Path) -> None:
    ws = w.open_workspace(two)
    assert [short(spec) for spec in ("hf:Qwen/Qwen3-0.6B", "endpoint:llama3@http://h:1/v1", "bundled:tiny", "local:a b/")] == [
        "Qwen3-0.6B",
        "llama3",
        "tiny",
        "a-b",
    ]
    own = with_models(ws, "local:models/model", "local:model")
    assert list(bases(own)) == ["model", "model-2"]  # the project's own is not listed twice
    with pytest.raises(ConfigError, match="no model 'nobody'"):
        bases(own, ["nobody"])


def with_models(ws: Workspace, *names: str) -> Workspace:
    return replace(ws, config=ws.config.model_copy(update={"models": tuple(OtherModel(name=name) for name in names)}))
