"""A project from Python says and does what the command line does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from adapters_project import learnable, stored
from tiny_model import save_random_model

import rung
from rung.errors import ConfigError, DataError, TuningError
from rung.project import Project
from rung.types import Answer

LEAFLET = Path(__file__).resolve().parents[1] / "examples" / "leaflet"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five of leaflet's cases over all of its documents."""
    folder = tmp_path_factory.mktemp("python") / "leaflet"
    shutil.copytree(LEAFLET, folder, ignore=shutil.ignore_patterns(".rung"))
    cases = folder / "cases.jsonl"
    cases.write_text("".join(cases.read_text(encoding="utf-8").splitlines(keepends=True)[:5]), encoding="utf-8")
    return folder


def test_a_project_is_checked_indexed_and_asked(folder: Path) -> None:
    project = rung.open(folder)
    assert project.check().cases == 5
    assert len(project.index().added) == 6
    assert project.index().unchanged == 6
    *pieces, answer = project.stream("When does the ferry leave?")
    assert isinstance(answer, Answer)
    assert "".join(piece for piece in pieces if isinstance(piece, str)).strip() == answer.text
    assert answer.hits
    assert rung.ask("When does the ferry leave?", folder).text == answer.text


def test_its_climb_is_the_command_lines(folder: Path) -> None:
    seen: set[str] = set()
    done = Project(folder, lambda what, at, total: seen.add(what)).climb(["prompt", "rag"])
    assert (done.folder / "report.html").is_file()
    assert {"answer prompt", "answer rag"} <= seen
    command = [sys.executable, "-m", "rung", "climb", str(folder), "--rung", "prompt", "--rung", "rag", "--json"]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)
    assert told["verdict"]["sentence"] == done.verdict.sentence
    plan = Project(folder).plan(["prompt", "rag"], [0.2])
    assert (plan.rungs, plan.cases, plan.needs[0].difference) == (2, 5, 0.2)


def test_it_explains_and_says_why_it_cannot_tune(folder: Path) -> None:
    told = rung.open(folder).explain("When is the Shed open?", k=2)
    assert [row.place for row in told.rows if row.place] == [1, 2]
    assert told.rows[0].why
    toml = (folder / "rung.toml").read_text()
    (folder / "rung.toml").write_text(toml.replace("[knowledge]", '[knowledge]\nembedder = "hashing"', 1))
    try:
        with pytest.raises(TuningError, match="can't be tuned"):
            rung.open(folder).tune_embedder()
    finally:
        (folder / "rung.toml").write_text(toml)


def test_rows_come_in_and_go_out(folder: Path, tmp_path: Path) -> None:
    project = rung.open(shutil.copytree(folder, tmp_path / "shop"))
    toml = project.folder / "rung.toml"
    toml.write_text(toml.read_text().replace('cases = "cases.jsonl"', 'cases = "cases.jsonl"\nexamples = "examples.jsonl"'))
    (tmp_path / "faq.csv").write_text("Frage,Antwort\n" + "".join(f"Is day {n} free?,{'yes' if n % 2 else 'no'}\n" for n in range(8)))
    columns = {"question": "Frage", "answer": "Antwort"}
    assert project.import_(tmp_path / "faq.csv", columns=columns, dry=True).added == 8
    assert not (project.folder / "examples.jsonl").exists()
    assert project.import_(tmp_path / "faq.csv", columns=columns).added == 8
    written = project.rows("trl", tmp_path / "out")
    assert written.training + written.validation == 8
    made = project.synthesize(4, cut=True)
    assert made.cases + made.examples > 0
    gone = project.forget(subject="is day 3 free?")
    assert gone.passed
    assert [len(one.rows) for one in gone.rows] == [1]


def test_what_needs_an_adapter_says_so(folder: Path, tmp_path: Path) -> None:
    project = rung.open(folder)
    assert project.adapters() == []
    with pytest.raises(DataError, match="no adapter"):
        project.promote("abcd", "prod")
    with pytest.raises(DataError, match="no label"):
        project.rollback("prod")
    with pytest.raises(DataError, match="no adapter"):
        project.export("abcd", tmp_path / "gguf")
    with pytest.raises(ConfigError, match="not a rung that is trained"):
        project.train("rag")
    with pytest.raises(ConfigError, match="can't be allowed"):
        project.train("tuned", allow=["held-out"])


