"""One project trains at a time on a machine: who comes second waits, says for whom, and goes on when the other ends or is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from rung.errors import ConfigError
from rung.workspace import job_output, jobs
from rung.workspace.turns import Turn, turn

HOLDER = """
import subprocess, sys
from pathlib import Path
from rung.workspace.turns import turn
with turn(Path(sys.argv[1]), lambda who: True) as mine:
    child = subprocess.Popen(["sleep", sys.argv[2]], pass_fds=mine.files)
    print(child.pid, flush=True)
    child.wait()
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("RUNG_TRAININGS", raising=False)
    return tmp_path / "state"


@pytest.fixture
def other(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another project that trains, with the process that it started."""
    (tmp_path / "other").mkdir()
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "other"), "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        child = int(holder.stdout.readline())
        yield holder, child
        holder.kill()
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def tried(folder: Path) -> tuple[Turn | None, list[str]]:
    """Whether it is our turn at once, and else for whom we wait."""
    told: list[str] = []
    with turn(folder, lambda who: bool(told.append(who))) as mine:
        return mine, told


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def test_who_comes_second_waits_and_is_told_for_whom(tmp_path: Path, other: tuple[subprocess.Popen[str], int]) -> None:
    assert tried(tmp_path) == (None, [str(tmp_path / "other")])
    with pytest.MonkeyPatch.context() as given:
        given.setenv("RUNG_TRAININGS", "2")
        assert tried(tmp_path)[1] == []
        given.setenv("RUNG_TRAININGS", "0")
        assert tried(tmp_path) == (Turn(), [])
        given.setenv("RUNG_TRAININGS", "many")
        with pytest.raises(ConfigError, match="no number"):
            tried(tmp_path)
        given.delenv("RUNG_TRAININGS")
        given.setenv("RUNG_TURN", "1")
        assert tried(tmp_path) == (Turn(), []), "what runs within a turn does not wait for it"


def test_the_turn_of_a_killed_one_is_its_childs_until_that_ends(tmp_path: Path, other: tuple[subprocess.Popen[str], int]) -> None:
    holder, child = other
    holder.kill()
    holder.wait()
    assert tried(tmp_path) == (None, [str(tmp_path / "other")])
    os.kill(child, signal.SIGKILL)
    until(lambda: tried(tmp_path)[0] is not None)


def test_where_no_lock_can_lie_nobody_waits(tmp_path: Path, state: Path) -> None:
    state.write_text("no folder")
    assert tried(tmp_path)[1] == []
    with turn(tmp_path, lambda who: False) as first, turn(tmp_path, lambda who: False) as second:
        assert first is not None
        assert second is not None


def test_a_heavy_job_waits_for_another_project_and_a_light_one_does_not(tmp_path: Path, other: tuple[subprocess.Popen[str], int]) -> None:
    folder, home = tmp_path / "mine", tmp_path / "mine" / ".rung"
    one, gone = (jobs.add(home, ["--version"], "heavy", "anna") for _ in range(2))
    light = jobs.add(home, ["--version"], "light", "anna")
    jobs.work(folder, "light")
    assert jobs.job(home, light.id).state == "done"
    worker = subprocess.Popen([sys.executable, "-m", "rung.workspace.jobs", str(folder), "heavy"])
    until(lambda: job_output.said(home, one.id) == [f"waits for the training of {tmp_path / 'other'} on this machine"])
    assert jobs.job(home, one.id).state == "waiting"
    assert jobs.cancel(home, gone.id).state == "cancelled"
    os.kill(other[1], signal.SIGKILL)
    assert worker.wait(timeout=60) == 0
    assert [jobs.job(home, number).state for number in (one.id, gone.id)] == ["done", "cancelled"]


def test_a_worker_whose_waiting_job_is_cancelled_ends(tmp_path: Path, other: tuple[subprocess.Popen[str], int]) -> None:
    home = tmp_path / "mine" / ".rung"
    one = jobs.add(home, ["--version"], "heavy", "anna")
    worker = subprocess.Popen([sys.executable, "-m", "rung.workspace.jobs", str(tmp_path / "mine"), "heavy"])
    until(lambda: job_output.said(home, one.id) != [])
    jobs.cancel(home, one.id)
    assert worker.wait(timeout=60) == 0
    assert jobs.job(home, one.id).started is None


def test_train_on_the_command_line_waits_too(project: Path, other: tuple[subprocess.Popen[str], int]) -> None:
    words = [sys.executable, "-m", "rung", "train", str(project)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stderr
        assert waiting.stderr.readline().startswith(f"waits for the training of {project.parent / 'other'} on this machine; --now")
        beside = subprocess.run([*words, "--now"], capture_output=True, text=True, timeout=120, check=False)
        assert "adapter: " in beside.stdout, beside.stderr
        os.kill(other[1], signal.SIGKILL)
        out, said = waiting.communicate(timeout=120)
        assert waiting.returncode == 0, said
    assert out.splitlines()[-1] == beside.stdout.splitlines()[-1]
