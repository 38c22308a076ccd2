"""Answers that another system gave, read from a file; a line that is wrong is named, and nothing is guessed for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from rung.approach.prompt import cited
from rung.errors import DataError
from rung.types import Answer, Hit, Passage


def recorded(path: Path) -> dict[str, Answer]:
    """Case id → answer. A line holds `id`, `answer` and, if known, `passages`: a list of {"document", "text"} as they were shown."""
    found: dict[str, Answer] = {}
    for number, row in json_lines(path):
        where = f"{path}, line {number}"
        if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not isinstance(row.get("answer"), str):
            raise DataError(f"{where}: id and answer must be texts", 'for example {"id": "c1", "answer": "27 days"}')
        if row["id"] in found:
            raise DataError(f"{where}: {row['id']!r} is answered twice", "keep one answer a case")
        found[row["id"]] = _given(row, where)
    return found


def _given(row: dict[str, object], where: str) -> Answer:
    passages = row.get("passages", [])
    if not isinstance(passages, list) or not all(isinstance(one, dict) and isinstance(one.get("text"), str) for one in passages):
        raise DataError(f"{where}: passages must be a list of objects with a text", 'for example [{"document": "a.md", "text": "..."}]')
    texts = [(str(one.get("document", "")), str(one["text"])) for one in passages]
    hits = tuple(Hit(Passage(f"given-{n}", document, 0, len(text), text), 0.0) for n, (document, text) in enumerate(texts))
    said = str(row["answer"])
    return Answer("", said, cited(said, hits), hits)


def json_lines(path: Path) -> Iterator[tuple[int, object]]:
    """Each line's number and JSON value, empty lines left out. DataError for a file or a line that can't be read."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}", "check the path") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} can't be read: {error}", "it must be JSON lines in UTF-8") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise DataError(f"{path}, line {number} is not JSON: {error}", "mend that line") from None
