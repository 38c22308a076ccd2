"""Planted failures: a working system is broken in one known way, and the diagnosis, which is never told, must name it.

The rules of the diagnosis were written while looking at the worlds `harbour` and `huts` and at the harbor example (`python -m
bench.planted`); the figures are of other worlds, and of paragraphs that no rule was looked at with.
It refuses to count a case that the unbroken system gets wrong, or the broken one right.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from bench._breaks import BREAKS, READER, READER_BREAKS, Break, Files, Project, Rows, written
from bench._scripted import served
from bench._worlds import HARBOUR, HUTS, LABORATORY, VINEYARDS, Asked, World, case, document, path, world
from rung.diagnosing import diagnose
from rung.measure.diagnose import CLASSES
from rung.workspace.workspace import open_workspace

HARBOR = Path(__file__).resolve().parents[1] / "examples" / "harbor"
DATA = HARBOR.parents[2] / "shared" / "data"
KINDS = ("missing", "retrieval", "distracted", "form", "reasoning", "unstable", "doubtful")


@dataclass(frozen=True)
class Told:
    """A planted failure and what the diagnosis said of it."""

    world: str
    how: str
    planted: str
    found: str
    why: str
    case: str


def run(small: bool = False) -> dict[str, object]:
    """The figures of `diagnosed`, and those of a model that nobody scripted on Wikipedia's paragraphs, where those are at hand."""
    figures = diagnosed(small)
    if not small and DATA.is_dir():
        told = reader(*articles(), "wikipedia", 40)
        _table(told, sorted({one.planted for one in told}, key=KINDS.index))
        figures |= {"reader_diagnosed": round(sum(one.found == one.planted for one in told) / len(told), 4), "reader_planted": len(told)}
    return figures


def diagnosed(small: bool = False) -> dict[str, object]:
    """The confusion table, printed, and its figures, over worlds that no rule was written on: `diagnosed` (the share of planted
    failures whose class is named), `least` (of one class), `planted`, `fewest` (of one class), `working`, and one for each class."""
    worlds = [world(kind, "second") for kind in ((VINEYARDS,) if small else (VINEYARDS, LABORATORY))]
    return _figures(*_all(worlds, 10 if small else 18))


def _all(worlds: Sequence[World], most: int) -> tuple[list[Told], list[bool]]:
    told: list[Told] = []
    works: list[bool] = []
    for one in worlds:
        with served(one) as url, tempfile.TemporaryDirectory() as folder:
            right = working(one, url, Path(folder))
            works += [asked.id in right for asked in one.asked]
            for number, how in enumerate(BREAKS):
                found = planted(one, how, url, Path(folder) / str(number), right, most)
                told += found
                named = sum(t.found == t.planted for t in found)
                print(f"{one.kind.name:<12}{how.name:<28}{how.kind:<12}{named:>4} of {len(found)}", flush=True)
    return told, works


def _project(told: World, asked: Sequence[Asked], url: str) -> Project:
    files: Files = {path(who): document(told, who) for who in told.values}
    settings = {"model": "works", "url": url, "temperature": 0.0, "embedder": "minilm", "mode": "hybrid", "tokens": 200, "k": 5}
    return Project(told, tuple(asked), files, [case(told, one) for one in asked], settings)


def working(told: World, url: str, folder: Path) -> set[str]:
    """The cases that the unbroken system gets right."""
    found = diagnose(open_workspace(written(_project(told, told.asked, url), folder / "works")), most=10_000)
    return {one.id for one in told.asked} - {one.case for one in found.causes}


def planted(told: World, how: Break, url: str, folder: Path, right: set[str], most: int) -> list[Told]:
    able = [one for one in told.asked if one.id in right and one.kind in how.on]
    chosen: list[Asked] = []
    for one in Random(f"{told.seed}/{how.name}").sample(able, len(able)):  # each thing once, so that a break meets only its own
        if len(chosen) < most * how.times and not {who for who, _ in one.about} & {who for other in chosen for who, _ in other.about}:
            chosen.append(one)
    found = diagnose(open_workspace(written(how.breaks(_project(told, chosen, url)), folder)), most=10_000)
    return [Told(told.kind.name, how.name, how.kind, one.kind, one.why, one.case) for one in found.causes]


