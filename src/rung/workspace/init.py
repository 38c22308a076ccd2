"""Writes a small project to start from, with no solved examples yet; never overwrites a file."""

from __future__ import annotations

import json
from pathlib import Path

from rung.errors import DataError
from rung.knowledge.replace import replace_file

TOML = """\
# Every key: docs/reference/config.md
[project]
name = {name}
task = "answer"          # answer, extract or classify
cases = "cases.jsonl"    # held-out questions: measured on, never trained on
examples = "examples.jsonl"   # solved examples for few-shot and tuning, none of them in cases.jsonl
bar = 0.8                # share that must be right

[model]
name = "bundled:tiny"    # or local:<folder>, hf:<owner>/<name>, endpoint:<model>@<base url>

[knowledge]
folder = "docs"          # for git, web pages, databases and buckets, see docs/sources.md

[prompt]
system = "Answer the question from the passages."
"""
DOCUMENT = "# Returns\n\nA parcel can be returned within 30 days. Returns are sent to the Bremholt warehouse.\n"
CASES: tuple[dict[str, object], ...] = (
    {"id": "returns-1", "question": "Within how many days can a parcel be returned?", "answer": "30 days"},
    {"id": "returns-2", "question": "Where are returns sent?", "answer": "the Bremholt warehouse"},
)


def init_project(folder: Path, *, example: bool = True) -> list[Path]:
    """Write rung.toml and, as an example, a document and two cases; the paths written. DataError where rung.toml is there already."""
    config = folder / "rung.toml"
    if config.exists():
        raise DataError(f"{config} is there already", "choose another folder, or edit it")
    rows = [case | {"evidence": [{"document": "returns.md"}]} for case in CASES] if example else []
    files = {config: TOML.format(name=json.dumps(folder.resolve().name, ensure_ascii=False))}
    files |= {folder / "docs" / "returns.md": DOCUMENT} if example else {}
    files |= {folder / "examples.jsonl": "", folder / "cases.jsonl": "".join(json.dumps(row) + "\n" for row in rows)}
    written, path = [], folder / "docs"
    try:
        path.mkdir(parents=True, exist_ok=True)
        for path, text in reversed(files.items()):  # rung.toml last: without it, the same command goes on
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                replace_file(path, text.encode())
                written.append(path)
    except OSError as error:
        raise DataError(f"{path} can't be written: {error.strerror}", "name a folder that you may write to, and make room") from None
    return written
