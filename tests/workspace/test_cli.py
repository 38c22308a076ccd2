"""The command line on real small projects: what works, what is refused, and that nothing is lost."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock
from tiny_model import save_random_model

from rung.workspace.workspace import open_workspace, remote, style

TOML = """\
[project]
name = "shop"
cases = "cases.jsonl"
examples = "examples.jsonl"
bar = 0.5

[model]
name = "local:model"
max_tokens = 6
{model}
[knowledge]
embedder = "hashing"
index = "exact"
k = 2

[tuning]
rank = 2
epochs = 2

{more}
"""


def rung(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the real command."""
    return subprocess.run([sys.executable, "-m", "rung", *words], capture_output=True, text=True, timeout=180, cwd=folder, check=False)


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2, one sentence and one hint, no traceback, and these words."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert [line for line in lines if line.startswith("error: ")], done.stderr
    assert [line for line in lines if line.startswith("hint: ")], done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "model"
    save_random_model(folder, seed=0)
    return folder


@pytest.fixture
def project(tmp_path: Path, model: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "docs").mkdir(parents=True)
    (folder / "model").symlink_to(model)
    for n in range(6):
        (folder / "docs" / f"d{n}.md").write_text(f"# Part {n}\n\nThe price of part {n} is {n}0 euros.\n")
    rows = [{"id": f"c{n}", "question": f"What is the price of part {n}?", "answer": f"{n}0 euros", "group": f"d{n}.md"} for n in range(6)]
    rows = [row | {"evidence": [{"document": f"d{n}.md", "quote": f"The price of part {n} is {n}0 euros."}]} for n, row in enumerate(rows)]
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:3]))
    (folder / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[3:]))
    write_toml(folder)
    return folder


def write_toml(folder: Path, model: str = "", more: str = "") -> None:
    (folder / "rung.toml").write_text(TOML.format(model=model, more=more))


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


def test_no_project(tmp_path: Path) -> None:
    refused(rung("check", str(tmp_path)), "no rung.toml", "rung init")


def test_malformed_toml(project: Path) -> None:
    (project / "rung.toml").write_text("[project\n")
    refused(rung("check", str(project)), "not valid TOML")


def test_an_unknown_key_names_the_nearest(project: Path) -> None:
    write_toml(project, more='[prompt]\nsytem = "x"')
    refused(rung("check", str(project)), "prompt.sytem", "'system'")


def test_a_value_of_the_wrong_kind(project: Path) -> None:
    write_toml(project, more='[limits]\nseconds_p95 = "fast"')
    refused(rung("check", str(project)), "limits.seconds_p95")


def test_an_empty_folder(project: Path) -> None:
    for path in (project / "docs").iterdir():
        path.unlink()
    refused(rung("index", str(project)), "docs")


def test_a_broken_line(project: Path) -> None:
    with (project / "cases.jsonl").open("a") as file:
        file.write('{"id": "x", \n')
    refused(rung("check", str(project)), "cases.jsonl", "4")


def test_two_cases_of_one_id(project: Path) -> None:
    lines = (project / "cases.jsonl").read_text().splitlines()
    (project / "cases.jsonl").write_text("\n".join([*lines, lines[0].replace("part 0?", "part zero?")]) + "\n")
    refused(rung("check", str(project)), "c0")


def test_a_training_row_that_is_held_out(project: Path) -> None:
    with (project / "examples.jsonl").open("a") as file:
        file.write(json.dumps({"id": "e", "question": "what is the price of part 1", "answer": "x"}) + "\n")
    refused(rung("climb", str(project)), "e")


def test_a_label_outside_the_list(project: Path) -> None:
    (project / "labels.json").write_text('["cheap", "dear"]')
    (project / "rung.toml").write_text('[project]\ntask = "classify"\nlabels = "labels.json"\n[knowledge]\nfolder = ""\n')
    refused(rung("check", str(project)), "label")


def test_a_model_that_is_not_there(project: Path) -> None:
    (project / "model").unlink()
    refused(rung("climb", str(project)), "model")


def test_an_unknown_rung(project: Path) -> None:
    refused(rung("ask", "What?", str(project), "--rung", "magic"), "magic", "long-context")


def test_a_disk_that_takes_no_more_is_one_sentence_and_loses_nothing(project: Path) -> None:
    assert rung("index", str(project)).returncode == 0
    before = {p: p.read_bytes() for p in (project / ".rung" / "knowledge").rglob("*") if p.is_file()}
    (project / "docs" / "more.md").write_text("# More\n\n" + "Many words stand here. " * 400)
    command = [sys.executable, "-m", "rung", "index", str(project)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, preexec_fn=_small_files, check=False)
    refused(done)
    assert all(p.read_bytes() == content for p, content in before.items())
    assert json.loads(rung("index", str(project), "--json").stdout)["added"] == ["more.md"]


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # a write beyond fails as one to a full disk does


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
    (run,) = (project / ".rung" / "runs").iterdir()
    (run / "climb.json").write_text("{}")
    refused(rung("report", str(project)), "can't be read", "rung climb")