def harbor() -> tuple[Files, Rows]:
    """The harbor example: 155 questions with facts and quotes. The rules of the diagnosis were looked at with it, too."""
    rows = [json.loads(line) for line in (HARBOR / "cases.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row.get("evidence") and row.get("facts") and all(one.get("quote") for one in row["evidence"])]
    return {file.relative_to(HARBOR / "docs").as_posix(): file.read_text() for file in sorted((HARBOR / "docs").rglob("*.md"))}, rows


def articles() -> tuple[Files, Rows]:
    """Paragraphs of Wikipedia with a question each (SQuAD 1.1, articles held apart from the reader's training), a document each."""
    from bundled.reader.data import read

    files: Files = {}
    rows: Rows = []
    for row in read(DATA / "rc_mix" / "dev.jsonl.gz"):
        name = f"{len(files):04}.md"
        text = f"# {row.doc}\n\n{row.context}\n"
        quote = next((s for s in re.split(r"(?<=[.!?])\s+", row.context) if row.answers and row.answers[0] in s), "")
        if row.source == "squad_v1dev_13art" and quote and text not in files.values() and len(files) < 400:
            files[name] = text
            evidence = [{"document": name, "quote": quote}]
            answers = list(row.answers)
            rows.append({"id": name, "question": row.question, "answer": answers[0], "facts": [answers], "evidence": evidence})
    return files, rows


def reader(files: Files, rows: Rows, name: str, most: int) -> list[Told]:
    """A model that nobody scripted, `bundled:reader`: what can be broken around it, on cases it gets right."""
    told: list[Told] = []
    with tempfile.TemporaryDirectory() as folder:
        whole = Project(World(HARBOUR, name, {}, ()), (), files, rows, {"embedder": "minilm", "mode": "hybrid", "k": 5})
        found = diagnose(open_workspace(written(whole, Path(folder) / "works", READER)), most=10_000)
        right = [row for row in rows if row["id"] not in {one.case for one in found.causes}]
        print(f"bundled:reader on {name} gets {len(right)} of {len(rows)} right")
        for number, how in enumerate(READER_BREAKS):
            broken = how.breaks(replace(whole, rows=_apart(Random(how.name).sample(right, len(right)), most)))
            said = diagnose(open_workspace(written(broken, Path(folder) / str(number), READER)), most=10_000)
            told += [Told(name, how.name, how.kind, one.kind, one.why, one.case) for one in said.causes]
            named = sum(one.kind == how.kind for one in said.causes)
            print(f"{name:<12}{how.name:<28}{how.kind:<12}{named:>4} of {len(said.causes)}", flush=True)
    return told


def _apart(rows: Rows, most: int) -> Rows:
    """Rows of which no two share a document."""
    chosen: Rows = []
    seen: set[str] = set()
    for row in rows:
        documents = {one["document"] for one in row["evidence"]}
        if len(chosen) < most and not documents & seen:
            chosen.append(row)
            seen |= documents
    return chosen


def _figures(told: Sequence[Told], right: Sequence[bool]) -> dict[str, object]:
    shares = _table(told, KINDS)
    print(f"the unbroken system gets {sum(right) / len(right):.1%} right")
    planted_of = Counter(one.planted for one in told)
    named = sum(one.found == one.planted for one in told) / len(told)
    figures: dict[str, object] = {"diagnosed": round(named, 4), "least": round(min(shares.values()), 4), "planted": len(told)}
    figures |= {"fewest": min(planted_of[kind] for kind in KINDS), "working": round(sum(right) / len(right), 4)}
    return figures | {kind: round(share, 4) for kind, share in shares.items()}


def _table(told: Sequence[Told], kinds: Sequence[str]) -> dict[str, float]:
    """Print planted against found; class → share named."""
    table = Counter((one.planted, one.found) for one in told)
    columns = [kind for kind in CLASSES if any(found == kind for _, found in table) or kind in kinds]
    print(f"\n{'planted':<12}" + "".join(f"{kind:>12}" for kind in columns) + f"{'named':>9}")
    shares: dict[str, float] = {}
    for kind in kinds:
        of = sum(table[kind, found] for found in columns)
        shares[kind] = table[kind, kind] / of if of else 0.0
        print(f"{kind:<12}" + "".join(f"{table[kind, found] or '-':>12}" for found in columns) + f"{shares[kind]:>8.1%}")
    print(f"\n{len(told)} planted failures, {sum(one.found == one.planted for one in told) / len(told):.1%} named")
    return shares


def develop(most: int = 12) -> None:
    """The same on what the rules were written on, and each case that is named wrong."""
    told, right = _all([world(HARBOUR, "dev"), world(HUTS, "judge")], most)
    _figures(told, right)
    told += reader(*harbor(), "harbor", 30)
    for one in told:
        if one.found != one.planted:
            print(f"{one.how}: {one.case} is {one.found} ({one.why})")


if __name__ == "__main__":
    develop(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
