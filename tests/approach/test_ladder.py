"""The ladder is the design's table."""

from __future__ import annotations

from rung.approach.ladder import LADDER, RUNGS, SPECIALISTS, rungs_of
from rung.approach.source import nearest
from rung.knowledge.embedders import load
from rung.types import Case


def test_the_rungs_in_order() -> None:
    assert RUNGS == ("knn", "encoder", "extractor", "prompt", "few-shot", "long-context", "rag", "tuned", "hybrid", "raft")


def test_specialists_stand_on_the_ladder_of_their_task_alone() -> None:
    others = tuple(name for name in RUNGS if name not in SPECIALISTS)
    assert rungs_of("answer") == others
    assert rungs_of("classify") == ("knn", "encoder", *others)
    assert rungs_of("extract") == ("extractor", *others)


def test_hybrid_is_the_tuned_model_behind_the_search_of_rag() -> None:
    assert LADDER["hybrid"].model == LADDER["tuned"].model
    assert LADDER["hybrid"].source == LADDER["rag"].source == LADDER["raft"].source


def test_the_nearest_example_stands_last() -> None:
    examples = [Case("1", "where is the blue harbour crane", "A"), Case("2", "payroll and taxes", "B"), Case("3", "blue crane", "C")]
    shots = nearest(examples, load("hashing"), 2).find("the blue harbour crane").shots
    assert [answer for _, answer in shots] == ["C", "A"]


def test_examples_name_the_source_whatever_their_order() -> None:
    examples = [Case("1", "a b", "A"), Case("2", "c d", "B")]
    first, second = nearest(examples, load("hashing"), 1), nearest(examples[::-1], load("hashing"), 1)
    assert first.id == second.id != nearest(examples, load("hashing"), 2).id