def test_a_rung_that_cannot_be_trained_does_not_stop_the_others(project: Path) -> None:
    (project / "examples.jsonl").write_text((project / "examples.jsonl").read_text().splitlines()[0] + "\n")
    done = json.loads(rung("climb", str(project), "--rung", "prompt", "--rung", "tuned", "--json").stdout)
    assert [one["ran"] for one in done["rungs"]] == [True, False]
    assert "share one group" in done["rungs"][1]["note"]
    refused(rung("train", str(project)), "share one group")


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


def test_private_projects_know_this_machine_by_name() -> None:
    assert [remote(f"endpoint:m@http://{host}/v1") for host in ("localhost:8000", "127.0.0.1:1", "[::1]:1", "api.example", "10.0.0.2")] == [
        False,
        False,
        False,
        True,
        True,
    ]
    assert not remote("local:model")


def test_two_trainings_at_once_do_not_mix(project: Path) -> None:
    (project / ".rung" / "adapters").mkdir(parents=True)
    with FileLock(project / ".rung" / "adapters" / "lock"):  # as another training holds it
        refused(rung("train", str(project)), "another process is training", "wait")
    assert rung("train", str(project)).returncode == 0


def test_a_full_disk_while_training_loses_nothing(project: Path) -> None:
    command = [sys.executable, "-m", "rung", "train", str(project)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, preexec_fn=_small_files, check=False)
    refused(done, "the disk is full", "goes on from the last checkpoint")
    assert rung("train", str(project)).returncode == 0


def test_an_empty_question_and_a_question_beyond_the_window(project: Path) -> None:
    refused(rung("ask", "  ", str(project)), "question is empty")
    assert rung("ask", os.fsdecode(b"the caf\xe9 price?"), str(project)).returncode == 0
    refused(rung("ask", "why so long " * 3000, str(project), "--rung", "prompt"), "'why so long why so long", "shorten the question")


def test_a_rung_that_cannot_run_here_names_those_that_can(project: Path) -> None:
    (project / "rung.toml").write_text('[project]\nexamples = "examples.jsonl"\n[model]\nname = "local:model"\n[knowledge]\nfolder = ""\n')
    refused(rung("ask", "What?", str(project)), "no documents", "prompt, few-shot, tuned")


def test_check_finds_a_wrong_model_and_a_wrong_embedder(project: Path) -> None:
    for wrong, words in (
        ('[model]\nname = "local:nowhere"', ("no model folder",)),
        ('[model]\nname = "llama"', ("'llama' names no model",)),
        ('[model]\nname = "endpoint:llama"', ("names no server",)),
        ('[knowledge]\nembedder = "minilmm"', ("'minilmm'", "'minilm'")),
        ('[knowledge]\nembedder = "endpoint:e@http://192.0.2.1/v1"\n[limits]\nprivate = true', ("is private",)),
    ):
        (project / "rung.toml").write_text(wrong)
        refused(rung("check", str(project)), *words)


def test_init_where_it_cannot_write_and_under_an_odd_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(rung("init", str(tmp_path / "file")), "can't be written")
    assert rung("init", str(tmp_path / 'od"d naïve')).returncode == 0
    assert 'od"d naïve: 2 cases' in rung("check", str(tmp_path / 'od"d naïve')).stdout


def test_an_unknown_rung_to_climb_names_the_nearest(project: Path) -> None:
    refused(rung("climb", str(project), "--rung", "tunned"), "tunned", "'tuned'")
    (project / "rung.toml").write_text('[project]\nrungs = ["rga"]\n')
    refused(rung("check", str(project)), "rga", "'rag'")


def test_ctrl_c_at_any_moment_is_one_sentence(project: Path) -> None:
    for verb, seconds in (("check", 0.3), ("climb", 0.4), ("climb", 0.8), ("climb", 1.5)):
        command = [sys.executable, "-m", "rung", verb, str(project)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=60)
            if "site-packages" not in errors and "Traceback" not in errors:  # else it came before rung had begun
                assert process.returncode == 2, errors
                assert errors.splitlines()[-2:] == [
                    "error: interrupted; what was finished is kept",
                    "hint: run the same command again: it goes on where it stopped",
                ]


def test_the_shell_completes_verbs_and_rungs() -> None:
    for words, at, expected in (
        ("rung cl", 1, ["climb"]),
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
