"""Unsupported sentences from rung.toml to what is shown: marked for readers, measured as they are served, never marked there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_model import save_random_model

import rung
from rung.approach.policy import MARK, Policy
from rung.errors import ConfigError
from rung.parts import Parts, approach
from rung.workspace import workspace as w

TOML = """\
[project]
cases = "cases.jsonl"
form = '^Desk: .*\\d$'
[model]
name = "local:model"
max_tokens = 12
[knowledge]
embedder = "hashing"
index = "exact"
{answer}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policy") / "shop"
    (folder / "docs").mkdir(parents=True)
    save_random_model(folder / "model", seed=0)
    (folder / "docs" / "open.md").write_text("# Hours\n\nThe shop opens at 9.\n")
    (folder / "cases.jsonl").write_text(json.dumps({"id": "c", "question": "When does it open?", "answer": "At 9"}) + "\n")
    write(folder, "")
    return folder


def write(folder: Path, answer: str) -> None:
    (folder / "rung.toml").write_text(TOML.format(answer=f"[answer]\n{answer}" if answer else ""))


def test_marks_are_for_readers_and_the_rest_is_measured(shop: Path) -> None:
    write(shop, "")
    ws = w.open_workspace(shop)
    assert w.policy(ws, measured=True) == Policy()
    assert w.policy(ws, measured=False) == Policy("mark", given=("Desk",))
    synced = w.sync_knowledge(ws)
    assert synced
    parts = Parts(ws, w.cases(ws), [], synced[0], w.silent, None)
    assert "support" not in approach(parts, "rag").made_by, "what is measured by default is what was measured before"
    assert approach(parts, "rag", measured=False).policy.unsupported == "mark"
    assert approach(parts, "prompt", measured=False).policy == Policy(), "without passages there is nothing to hold it to"
    write(shop, 'unsupported = "drop"\nrefusal = "Ask us."')
    assert w.policy(w.open_workspace(shop), measured=True) == Policy("drop", "Ask us.", ("Desk",))
    write(shop, 'unsupported = "hide"')
    with pytest.raises(ConfigError, match=r"answer\.unsupported"):
        w.open_workspace(shop)


def test_python_answers_carry_their_sentences(shop: Path) -> None:
    write(shop, 'unsupported = "refuse"\nrefusal = "Ask us."')
    refused = rung.open(shop).ask("When does the shop open?")
    assert refused.text == "Ask us."
    assert not all(sentence.support for sentence in refused.sentences)
    write(shop, 'unsupported = "keep"')
    kept = rung.open(shop).ask("When does the shop open?")
    assert kept.text == "".join(sentence.text for sentence in refused.sentences).strip()
    assert kept.sentences == ()


def test_the_command_line_marks_and_names_what_is_missing(shop: Path) -> None:
    write(shop, "")

    def ask(*options: str) -> str:
        command = [sys.executable, "-m", "rung", "ask", "When does the shop open?", str(shop), *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=180, check=True).stdout

    told = json.loads(ask("--json"))
    missing = [sentence for sentence in told["sentences"] if not sentence["support"]]
    assert missing
    shown = ask()
    assert shown.startswith(told["text"])
    assert MARK in shown
    assert shown.count("  unsupported: ") == len(missing)
