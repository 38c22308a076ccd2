from __future__ import annotations

import json
import resource
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.errors import DataError, ModelError, RungError
from rung.measure.bootstrap import clusters_of
from rung.measure.cost import Prices
from rung.measure.evaluate import BLOCK, evaluate, evaluation_key, rescore
from rung.measure.looks import portions
from rung.measure.record import (
    answer_from_json,
    answer_to_json,
    lines_of,
    score_from_json,
    score_to_json,
    summary_from_json,
    summary_to_json,
    to_line,
    write_whole,
)
from rung.measure.score import Task, make_task, score
from rung.measure.summary import not_run, percentile, summarise
from rung.types import Answer, Case, Citation, Hit, Passage, Score, Sentence, Usage

CASES = [Case(f"c{n:03}", f"What is {n} + 1?", str(n + 1), facts=((str(n + 1),),), group=f"g{n % 10}") for n in range(70)]
TASK = make_task("answer", CASES)
KEY = evaluation_key("sums", CASES)


def sums(log: list[int], stop_at: int | None = None) -> Any:
    """An approach that adds: it answers in reverse order, notes the sizes of its blocks, and can be interrupted."""
    said = [0]

    def answer_all(questions: Sequence[str]) -> Iterator[tuple[int, Answer]]:
        log.append(len(questions))
        for number in reversed(range(len(questions))):
            if said[0] == stop_at:
                raise KeyboardInterrupt
            said[0] += 1
            n = int(questions[number].split()[2])
            yield number, Answer(questions[number], str(n + 1 + n % 2), usage=Usage(10, 1), generation_seconds=n / 100)

    return answer_all


def content(folder: Path) -> dict[str, Any]:
    return {"answers": list(lines_of(folder / "answers.jsonl")), "scores": list(lines_of(folder / "scores.jsonl"))}


def by_id(folder: Path) -> list[Any]:
    return sorted((row for row in content(folder)["answers"] if "case" in row), key=lambda row: row["case"])


def test_all_cases_are_asked_in_blocks_and_scored(tmp_path: Path) -> None:
    log: list[int] = []
    ticks: list[tuple[int, int]] = []
    pairs = evaluate("sums", sums(log), CASES[::-1], TASK, tmp_path, KEY, lambda done, total: ticks.append((done, total)))
    assert log == [BLOCK, BLOCK, 6]
    assert [score.case for _, score in pairs] == [case.id for case in CASES]
    assert [score.primary for _, score in pairs] == [float(n % 2 == 0) for n in range(70)]
    assert ticks[0] == (0, 70)
    assert ticks[-1] == (70, 70)
    assert [score_from_json(row) for row in content(tmp_path)["scores"]] == [score for _, score in pairs]
    summary = summary_from_json(json.loads((tmp_path / "summary.json").read_text()))
    assert summary == summarise("sums", pairs, CASES, task=TASK)
    assert (summary.primary.estimate, summary.primary.n, summary.primary.clusters) == (0.5, 70, 10)


def test_a_second_run_asks_nothing_and_says_the_same(tmp_path: Path) -> None:
    first = evaluate("sums", sums([]), CASES, TASK, tmp_path, KEY)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    log: list[int] = []
    assert evaluate("sums", sums(log), CASES, TASK, tmp_path, KEY) == first
    assert log == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(("stop_at", "asked"), [(0, [32, 32, 6]), (5, [32, 32, 6]), (32, [32, 6]), (50, [32, 6]), (69, [6])])
def test_an_interrupted_run_goes_on_in_whole_blocks(tmp_path: Path, stop_at: int, asked: list[int]) -> None:
    whole = evaluate("sums", sums([]), CASES, TASK, tmp_path / "whole", KEY)
    with pytest.raises(KeyboardInterrupt):
        evaluate("sums", sums([], stop_at), CASES, TASK, tmp_path / "torn", KEY)
    assert len(by_id(tmp_path / "torn")) == stop_at
    log: list[int] = []
    assert evaluate("sums", sums(log), CASES, TASK, tmp_path / "torn", KEY) == whole
    assert log == asked
    assert by_id(tmp_path / "torn") == by_id(tmp_path / "whole")


@pytest.mark.parametrize("cut", [1, 40, 100_000])
def test_a_torn_record_loses_only_its_last_block(tmp_path: Path, cut: int) -> None:
    whole = evaluate("sums", sums([]), CASES, TASK, tmp_path, KEY)
    path = tmp_path / "answers.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    log: list[int] = []
    assert evaluate("sums", sums(log), CASES, TASK, tmp_path, KEY) == whole
    assert log == ([6] if cut < 100 else [32, 32, 6])


