"""What a project's files and last climb tell: the volume against the break-even, from answers recorded as a climb records them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rung.circumstances import circumstances, reason
from rung.climb import Climb, Measured, _write
from rung.measure.diagnose import diagnosis
from rung.measure.evaluate import evaluate
from rung.measure.notices import notices
from rung.measure.score import Task
from rung.measure.summary import summarise
from rung.parts import Parts
from rung.types import Answer, Case, Usage, Verdict
from rung.workspace.workspace import open_workspace, silent

TOML = """\
[project]
cases = "cases.jsonl"
[knowledge]
folder = ""
[model]
name = "{model}"
[prices]
machine_hour = 3600.0
questions_day = {day}
"""
CASES = [Case(f"c{n}", f"q{n}?", "x") for n in range(8)]
SECONDS = {"prompt": 2.0, "tuned": 0.5}


def parts_of(folder: Path, day: float, model: str = "bundled:tiny") -> Parts:
    (folder / "rung.toml").write_text(TOML.format(day=day, model=model))
    (folder / "cases.jsonl").write_text("".join(json.dumps({"id": c.id, "question": c.question, "answer": "x"}) + "\n" for c in CASES))
    return Parts(open_workspace(folder), CASES, [], None, silent, None)


def climbed(folder: Path, name: str) -> Measured:
    def answers(questions: Sequence[str]) -> Iterator[tuple[int, Answer]]:
        for number, question in enumerate(questions):
            yield number, Answer(question, "x", usage=Usage(10, 1), generation_seconds=SECONDS[name])

    (folder / name).mkdir(parents=True)
    pairs = evaluate(name, answers, CASES, Task(), folder / name, name)
    return Measured(summarise(name, pairs, CASES), tuple(a for a, _ in pairs), tuple(s for _, s in pairs))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    run = tmp_path / ".rung" / "runs" / "first"
    rungs = tuple(climbed(run, name) for name in SECONDS)
    _write(Climb(Verdict("prompt", "prompt", ("prompt",), {}), rungs, tuple(CASES), run, {"project": "x"}), run)
    return tmp_path


def told(folder: Path, day: float) -> tuple[float | None, float | None, list[str]]:
    parts = parts_of(folder, day)
    said = {case.id: Answer(case.question, "x") for case in CASES}
    found = circumstances(parts, diagnosis(CASES, dict.fromkeys(said, 1.0), {}), CASES, said)
    return found.questions_month, found.break_even, [one.name for one in notices(found)]


def test_a_volume_below_the_break_even_is_told_and_one_above_is_not(project: Path) -> None:
    month, even, names = told(project, 1.0)
    assert month == 30.0
    assert even is not None
    assert even > 30
    assert "under the break-even" in names
    assert "under the break-even" not in told(project, even)[2]  # thirty times that a month


def test_nobody_told_or_nothing_was_climbed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert told(project, 0.0)[:2] == (None, None)
    assert told(tmp_path_factory.mktemp("fresh"), 5.0)[:2] == (150.0, None)


def test_why_a_rung_can_not_be_climbed_is_said_without_loading_a_model(tmp_path: Path) -> None:
    parts = parts_of(tmp_path, 0.0, "bundled:reader")
    assert "no documents" in reason(parts, "long-context")
    assert "learns nothing" in reason(parts_of(tmp_path, 0.0, "bundled:reader"), "few-shot") or "examples" in reason(parts, "few-shot")
    assert parts.models == {}
