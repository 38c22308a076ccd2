"""The verb `advise`: from a file, from a project, from a person at a terminal; wrong answers are named and asked again."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from rung.advice.situation import Situation, as_toml, read_situation
from rung.advising import known

ROOT = Path(__file__).resolve().parents[2]


def advised(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rung", "advise", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def test_answers_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "situation.toml"
    file.write_text('facts = false\nbehaviour = ["labels"]\nexamples = 5000\nqueries_per_day = 2000\n')
    done = advised("--answers", str(file), "--json")
    told = json.loads(done.stdout)
    assert told["ranked"][0]["rung"] == "tuned"
    assert told["situation"]["examples"] == 5000
    assert all(reason["source"] and reason["overturned"] for one in told["ranked"] for reason in one["reasons"])
    shown = advised("--answers", str(file)).stdout
    assert "begin with tuned" in shown
    assert shown.splitlines()[-1].startswith("advice: measure before you build: rung climb --rung prompt")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("exampels = 5", ("nobody asks 'exampels'", "'examples'")),
        ('updates = "often"', ("updates is 'often'", "How often")),
        ("prompt_right = 80", ("prompt_right is 80", "share")),
        ("facts = ", ("not valid TOML",)),
    ],
)
def test_a_wrong_file_is_one_sentence(text: str, words: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "situation.toml"
    file.write_text(text)
    done = advised("--answers", str(file))
    assert done.returncode == 2
    assert not done.stdout
    for word in words:
        assert word in done.stderr


def test_a_missing_file_and_no_terminal() -> None:
    assert "can't be read" in advised("--answers", "nowhere.toml").stderr
    nobody = advised()
    assert nobody.returncode == 2
    assert "no terminal" in nobody.stderr


def test_a_project_tells_what_it_knows() -> None:
    told = known(ROOT / "examples" / "leaflet")
    assert told["facts"]
    assert 100 < told["knowledge_tokens"] < 20_000
    done = advised(str(ROOT / "examples" / "leaflet"), "--json")
    assert json.loads(done.stdout)["situation"]["knowledge_tokens"] == told["knowledge_tokens"]


def test_saved_answers_are_read_back(tmp_path: Path) -> None:
    for told in (Situation(), Situation(behaviour=("tone", "format"), prompt_right=0.5, budget=100, private=True)):
        (tmp_path / "saved.toml").write_text(as_toml(told))
        assert read_situation(tmp_path / "saved.toml") == told


def test_the_interview_asks_again_after_a_wrong_answer(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    saved = tmp_path / "saved.toml"
    command = [sys.executable, "-m", "rung", "advise", "--save", str(saved)]
    process = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.close(theirs)
    typed = ["no", "labels tones", "labels", "", "", "yearly", "", "2,000", "", "5000", "", "", "", ""]
    os.write(ours, ("\n".join(typed) + "\n").encode())
    out, err = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0, err
    assert "'tones'" in err
    assert "How many solved examples do you have, or can you write in time? [0]" in out
    assert "Must everything stay on your own machines? [no]" in out
    assert "begin with tuned" in out
    told = read_situation(saved)
    assert (told.facts, told.behaviour, told.updates, told.queries_per_day, told.examples) == (False, ("labels",), "yearly", 2000, 5000)
