"""Notices: each speaks where its numbers say so, is silent one step before, and silent where nothing is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rung.measure.notices import Circumstances, notices

CALM = Circumstances(("prompt", "few-shot", "long-context", "rag", "hybrid"), examples=800, k=5, baseline=True)


def names(told: Circumstances) -> list[str]:
    return [one.name for one in notices(told)]


def test_a_calm_project_and_one_that_knows_nothing() -> None:
    assert names(CALM) == []
    assert names(Circumstances(())) == []


@pytest.mark.parametrize(
    ("name", "loud", "quiet"),
    [
        ("overlap", {"overlap": 1}, {"overlap": 0}),
        ("no baseline", {"baseline": False}, {"baseline": None}),
        ("long instructions", {"system_tokens": 2001}, {"system_tokens": 2000}),
        ("few examples", {"examples": 499}, {"examples": 500}),
        ("few examples", {"examples": 10}, {"examples": 10, "rungs": ("prompt", "long-context", "rag", "few-shot")}),
        ("too many passages", {"k": 20, "deepest": 4}, {"k": 20, "deepest": 11}),
        ("too many passages", {"k": 11, "deepest": 10}, {"k": 10, "deepest": 4}),
        (
            "tuning for facts",
            {"rungs": ("prompt", "tuned"), "causes": {"missing": 4, "retrieval": 2, "form": 5}},
            {"rungs": ("prompt", "tuned"), "causes": {"missing": 4, "retrieval": 1, "form": 5}},
        ),
        (
            "retrieval for form",
            {"rungs": ("prompt", "rag", "long-context"), "causes": {"form": 3, "reasoning": 2}},
            {"rungs": ("prompt", "rag", "long-context", "few-shot"), "causes": {"form": 3, "reasoning": 2}},
        ),
        ("stale weights", {"rungs": ("tuned",), "changes_a_week": 1.0}, {"rungs": ("tuned",), "changes_a_week": 0.05}),
        ("stale weights", {"rungs": ("tuned",), "changes_a_week": 1.0}, {"rungs": ("rag", "long-context"), "changes_a_week": 1.0}),
        (
            "fits one prompt",
            {"rungs": ("prompt", "rag"), "knowledge_tokens": 150_000, "window": 200_000},
            {"rungs": ("prompt", "rag"), "knowledge_tokens": 150_000, "window": 100_000},
        ),
        (
            "fits one prompt",
            {"rungs": ("prompt", "rag"), "knowledge_tokens": 200_000},
            {"rungs": ("prompt", "rag"), "knowledge_tokens": 200_001},
        ),
        ("under the break-even", {"questions_month": 10.0, "break_even": 11.0}, {"questions_month": 11.0, "break_even": 11.0}),
    ],
)
def test_it_speaks_and_is_silent(name: str, loud: dict[str, object], quiet: dict[str, object]) -> None:
    assert names(replace(CALM, **loud)).count(name) == 1  # type: ignore[arg-type]
    assert name not in names(replace(CALM, **quiet))  # type: ignore[arg-type]


def test_each_holds_its_numbers_and_what_to_do() -> None:
    told = replace(CALM, rungs=("tuned",), overlap=3, baseline=False, system_tokens=4_321, examples=77, changes_a_week=2.0)
    found = notices(told)
    assert [one.name for one in found] == ["overlap", "no baseline", "long instructions", "few examples", "stale weights"]
    assert "4,321" in found[2].found
    assert "77" in found[3].found
    assert all(one.do for one in found)
