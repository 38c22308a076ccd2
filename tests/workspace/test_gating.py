"""`rung climb --against`: the exit code tells a worse run, on a real project whose answers are made worse."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "rung", "climb", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def leaflet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gate") / "leaflet"
    shutil.copytree(ROOT / "examples" / "leaflet", folder, ignore=shutil.ignore_patterns(".rung"))
    text = (folder / "rung.toml").read_text().replace('name = "bundled:tiny"', 'name = "bundled:reader"')
    (folder / "rung.toml").write_text(text)
    rows = [json.loads(line) for line in (folder / "cases.jsonl").read_text().splitlines()]
    alone = [{key: value for key, value in row.items() if key != "group"} for row in rows]  # six groups could hardly tell anything
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in alone))
    done = ran(str(folder), "--rung", "rag")
    assert done.returncode == 0, done.stderr
    return folder


def test_nothing_changed_and_documents_lost(leaflet: Path) -> None:
    same = ran(str(leaflet), "--rung", "rag", "--against", "last")
    assert same.returncode == 0, same.stderr
    assert "gate: nothing became worse" in same.stdout
    (earlier,) = (path.parent for path in leaflet.glob(".rung/runs/*/climb.json"))
    assert earlier.name.endswith("-rag")
    for page in sorted((leaflet / "docs").rglob("*.md"))[1:]:
        page.unlink()
    worse = ran(str(leaflet), "--rung", "rag", "--against", earlier.name[:6], "--json")
    assert worse.returncode == 1, worse.stderr
    told = json.loads(worse.stdout)["against"]
    assert told["worse"]
    assert told["changes"][0]["lost"]
    assert told["shared"] == len((leaflet / "cases.jsonl").read_text().splitlines())
    assert ran(str(leaflet), "--rung", "rag", "--against", str(earlier), "--margin", "1").returncode == 0


def test_a_run_that_is_not_there(leaflet: Path) -> None:
    done = ran(str(leaflet), "--rung", "rag", "--against", "zzz")
    assert done.returncode == 2
    assert "no finished climb" in done.stderr
