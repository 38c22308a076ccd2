"""The command line on real small projects: what works, and that nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from shop_project import refused, rung

from rung.workspace.workspace import open_workspace, style


def test_a_climb_of_all_rungs_and_its_repetition(project: Path) -> None:
    first = rung("climb", str(project), "--json")
    assert first.returncode == 0, first.stderr
    done = json.loads(first.stdout)
    assert [r["name"] for r in done["rungs"]] == ["prompt", "few-shot", "long-context", "rag", "tuned", "hybrid", "raft"]
    for one in done["rungs"]:
        assert one["ran"] or one["note"]
        assert one["primary"]["low"] <= one["primary"]["estimate"] <= one["primary"]["high"]
    page = Path(done["report"]).read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    Path(done["report"]).unlink()
    told = json.loads(rung("report", str(project), "--json").stdout)
    assert told == done
    assert Path(done["report"]).read_text(encoding="utf-8") == page
    answers = {p: p.stat().st_mtime_ns for p in (project / ".rung" / "runs").rglob("answers.jsonl")}
    again = json.loads(rung("climb", str(project), "--json", "--workers", "2").stdout)
    assert again["verdict"] == done["verdict"]
    assert {p: p.stat().st_mtime_ns for p in (project / ".rung" / "runs").rglob("answers.jsonl")} == answers
    text = rung("climb", str(project))
    assert text.stdout.splitlines()[-2] == f"verdict: {done['verdict']['sentence']}"
    assert text.stdout.splitlines()[-1] == f"report: {done['report']}"


def test_a_fresh_climb_with_another_number_of_workers_says_the_same(project: Path, tmp_path: Path) -> None:
    verdicts = []
    for workers in ("1", "3"):
        subprocess.run(["rm", "-rf", str(project / ".rung")], check=True)
        done = rung("climb", str(project), "--rung", "prompt", "--rung", "rag", "--rung", "tuned", "--workers", workers, "--json")
        verdicts.append(json.loads(done.stdout)["verdict"])
    assert verdicts[0] == verdicts[1]


def test_interrupted_climbs_go_on(project: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "rung", "climb", str(project)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 90
    while not list((project / ".rung").glob("runs/*/prompt")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert "interrupted" in errors
    assert rung("climb", str(project)).returncode == 0


def test_ask_streams_an_answer_with_its_sources(project: Path) -> None:
    done = rung("ask", "What is the price of part 1?", str(project))
    assert done.returncode == 0, done.stderr
    assert "d1.md:" in done.stdout
    told = json.loads(rung("ask", "What is the price of part 1?", str(project), "--json").stdout)
    assert told["hits"][0]["passage"]["document"] == "d1.md"
    assert set(told["made_by"]) >= {"model", "source", "prompt", "approach"}


def test_a_question_in_the_folders_place_is_told_so(project: Path) -> None:
    done = rung("ask", str(project), "What is the price of part 1?")
    assert done.returncode == 2
    assert done.stderr.startswith("error: the question comes before the folder")


def test_index_and_check_say_what_they_found(project: Path) -> None:
    (project / "docs" / "broken.pdf").write_bytes(b"%PDF-1.4 nonsense")
    assert "6 documents read, 1 skipped" in rung("check", str(project)).stdout
    assert "broken.pdf" in rung("check", str(project)).stdout
    first = rung("index", str(project), "--json")
    assert len(json.loads(first.stdout)["added"]) == 6, first.stderr
    assert json.loads(rung("index", str(project), "--json").stdout)["unchanged"] == 6


def test_train_makes_an_adapter_once(project: Path) -> None:
    first = rung("train", str(project))
    assert first.returncode == 0, first.stderr
    assert rung("train", str(project)).stdout == first.stdout
    refused(rung("train", str(project), "--rung", "rag"), "not a rung that is trained")


def test_init_makes_a_project_that_checks(tmp_path: Path) -> None:
    assert rung("init", str(tmp_path / "new")).returncode == 0
    assert "2 cases" in rung("check", str(tmp_path / "new")).stdout
    refused(rung("init", str(tmp_path / "new")), "there already")


def test_report_shows_the_last_climb_and_asks_nothing(project: Path) -> None:
    refused(rung("report", str(project)), "no finished climb", "rung climb")
    (project / "docs" / "broken.pdf").write_bytes(b"%PDF-1.4 nonsense")
    climbed = rung("climb", str(project), "--rung", "prompt", "--rung", "rag")
    (project / "model").unlink()  # nothing to ask
    (project / "cases.jsonl").unlink()
    done = rung("report", str(project))
    assert done.returncode == 0, done.stderr
    without_times = [line for line in climbed.stdout.splitlines() if not line.startswith("stages: ")]
    assert done.stdout.splitlines() == without_times
    assert "1 document skipped, such as broken.pdf, which is damaged" in done.stdout
    (told,) = project.glob(".rung/runs/*/climb.json")
    told.write_text("{}")
    refused(rung("report", str(project)), "can't be read", "rung climb")


def test_the_loss_curve_of_a_killed_training_has_each_step_once(project: Path) -> None:
    process = subprocess.Popen([sys.executable, "-m", "rung", "train", str(project)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    while not list((project / ".rung").glob("adapters/*.partial/loss.jsonl")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    losses = json.loads(rung("train", str(project), "--json").stdout)["losses"]
    assert [line["step"] for line in losses] == list(range(1, len(losses) + 1))


def test_the_instructions_of_a_classify_project_are_kept(project: Path) -> None:
    (project / "labels.json").write_text('\ufeff["cheap", "dear"]')
    toml = '[project]\ntask = "classify"\nlabels = "labels.json"\n[prompt]\nsystem = "Be strict."\n'
    (project / "rung.toml").write_text(toml)
    assert style(open_workspace(project)).system == "Be strict. Answer with one label: cheap, dear."
    (project / "rung.toml").write_text(toml.split("[prompt]")[0])
    assert style(open_workspace(project)).system == "Answer with one label: cheap, dear."


def test_ctrl_c_at_any_moment_is_one_sentence(project: Path) -> None:
    for verb, seconds in (("check", 0.3), ("climb", 0.4), ("climb", 0.8), ("climb", 1.5)):
        command = [sys.executable, "-m", "rung", verb, str(project)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=60)
            if errors and "site-packages" not in errors and "Traceback" not in errors:  # else it came before rung had begun
                assert process.returncode == 2, errors
                assert errors.splitlines()[-2:] == [
                    "error: interrupted; what was finished is kept",
                    "hint: run the same command again: it goes on where it stopped",
                ]


def test_the_shell_completes_verbs_and_rungs() -> None:
    for words, at, expected in (
        ("rung cli", 1, ["climb"]),
        ("rung climb --rung ra", 3, ["rag", "raft"]),
        ("rung train --rung ", 3, ["tuned", "hybrid", "raft"]),
    ):
        asked = os.environ | {"_RUNG_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(at)}
        done = subprocess.run([sys.executable, "-m", "rung"], env=asked, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout.split() == expected, done.stderr


def test_the_version_is_printed() -> None:
    from rung import __version__

    assert rung("--version").stdout == f"rung {__version__}\n"
    assert "Usage: rung" in rung("--help").stdout
