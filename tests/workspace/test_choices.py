"""The report says what was chosen, by whom, and on which rows."""

from __future__ import annotations

from pathlib import Path

from shop_project import write_toml

from rung.knowledge.choice import Candidate, Choice, write_choice
from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.knowledge import open_knowledge
from rung.measure.looks import Asked
from rung.measure.summary import not_run, summarise
from rung.types import Answer, Case, Score, Summary
from rung.workspace.choices import GREEDY, choices, how_measured
from rung.workspace.workspace import open_workspace, with_project

CASES = [Case(f"c{n}", "q", "a") for n in range(3)]


def ran(name: str) -> Summary:
    return summarise(name, [(Answer("q", "a"), Score(case.id, 1.0)) for case in CASES], CASES)


def test_what_is_named_derived_and_measured(project: Path) -> None:
    knowledge = open_knowledge(project / "kept", Hashing(64), "exact", 100)
    found = choices(open_workspace(project), knowledge, 3, ["prompt", "few-shot", "tuned"])
    assert found["choice of k"] == "2, named in rung.toml"
    assert found["choice of fusion"] == "hybrid, the default"
    assert found["choice of prompt"] == "the default; few-shot shows the nearest of 3 solved examples"
    assert found["choice of tuning"].startswith("rank, epochs named in rung.toml; the rest derived from the solved examples")
    assert "choice of threshold" not in found
    found = choices(open_workspace(project), None, 3, ["encoder", "prompt"])
    assert found == {"choice of prompt": "the default", "choice of threshold": "encoder: fitted on solved examples"}


def test_a_measured_fusion_names_the_questions_it_was_measured_on(project: Path) -> None:
    toml = project / "rung.toml"
    toml.write_text(toml.read_text().replace('index = "exact"', 'index = "exact"\nmode = "auto"'))
    knowledge = open_knowledge(project / "kept", Hashing(64), "exact", 100)
    assert choices(open_workspace(project), knowledge, 0, ["rag"])["choice of fusion"] == "hybrid, since nothing was measured yet"
    write_choice(knowledge.choice, Choice("dense", "ahead", "30 solved examples", "x", 6, (Candidate("dense", 1.0, 0.9, 1.0),)))
    assert choices(open_workspace(project), knowledge, 0, ["rag"])["choice of fusion"] == "dense, measured on 30 solved examples"


def test_stopping_and_repeating_are_told_where_they_were_asked_for(project: Path) -> None:
    write_toml(project)
    ws, asked = open_workspace(project), Asked([CASES], 1)
    summaries = [ran("prompt"), not_run("tuned", "no examples")]
    found = how_measured(ws, None, [], summaries, asked)
    assert set(found) == {"choice of prompt"}  # a rung that did not run chose nothing
    found = how_measured(with_project(ws, {"stop_early": True, "repeat": 2}), None, [], summaries, asked)
    assert found["stopped early"].startswith("no: too few groups")
    assert found["variance"] == GREEDY
