"""What a job printed: its log, its result and how far it is, read from its folder while it runs or later. It changes nothing."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OUT, LOG, STEPS = "out.txt", "log.txt", "events.jsonl"  # of names whose texts `rung forget` looks into


@dataclass(frozen=True)
class Step:
    """What a job is doing: so much of so many; `seconds_left` by the pace so far, None where that can't be told."""

    what: str
    done: int
    total: int
    seconds_left: float | None


def folder_of(home: Path, number: int) -> Path:
    """Where a job keeps what it prints, by names whose texts `rung forget` looks into."""
    return home / "jobs" / str(number)


def printed(home: Path, number: int, file: str = LOG, most: int = 100_000) -> str:
    """The end of what a job printed: its result in OUT, what it said meanwhile in LOG."""
    try:
        with (folder_of(home, number) / file).open("rb") as opened:
            opened.seek(max(0, os.fstat(opened.fileno()).st_size - most))
            return opened.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def result(home: Path, number: int) -> Any:
    """The JSON object that a verb printed with --json; None where it printed none."""
    try:
        return json.loads(printed(home, number, OUT, most=1 << 26))
    except ValueError:
        return None


def steps(home: Path, number: int) -> list[Step]:
    """What the job does and did, the latest last."""
    first: dict[str, tuple[float, int]] = {}
    last: dict[str, tuple[float, int, int]] = {}
    for line in printed(home, number, STEPS, most=1 << 20).splitlines():
        try:
            told = json.loads(line)
            what, done, total, at = told["what"], told["done"], told["total"], told["at"]
        except (ValueError, KeyError):  # torn by a kill, or the middle of a line
            continue
        if what in last and done < last[what][1]:
            first.pop(what)
        first.setdefault(what, (at, done))
        last.pop(what, None)
        last[what] = at, done, total
    return [Step(what, done, total, _left(*first[what], at, done, total)) for what, (at, done, total) in last.items()]


def _left(since: float, before: int, at: float, done: int, total: int) -> float | None:
    return (at - since) / (done - before) * (total - done) if done > before else None


def said(home: Path, number: int) -> list[str]:
    """The sentences that a job said beside its progress, such as the recipe of a training."""
    found = []
    for line in printed(home, number, STEPS, most=1 << 20).splitlines():
        try:
            found.append(str(json.loads(line)["said"]))
        except (ValueError, KeyError, TypeError):
            continue
    return found