def test_an_adapter_is_trained_promoted_exported_asked_and_rolled_back(tmp_path: Path) -> None:
    """All by methods, on a random model of two layers that learns to say "ok"."""
    (tmp_path / "shop" / "docs").mkdir(parents=True)
    (tmp_path / "shop" / "docs" / "part.md").write_text("# The part\n\nThe part costs 40 euros.\n")
    save_random_model(tmp_path / "shop" / "model", seed=0)
    ws = learnable(tmp_path / "shop")
    toml = ws.folder / "rung.toml"
    toml.write_text(toml.read_text().replace("rank = 8", "forgetting = 100.0\nrank = 8"))
    told: set[str] = set()
    project = Project(ws.folder, lambda what, at, total: told.add(what))
    made = project.train()
    assert project.train() == made, "what was trained is not trained again"
    assert [(one.name, one.labels) for one in project.adapters()] == [(made.name, ())]
    weak = stored(ws, 5)
    refused, move = project.promote(weak.name, "desk/prod")
    assert move is None
    assert "does not beat" in refused.refused[0]
    gate, move = project.promote(made.name, "desk/prod")
    assert gate.refused == ()
    assert move
    assert (move.label, move.adapter, move.kind) == ("desk/prod", made.name, "promote")
    assert gate.scores[1] > gate.scores[0]
    _, forced = project.promote(weak.name, "desk/prod", force="to see it fail")
    assert forced
    assert (forced.adapter, forced.why) == (weak.name, "to see it fail")
    back = project.rollback("desk/prod", "it failed")
    assert (back.adapter, back.kind, back.why) == (made.name, "rollback", "it failed")
    toml.write_text(toml.read_text().replace('name = "local:model"', 'name = "local:model"\nadapter = "desk/prod"'))
    answer = project.ask("Is c 3 done?", "prompt")
    assert (answer.text, answer.made_by["adapter"]) == ("ok", made.name)
    for form in ("safetensors", "vllm"):
        done = project.export("desk/prod", tmp_path / form, form, cases=4)
        assert (done.adapter, done.agreement.refused, done.agreement.cases) == (made.name, (), 4)
        assert (tmp_path / form / "rung-export.json").is_file()
    assert {"answer candidate, held-out", "ask the export"} <= told


def test_it_diagnoses_advises_and_reckons(folder: Path, tmp_path: Path) -> None:
    project = rung.open(folder)
    cases = [json.loads(line) for line in (folder / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
    said = "".join(json.dumps({"id": case["id"], "answer": "nobody knows"}) + "\n" for case in cases)
    (tmp_path / "answers.jsonl").write_text(said, encoding="utf-8")
    command = [sys.executable, "-m", "rung", "diagnose", str(folder), "--answers", str(tmp_path / "answers.jsonl"), "--json"]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)
    found = project.diagnose(answers=tmp_path / "answers.jsonl")
    assert (found.asked, found.first) == (told["asked"], told["first"])
    assert found.asked == 5
    assert project.advise().ranked != project.advise(citations=True, examples=5000, behaviour=("tone",)).ranked
    with pytest.raises(ConfigError, match="nobody asks 'colour'"):
        project.advise(colour="red")
    project.climb(["prompt", "rag"])
    assert {one.name for one in project.cost(months=1).rungs} == {"prompt", "rag"}
    with pytest.raises(ConfigError, match="--hosted"):
        project.cost(hosted="perhaps")
    with pytest.raises(DataError, match="no question's evidence"):
        project.freshness(folder / "docs")


def test_what_is_no_project_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no rung\.toml"):
        rung.open(tmp_path)
    shutil.copy(LEAFLET / "rung.toml", tmp_path)
    (tmp_path / "rung.toml").write_text((tmp_path / "rung.toml").read_text().replace('folder = "docs"', 'folder = ""'))
    with pytest.raises(ConfigError, match="no documents"):
        rung.open(tmp_path).index()
