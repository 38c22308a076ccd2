"""The verbs of a judge: real verdicts over HTTP on a real climb, agreement with people, pairs, and each wrong argument in a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from judge_server import JudgeServer, judge_server

from rung.climb import climb
from rung.errors import ConfigError, DataError
from rung.judging import agree, pair, score
from rung.measure.agree import read_judged
from rung.reporting import as_report, report
from rung.runs import last_climb
from rung.workspace.workspace import Workspace, open_workspace

DOCUMENT = "# Pump\n\nThe warranty of the pump lasts two years.\n\n# Crane\n\nThe crane lifts 900 kg. It was built in Turku.\n"
QUESTIONS = {
    "a": ("How long does the warranty of the pump last?", "two years"),
    "b": ("How much does the crane lift?", "900 kg"),
    "c": ("Where was the crane built?", "Turku"),
    "d": ("What colour is the crane?", "yellow"),
}
TOML = """\
[project]
name = "shop"
[model]
name = "bundled:tiny"
[knowledge]
index = "exact"
[judge]
model = "endpoint:{habit}@{url}"
{more}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[JudgeServer]:
    with judge_server() as held:
        yield held


@pytest.fixture(scope="module")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judged")
    (folder / "docs").mkdir()
    (folder / "docs" / "yard.md").write_text(DOCUMENT)
    rows = [{"id": key, "question": asked, "answer": ideal} for key, (asked, ideal) in QUESTIONS.items()]
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "rung.toml").write_text(TOML.format(habit="plain", url="http://127.0.0.1:1/v1", more=""))
    climb(open_workspace(folder), rungs=("prompt", "rag"))
    return folder


def judged_by(folder: Path, server: JudgeServer, habit: str, more: str = "") -> Workspace:
    (folder / "rung.toml").write_text(TOML.format(habit=habit, url=server.url, more=more))
    server.asked.clear()
    return open_workspace(folder)


