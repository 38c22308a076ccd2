"""A project on the knowledge of an earlier day: listed, opened, searched; today's access lists still hold."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from rung.knowledge.knowledge import search
from rung.workspace import workspace as w

TOML = """\
[project]
cases = "cases.jsonl"
[knowledge]
embedder = "hashing"
index = "exact"
[access]
on = {on}
[[access.rules]]
documents = "**"
readers = ["everyone"]
[[access.rules]]
documents = "{closed}"
readers = ["ben"]
"""


def write(folder: Path, closed: str, on: str = "true", **pages: str) -> None:
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "cases.jsonl").write_text('{"id": "1", "question": "q", "answer": "a"}\n')
    (folder / "rung.toml").write_text(TOML.format(closed=closed, on=on))
    for path in (folder / "docs").iterdir():
        path.unlink()
    for name, text in pages.items():
        (folder / "docs" / f"{name}.md").write_text(f"# {name}\n\n{text}\n")


def rung(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "rung", *arguments], capture_output=True, text=True, check=False)


def test_the_command_line_lists_opens_and_purges(tmp_path: Path) -> None:
    write(tmp_path, "none", "false", rates="A berth costs 5 euros.", old="Old news.")
    rung("index", str(tmp_path))
    write(tmp_path, "none", "false", rates="A berth costs 6 euros.")
    rung("index", str(tmp_path))
    first, last = json.loads(rung("index", str(tmp_path), "--list", "--json").stdout)
    assert (first["documents"], last["documents"], last["until"]) == (2, 1, None)
    listed = rung("index", str(tmp_path), "--list").stdout.splitlines()
    assert listed[0].startswith(first["version"])
    assert listed[1].endswith("the present")
    assert rung("index", str(tmp_path), "--at", first["version"][:8]).stdout.split() == [first["version"], "old.md", "rates.md"]
    knowledge, report = w.sync_knowledge(w.open_workspace(tmp_path, at=first["version"])) or (None, None)
    assert knowledge
    assert report
    assert (report.unchanged, knowledge.version) == (2, first["version"])
    assert "5 euros" in search(knowledge, "berth", 1)[0].passage.text
    assert len(json.loads(rung("index", str(tmp_path), "--purge", "--json").stdout)) == 1
    refused = rung("index", str(tmp_path), "--at", first["version"])
    assert refused.returncode == 2
    assert "no state" in refused.stderr
    for verb in (("climb",), ("ask", "What does a berth cost?")):
        assert "no state" in rung(*verb, str(tmp_path), "--at", first["version"]).stderr


def test_what_is_closed_today_stays_closed_in_earlier_states(tmp_path: Path) -> None:
    write(tmp_path, "none", rates="A berth costs 5 euros.", plan="The berth will move.", gone="The berth was sold.")
    w.sync_knowledge(w.open_workspace(tmp_path))
    write(tmp_path, "p*", rates="A berth costs 5 euros.", plan="The berth will move.")
    w.sync_knowledge(w.open_workspace(tmp_path))
    version = json.loads(rung("index", str(tmp_path), "--list", "--json").stdout)[0]["version"]
    for user, expected in (("", {"rates.md", "gone.md"}), ("ben", {"rates.md", "gone.md", "plan.md"})):
        knowledge, _ = w.sync_knowledge(w.open_workspace(tmp_path, user, at=version)) or (None, None)
        assert knowledge
        assert {hit.passage.document for hit in search(knowledge, "berth", 9)} == expected
        assert set(knowledge.documents()) == expected
