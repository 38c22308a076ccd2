"""Rows and splits: training sees what serving will render, and nothing leaks across the split."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rung.approach.prompt import PromptStyle, render
from rung.tuning.rows import Row, is_gold, no_context, raft_source, rows
from rung.tuning.split import split
from rung.types import Case, Evidence, Hit, Passage

STYLE = PromptStyle("Help.")


def passage(n: int) -> Passage:
    return Passage(f"p{n}", f"d{n}.md", 0, 20, f"Fact number {n} is here.", (f"Doc {n}",))


def case(n: int, **more: object) -> Case:
    return Case(f"c{n}", f"What is fact {n}?", f"value {n}", evidence=(Evidence(f"d{n}.md", f"fact number {n}"),), group=f"d{n}.md", **more)  # type: ignore[arg-type]


PASSAGES = [passage(n) for n in range(20)]


def everything(question: str, k: int) -> list[Hit]:
    return [Hit(p, 1 / (i + 1)) for i, p in enumerate(PASSAGES)][:k]


def test_the_prompt_of_a_row_is_the_prompt_that_is_served() -> None:
    source = raft_source(everything, PASSAGES, 1.0, 4, 0)
    for row, one in zip(rows([case(3), case(5)], STYLE, source), [case(3), case(5)], strict=True):
        assert list(row.messages[:-1]) == render(STYLE, one.question, source(one))


def test_the_marker_points_to_the_gold_passage() -> None:
    source = raft_source(everything, PASSAGES, 1.0, 5, 1)
    for n in range(12):
        hits = source(case(n))
        (row,) = rows([case(n)], STYLE, source)
        marker = int(row.messages[-1]["content"].rsplit("[", 1)[1].rstrip("]"))
        assert is_gold(case(n), hits[marker - 1].passage)
        assert len(hits) == 5


def test_gold_is_in_the_context_about_as_often_as_asked() -> None:
    source = raft_source(everything, PASSAGES, 0.7, 5, 2)
    many = [Case(f"x{i}", "?", "v", evidence=(Evidence("d9.md"),)) for i in range(400)]
    share = sum(any(is_gold(c, h.passage) for h in source(c)) for c in many) / len(many)
    assert 0.6 < share < 0.8


def test_without_gold_the_row_teaches_to_say_so() -> None:
    none = Case("u", "What else?", "not on file", unanswerable=True)
    source = raft_source(everything, PASSAGES, 0.0, 4, 3)
    made = {row.id: row for row in rows([case(2), none], STYLE, source)}
    assert made["c2"].messages[-1]["content"] == "not on file"
    assert not any(is_gold(case(2), hit.passage) for hit in source(case(2)))


def test_without_context_the_row_keeps_its_answer_and_cites_nothing() -> None:
    (row,) = rows([case(4)], STYLE, no_context)
    assert row.messages[-1]["content"] == "value 4"
    assert row.documents == ("d4.md",)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    source = raft_source(everything, PASSAGES, 0.5, 4, 5)
    alone = {c.id: rows([c], STYLE, source)[0].hash for c in (case(1), case(7))}
    together = {row.id: row.hash for row in rows([case(7), case(1)], STYLE, source)}
    assert alone == together


@given(st.lists(st.integers(0, 8), min_size=10, max_size=60).filter(lambda g: len(set(g)) > 2), st.integers(0, 5))
def test_a_group_stands_on_one_side(groups: list[int], seed: int) -> None:
    made = [Row(f"r{i:03}", (), (), f"g{g}") for i, g in enumerate(groups)]
    training, held = split(made, 0.2, seed)
    assert training
    assert held
    assert not {r.group for r in training} & {r.group for r in held}
    assert sorted(r.id for r in (*training, *held)) == [r.id for r in made]
    assert split(made[::-1], 0.2, seed) == (training, held)


def test_shared_ties_join_groups() -> None:
    made = [Row("a", (), (), "1"), Row("b", (), (), "2"), Row("c", (), (), "3"), Row("d", (), (), "4")]
    ties = [frozenset({"x"}), frozenset({"x", "y"}), frozenset({"y"}), frozenset({"z"})]
    training, held = split(made, 0.25, 0, ties)
    sides = [{row.id for row in training}, {row.id for row in held}]
    assert {"a", "b", "c"} in sides
    assert {"d"} in sides
