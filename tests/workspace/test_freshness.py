"""`rung freshness` on a small project: old documents in, present ones back, trained rungs taught twice, nothing of it left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_model import save_random_model

from rung.errors import ConfigError, DataError
from rung.freshness import measure
from rung.workspace.workspace import open_workspace

TOML = """\
[project]
cases = "cases.jsonl"
examples = "examples.jsonl"
[model]
name = "local:model"
max_tokens = 3
[knowledge]
embedder = "hashing"
index = "exact"
[tuning]
rank = 2
epochs = 1
"""


def row(name: str, euros: int) -> dict[str, object]:
    quote = f"A {name} costs {euros} euros."
    evidence = [{"document": f"{name}.md", "quote": quote}]
    return {"id": name, "question": f"What does a {name} cost?", "answer": f"{euros} euros", "evidence": evidence}


def lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(one) + "\n" for one in rows)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh") / "shop"
    save_random_model(folder / "model", seed=0)
    for where, euros in (("docs", 6), ("history", 5)):
        (folder / where).mkdir()
        (folder / where / "berth.md").write_text(f"# Berths\n\nA berth costs {euros} euros.\n")
    (folder / "docs" / "crane.md").write_text("# Cranes\n\nA crane costs 9 euros.\n")
    (folder / "rung.toml").write_text(TOML)
    (folder / "cases.jsonl").write_text(lines([row("berth", 6), row("crane", 9)]))
    (folder / "old.jsonl").write_text(lines([row("berth", 5), row("crane", 9)]))
    (folder / "examples.jsonl").write_text(lines([row(f"ship{n}", n) for n in range(8)]))
    return folder


def test_rungs_are_asked_before_and_after(shop: Path) -> None:
    done = measure(open_workspace(shop), shop / "history", shop / "old.jsonl")
    assert (done.documents, done.questions) == (("berth.md",), ("berth",))
    assert [one.rung for one in done.rungs] == ["rag", "tuned"]
    rag, tuned = done.rungs
    assert rag.taught is None
    assert tuned.taught is not None
    assert tuned.seconds > rag.seconds == done.change_seconds_p50 > 0
    assert sorted(path.name for path in (shop / ".rung").iterdir()) == ["freshness"]  # held-out questions stay apart
    assert len([path for path in (shop / ".rung" / "freshness" / "adapters").iterdir() if path.is_dir()]) == 2


def test_the_command_line_tells_it(shop: Path) -> None:
    arguments = ["freshness", str(shop), "--before", str(shop / "history"), "--cases", str(shop / "old.jsonl"), "--rung", "rag"]
    done = subprocess.run([sys.executable, "-m", "rung", *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "1 documents changed, and with them the answers to 1 questions"
    told = json.loads(subprocess.run([sys.executable, "-m", "rung", *arguments, "--json"], capture_output=True, check=True).stdout)
    assert told["rungs"][0]["synced"]["asked"] == 1


def test_what_can_not_be_measured_is_refused(shop: Path) -> None:
    with pytest.raises(DataError, match="no question's evidence is gone"):
        measure(open_workspace(shop), shop / "history")
    with pytest.raises(DataError, match="there is no folder") as caught:
        measure(open_workspace(shop), shop / "nowhere")
    assert "--before" in caught.value.hint
    with pytest.raises(ConfigError, match="no rung 'ragg'"):
        measure(open_workspace(shop), shop / "history", shop / "old.jsonl", ("ragg",))
