"""One training at a time for each user of a machine, whatever project it is of: whoever trains holds a lock in the user's state folder.

The system lets go of it when the last process that holds it dies. It refuses nobody: who comes second waits, and is told for whom.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rung.errors import ConfigError

AT_ONCE = "RUNG_TRAININGS"  # how many at a time; 1 unless it is set, 0 for no limit
HELD = "RUNG_TURN"  # set for what is run within a turn: it must not wait for its own
EVERY = 0.3  # seconds between two tries


@dataclass(frozen=True)
class Turn:
    """That its holder may train now. A process that is given `files` holds it too, until it ends."""

    files: tuple[int, ...] = ()


@contextmanager
def turn(project: Path, wait: Callable[[str], bool]) -> Iterator[Turn | None]:
    """Hold one of the machine's turns within the block; None where `wait` gave up.

    `wait` is called between tries with the project that has the turn, and gives up by False. ConfigError for a wrong number.
    """
    most = _at_once()
    if not most or os.environ.get(HELD):
        yield Turn()
        return
    with ExitStack() as held:
        while True:
            who = ""
            for path in _places(most):
                found = _tried(path, project, held)
                if not isinstance(found, str):
                    yield Turn((found.fileno(),))
                    return
                who = who or found
            if not wait(who):
                yield None
                return
            time.sleep(EVERY)


def _at_once() -> int:
    told = os.environ.get(AT_ONCE, "1")
    if not told.isdecimal():
        raise ConfigError(f"{AT_ONCE}={told} is no number", "write how many trainings may run at a time, or 0 for no limit")
    return int(told)


def _places(most: int) -> list[Path]:
    """The files that are locked; the host is in their names, since many hosts may mount one home."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return [state / "rung" / f"training-{socket.gethostname()}-{number}.lock" for number in range(most)]


def _tried(path: Path, project: Path, held: ExitStack) -> IO[str] | str:
    """The file, locked until `held` is left; or the project whose training holds it."""
    try:
        import fcntl

        path.parent.mkdir(parents=True, exist_ok=True)
        opened = path.open("a+", encoding="utf-8")
    except (OSError, ModuleNotFoundError):  # no place for locks (a home that can't be written), or a system without: nobody is waited for
        return held.enter_context(Path(os.devnull).open("a+", encoding="utf-8"))
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with opened:
            opened.seek(0)
            return opened.read().strip() or "another project"
    held.enter_context(opened)
    opened.truncate(0)
    opened.write(str(project.resolve()))
    opened.flush()
    return opened