def test_lines_that_are_no_answers_are_asked_again(tmp_path: Path) -> None:
    whole = evaluate("sums", sums([]), CASES, TASK, tmp_path, KEY)
    path = tmp_path / "answers.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines[40], lines[41] = b'{"case": "c040", "answer": {}}', b"\x00\xff"
    path.write_bytes(b"\n".join(lines))
    log: list[int] = []
    assert evaluate("sums", sums(log), CASES, TASK, tmp_path, KEY) == whole
    assert log == [32]


def test_answers_of_another_key_are_moved_aside(tmp_path: Path) -> None:
    evaluate("sums", sums([]), CASES, TASK, tmp_path, KEY)
    other = evaluation_key("sums", CASES, "temperature 1")
    log: list[int] = []
    evaluate("sums", sums(log), CASES, TASK, tmp_path, other)
    assert sum(log) == 70
    aside = list(lines_of(tmp_path / f"answers-{KEY[:12]}.jsonl"))
    assert (aside[0]["key"], len(aside)) == (KEY, 71)


def test_the_key_holds_what_answers_depend_on_and_nothing_else() -> None:
    assert evaluation_key("sums", CASES[::-1]) == KEY
    assert evaluation_key("sums", [replace(case, answer="x", facts=()) for case in CASES]) == KEY
    assert evaluation_key("others", CASES) != KEY
    assert evaluation_key("sums", CASES[1:]) != KEY
    assert evaluation_key("sums", [replace(CASES[0], question="?"), *CASES[1:]]) != KEY


def test_scoring_again_needs_no_model(tmp_path: Path) -> None:
    evaluate("sums", sums([]), CASES, TASK, tmp_path, KEY)
    mended = [replace(case, answer=str(n + 1 + n % 2), facts=()) for n, case in enumerate(CASES)]
    pairs = rescore(tmp_path, mended, Task(), Prices(output=1_000_000))
    assert [score.primary for _, score in pairs] == [1.0] * 70
    summary = summary_from_json(json.loads((tmp_path / "summary.json").read_text()))
    assert (summary.name, summary.primary.estimate, summary.cost_per_1000) == ("sums", 1.0, 1000)
    with pytest.raises(DataError, match=r"no answer to 'new' \(1 missing\)"):
        rescore(tmp_path, [*CASES, Case("new", "q", "a")], TASK)
    with pytest.raises(DataError, match="no recorded answers"):
        rescore(tmp_path / "nothing", CASES, TASK)


def test_an_approach_must_answer_each_question_once(tmp_path: Path) -> None:
    def silent(questions: Sequence[str]) -> Iterator[tuple[int, Answer]]:
        yield 1, Answer(questions[1], "x")

    def twice(questions: Sequence[str]) -> Iterator[tuple[int, Answer]]:
        yield from [(0, Answer(questions[0], "x"))] * 2

    with pytest.raises(ModelError, match="no answer to case 'c000'"):
        evaluate("silent", silent, CASES, TASK, tmp_path / "a", KEY)
    with pytest.raises(ModelError, match="question 0 of a block of 32 twice"):
        evaluate("twice", twice, CASES, TASK, tmp_path / "b", KEY)


def test_a_full_disk_is_one_sentence_and_loses_no_whole_block(tmp_path: Path) -> None:
    whole = evaluate("sums", sums([]), CASES, TASK, tmp_path / "whole", KEY)
    size = (tmp_path / "whole" / "answers.jsonl").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size * 2 // 3, limits[1]))
    try:
        with pytest.raises(RungError, match=r"answers\.jsonl can't be written: File too large") as caught:
            evaluate("sums", sums([]), CASES, TASK, tmp_path / "full", KEY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "make room" in caught.value.hint
    log: list[int] = []
    assert evaluate("sums", sums(log), CASES, TASK, tmp_path / "full", KEY) == whole
    assert log == [32, 6]


def test_a_folder_that_can_not_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RungError, match="can't be written"):
        write_whole(tmp_path / "file" / "a.json", b"x")
    (tmp_path / "taken").mkdir()
    with pytest.raises(RungError, match="can't be written"):
        write_whole(tmp_path / "taken", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]


names = st.text(max_size=6)
any_text = st.text(st.characters(), max_size=20)  # with line separators, NULs and lone surrogates
seconds = st.floats(0, 1e6)
passages = st.builds(Passage, names, names, st.integers(0, 99), st.integers(0, 99), any_text, st.lists(any_text, max_size=2).map(tuple))
hits = st.builds(Hit, passages, st.floats(allow_nan=False, allow_infinity=False), st.dictionaries(names, st.integers(1, 9), max_size=2))
quotes = st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9))
answers = st.builds(
    Answer,
    any_text,
    any_text,
    st.lists(st.builds(Citation, st.integers(0, 9), names, names, st.integers(0, 9), st.integers(0, 9), quotes), max_size=2).map(tuple),
    st.lists(hits, max_size=2).map(tuple),
    st.integers(0, 9),
    st.builds(Usage, st.integers(0), st.integers(0), st.integers(0)),
    seconds,
    seconds,
    st.dictionaries(names, names, max_size=2),
    st.lists(st.builds(Sentence, any_text, names, st.tuples(names), st.tuples(st.tuples(names, st.integers(0), st.integers(0))))).map(
        tuple
    ),
)


