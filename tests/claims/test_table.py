"""The verb `claims` on real climbs: what it measures is what the run holds, and what it climbs anew stays apart."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from adapters_project import learnable
from shop_project import refused, rung
from tiny_model import save_random_model

from rung.claims.claim import Scene
from rung.claims.quality import lora, passages, small
from rung.claims.table import CLAIMS, claims, scene
from rung.climb import climb
from rung.workspace.workspace import open_workspace

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose one answer a small adapter learns, climbed by the real command."""
    folder = tmp_path_factory.mktemp("claims") / "shop"
    (folder / "docs").mkdir(parents=True)
    for n in range(6):
        (folder / "docs" / f"d{n}.md").write_text(f"# Part {n}\n\nThe price of part {n} is {n}0 euros.\n")
    save_random_model(folder / "model", seed=0)
    learnable(folder)
    done = rung("climb", str(folder), "--rung", "prompt", "--rung", "rag", "--rung", "tuned")
    assert done.returncode == 0, done.stderr
    return folder


def test_the_table_says_what_the_run_holds(shop: Path) -> None:
    done = rung("claims", str(shop), "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["claim"]: row for row in json.loads(done.stdout)["claims"]}
    assert rows.keys() == {claim.name for claim in CLAIMS}
    (run,) = shop.glob(".rung/runs/*/climb.json")
    took = [json.loads(line) for line in (run.parent / "rag" / "answers.jsonl").read_text().splitlines()[1:]]
    mean = sum(1000 * one["answer"]["retrieval_seconds"] for one in took) / len(took)
    assert rows["retrieval time"]["interval"]["estimate"] == pytest.approx(mean)
    assert rows["retrieval time"]["project"] == "shop"
    assert rows["LoRA"]["outcome"] == "not measured"
    assert "--full" in rows["LoRA"]["measured"]
    shown = rung("claims", str(shop))
    assert f"{mean:.1f} ms a question" in shown.stdout
    assert shown.stdout.splitlines()[-1].endswith("not measured")


def test_what_is_climbed_anew_stays_apart(shop: Path) -> None:
    here = scene(open_workspace(shop))
    before = here.climb.folder
    told = lora(here)
    assert told.outcome != "not measured", told.measured
    assert "full 100.0%" in told.measured
    wide = passages(here)  # the random model says no answer whatever it is shown
    assert wide.outcome == "not measured"
    assert "right on no case, behind 5 passages and behind 50" in wide.measured
    climbed = [path.parent for path in (shop / ".rung" / "claims" / "runs").glob("*/climb.json")]
    assert len([folder for folder in climbed if (folder / "rag" / "answers.jsonl").exists()]) == 2
    assert scene(open_workspace(shop)).climb.folder == before


def test_a_larger_model_is_found_among_the_runs(shop: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(shop, folder, symlinks=True)
    first = scene(open_workspace(folder))
    save_random_model(folder / "large", seed=1, layers=4)
    toml = folder / "rung.toml"
    toml.write_text(toml.read_text().replace("local:model", "local:large"))
    climb(open_workspace(folder), rungs=("prompt",))
    told = small(Scene(open_workspace(folder), first.climb, first.progress))
    assert told.outcome == "held", told.measured
    assert "local:model tuned over local:large" in told.measured


def test_a_project_never_climbed_is_climbed(tmp_path: Path) -> None:
    folder = tmp_path / "leaflet"
    shutil.copytree(ROOT / "examples" / "leaflet", folder, ignore=shutil.ignore_patterns(".rung"))
    toml = (folder / "rung.toml").read_text().replace("bar = 0.8", 'bar = 0.8\nrungs = ["rag"]').replace("bundled:tiny", "bundled:reader")
    (folder / "rung.toml").write_text(toml)
    rows = claims([folder])
    assert next(row for row in rows if row.claim.name == "retrieval time").finding.interval
    assert list(folder.glob(".rung/runs/*/climb.json"))


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    refused(rung("claims", str(tmp_path)), "rung.toml")
    refused(rung("claims", "--data", str(tmp_path)), "no folder in", "holds a project")
