"""What the command line refuses: one sentence, one hint, exit code 2, and nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from filelock import FileLock
from shop_project import refused, rung, small_files, write_toml


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
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, preexec_fn=small_files, check=False)
    refused(done)
    assert all(p.read_bytes() == content for p, content in before.items())
    assert json.loads(rung("index", str(project), "--json").stdout)["added"] == ["more.md"]


def test_a_rung_that_cannot_be_trained_does_not_stop_the_others(project: Path) -> None:
    (project / "examples.jsonl").write_text((project / "examples.jsonl").read_text().splitlines()[0] + "\n")
    done = json.loads(rung("climb", str(project), "--rung", "prompt", "--rung", "tuned", "--json").stdout)
    assert [one["ran"] for one in done["rungs"]] == [True, False]
    assert "share one group" in done["rungs"][1]["note"]
    refused(rung("train", str(project)), "share one group")


def test_two_trainings_at_once_do_not_mix(project: Path) -> None:
    (project / ".rung" / "adapters").mkdir(parents=True)
    with FileLock(project / ".rung" / "adapters" / "lock"):  # as another training holds it
        refused(rung("train", str(project)), "another process is training", "wait")
    assert rung("train", str(project)).returncode == 0


def test_a_full_disk_while_training_loses_nothing(project: Path) -> None:
    command = [sys.executable, "-m", "rung", "train", str(project)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, preexec_fn=small_files, check=False)
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
        ('[knowledge]\nindex = "postgres:postgresql://192.0.2.1/x"\n[limits]\nprivate = true', ("is private", "another machine")),
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


def test_index_does_one_thing_at_a_time(project: Path) -> None:
    refused(rung("index", str(project), "--list", "--watch"), "don't go together")
    refused(rung("index", str(project), "--listen", "127.0.0.1:0", "--watch"), "--listen and --watch")
    refused(rung("index", str(project), "--explain", "Why?", "--at", "1"), "don't go together")