@given(st.lists(answers, max_size=3))
def test_answers_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, listed: list[Answer]) -> None:
    path = tmp_path_factory.mktemp("record") / "a.jsonl"
    write_whole(path, b"".join(to_line(answer_to_json(one)) for one in listed))
    assert [answer_from_json(row) for row in lines_of(path)] == listed


@given(st.builds(Score, names, st.floats(0, 1), st.dictionaries(names, st.floats(0, 1))))
def test_scores_come_back_exactly(one: Score) -> None:
    assert score_from_json(json.loads(to_line(score_to_json(one)))) == one


def test_nan_is_not_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_line(float("nan"))


def test_a_summary_holds_means_and_rates() -> None:
    cases = [Case("a", "q", "x"), Case("b", "q", "x"), Case("c", "q", "no idea", unanswerable=True)]
    task = make_task("answer", cases)
    texts = ["x", "I don't know", "unknown"]
    pairs = [
        (answer, score(task, case, answer))
        for case, answer in zip(cases, [Answer("q", text, generation_seconds=n) for n, text in enumerate(texts, start=1)], strict=True)
    ]
    found = summarise("r", pairs, cases, Prices(machine_hour=3600), task)
    assert found.parts["facts"] == 0.5
    assert found.parts["false_answer"] == 0.0
    assert found.parts["abstention_precision"] == 0.5
    assert found.parts["abstention_recall"] == 1.0
    assert (found.seconds_p50, found.seconds_p95, found.cost_per_1000, found.cost_per_correct) == (2, 3, 2000, 3)
    with pytest.raises(DataError, match="no answers"):
        summarise("r", [], cases)


def test_a_summary_of_labels_has_macro_f1() -> None:
    cases = [Case(str(n), "q", label) for n, label in enumerate("aabbc")]
    task = make_task("classify", cases)
    pairs = [(Answer("q", text), score(task, case, Answer("q", text))) for case, text in zip(cases, ["a", "b", "b", "b", "?"], strict=True)]
    found = summarise("r", pairs, cases, task=task)
    assert found.parts["accuracy"] == pytest.approx(0.6)
    assert found.parts["macro_f1"] == pytest.approx((2 / 3 + 0.8 + 0) / 3)


def test_percentiles_are_nearest_ranks() -> None:
    assert [percentile([15, 20, 35, 40, 50], share) for share in (0.05, 0.3, 0.4, 0.5, 1.0)] == [15, 20, 20, 35, 50]


def test_a_rung_that_could_not_run_comes_back_too() -> None:
    summary = not_run("long-context", "41,000 tokens do not fit 4,096")
    assert summary_from_json(json.loads(to_line(summary_to_json(summary)))) == summary
    assert not summary.ran


def test_part_after_part_says_what_all_at_once_says(tmp_path: Path) -> None:
    parts = portions(CASES, clusters_of(CASES))
    whole: list[int] = []
    at_once = evaluate("sums", sums(whole), CASES, TASK, tmp_path / "whole", KEY, portions=parts)
    steps: list[int] = []
    for looks in range(1, len(parts) + 1):
        asked = [case for part in parts[:looks] for case in part]
        found = evaluate("sums", sums(steps), asked, TASK, tmp_path / "parts", KEY, portions=parts)
        assert [score.case for _, score in found] == sorted(case.id for case in asked)
    assert found == at_once
    assert steps == whole  # nothing was asked twice, in the same blocks
    assert sum(steps) == len(CASES)
    again: list[int] = []
    first = evaluate("sums", sums(again), parts[0], TASK, tmp_path / "parts", KEY, portions=parts)
    assert [score.case for _, score in first] == [case.id for case in parts[0]]
    assert evaluate("sums", sums(again), CASES, TASK, tmp_path / "parts", KEY, portions=parts) == at_once
    assert again == []  # the first look forgot nothing of the later ones


def test_an_interrupted_part_goes_on(tmp_path: Path) -> None:
    parts = portions(CASES, clusters_of(CASES))
    asked = [case for part in parts[:2] for case in part]
    with pytest.raises(KeyboardInterrupt):
        evaluate("sums", sums([], stop_at=len(parts[0]) + 3), asked, TASK, tmp_path, KEY, portions=parts)
    log: list[int] = []
    found = evaluate("sums", sums(log), asked, TASK, tmp_path, KEY, portions=parts)
    assert log == [len(parts[1])]  # its block was not whole
    assert found == evaluate("sums", sums([]), asked, TASK, tmp_path / "other", KEY, portions=parts)
