"""Access lists through the command line and Python: who asks decides what is found, told as an example, and trained on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_model import save_random_model

import rung
from rung.errors import ConfigError
from rung.workspace import workspace as w
from rung.workspace.check import check_project
from rung.workspace.training import train_adapter

TOML = """\
[project]
cases = "cases.jsonl"
examples = "examples.jsonl"
[model]
name = "local:model"
max_tokens = 4
[knowledge]
embedder = "hashing"
index = "exact"
[tuning]
rank = 2
epochs = 1
[access]
on = {on}
auditors = ["group:audit"]
groups = {{ hr = ["ben"], audit = ["carla"] }}
[[access.rules]]
documents = "**"
readers = ["everyone"]
[[access.rules]]
documents = "hr/**"
readers = ["group:hr"]
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("access") / "shop"
    (folder / "docs" / "hr").mkdir(parents=True)
    save_random_model(folder / "model", seed=0)
    (folder / "docs" / "open.md").write_text("---\nyear: 2024\n---\n# Hours\n\nThe shop opens at 9.\n")
    (folder / "docs" / "hr" / "pay.md").write_text("# Pay\n\nThe pay of a clerk is 2,000 euros.\n")
    (folder / "docs" / "plan.md").write_text("---\naccess: [anna]\n---\n# Plan\n\nThe shop will move in May.\n")
    row = {"question": "When does the shop open?", "answer": "At 9", "evidence": [{"document": "open.md"}]}
    paid = {"question": "What is the pay?", "answer": "2,000 euros", "evidence": [{"document": "hr/pay.md"}]}
    (folder / "cases.jsonl").write_text(json.dumps(row | {"id": "c"}) + "\n")
    solved = [row | {"id": f"o{n}", "question": f"Is it {n} o'clock that the shop opens?"} for n in range(4)]
    solved += [paid | {"id": f"p{n}", "question": f"Is the pay {n} euros?"} for n in range(4)]
    (folder / "examples.jsonl").write_text("".join(json.dumps(one) + "\n" for one in solved))
    write(folder)
    return folder


def write(folder: Path, *, on: bool = True, more: str = "") -> None:
    (folder / "rung.toml").write_text(TOML.format(on="true" if on else "false") + more)


def found(folder: Path, user: str, rung_name: str = "rag", where: tuple[str, ...] = ()) -> set[str]:
    return {hit.passage.document for hit in rung.open(folder).ask("What does the shop pay?", rung_name, user, where).hits}


@pytest.mark.parametrize("rung_name", ["rag", "long-context"])
def test_who_asks_decides_what_is_found(shop: Path, rung_name: str) -> None:
    write(shop)
    assert found(shop, "", rung_name) == {"open.md"}
    assert found(shop, "ben", rung_name) == {"open.md", "hr/pay.md"}
    assert found(shop, "anna", rung_name) == {"open.md", "plan.md"}
    assert found(shop, "carla", rung_name) == {"open.md", "hr/pay.md", "plan.md"}
    assert found(shop, "carla", rung_name, ("path!=open.md", "path!=plan.md")) == {"hr/pay.md"}
    assert found(shop, "anna", rung_name, ("path=hr/",)) == set()


def test_a_rule_or_a_group_that_changes_counts_for_the_next_question(shop: Path) -> None:
    write(shop)
    assert "open.md" in found(shop, "")
    write(shop, more='[[access.rules]]\ndocuments = "open.md"\nreaders = ["dora"]\n')
    assert found(shop, "") == set()
    assert found(shop, "dora") == {"open.md"}
    write(shop, on=False)
    assert len(found(shop, "")) == 3
    with pytest.raises(ConfigError, match="access lists are off"):
        found(shop, "anna")


def test_examples_are_told_only_to_those_who_may_read_their_evidence(shop: Path) -> None:
    write(shop)
    for user, told in (("", 4), ("anna", 4), ("ben", 8)):
        ws = w.open_workspace(shop, user)
        synced = w.sync_knowledge(ws)
        assert synced
        assert len(w.told(ws, synced[0], w.examples(ws))) == told
    write(shop, on=False)
    ws = w.open_workspace(shop)
    assert len(w.told(ws, None, w.examples(ws))) == 8


@pytest.mark.parametrize("raft", [False, True])
def test_an_adapter_learns_what_everyone_may_read_whoever_trains_it(shop: Path, raft: bool) -> None:
    write(shop)
    ws = w.open_workspace(shop, "ben")
    synced = w.sync_knowledge(ws)
    assert synced
    folder, _ = train_adapter(ws, w.examples(ws), synced[0], w.silent, raft=raft)
    told = "".join(path.read_text() for path in folder.glob("*.json*"))
    assert '"o1"' in told
    assert '"p1"' not in told
    assert "hr/pay.md" not in told


def test_the_command_line_takes_a_user_and_conditions(shop: Path) -> None:
    write(shop)

    def hits(*options: str) -> set[str]:
        command = [sys.executable, "-m", "rung", "ask", "What is the pay?", str(shop), "--json", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
        return {hit["passage"]["document"] for hit in json.loads(done.stdout)["hits"]}

    assert hits("--as", "ben") == {"open.md", "hr/pay.md"}
    assert hits("--as", "ben", "--where", "year>=2024") == {"open.md"}


def test_check_names_what_looks_like_a_slip(shop: Path) -> None:
    write(shop, more='[[access.rules]]\ndocuments = "finance/**"\nreaders = ["group:money"]\n')
    warnings = check_project(shop).warnings
    assert "the access rule for 'finance/**' matches no document" in warnings
    assert "'group:money' may read documents but has no members" in warnings
    (shop / "docs" / "lost.md").write_text("---\naccess: nobody,\n---\nLost and found.\n")
    (shop / "rung.toml").write_text(TOML.format(on="true").replace('auditors = ["group:audit"]', "").split("[[access.rules]]")[0])
    assert any("nobody may read 2 documents, such as hr/pay.md" in warning for warning in check_project(shop).warnings)
    (shop / "docs" / "lost.md").unlink()
