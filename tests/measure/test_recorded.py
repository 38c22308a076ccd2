"""Recorded answers of another system: what a line holds, and each wrong line by its number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rung.errors import DataError
from rung.measure.recorded import recorded


def test_answers_with_and_without_passages(tmp_path: Path) -> None:
    rows = [{"id": "a", "answer": "two [1]", "passages": [{"document": "a.md", "text": "It is two."}]}, {"id": "b", "answer": "one"}]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(row) + "\n\n" for row in rows))
    found = recorded(tmp_path / "answers.jsonl")
    assert [hit.passage.text for hit in found["a"].hits] == ["It is two."]
    assert found["a"].citations[0].document == "a.md"
    assert found["b"].hits == ()


def test_a_file_that_is_not_there_is_not_said_to_be_in_the_wrong_form(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file") as caught:
        recorded(tmp_path / "answers.jsonl")
    assert caught.value.hint == "check the path"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "line 1 is not JSON"),
        ('{"id": "form"}\n', "line 1: id and answer"),
        ('{"id": "form", "answer": "x", "passages": ["y"]}\n', "line 1: passages"),
        ('{"id": "form", "answer": "x"}\n{"id": "form", "answer": "y"}\n', "line 2: 'form' is answered twice"),
    ],
)
def test_a_wrong_line_is_named(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text(text)
    with pytest.raises(DataError, match=words):
        recorded(tmp_path / "answers.jsonl")
