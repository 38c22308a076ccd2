"""When a claim held, did not, or is left open; and each claim on rungs whose answers are known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.claims.claim import Finding, Scene, both, difference, judged, ratio
from rung.claims.money import break_even
from rung.claims.quality import hallucination, raft, small
from rung.claims.speed import classifier, retrieval, schema_valid
from rung.climb import Climb, Measured
from rung.measure.summary import not_run, summarise
from rung.types import Answer, Case, Interval, Score, Usage, Verdict
from rung.workspace.workspace import Workspace, open_workspace, silent

HELD = {"abstained": 0.0, "facts": 1.0, "contains": 1.0}
WRONG = {"abstained": 0.0, "facts": 0.0}
SILENT = {"abstained": 1.0, "facts": 0.0}


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    (tmp_path / "rung.toml").write_text('[project]\nname = "known"\n')
    return open_workspace(tmp_path)


def solved(folder: Path, number: int) -> None:
    """Files of cases, of so many examples, each with a label of its own, and of the labels."""
    (folder / "labels.json").write_text(json.dumps([f"label {n}" for n in range(number)]))
    for name, count in (("cases", 1), ("examples", number)):
        rows = [{"id": f"{name}{n}", "question": f"{name} {n}", "answer": f"label {n}"} for n in range(count)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def cases(number: int = 60) -> tuple[Case, ...]:
    return tuple(Case(f"c{n:03}", f"question {n}?", f"label {n % 50}") for n in range(number))


def measured(name: str, parts: list[Mapping[str, float]], seconds: float = 0.01, tokens: int = 100, found: float = 0.2) -> Measured:
    """A rung with these parts of its scores, right where its facts are."""
    asked = cases(len(parts))
    scores = [Score(case.id, one.get("facts", 0.0), one) for case, one in zip(asked, parts, strict=True)]
    answers = [Answer(case.question, "x", usage=Usage(tokens, 5), retrieval_seconds=found, generation_seconds=seconds) for case in asked]
    return Measured(summarise(name, list(zip(answers, scores, strict=True)), asked), tuple(answers), tuple(scores))


def scene(ws: Workspace, *rungs: Measured, number: int = 60) -> Scene:
    verdict = Verdict("", "", (), {})
    return Scene(
        ws, Climb(verdict, rungs, cases(number), ws.folder, {"model": "bundled:tiny (x)", "documents": "3 read, 0 skipped"}), silent
    )


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4).map(sorted), st.booleans())
def test_a_claim_holds_only_where_the_whole_interval_does(ends: list[float], first: bool) -> None:
    a, b, c, d = ends
    low, high = (a, d) if first else (b, c)
    found = judged("", Interval((b + c) / 2, b, c, 10, 10) if first else Interval((a + d) / 2, a, d, 10, 10), low, high)
    if first:
        assert found.outcome == "held"
    elif a < b <= c < d:
        assert found.outcome == "not settled"


def test_a_claim_that_lies_elsewhere_did_not_hold() -> None:
    assert judged("", Interval(0.5, 0.4, 0.6, 10, 10), 0.7, 1.0).outcome == "did not hold"


def test_two_halves_are_as_good_as_the_worse() -> None:
    sides = [Finding(outcome, outcome) for outcome in ("held", "not settled", "did not hold")]
    assert both(sides[0], sides[0]).outcome == "held"
    assert both(sides[0], sides[1]).outcome == "not settled"
    assert both(sides[2], sides[1]).outcome == "did not hold"
    assert both(sides[0], sides[1]).measured == "held; not settled"


def test_ratio_and_difference_are_those_of_the_means(ws: Workspace) -> None:
    over, under = ({f"c{n:03}": float(n < top) for n in range(60)} for top in (15, 30))
    here = scene(ws)
    found = ratio(over, under, here)
    assert found.estimate == pytest.approx(0.5)
    assert 0.2 < found.low < 0.5 < found.high < 0.8
    assert difference(over, under, here).estimate == pytest.approx(-0.25)


@pytest.mark.parametrize(("found", "outcome"), [(0.2, "held"), (0.02, "did not hold"), (0.9, "did not hold")])
def test_retrieval_time(ws: Workspace, found: float, outcome: str) -> None:
    told = retrieval(scene(ws, measured("rag", [HELD] * 30 + [WRONG] * 30, found=found)))
    assert told.outcome == outcome
    assert f"{1000 * found:.1f} ms" in told.measured
    assert retrieval(scene(ws, measured("prompt", [HELD] * 60))).outcome == "not measured"


def test_made_up_answers_are_neither_right_nor_silent(ws: Workspace) -> None:
    bare = measured("prompt", [WRONG] * 50 + [SILENT] * 10)
    few = hallucination(scene(ws, bare, measured("rag", [WRONG] * 5 + [HELD] * 55)))
    assert few.outcome == "held"
    assert "8.3% of answers made up with passages, 83.3% without" in few.measured
    assert hallucination(scene(ws, bare, measured("rag", [WRONG] * 48 + [SILENT] * 12))).outcome == "did not hold"
    shy = hallucination(scene(ws, measured("prompt", [SILENT] * 60), measured("rag", [WRONG] * 60)))
    assert shy.outcome == "not measured"
    assert "says that it doesn't know" in shy.measured


def test_raft_must_beat_both(ws: Workspace) -> None:
    weak, strong = [WRONG] * 50 + [HELD] * 10, [HELD] * 50 + [WRONG] * 10
    rag = measured("rag", weak)
    assert raft(scene(ws, rag, measured("tuned", weak), measured("raft", strong))).outcome == "held"
    assert raft(scene(ws, rag, measured("tuned", strong), measured("raft", strong))).outcome == "not settled"  # equal: nothing to sell
    assert raft(scene(ws, rag, measured("tuned", strong), measured("raft", weak))).outcome == "did not hold"
    missing = Measured(not_run("raft", "no examples"))
    assert raft(scene(ws, rag, measured("tuned", weak), missing)).outcome == "not measured"


def test_the_classifier_must_be_right_and_fast(tmp_path: Path) -> None:
    (tmp_path / "rung.toml").write_text('[project]\ntask = "classify"\nlabels = "labels.json"\nexamples = "examples.jsonl"\n')
    solved(tmp_path, 50)
    here = open_workspace(tmp_path)
    right, wrong = {"facts": 1.0}, {"facts": 0.0}
    assert classifier(scene(here, measured("encoder", [right] * 200, found=0.0), number=200)).outcome == "held"
    slow = classifier(scene(here, measured("encoder", [right] * 200, seconds=0.2, found=0.0), number=200))
    assert slow.outcome == "did not hold"
    assert slow.interval is not None
    assert classifier(scene(here, measured("encoder", [right] * 150 + [wrong] * 50, found=0.0), number=200)).outcome == "did not hold"
    assert classifier(scene(here, measured("encoder", [right] * 190 + [wrong] * 10, found=0.0), number=200)).outcome == "not settled"


def test_valid_json(tmp_path: Path) -> None:
    (tmp_path / "rung.toml").write_text('[project]\ntask = "extract"\n')
    here = open_workspace(tmp_path)
    sound, broken = {"valid": 1.0}, {"valid": 0.0}
    assert schema_valid(scene(here, measured("extractor", [sound] * 200), number=200)).outcome == "held"
    assert schema_valid(scene(here, measured("extractor", [sound] * 60))).outcome == "not settled"  # too few to say
    assert schema_valid(scene(here, measured("tuned", [sound] * 40 + [broken] * 20))).outcome == "did not hold"
    assert "valid by how it is built" in schema_valid(scene(here, measured("extractor", [sound] * 60))).measured


def test_break_even(tmp_path: Path) -> None:
    (tmp_path / "rung.toml").write_text('[project]\nexamples = "examples.jsonl"\n')
    solved(tmp_path, 3000)
    ws = open_workspace(tmp_path)
    rag = measured("rag", [HELD] * 30 + [WRONG] * 30, tokens=2000)
    cheap = break_even(scene(ws, rag, measured("tuned", [HELD] * 30 + [WRONG] * 30, tokens=50)))
    assert cheap.outcome == "held"
    assert "questions a day" in cheap.measured
    dear = break_even(scene(ws, rag, measured("tuned", [HELD] * 30 + [WRONG] * 30, tokens=9000)))
    assert dear.outcome == "did not hold"
    assert break_even(scene(ws, rag)).outcome == "not measured"


def test_size_needs_a_second_model(ws: Workspace) -> None:
    assert small(scene(ws, measured("prompt", [HELD] * 60))).outcome == "not measured"
    told = small(scene(ws, measured("tuned", [HELD] * 60)))
    assert "no climb of this project has a larger model" in told.measured
