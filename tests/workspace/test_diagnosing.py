"""The verb `diagnose`: from a file of answers alone, of a rung with all replays, and each wrong argument in one sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rung.diagnosing import diagnose
from rung.workspace.workspace import open_workspace

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "docs/pump.md": "# Pump\n\nThe warranty of the pump lasts two years. It weighs 31 kg.\n",
    "docs/crane.md": "# Crane\n\nThe crane lifts 900 kg. Its warranty lasts five years.\n",
    "rung.toml": '[project]\nname = "shop"\ncases = "cases.jsonl"\n[knowledge]\nfolder = "docs"\nembedder = "hashing"\nindex = "exact"\n',
}
CASES = [
    {"id": "form", "question": "How long is the pump's warranty?", "answer": "2 years", "facts": [["two years", "2 years"]]},
    {"id": "lost", "question": "What does the pump weigh?", "answer": "31 kg", "facts": [["31 kg"]]},
    {"id": "read", "question": "What does the crane lift?", "answer": "900 kg", "facts": [["900 kg"]]},
    {"id": "gone", "question": "How deep is the dock?", "answer": "9 m", "facts": [["9 m"]]},
    {"id": "good", "question": "How long is the crane's warranty?", "answer": "five years", "facts": [["five years"]]},
    {"id": "odd", "question": "Where is the office?", "answer": "in Rome", "facts": [["Rome"]]},
    {"id": "even", "question": "where is the office?", "answer": "in Oslo", "facts": [["Oslo"]]},
]
EVIDENCE = {
    "form": ("pump.md", "The warranty of the pump lasts two years."),
    "lost": ("pump.md", "It weighs 31 kg."),
    "read": ("crane.md", "The crane lifts 900 kg."),
    "gone": ("dock.md", "The dock is 9 m deep."),
    "good": ("crane.md", "Its warranty lasts five years."),
}
PUMP = {"document": "pump.md", "text": "The warranty of the pump lasts two years. It weighs 31 kg."}
CRANE = {"document": "crane.md", "text": "The crane lifts 900 kg. Its warranty lasts five years."}
ANSWERS = [
    {"id": "form", "answer": "Well, two years.", "passages": [PUMP]},
    {"id": "lost", "answer": "12 kg", "passages": [CRANE]},
    {"id": "read", "answer": "500 kg", "passages": [CRANE]},
    {"id": "gone", "answer": "7 m", "passages": [PUMP]},
    {"id": "good", "answer": "ANSWER: five years", "passages": [CRANE]},
    {"id": "odd", "answer": "in Bonn"},
    {"id": "even", "answer": "in Bonn"},
]


def lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text.replace("[knowledge]", 'form = "ANSWER: .+"\n[knowledge]'))
    rows = []
    for case in CASES:
        of = EVIDENCE.get(str(case["id"]))
        said = {"answer": f"ANSWER: {case['answer']}"}
        rows.append({**case, **said, **({"evidence": [{"document": of[0], "quote": of[1]}]} if of else {})})
    (tmp_path / "cases.jsonl").write_text(lines(rows))
    (tmp_path / "answers.jsonl").write_text(lines(ANSWERS))  # type: ignore[arg-type]
    return tmp_path


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "rung", "diagnose", *arguments], capture_output=True, text=True, check=False)


def test_a_file_of_answers_is_enough_for_a_first_report(shop: Path) -> None:
    found = diagnose(open_workspace(shop), answers=shop / "answers.jsonl")
    assert {one.case: one.kind for one in found.causes} == {
        "form": "form",
        "lost": "retrieval",
        "read": "unread",
        "gone": "missing",
        "odd": "doubtful",
        "even": "doubtful",
    }
    assert (found.asked, found.right.estimate) == (7, pytest.approx(1 / 7))
    assert "fits one prompt" in {one.name for one in found.notices}


def test_the_terminal_and_the_json_say_the_same(shop: Path) -> None:
    shown = ran(str(shop), "--answers", str(shop / "answers.jsonl"))
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("answers.jsonl: 7 cases asked")
    assert shown.stdout.splitlines()[-1].startswith("first: ")
    told = json.loads(ran(str(shop), "--answers", str(shop / "answers.jsonl"), "--json").stdout)
    assert {one["kind"]: one["count"] for one in told["shares"]}["doubtful"] == 2


def test_wrong_arguments_are_one_sentence(shop: Path) -> None:
    (shop / "other.jsonl").write_text('{"id": "nobody", "answer": "x"}\n')
    for arguments, words in (
        (("--answers", str(shop / "other.jsonl")), "answers none of the cases"),
        (("--answers", str(shop / "none.jsonl")), "can't be read"),
        (("--answers", "a", "--endpoint", "m@http://127.0.0.1:1/v1"), "two systems"),
        (("--rung", "raft"), "no solved examples"),
        (("--rung", "rga"), "did you mean"),
    ):
        done = ran(str(shop), *arguments)
        assert done.returncode == 2, arguments
        assert words in done.stderr, arguments


def test_a_rung_is_replayed_and_a_second_run_asks_nothing(tmp_path: Path) -> None:
    leaflet = tmp_path / "leaflet"
    shutil.copytree(ROOT / "examples" / "leaflet", leaflet, ignore=shutil.ignore_patterns(".rung"))
    ws = open_workspace(leaflet)
    asked: list[str] = []
    found = diagnose(ws, lambda what, done, total: asked.append(what), most=6)
    assert found.asked == 6
    assert {"ask rag"} <= set(asked)
    wrong = [one for one in found.causes if one.kind != "form"]
    assert not wrong or "ask with nothing" in asked
    assert "unread" not in {one.kind for one in found.causes}
    records = {path: path.stat().st_mtime_ns for path in leaflet.glob(".rung/diagnoses/*/answers.jsonl")}
    assert records
    assert diagnose(ws, most=6) == found
    assert "no baseline" not in {one.name for one in found.notices}  # nothing was climbed yet
    assert {path: path.stat().st_mtime_ns for path in leaflet.glob(".rung/diagnoses/*/answers.jsonl")} == records
