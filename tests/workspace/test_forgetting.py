"""What is forgotten is gone everywhere, what learned from it is blocked, and a kill at any instant changes nothing of that."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from adapters_project import stored
from shop_project import refused, rung

from rung.errors import ConfigError, DataError, ModelError
from rung.knowledge.knowledge import history, reopened, search
from rung.measure.cases import read_cases
from rung.workspace import labels
from rung.workspace.catalogue import exported, move, moves
from rung.workspace.forgetting import BLOCKED, forget
from rung.workspace.ignoring import ignored
from rung.workspace.to_forget import Request, journal, plan
from rung.workspace.traces import Sought, drop_rows, rows_with
from rung.workspace.training import train_adapter
from rung.workspace.workspace import Workspace, examples, held_knowledge, open_workspace, silent, sync_knowledge

WORDS = "The price of part 4 is 40 euros."
GONE = Request(("d4.md",), delete_source=True)


@pytest.fixture
def filled(project: Path) -> Workspace:
    """Everything that a document leaves traces in: two states, a run, a log, adapters, an export, a half training."""
    ws = open_workspace(project)
    sync_knowledge(ws)
    (project / "docs" / "d9.md").write_text("# Part 9\n\nAnother part, which costs nothing at all.\n")
    (project / "docs" / "copy.md").write_text((project / "docs" / "d4.md").read_text())
    sync_knowledge(ws, fresh=True)
    run = ws.home / "runs" / "abc" / "rag"
    run.mkdir(parents=True)
    (run / "answers.jsonl").write_text(json.dumps({"hits": [{"passage": {"document": "d4.md", "text": WORDS}}]}) + "\n")
    clean = ws.home / "runs" / "clean"
    clean.mkdir()
    (clean / "answers.jsonl").write_text(json.dumps({"hits": [{"passage": {"document": "d5.md"}}]}) + "\n")
    (ws.home / "traffic.jsonl").write_text(f'{{"text": "{WORDS}", "from": "d4.md"}}\n{{"text": "hello"}}\n')
    learned, other = stored(ws, 1, ("d4.md",)), stored(ws, 2, ("d5.md",))
    (ws.home / "adapters" / "half.partial").mkdir()
    (ws.home / "adapters" / "raft-sweep" / "cell").mkdir(parents=True)
    (project / "out").mkdir()
    exported(ws.home, learned.name, str(project / "out"), "gguf", {}, {})
    for name in (other.name, learned.name):
        done = moves(ws.home, "prod")
        move(ws.home, done[-1] if done else None, "prod", name, "promote", "tuned", "me")
    return ws


def assert_gone(ws: Workspace) -> None:
    knowledge = held_knowledge(ws)
    assert [one.version for one in history(knowledge)] == [knowledge.version]
    assert not {"d4.md", "copy.md"} & knowledge.documents().keys()
    assert "d9.md" in knowledge.documents()
    assert all(hit.passage.document not in ("d4.md", "copy.md") for hit in search(knowledge, WORDS, 10))
    assert [case.id for case in read_cases(ws.folder / "examples.jsonl")] == ["c3", "c5"]
    assert len(read_cases(ws.folder / "cases.jsonl")) == 3
    assert [path.name for path in ws.home.glob("runs/*")] == ["clean"]
    assert (ws.home / "traffic.jsonl").read_text() == '{"text": "hello"}\n'
    assert not (ws.home / "adapters" / "half.partial").exists()
    assert not (ws.home / "adapters" / "raft-sweep").exists()
    assert [labels.blocked(stored(ws, n, (d,))) != "" for n, d in ((2, "d5.md"),)] == [False]
    with pytest.raises(ModelError, match="blocked"):
        labels.servable(ws, "prod")
    assert not (ws.folder / "out").exists()
    assert (ws.folder / f"out{BLOCKED}").is_dir()
    for path in ws.folder.rglob("*"):
        if path.is_file() and "forget" not in path.relative_to(ws.folder).parts:
            assert WORDS.encode() not in path.read_bytes(), path


def test_it_is_gone_everywhere_and_certified(filled: Workspace) -> None:
    learned = labels.folder_of(filled, "prod").name
    made = forget(filled, GONE)
    assert_gone(filled)
    assert made.passed
    assert set(made.checked.values()) == {0}
    assert set(made.documents) == {"d4.md", "copy.md"}
    assert all(len(digest) == 64 for digest in made.documents.values())
    assert made.blocked == (learned,)
    assert [(Path(one.file).name, len(one.rows)) for one in made.rows] == [("examples.jsonl", 1)]
    written = Path(made.file).read_text()
    assert json.loads(written)["documents"] == dict(made.documents)
    assert WORDS not in written
    assert not journal(filled, GONE).exists()
    sync_knowledge(filled, fresh=True)
    assert_gone(filled)
    assert labels.roll_back(filled, "prod").adapter != learned
    with pytest.raises(DataError, match=r"nothing here knows 'd4\.md'"):
        forget(filled, GONE)


def test_a_document_that_still_lies_there_is_not_forgotten_by_half(filled: Workspace) -> None:
    with pytest.raises(DataError, match="would bring it back"):
        forget(filled, Request(("d4.md",)))
    assert "d4.md" in held_knowledge(filled).documents()
    assert not list(filled.home.glob("forget/*/plan.json"))
    forget(filled, Request(("d4.md",), ignore=True))
    assert (filled.folder / "docs" / "d4.md").exists()
    _, report = sync_knowledge(filled, fresh=True) or (None, None)
    assert report
    assert {one.path for one in report.skipped} == {"d4.md", "copy.md"}
    (filled.folder / "docs" / "renamed.md").write_text((filled.folder / "docs" / "d4.md").read_text())
    synced = sync_knowledge(filled, fresh=True)
    assert synced
    assert not {"d4.md", "copy.md", "renamed.md"} & synced[0].documents().keys()
    (filled.folder / "forgotten.json").write_text("[]")
    with pytest.raises(DataError, match=r"forgotten.json can't be read"):
        ignored(filled.folder)


def test_words_take_with_them_what_holds_them(filled: Workspace) -> None:
    """Any case, any white space; and the words themselves are nowhere in the certificate."""
    move(
        filled.home,
        moves(filled.home, "prod")[-1],
        "prod",
        labels.folder_of(filled, "prod").name,
        "promote",
        "tuned",
        "me",
        "Part 4 IS 40 euros",
    )
    made = forget(filled, Request(subject="part 4   is 40 EUROS", delete_source=True))
    assert made.passed
    assert set(made.documents) == {"d4.md", "copy.md"}
    assert "c4" not in [case.id for case in read_cases(filled.folder / "examples.jsonl")]
    assert "40 euros" not in Path(made.file).read_text().casefold()
    assert [one.why for one in moves(filled.home, "prod")][-1] == f"forgotten (request {made.id})"
    for wrong in (Request(), Request(subject=" a ")):
        with pytest.raises(ConfigError, match="nothing to forget"):
            plan(filled, wrong)
    with pytest.raises(DataError, match="nothing here knows these words"):
        plan(filled, Request(subject="no such words anywhere"))


@pytest.mark.parametrize("last", range(1, 7))
def test_stopped_after_any_step_the_same_request_goes_on(filled: Workspace, last: int) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if done == last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        forget(filled, GONE, stop)
    assert journal(filled, GONE).exists()
    made = forget(filled, GONE)
    assert_gone(filled)
    assert made.passed
    assert set(made.documents) == {"d4.md", "copy.md"}
    assert (len(made.rows), made.runs, made.logs) == (1, ("abc",), ("traffic.jsonl",)), "what went before the stop is certified"


@pytest.mark.slow
def test_killed_at_ten_instants_the_same_request_goes_on(filled: Workspace) -> None:
    words = [sys.executable, "-m", "rung", "forget", "d4.md", "--delete-source", "--project", str(filled.folder)]
    random = Random("0/kill")
    for _ in range(10):
        running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0.3, 1.5))
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    subprocess.run(words, check=False, capture_output=True)
    assert_gone(filled)
    (file,) = filled.home.glob("forget/*/certificate.json")
    made = json.loads(file.read_text())
    assert made["passed"]
    assert (len(made["rows"]), made["runs"]) == (1, ["abc"])


def test_what_learned_from_it_is_trained_again_and_takes_the_labels(project: Path) -> None:
    ws = open_workspace(project)
    sync_knowledge(ws)
    trained, _ = train_adapter(ws, examples(ws), None, silent)
    move(ws.home, None, "prod", trained.name, "promote", "tuned", "me")
    done = rung("forget", "d4.md", "--project", str(project), "--delete-source", "--retrain", "--json")
    made = json.loads(done.stdout)
    assert made["retrained"] == {trained.name: labels.servable(ws, "prod").name}, done.stderr
    assert moves(ws.home, "prod")[-1].kind == "retrain"
    rows = json.loads((labels.servable(ws, "prod") / "rows.json").read_text())
    assert "c4" not in {**rows["training"], **rows["validation"]}
    assert "d4.md" not in rows["documents"]


def test_earlier_states_can_be_searched_for_what_must_go(filled: Workspace) -> None:
    (filled.folder / "docs" / "d4.md").unlink()
    (filled.folder / "docs" / "copy.md").unlink()
    sync_knowledge(filled, fresh=True)
    knowledge = held_knowledge(filled)
    assert any("d4.md" in reopened(knowledge, one.version).documents() for one in history(knowledge))
    found = plan(filled, Request(("d4.md",)))
    assert found.sources == ()
    assert found.documents["d4.md"]
    assert forget(filled, Request(("d4.md",))).passed


def test_rows_leave_files_that_can_be_written_again(tmp_path: Path) -> None:
    sought = Sought(frozenset({"a.md"}), "jane doe")
    table, lines, other = tmp_path / "rows.csv", tmp_path / "rows.jsonl", tmp_path / "rows.json"
    table.write_text('question,answer\n"Who is\nJane  Doe?",x\nfine,"y, z"\n')
    assert drop_rows(table, sought) == 1
    assert table.read_text() == 'question,answer\nfine,"y, z"\n'
    lines.write_text('{"a": 1}\n{"group": "a.md"}\n{"x": ["JANE DOE"]}\n{"x": "a.md is fine"}')
    assert [number for number, _ in rows_with(lines, sought).rows] == [1, 2]
    assert drop_rows(lines, sought) == 2
    assert lines.read_text() == '{"a": 1}\n{"x": "a.md is fine"}'
    other.write_text('[{"question": "jane doe"}]')
    with pytest.raises(DataError, match="of its kind"):
        rows_with(other, sought)


def test_the_command_line_tells_and_refuses(filled: Workspace) -> None:
    project = str(filled.folder)
    told = rung("forget", "d4.md", "--project", project, "--dry-run").stdout
    assert "2 documents, 1 rows, 1 runs, 1 logs" in told
    assert "learned from it: adapters" in told
    assert "d4.md" in held_knowledge(filled).documents()
    refused(rung("forget", "d4.md", "--project", project), "would bring it back", "--delete-source")
    refused(rung("forget", "nobody.md", "--project", project), "nothing here knows")
    held = json.loads(rung("check", project, "--json").stdout)["documents"]
    assert "0 found" in rung("forget", "d4.md", "--project", project, "--ignore").stdout
    checked = json.loads(rung("check", project, "--json").stdout)
    assert checked["documents"] == held - 2  # check reads what a sync would: neither the document nor its copy
    assert [path for path, _ in checked["skipped"]] == ["copy.md", "d4.md"]
