"""The durable queue of a project's jobs: verbs of the command line, run as processes of their own, one of a lane at a time.

A job is a row in `.rung/jobs.sqlite` and a folder with what it printed. The worker is a process beside the server: it takes
a lane's lock, runs what waits, and ends; a heavy job also waits for those of other projects (rung.workspace.turns). Whoever
was killed, a job, a worker or the server, the next worker takes up what was running; verbs go on where they stopped. It
refuses to know what a verb does. Why no library: docs/design/dependencies.md.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any

from rung.errors import DataError, RungError
from rung.workspace.job_output import LOG, OUT, STEPS, folder_of
from rung.workspace.job_output import said as told
from rung.workspace.turns import HELD, Turn, turn

FILE = "jobs.sqlite"
WHO = "RUNG_WHO"  # on whose behalf a verb runs, for the history and the audit log
EVENTS = "RUNG_EVENTS"  # the file that a verb tells its progress in, see rung.show
LANES = ("heavy", "light")  # what trains or answers in bulk, and what is done in seconds
ENDED = ("done", "failed", "cancelled")
ATTEMPTS = 3  # so often a job is taken up whose process was killed together with its worker
KEPT = 200  # ended jobs whose output is kept
_TABLE = (
    "CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY AUTOINCREMENT, words TEXT NOT NULL, lane TEXT NOT NULL, "
    "state TEXT NOT NULL, who TEXT NOT NULL, at REAL NOT NULL, started REAL, ended REAL, attempts INTEGER NOT NULL DEFAULT 0, "
    "pid INTEGER NOT NULL DEFAULT 0, code INTEGER, stopped INTEGER NOT NULL DEFAULT 0)"
)
NEXT = "SELECT id FROM jobs WHERE lane = ? AND state = 'waiting' ORDER BY id LIMIT 1"
_COLUMNS = "id, words, lane, state, who, at, started, ended, attempts, pid, code, stopped"


@dataclass(frozen=True)
class Job:
    """A verb with its arguments. `state` is waiting, running, done, failed or cancelled; times are seconds since the epoch."""

    id: int
    words: tuple[str, ...]
    lane: str
    state: str
    who: str
    at: float
    started: float | None
    ended: float | None
    attempts: int
    pid: int
    code: int | None  # the exit code; negative where a signal ended it
    stopped: bool  # whether somebody cancelled it


def add(home: Path, words: Sequence[str], lane: str, who: str) -> Job:
    """Put a verb with its arguments into the queue; `home` is the project's `.rung`. It runs once a worker comes to it."""
    assert lane in LANES
    with _opened(home) as held:
        sql = "INSERT INTO jobs (words, lane, state, who, at) VALUES (?, ?, 'waiting', ?, ?)"
        number = held.execute(sql, (json.dumps(list(words)), lane, who, time.time())).lastrowid
        old = held.execute("SELECT id FROM jobs WHERE state IN (?, ?, ?) ORDER BY id DESC LIMIT -1 OFFSET ?", (*ENDED, KEPT)).fetchall()
        held.executemany("DELETE FROM jobs WHERE id = ?", old)
    for (one,) in old:
        shutil.rmtree(folder_of(home, one), ignore_errors=True)
    return job(home, number or 0)


def jobs(home: Path, most: int = KEPT, verb: str = "") -> list[Job]:
    """The newest jobs first; those of one verb where it is named, such as "climb" or "adapters promote"."""
    if not (home / FILE).exists():
        return []
    with _opened(home) as held:
        rows = held.execute(f"SELECT {_COLUMNS} FROM jobs ORDER BY id DESC LIMIT ?", (KEPT * 2,)).fetchall()
    found = [_job(row) for row in rows]
    return [one for one in found if " ".join(one.words).startswith(verb)][:most]


