"""The last climb and the adapters in a real store of MLflow, once however often they are sent, and without a word of the rows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from adapters_project import stored
from serving_project import PARTS, write_project
from shop_project import refused, rung
from tiny_model import save_random_model

from rung.workspace.workspace import open_workspace

pytest.importorskip("mlflow")
READ = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1])
[experiment] = [one for one in client.search_experiments() if one.name != "Default"]
runs = client.search_runs([experiment.experiment_id])
files = {run.info.run_name: [one.path for one in client.list_artifacts(run.info.run_id, "adapter")] for run in runs}
print(json.dumps([[run.info.run_name, run.data.tags, run.data.params, run.data.metrics, files[run.info.run_name]] for run in runs]))
"""


@pytest.mark.slow
def test_a_climb_and_adapters_are_there_once(tmp_path: Path) -> None:
    import json

    shop = write_project(tmp_path / "shop")
    cases = [{"id": part, "question": f"What does the {part} cost?", "answer": price} for part, price in PARTS.items()]
    (shop / "cases.jsonl").write_text("".join(json.dumps(one) + "\n" for one in cases))
    assert rung("climb", str(shop), "--rung", "rag").returncode == 0
    save_random_model(shop / "model")
    adapter = stored(open_workspace(shop), 1).name
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    first, again = (rung("report", str(shop), "--mlflow", uri, folder=tmp_path) for _ in range(2))
    assert "1 climbs and 1 adapters are new, 0 were there" in first.stdout, first.stderr
    assert "0 climbs and 0 adapters are new, 2 were there" in again.stdout, again.stderr
    env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    told = subprocess.run([sys.executable, "-c", READ, uri], capture_output=True, text=True, check=True, cwd=tmp_path, env=env)
    runs = {name: (tags, params, metrics, files) for name, tags, params, metrics, files in json.loads(told.stdout)}
    assert len(runs) == 3
    tags, params, metrics, files = runs[adapter]
    assert (tags["rung.kind"], params["rank"], metrics["rows"]) == ("adapter", "4", 1)
    assert "adapter/adapter_model.safetensors" in files
    tags, params, metrics, _ = runs["rag"]
    assert metrics["right"] == 1.0
    assert metrics["tokens_prompt"] > 0
    assert params["model"].startswith("reader-")
    assert not any(word in told.stdout for word in ("pump", "310 euros"))


def test_a_private_project_sends_nothing_away_and_a_wrong_address_is_named(tmp_path: Path) -> None:
    shop = write_project(tmp_path, more="[limits]\nprivate = true\n")
    refused(rung("report", str(shop), "--mlflow", "http://mlflow.example.org"), "no finished climb")
    assert rung("climb", str(shop), "--rung", "rag").returncode == 0
    refused(rung("report", str(shop), "--mlflow", "http://mlflow.example.org"), "private")
    refused(rung("report", str(shop), "--mlflow", "http://127.0.0.1:9"), "can't be used")
