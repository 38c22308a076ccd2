"""A verdict read out of a reply, or none; what a judge's name depends on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from judge_server import judge_server

from rung.measure.judge import CRITERIA, Judge, of_answer, read, schema, verdicts
from rung.models import load
from rung.types import Settings


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ('{"reason": "same", "verdict": "right"}', "right"),
        ('Well.\n```json\n{"reason": "x", "verdict": "wrong"}\n```', "wrong"),
        ('{"verdict": "Right."}', "right"),
        ("wrong", "wrong"),
        (' "Right" ', "right"),
        ('{"reason": "right", "verdict": "perhaps"}', ""),
        ('{"verdict": NaN}', ""),
        ('{"verdict": ["right"]}', ""),
        ("It is right, I think, or wrong.", ""),
        ("", ""),
        ('{"reason": "cut off', ""),
    ],
)
def test_what_a_reply_says(text: str, verdict: str) -> None:
    assert read("right", text) == verdict


@pytest.mark.parametrize("criterion", CRITERIA)
def test_each_criterion_has_its_words(criterion: str) -> None:
    for word in CRITERIA[criterion][0]:
        assert read(criterion, f'{{"reason": "", "verdict": "{word}"}}') == word
    assert schema(criterion)["required"] == ["reason", "verdict"]


def test_a_torn_record_is_gone_on_with_and_a_name_tells_all(tmp_path: Path) -> None:
    materials = [of_answer("right", f"q{n}?", "x", "x" if n % 2 else "y") for n in range(4)]
    with judge_server() as server:
        record = tmp_path / "verdicts.jsonl"
        judge = Judge(load(f"endpoint:plain@{server.url}"), "right", record, Settings(64))
        assert verdicts(judge, materials[:2]) == ["wrong", "right"]
        record.write_bytes(record.read_bytes()[:-20])  # a crash tears the last line
        assert verdicts(judge, materials) == ["wrong", "right", "wrong", "right"]
        assert len(server.asked) == 5
        assert verdicts(judge, materials) == ["wrong", "right", "wrong", "right"]
        assert len(server.asked) == 5
    names = {judge.id, replace(judge, votes=3).id, replace(judge, criterion="faithful").id, replace(judge, settings=Settings(64, 0, 1)).id}
    assert len(names) == 4
