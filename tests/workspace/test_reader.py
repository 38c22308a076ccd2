"""A project with the reader: rag answers with quotes, and the rungs that make no sense for it say why."""

from __future__ import annotations

import json
from pathlib import Path

from shop_project import refused, rung

TOML = """\
[project]
name = "guide"
cases = "cases.jsonl"
examples = "examples.jsonl"

[model]
name = "bundled:reader"

[knowledge]
folder = "docs"
embedder = "hashing"
index = "exact"
"""
DOCS = {
    "light.md": "# Lighthouse\n\nThe lighthouse at Calder Quay was built in 1864 by the engineer Ada Holm. It is 31 metres tall.\n",
    "ferry.md": "# Ferry\n\nThe ferry to the island leaves every two hours from pier four. A ticket costs 12 euros.\n",
}


def row(number: int, question: str, answer: str) -> str:
    return json.dumps({"id": f"c{number}", "question": question, "answer": answer, "facts": [[answer]]}) + "\n"


def project(folder: Path) -> Path:
    (folder / "docs").mkdir()
    (folder / "rung.toml").write_text(TOML)
    for name, text in DOCS.items():
        (folder / "docs" / name).write_text(text)
    (folder / "cases.jsonl").write_text(
        row(1, "Who built the lighthouse?", "Ada Holm") + row(2, "What does a ticket for the ferry cost?", "12 euros")
    )
    (folder / "examples.jsonl").write_text(row(3, "How tall is the lighthouse?", "31 metres"))
    return folder


def test_rag_answers_and_the_others_say_why_they_do_not(tmp_path: Path) -> None:
    folder = project(tmp_path)
    asked = rung("ask", "Who built the lighthouse?", str(folder))
    assert "Ada Holm" in asked.stdout.splitlines()[0], asked.stdout + asked.stderr
    assert "[unsupported]" not in asked.stdout
    told = json.loads(rung("climb", str(folder), "--json").stdout)
    ran = {one["name"]: one for one in told["rungs"]}
    assert {name for name, one in ran.items() if one["ran"]} == {"rag", "long-context"}
    assert ran["rag"]["primary"]["estimate"] == 1.0
    for name in ("prompt", "few-shot"):
        assert "without passages" in ran[name]["note"]
    for name in ("tuned", "hybrid", "raft"):
        assert "learns nothing" in ran[name]["note"]
    refused(rung("ask", "Who?", str(folder), "--rung", "tuned"), "learns nothing", "--rung: long-context, rag")
    refused(rung("train", str(folder)), "bundled:reader")
    checked = rung("check", str(folder))
    assert "the model can't be tuned" in checked.stdout
    assert "1 example" in checked.stdout, checked.stderr