def job(home: Path, number: int) -> Job:
    """One job. DataError where there is none of that number."""
    rows = []
    if (home / FILE).exists():
        with _opened(home) as held:
            rows = held.execute(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", (number,)).fetchall()
    if not rows:
        raise DataError(f"there is no job {number}", "look at the list of jobs")
    return _job(rows[0])


def cancel(home: Path, number: int) -> Job:
    """End a job as Ctrl-C does, so that the same verb goes on later; a second time it is killed. One that has ended stays as it is."""
    with _opened(home) as held:
        held.execute("UPDATE jobs SET state = 'cancelled', ended = ? WHERE id = ? AND state = 'waiting'", (time.time(), number))
        row = held.execute("SELECT pid, stopped FROM jobs WHERE id = ? AND state = 'running'", (number,)).fetchone()
        held.execute("UPDATE jobs SET stopped = 1 WHERE id = ? AND state = 'running'", (number,))
    if row and row[0] and _alive(home, number):
        _signal(row[0], signal.SIGKILL if row[1] else signal.SIGINT)
    return job(home, number)


def redact(home: Path, held_in: Callable[[str], bool], instead: str) -> None:
    """Put other words in the place of those that must be forgotten, also in the job that forgets them."""
    if not (home / FILE).exists():
        return
    with _opened(home) as held:
        for number, words in held.execute("SELECT id, words FROM jobs").fetchall():
            kept = [instead if held_in(word) else word for word in json.loads(words)]
            held.execute("UPDATE jobs SET words = ? WHERE id = ?", (json.dumps(kept), number))


def wake(folder: Path) -> None:
    """Start a worker for each lane in which something waits or was left behind; one that works already is let be."""
    home = folder / ".rung"
    open_lanes = {one.lane for one in jobs(home) if one.state not in ENDED}
    for lane in sorted(open_lanes):
        if not _held(home / f"jobs-{lane}.lock"):
            command = [sys.executable, "-m", "rung.workspace.jobs", str(folder.absolute()), lane]
            quiet: dict[str, Any] = dict.fromkeys(("stdin", "stdout"), subprocess.DEVNULL)
            started = subprocess.Popen(command, start_new_session=True, **quiet)
            Thread(target=started.wait, daemon=True).start()  # so that it does not stay a zombie


def follow(folder: Path, every: float = 1.0) -> Callable[[], None]:
    """Look after the queue in a thread until the returned function is called; workers go on without it."""
    ended = Event()

    def look() -> None:
        while not ended.wait(every):
            with suppress(RungError):  # the disk may be full; the pages say so
                wake(folder)

    Thread(target=look, name="jobs", daemon=True).start()
    return ended.set


def work(folder: Path, lane: str) -> None:
    """Be the lane's worker: take up what a killed one left, run what waits, and return. At once where there is a worker."""
    home = folder / ".rung"
    with _lock(home / f"jobs-{lane}.lock") as mine:
        if mine:
            _take_up(home, lane)
            while _next(home, lane) is not None:
                with turn(folder, lambda who: _waits(home, lane, who)) if lane == "heavy" else nullcontext(Turn()) as my_turn:
                    if my_turn and (one := _claimed(home, lane)):
                        _run(home, one, my_turn)


def _waits(home: Path, lane: str, who: str) -> bool:
    """Say in what a job tells for whom it waits, once; False where nothing waits any more."""
    number = _next(home, lane)
    if number is not None and (said := f"waits for the training of {who} on this machine") not in told(home, number):
        folder_of(home, number).mkdir(parents=True, exist_ok=True)
        with (folder_of(home, number) / STEPS).open("a", encoding="utf-8") as steps:
            steps.write(json.dumps({"said": said, "at": time.time()}) + "\n")
    return number is not None


def _take_up(home: Path, lane: str) -> None:
    """End the processes that a killed worker left, and let their jobs wait again."""
    for one in jobs(home):
        if one.lane != lane or one.state != "running":
            continue
        if one.pid and _alive(home, one.id):
            _signal(one.pid, signal.SIGINT)
            deadline = time.monotonic() + 30
            while _alive(home, one.id):
                if time.monotonic() > deadline:
                    _signal(one.pid, signal.SIGKILL)
                time.sleep(0.05)
        again = "cancelled" if one.stopped else "waiting" if one.attempts < ATTEMPTS else "failed"
        with _opened(home) as held:
            held.execute("UPDATE jobs SET state = ?, ended = ?, pid = 0 WHERE id = ?", (again, time.time(), one.id))


def _next(home: Path, lane: str) -> int | None:
    """The number of the job that is next; None where none waits."""
    with _opened(home) as held:
        row = held.execute(NEXT, (lane,)).fetchone()
    return int(row[0]) if row else None


def _claimed(home: Path, lane: str) -> Job | None:
    with _opened(home) as held:
        row = held.execute(NEXT, (lane,)).fetchone()
        if row is None:
            return None
        held.execute("UPDATE jobs SET state = 'running', started = ?, attempts = attempts + 1 WHERE id = ?", (time.time(), row[0]))
    return job(home, row[0])


def _run(home: Path, one: Job, mine: Turn) -> None:
    """Run the verb to its end. Its lock and its turn are inherited, so whoever comes next can tell whether it still runs."""
    folder = folder_of(home, one.id)
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, EVENTS: str(folder / STEPS), WHO: one.who, HELD: "1", "NO_COLOR": "1", "COLUMNS": "120"}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a child must not inherit a Ctrl-C that is ignored
    with (folder / OUT).open("wb") as out, (folder / LOG).open("ab") as log, _lock(folder / "lock", inherited=True) as lock:
        assert lock is not None
        command = [sys.executable, "-m", "rung", *one.words]
        inherited = [lock.fileno(), *mine.files]
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, env=environment, start_new_session=True, pass_fds=inherited
        )
        with _opened(home) as held:
            held.execute("UPDATE jobs SET pid = ? WHERE id = ?", (child.pid, one.id))
            cancelled = held.execute("SELECT stopped FROM jobs WHERE id = ?", (one.id,)).fetchone()[0]
        if cancelled:  # before there was a process to tell
            _signal(child.pid, signal.SIGINT)
        code = child.wait()
    with _opened(home) as held:
        (stopped,) = held.execute("SELECT stopped FROM jobs WHERE id = ?", (one.id,)).fetchone()
        state = "done" if code == 0 else "cancelled" if stopped else "failed"
        held.execute("UPDATE jobs SET state = ?, code = ?, ended = ?, pid = 0 WHERE id = ?", (state, code, time.time(), one.id))


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _alive(home: Path, number: int) -> bool:
    return _held(folder_of(home, number) / "lock")


def _held(path: Path) -> bool:
    if not path.exists():
        return False
    with _lock(path) as mine:
        return mine is None


@contextmanager
def _lock(path: Path, *, inherited: bool = False) -> Iterator[IO[bytes] | None]:
    """The open file with its lock, or None where somebody else has it; an inherited lock is held until the last process ends."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield opened
        if not inherited:
            fcntl.flock(opened, fcntl.LOCK_UN)


def _job(row: tuple[Any, ...]) -> Job:
    return Job(*(row[0], tuple(json.loads(row[1])), *row[2:-1], bool(row[-1])))


@contextmanager
def _opened(home: Path) -> Iterator[sqlite3.Connection]:
    try:
        home.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(home / FILE, timeout=30, isolation_level=None)) as held:
            held.execute("PRAGMA secure_delete = ON")  # what is redacted must not lie on in free pages
            held.execute("BEGIN IMMEDIATE")
            held.execute(_TABLE)
            yield held
            held.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        raise RungError(f"{home / FILE} can't be used: {error}", "check the disk and the file's permissions") from error


if __name__ == "__main__":
    work(Path(sys.argv[1]), sys.argv[2])