def labels(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


LABELS: list[dict[str, object]] = [
    {"id": "a", "answer": "It lasts two years [1]", "label": "right"},
    {"id": "a", "answer": "three years", "label": "wrong"},
    {"id": "b", "answer": "900 kg", "label": True},
    {"id": "b", "answer": "nine hundred kilos", "label": "right"},  # which the judge will not see
    {"id": "c", "answer": "Oslo", "label": 0},
    {"id": "z", "question": "Who?", "ideal": "Ann", "answer": "Ben", "label": "no"},
    {"id": "y", "question": "Who?", "ideal": "Ann", "answer": "Ann", "label": "yes"},
]


def test_a_climb_is_judged_once_and_shows_that_agreement_is_unknown(climbed: Path, server: JudgeServer) -> None:
    ws = judged_by(climbed, server, "plain")
    found = score(ws, rungs=("rag",))
    answers = last_climb(ws).rungs[1].answers
    right = sum(ideal in answer.text for (_, ideal), answer in zip(QUESTIONS.values(), answers, strict=True))
    assert [(one.rung, one.unusable, one.agreement) for one in found] == [("rag", 0, None)]
    assert found[0].share
    assert (found[0].share.estimate, found[0].share.n) == (right / 4, 4)
    assert len(server.asked) == 4
    form = server.asked[0]["response_format"]["json_schema"]["schema"]
    assert form["properties"]["verdict"]["enum"] == ["right", "wrong"]
    assert server.asked[0]["seed"] == 0
    assert score(ws, rungs=("rag",)) == found
    assert len(server.asked) == 4  # nothing is asked again
    record = (climbed / ".rung" / "judge" / "verdicts.jsonl").read_text()
    assert "Turku" not in record


def test_agreement_is_kept_and_stands_beside_every_number(climbed: Path, server: JudgeServer) -> None:
    ws = judged_by(climbed, server, "plain")
    found = agree(ws, labels(climbed, LABELS))
    assert (found.n, found.unusable) == (7, 0)
    assert found.same == pytest.approx(6 / 7)
    assert found.kappa == pytest.approx(0.72)  # (6/7 - 24/49) / (1 - 24/49): people said right of 4, the judge of 3
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.kappa <= found.high
    assert [one.agreement for one in score(ws)] == [found, found]
    assert {one.rung for one in read_judged(last_climb(ws).folder)} == {"prompt", "rag"}
    done = last_climb(ws)
    assert any("kappa" in told for told in as_report(ws, done).judged)
    assert "What a judge model says" in report(ws, done).read_text()
    other = judged_by(climbed, server, "loose")
    assert score(other)[0].agreement is None  # another judge has another agreement


def test_replies_are_mended_and_what_can_not_be_is_counted_apart(climbed: Path, server: JudgeServer) -> None:
    plain = [one.share for one in score(judged_by(climbed, server, "plain"))]
    assert [one.share for one in score(judged_by(climbed, server, "loose"))] == plain
    garbled = score(judged_by(climbed, server, "garbled"), rungs=("rag",))
    assert garbled[0].share == plain[1]
    assert [len(body["messages"]) for body in server.asked].count(4) == 4  # each was told what was wrong
    mute = score(judged_by(climbed, server, "mute"), rungs=("rag",))
    assert (mute[0].share, mute[0].unusable) == (None, 4)
    assert len(server.asked) == 12
    assert agree(judged_by(climbed, server, "mute"), labels(climbed, LABELS)).why == "no verdict could be used"


def test_votes_go_by_seeds_and_the_majority(climbed: Path, server: JudgeServer) -> None:
    ws = judged_by(climbed, server, "wavering", "votes = 3\ntemperature = 0.7")
    found = score(ws, rungs=("rag",))
    assert found[0].share
    assert found[0].share.estimate == 1.0  # seeds 1 and 2 against seed 0
    assert {body["seed"] for body in server.asked} == {0, 1, 2}


def test_faithful_is_judged_from_the_passages(climbed: Path, server: JudgeServer) -> None:
    ws = judged_by(climbed, server, "plain", "structured = false")
    found = score(ws, rungs=("rag",), criterion="faithful")
    assert found[0].criterion == "faithful"
    assert "response_format" not in server.asked[0]
    assert "passages" in json.loads(server.asked[0]["messages"][1]["content"])


def test_pairs_are_asked_in_both_orders(climbed: Path, server: JudgeServer) -> None:
    done = last_climb(judged_by(climbed, server, "plain"))
    differ = sum(a.text != b.text for a, b in zip(done.rungs[0].answers, done.rungs[1].answers, strict=True))
    assert differ > 0
    found, agreed = pair(judged_by(climbed, server, "plain"), "rag", "prompt")
    assert agreed is None
    assert sum(found.wins) + found.ties == 4
    assert found.turned == found.unusable == 0
    assert len(server.asked) == 2 * differ
    front, _ = pair(judged_by(climbed, server, "front"), "rag", "prompt")
    assert (front.wins, front.turned, front.ties) == ((0, 0), differ, 4)
    assert front.front == 1.0


def test_agreement_on_pairs(climbed: Path, server: JudgeServer) -> None:
    rows: list[dict[str, object]] = [
        {"id": "a", "first": "two years", "second": "ten", "label": "first"},
        {"id": "b", "first": "1 kg", "second": "900 kg", "label": "second"},
        {"id": "c", "first": "Oslo", "second": "Rome", "label": "same"},
    ]
    ws = judged_by(climbed, server, "plain")
    assert agree(ws, labels(climbed, rows), "better").kappa == 1.0
    assert pair(ws, "rag", "prompt")[1] is not None


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"id": "a", "label": "right"}, "line 1: id, answer must be texts"),
        ({"id": "a", "answer": "x", "label": "maybe"}, "line 1: the label is 'maybe'"),
        ({"id": "q", "answer": "x", "label": "right"}, "'q' is no case"),
    ],
)
def test_a_wrong_label_is_named(row: dict[str, object], words: str, climbed: Path, server: JudgeServer) -> None:
    with pytest.raises(DataError, match=words):
        agree(judged_by(climbed, server, "plain"), labels(climbed, [row]))


def test_what_can_not_be_judged_is_said(climbed: Path, server: JudgeServer) -> None:
    ws = judged_by(climbed, server, "plain")
    with pytest.raises(DataError, match="passages are missing"):
        agree(ws, labels(climbed, [LABELS[0]]), "faithful")
    with pytest.raises(DataError, match="no labelled answer"):
        agree(ws, labels(climbed, []))
    with pytest.raises(DataError, match="no answers of 'tuned'"):
        score(ws, rungs=("tuned",))
    with pytest.raises(ConfigError, match="no criterion"):
        score(ws, criterion="rihgt")
    (climbed / "rung.toml").write_text(TOML.format(habit="m", url="http://judge.example/v1", more="[limits]\nprivate = true"))
    with pytest.raises(ConfigError, match="private"):
        score(open_workspace(climbed))
    (climbed / "rung.toml").write_text(TOML.replace('model = "endpoint:{habit}@{url}"\n{more}', ""))
    with pytest.raises(ConfigError, match="names no judge"):
        score(open_workspace(climbed))


def test_the_commands(climbed: Path, server: JudgeServer) -> None:
    judged_by(climbed, server, "plain")
    path = labels(climbed, LABELS)

    def ran(*words: str) -> str:
        done = subprocess.run([sys.executable, "-m", "rung", "judge", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "kappa 0.72" in ran("agree", str(path), str(climbed))
    assert "agreement with people: kappa" in ran("score", str(climbed), "--rung", "rag")
    assert json.loads(ran("score", str(climbed), "--json"))[0]["agreement"]["n"] == 7
    assert "rag preferred" in ran("pair", "rag", "prompt", str(climbed))
