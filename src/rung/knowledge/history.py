"""Earlier states of a knowledge, each a link to the file that named it. It refuses to keep one longer than was asked for.

A state is put here before the commit that follows it, so whatever stands here once was the knowledge, whole.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rung.errors import KnowledgeError
from rung.knowledge.replace import replace_file
from rung.knowledge.state import FILE, State, clean, read_state

FOLDER = "history"
DAY = 86_400


@dataclass(frozen=True)
class Moment:
    """A state that can be opened: its version, and when it became the knowledge and ceased to be it, in seconds of Unix time."""

    version: str
    since: float
    until: float | None  # None for the present
    documents: int


def keep(home: Path, version: str) -> None:
    """Put the present state, whose version this is, among the earlier ones. OSError where the disk refuses."""
    target = home / FOLDER / f"{version}.json"
    target.parent.mkdir(exist_ok=True)
    temporary = target.with_suffix(f".{os.getpid()}.tmp")
    try:
        os.link(home / FILE, temporary)
    except FileExistsError:  # left by a killed process of our number
        temporary.unlink()
        os.link(home / FILE, temporary)
    except OSError:  # a file system without links
        made = (home / FILE).stat()
        replace_file(temporary, (home / FILE).read_bytes())
        os.utime(temporary, ns=(made.st_atime_ns, made.st_mtime_ns))
    os.replace(temporary, target)
    temporary.unlink(missing_ok=True)  # a rename between two links to one file does nothing


def prune(home: Path, days: float) -> list[str] | None:
    """Drop what ceased to be the knowledge more than `days` ago; the index's names of what is left, None where nothing was dropped."""
    old = [version for version, _, until in _moments(home) if until <= time.time() - days * DAY]
    for version in old:
        (home / FOLDER / f"{version}.json").unlink(missing_ok=True)
    if not old:
        return None
    left = [_state(home, version) for version, *_ in _moments(home)]
    clean(home, [*left, read_state(home)])
    return [state.index for state in left]


def moments(home: Path, present: str) -> list[Moment]:
    """What can be opened, oldest first, the present version last."""
    earlier = [Moment(version, since, until, len(_state(home, version).documents)) for version, since, until in _moments(home)]
    if not (home / FILE).exists():
        return earlier
    return [*earlier, Moment(present, (home / FILE).stat().st_mtime, None, len(read_state(home).documents))]


def recalled(home: Path, version: str) -> State:
    """The earlier state of that version, or of the one version that begins so. KnowledgeError where there is none."""
    found = [known for known, *_ in _moments(home) if known.startswith(version)]
    if len(found) != 1 and version not in found:
        which = "no state" if not found else f"{len(found)} states"
        raise KnowledgeError(f"the knowledge has {which} whose version begins with '{version}'", "list them with `rung index --list`")
    return _state(home, version if version in found else found[0])


def _state(home: Path, version: str) -> State:
    return read_state(home, f"{FOLDER}/{version}.json")


def _moments(home: Path) -> list[tuple[str, float, float]]:
    """Version, since and until of each earlier state, oldest first."""
    paths = [*(home / FOLDER).glob("*.json"), *([home / FILE] if (home / FILE).exists() else [])]
    made = sorted((path.stat().st_mtime, path.stem) for path in paths)
    pairs = pairwise(made)
    return [(version, since, until) for (since, version), (until, _) in pairs if since < until]  # equal: a commit that failed
