"""Jobs outlive their workers: what was killed is taken up again, Ctrl-C cancels, and one lane runs one job at a time."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rung.errors import DataError
from rung.workspace import job_output, jobs

LEAFLET = Path(__file__).resolve().parents[2] / "examples" / "leaflet"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "leaflet"
    shutil.copytree(LEAFLET, folder, ignore=shutil.ignore_patterns(".rung"))
    return folder


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def climbing(project: Path) -> jobs.Job:
    """A job of some seconds."""
    text = (project / "rung.toml").read_text()
    (project / "rung.toml").write_text(text.replace('folder = "docs"', 'folder = "docs"\nembedder = "hashing"\nindex = "exact"'))
    return jobs.add(project / ".rung", ["climb", str(project), "--rung", "rag", "--workers", "1", "--json"], "heavy", "anna")


def answering(home: Path, number: int) -> bool:
    return any(step.what == "answer rag" for step in job_output.steps(home, number))


def runs(pid: int) -> bool:
    """Whether the process lives; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_job_runs_and_its_result_and_steps_are_kept(project: Path) -> None:
    home = project / ".rung"
    waiting = jobs.add(home, ["check", str(project), "--json"], "light", "anna")
    assert (waiting.state, waiting.who, waiting.code) == ("waiting", "anna", None)
    jobs.work(project, "light")
    done = jobs.job(home, waiting.id)
    assert (done.state, done.code, done.attempts) == ("done", 0, 1)
    assert job_output.result(home, done.id)["project"] == "leaflet"
    assert [one.id for one in jobs.jobs(home, verb="check")] == [done.id]
    assert jobs.jobs(home, verb="climb") == []


def test_a_verb_that_refuses_is_a_failed_job_with_its_sentence(project: Path) -> None:
    one = jobs.add(project / ".rung", ["report", str(project)], "light", "anna")
    jobs.work(project, "light")
    assert jobs.job(project / ".rung", one.id).state == "failed"
    assert "error: " in job_output.printed(project / ".rung", one.id)
    assert job_output.result(project / ".rung", one.id) is None


def test_a_worker_leaves_the_other_lane_alone(project: Path) -> None:
    one = jobs.add(project / ".rung", ["--version"], "heavy", "anna")
    jobs.work(project, "light")
    assert jobs.job(project / ".rung", one.id).state == "waiting"


def test_cancelling_is_a_ctrl_c_and_what_waits_never_starts(project: Path) -> None:
    home, first = project / ".rung", climbing(project)
    second = jobs.add(home, ["--version"], "heavy", "anna")
    jobs.wake(project)
    until(lambda: answering(home, first.id))
    assert jobs.job(home, second.id).state == "waiting"  # one at a time
    assert jobs.cancel(home, second.id).state == "cancelled"
    jobs.cancel(home, first.id)
    until(lambda: jobs.job(home, first.id).state == "cancelled")
    assert "interrupted; what was finished is kept" in job_output.printed(home, first.id)
    assert job_output.printed(home, second.id, job_output.OUT) == ""


def test_the_job_of_a_killed_worker_is_ended_and_taken_up_again(project: Path) -> None:
    home, one = project / ".rung", climbing(project)
    worker = subprocess.Popen([sys.executable, "-m", "rung.workspace.jobs", str(project), "heavy"])
    until(lambda: answering(home, one.id))
    first = jobs.job(home, one.id)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert jobs.job(home, one.id).state == "running"
    stop = jobs.follow(project, every=0.05)
    try:
        until(lambda: jobs.job(home, one.id).attempts == 2)
        assert not runs(first.pid)
        until(lambda: jobs.job(home, one.id).state == "done")
        assert job_output.result(home, one.id)["rungs"][0]["name"] == "rag"
    finally:
        stop()


def test_what_is_forgotten_does_not_stay_in_the_queue(project: Path) -> None:
    home, first = project / ".rung", climbing(project)
    jobs.cancel(home, first.id)
    asked = jobs.add(home, ["index", str(project), "--explain", "who are the volunteers", "--json"], "light", "anna")
    jobs.work(project, "light")
    assert "volunteers" in job_output.printed(home, asked.id, job_output.OUT)
    done = jobs.add(home, ["forget", "--project", str(project), "--subject", "volunteers", "--ignore", "--json"], "heavy", "anna")
    jobs.work(project, "heavy")
    assert jobs.job(home, done.id).state == "done", job_output.printed(home, done.id)
    assert jobs.job(home, done.id).words[4].startswith("forgotten (request ")
    assert b"volunteers" not in (home / jobs.FILE).read_bytes()
    assert job_output.printed(home, asked.id, job_output.OUT) == ""
    assert job_output.result(home, done.id)["file"]


def test_steps_tell_how_much_is_left_and_survive_torn_lines(tmp_path: Path) -> None:
    folder = job_output.folder_of(tmp_path, 1)
    folder.mkdir(parents=True)
    lines = ['{"what": "read", "done": 3, "total": 3, "at": 1.0}', '{"what": "answer", "done": 1, "total": 9, "at": 10.0}']
    lines += ['{"what": "answer", "done": 5, "total": 9, "at": 18.0}', '{"said": "rank 2", "at": 18.5}', '{"what": "ans']
    (folder / "events.jsonl").write_text("\n".join(lines))
    assert job_output.steps(tmp_path, 1) == [job_output.Step("read", 3, 3, None), job_output.Step("answer", 5, 9, 8.0)]
    assert job_output.steps(tmp_path, 2) == []
    assert job_output.said(tmp_path, 1) == ["rank 2"]


def test_a_number_that_is_no_job_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no job 7"):
        jobs.job(tmp_path, 7)
