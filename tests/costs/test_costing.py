"""The verb `cost` on a real climb's folder: table, JSON, page, and every wrong argument in one sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "rung", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def leaflet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cost") / "leaflet"
    shutil.copytree(ROOT / "examples" / "leaflet", folder, ignore=shutil.ignore_patterns(".rung"))
    done = ran("climb", str(folder), "--rung", "prompt", "--rung", "rag")
    assert done.returncode == 0, done.stderr
    return folder


def test_the_table_the_page_and_the_json_say_the_same(leaflet: Path) -> None:
    shown = ran("cost", str(leaflet), "--questions", "5000", "--hosted", "yes")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("150,000 questions a month for 12 months; tokens of a hosted model")
    told = json.loads(ran("cost", str(leaflet), "--questions", "5000", "--hosted", "yes", "--json").stdout)
    assert [one["name"] for one in told["rungs"]] == ["prompt", "rag"]
    assert told["cheapest"] in shown.stdout
    page = Path(told["page"]).read_text(encoding="utf-8")
    assert "https://" not in page.split("<script>")[0]
    assert f"<h1>{told['cheapest']} costs least" in page


def test_rows_of_several_models_can_be_told_apart(leaflet: Path, tmp_path: Path) -> None:
    both = tmp_path / "leaflet"
    shutil.copytree(leaflet, both)
    done = ran("climb", str(both), "--rung", "long-context", "--model", "bundled:tiny", "--model", "bundled:reader")
    assert done.returncode == 0, done.stderr
    rows = ran("cost", str(both)).stdout.splitlines()
    assert [row.split()[0] for row in rows if row.startswith("@")] == ["@tiny", "@reader"]


def test_prices_of_a_file(leaflet: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    assert ran("cost", "--write", str(file)).returncode == 0
    assert "there already" in ran("cost", "--write", str(file)).stderr
    file.write_text(file.read_text().replace("input = 2.5", "input = 250"))
    dear, cheap = (
        json.loads(ran("cost", str(leaflet), "--hosted", "yes", "--json", *more).stdout) for more in (["--prices", str(file)], [])
    )
    assert dear["rungs"][1]["running"]["question"] > 10 * cheap["rungs"][1]["running"]["question"]


def test_bad_input_is_one_sentence(leaflet: Path, tmp_path: Path) -> None:
    assert "can't be read" in ran("cost", str(leaflet), "--prices", str(tmp_path / "none.toml")).stderr
    assert "yes, no or auto" in ran("cost", str(leaflet), "--hosted", "perhaps").stderr
    (tmp_path / "fresh").mkdir()
    shutil.copy(ROOT / "examples" / "leaflet" / "rung.toml", tmp_path / "fresh")
    assert "no finished climb" in ran("cost", str(tmp_path / "fresh")).stderr
