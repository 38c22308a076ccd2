"""Rows parted into cases and examples: nothing that hangs together is torn, a second time changes nothing, and a kill is made good."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import rung
from rung.approach.question import question_key
from rung.cli import app
from rung.errors import ConfigError, DataError
from rung.types import Case, Evidence
from rung.workspace.holding_out import sides

WORDS = ["amber", "bronze", "copper", "dust", "ember", "flint", "granite", "hazel", "iron", "jasper"]
ROWS = [
    Case(f"r{n}", f"What do {one} and {other} cost?", str(n))
    for n, (one, other) in enumerate((a, b) for a in WORDS for b in WORDS if a < b)
]
NOTHING: dict[Any, list[Case]] = {"cases": [], "examples": []}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    assert CliRunner().invoke(app, ["init", str(tmp_path / "shop")]).exit_code == 0
    return tmp_path / "shop"


def table(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    path.write_text("ask,say,who\n" + "".join(",".join(row) + "\n" for row in rows))
    return path


@given(st.lists(st.sampled_from(["", "anna", "bert", "cleo", "dora"]), min_size=45, max_size=45), st.integers(0, 3), st.floats(0.1, 0.7))
def test_groups_are_never_torn(groups: list[str], seed: int, share: float) -> None:
    rows = [Case(row.id, row.question, row.answer, group=group) for row, group in zip(ROWS, groups, strict=True)]
    try:
        found = sides(rows, NOTHING, share, seed)
    except DataError:  # all clusters are larger than the share
        return
    assert set(found) == {row.id for row in rows}
    for name in set(groups) - {""}:
        assert len({found[row.id] for row in rows if row.group == name}) == 1
    assert 0 < sum(side == "cases" for side in found.values()) <= round(share * len(rows))


def test_rows_that_stand_alone_are_parted_by_the_share_and_the_seed() -> None:
    first, second = (sides(ROWS, NOTHING, 0.4, seed) for seed in (1, 2))
    assert sum(side == "cases" for side in first.values()) == sum(side == "cases" for side in second.values()) == 18
    assert first != second
    assert sides(ROWS[::-1], NOTHING, 0.4, 1) == first


def test_documents_and_like_questions_tie() -> None:
    told = [
        *(Case(f"d{n}", f"{word} {n * 7} how?", "x", evidence=(Evidence("returns.md"),)) for n, word in enumerate(WORDS)),
        Case("like-1", "When does the main warehouse in the harbour open on Mondays", "at nine"),
        Case("like-2", "when does the main warehouse in the harbour open on mondays?", "at ten"),
        *ROWS,
    ]
    for seed in range(6):
        found = sides(told, NOTHING, 0.5, seed)
        assert len({found[f"d{n}"] for n in range(10)}) == 1
        assert found["like-1"] == found["like-2"]


def test_what_is_there_decides_and_rows_of_both_sides_have_none() -> None:
    there: dict[Any, list[Case]] = {
        "cases": [Case("c", "Which of the seven is open?", "a", group="anna")],
        "examples": [Case("e", "How much would that be?", "b", group="bert")],
    }
    rows = [Case("1", "Why?", "x", group="anna"), Case("2", "Where to?", "x", group="bert")]
    torn = Case("3", "Until which hour?", "x", (), (Evidence("bert"),), group="anna")
    assert sides(rows, there, 0.5, 0) == {"1": "cases", "2": "examples"}
    assert sides([torn], there, 0.5, 0) == {}


def test_rows_that_can_t_be_parted() -> None:
    with pytest.raises(DataError, match="1 clusters"):
        sides([Case(row.id, row.question, row.answer, group="all") for row in ROWS], NOTHING, 0.5, 0)


def test_a_file_is_parted_once_also_after_a_kill_between_its_two_files(shop: Path, tmp_path: Path) -> None:
    file = table(tmp_path / "faq.csv", [(row.question, str(row.answer), f"customer {n // 3}") for n, row in enumerate(ROWS)])
    columns = {"question": "ask", "answer": "say", "group": "who"}
    project = rung.open(shop)
    dry = project.import_(file, columns=columns, held_out=0.3, dry=True)
    assert (dry.added + dry.held_out, dry.written) == (45, False)
    done = project.import_(file, columns=columns, held_out=0.3)
    assert (done.added, done.held_out) == (dry.added, dry.held_out)
    assert (done.added % 3, done.held_out % 3) == (0, 0)
    assert 9 <= done.held_out <= round(0.3 * 47)
    whole = {name: (shop / name).read_bytes() for name in ("cases.jsonl", "examples.jsonl")}
    assert project.import_(file, columns=columns, held_out=0.3).known == 45
    (shop / "examples.jsonl").write_bytes(b"")  # as if the process had ended before the second file was written
    again = project.import_(file, columns=columns, held_out=0.3)
    assert (again.added, again.held_out) == (done.added, 0)
    assert {name: (shop / name).read_bytes() for name in whole} == whole
    asked = [{question_key(json.loads(line)["question"]) for line in text.splitlines()} for text in whole.values()]
    assert not asked[0] & asked[1]


def test_the_command_says_both_and_refuses_what_makes_no_sense(shop: Path, tmp_path: Path) -> None:
    file = table(tmp_path / "faq.csv", [(row.question, str(row.answer), "x") for row in ROWS])
    words = ["import", str(file), str(shop), "--map", "question=ask,answer=say", "--held-out", "0.2"]
    told = CliRunner().invoke(app, words)
    assert "38 rows added to" in told.stdout
    assert ", 7 held out as cases" in told.stdout  # a fifth of all, of which two were there before
    for share in (30, -0.1):
        with pytest.raises(ConfigError, match="no share"):
            rung.open(shop).import_(file, held_out=share)
    with pytest.raises(ConfigError, match="all rows go to the cases"):
        rung.open(shop).import_(file, to="cases", held_out=0.2)
