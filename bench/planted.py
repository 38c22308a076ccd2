"""Planted failures: a working system is broken in one known way, and the diagnosis, which is never told, must name it.

The rules of the diagnosis were written while looking at the worlds `harbour` and `huts`; the figures are of the other worlds.
It refuses to count a case that the unbroken system gets wrong, or the broken one right.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from bench._scripted import served
from bench._worlds import HARBOUR, HUTS, LABORATORY, VINEYARDS, Asked, World, case, document, path, sentence, world
from rung.diagnosing import diagnose
from rung.measure.diagnose import CLASSES
from rung.types import Json
from rung.workspace.workspace import open_workspace

KINDS = ("missing", "retrieval", "distracted", "form", "reasoning", "unstable", "doubtful")
TOML = """\
[project]
name = "planted"
cases = "cases.jsonl"
form = '^Answer: [^\\n]+?( \\[\\d+\\])*$'
rungs = ["rag"]

[model]
name = "endpoint:{model}@{url}"
temperature = {temperature}

[model.options]
concurrency = 4

[knowledge]
folder = "docs"
embedder = "{embedder}"
index = "exact"
mode = "{mode}"
passage_tokens = {tokens}
k = {k}
"""
Rows = list[dict[str, Json]]
Files = dict[str, str | bytes]


@dataclass(frozen=True)
class Project:
    """A project about to be written: what a break may change."""

    world: World
    asked: tuple[Asked, ...]
    files: Files
    rows: Rows
    settings: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Break:
    """One way to break a system: which class it plants, on which kinds of question."""

    name: str
    kind: str
    breaks: Callable[[Project], Project]
    on: tuple[str, ...] = ("plain",)
    times: int = 1  # more cases, where the break spoils only some


def speaking(model: str, **settings: object) -> Callable[[Project], Project]:
    """The model breaks; everything else stays as it is."""
    return lambda project: replace(project, settings={**project.settings, "model": model, **settings})


def removed(project: Project) -> Project:
    """The documents behind the questions are gone."""
    gone = {row["evidence"][0]["document"] for row in project.rows}
    return replace(project, files={name: text for name, text in project.files.items() if name not in gone})


def unreadable(project: Project) -> Project:
    """The documents are there as files that nobody can read."""
    gone = {path(who) for one in project.asked for who, _ in one.about[:1]}
    broken: Files = {name.replace(".md", ".pdf"): b"%PDF-1.7 torn" for name in gone}
    kept = {name: text for name, text in project.files.items() if name not in gone}
    rows = [json.loads(json.dumps(row).replace('.md"', '.pdf"')) if row["evidence"][0]["document"] in gone else row for row in project.rows]
    return replace(project, files={**kept, **broken}, rows=rows)


def silent(project: Project) -> Project:
    """The documents are there, without the sentence that was asked for."""
    files = dict(project.files)
    for one in project.asked:
        who, at = one.about[0]
        files[path(who)] = document(project.world, who, without=at)
    return replace(project, files=files)


def decoys(project: Project) -> Project:
    """Pages that repeat the question and hold no answer stand before the one that does."""
    files = dict(project.files)
    for number, row in enumerate(project.rows):
        asks = f"{row['question']} This is asked often. {row['question']} Please write to the desk."
        files[f"faq-{number}.md"] = f"# Questions\n\n{asks}\n"
    return replace(project, files=files, settings={**project.settings, "k": 1})


def embedder(project: Project) -> Project:
    """An embedder that knows no meaning, alone, and one passage."""
    return replace(project, settings={**project.settings, "embedder": "hashing", "mode": "dense", "k": 1})


def other_gold(project: Project) -> Project:
    """The ideal answer is another number; the evidence is right."""
    return replace(project, rows=[_answered(row, _other(one, project.world)) for row, one in _pairs(project)])


def old_gold(project: Project) -> Project:
    """Ideal answer and quote are those of a document that has changed since."""
    rows = []
    for row, one in _pairs(project):
        (who, at), told = one.about[0], _other(one, project.world)
        quote = sentence(project.world, who, at, int(told.split()[0]))
        rows.append(_answered(row, told) | {"evidence": [{"document": path(who), "quote": quote}]})
    return replace(project, rows=rows)


def mixed_up(project: Project) -> Project:
    """The ideal answer and the evidence are those of another question."""
    others = [*project.rows[1:], *project.rows[:1]]
    rows = [{**other, "id": row["id"], "question": row["question"]} for row, other in zip(project.rows, others, strict=True)]
    return replace(project, rows=rows)


def twins(project: Project) -> Project:
    """Each question is asked twice, and another answer is wanted the second time."""
    more = [_answered(row, _other(one, project.world)) | {"id": f"{row['id']}-again"} for row, one in _pairs(project)]
    return replace(project, rows=[*project.rows, *more])


def _pairs(project: Project) -> Iterator[tuple[dict[str, Json], Asked]]:
    return zip(project.rows, project.asked, strict=True)


def _other(one: Asked, told: World) -> str:
    of = told.kind.attributes[one.about[0][1]]
    taken = {f"{values[n]} {attribute.unit}" for values in told.values.values() for n, attribute in enumerate(told.kind.attributes)}
    choices = [n for n in range(of.low, 3 * of.high) if f"{n} {of.unit}" not in taken | {one.answer}]
    return f"{Random(f'{told.seed}/{one.id}').choice(choices)} {of.unit}"


def _answered(row: dict[str, Json], answer: str) -> dict[str, Json]:
    return {**row, "answer": f"Answer: {answer}", "facts": [[answer]]}


THOUGHT = ("more", "total", "which", "above")
BREAKS = (
    Break("documents removed", "missing", removed, ("plain", *THOUGHT)),
    Break("documents unreadable", "missing", unreadable),
    Break("sentence left out", "missing", silent),
    Break("decoys, k = 1", "retrieval", decoys),
    Break("wrong embedder, k = 1", "retrieval", embedder, ("plain", *THOUGHT), 2),
    Break("context ignored", "distracted", speaking("ignores"), ("plain", *THOUGHT)),
    Break("takes the last look-alike", "distracted", speaking("last")),
    Break("gives up among many", "distracted", speaking("crowded"), ("plain", *THOUGHT)),
    Break("chatty", "form", speaking("chatty"), ("plain", *THOUGHT)),
    Break("JSON for a sentence", "form", speaking("as_json")),
    Break("numbers in words", "form", speaking("in_words"), ("plain", "more", "total")),
    Break("wrong conclusion", "reasoning", speaking("turned"), THOUGHT),
    Break("stops halfway", "reasoning", speaking("halfway"), ("more", "total")),
    Break("reads the wrong number", "reasoning", speaking("askew")),
    Break("can't conclude", "reasoning", speaking("blank"), ("plain", *THOUGHT)),
    Break("by wording", "unstable", speaking("by_wording"), ("plain", *THOUGHT), 2),
    Break("by seed", "unstable", speaking("by_seed", temperature=0.8), ("plain", *THOUGHT), 2),
    Break("gold is another number", "doubtful", other_gold),
    Break("gold of a sum is another", "doubtful", other_gold, ("more", "total")),
    Break("gold and quote are old", "doubtful", old_gold),
    Break("gold of another question", "doubtful", mixed_up),
    Break("asked twice, two answers", "doubtful", twins),
)


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
    """`diagnosed`: the share of planted failures whose class is named, over worlds that no rule was written on."""
    return diagnosed(small)


def diagnosed(small: bool = False) -> dict[str, object]:
    """The confusion table, printed, and its figures: `diagnosed`, `least` (of one class), `planted`, `working`, one for each class."""
    worlds = [world(kind, "second") for kind in ((VINEYARDS,) if small else (VINEYARDS, LABORATORY))]
    return _figures(*_all(worlds, 10 if small else 18))


def _all(worlds: Sequence[World], most: int) -> tuple[list[Told], list[bool]]:
    told: list[Told] = []
    working: list[bool] = []
    for one in worlds:
        with served(one) as url, tempfile.TemporaryDirectory() as folder:
            right = working(one, url, Path(folder))
            working += [asked.id in right for asked in one.asked]
            for number, how in enumerate(BREAKS):
                found = planted(one, how, url, Path(folder) / str(number), right, most)
                told += found
                named = sum(t.found == t.planted for t in found)
                print(f"{one.kind.name:<12}{how.name:<28}{how.kind:<12}{named:>4} of {len(found)}", flush=True)
    return told, working


def _project(told: World, asked: Sequence[Asked], url: str) -> Project:
    files: Files = {path(who): document(told, who) for who in told.values}
    settings = {"model": "works", "url": url, "temperature": 0.0, "embedder": "minilm", "mode": "hybrid", "tokens": 200, "k": 5}
    return Project(told, tuple(asked), files, [case(told, one) for one in asked], settings)


def _written(project: Project, folder: Path) -> Path:
    (folder / "docs").mkdir(parents=True)
    for name, text in project.files.items():
        (folder / "docs" / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in project.rows))
    (folder / "rung.toml").write_text(TOML.format(**project.settings))
    return folder


def working(told: World, url: str, folder: Path) -> set[str]:
    """The cases that the unbroken system gets right."""
    found = diagnose(open_workspace(_written(_project(told, told.asked, url), folder / "works")), most=10_000)
    return {one.id for one in told.asked} - {one.case for one in found.causes}


def planted(told: World, how: Break, url: str, folder: Path, right: set[str], most: int) -> list[Told]:
    able = [one for one in told.asked if one.id in right and one.kind in how.on]
    chosen: list[Asked] = []
    for one in Random(f"{told.seed}/{how.name}").sample(able, len(able)):  # each thing once, so that a break meets only its own
        if len(chosen) < most * how.times and not {who for who, _ in one.about} & {who for other in chosen for who, _ in other.about}:
            chosen.append(one)
    found = diagnose(open_workspace(_written(how.breaks(_project(told, chosen, url)), folder)), most=10_000)
    return [Told(told.kind.name, how.name, how.kind, one.kind, one.why, one.case) for one in found.causes]


def _figures(told: Sequence[Told], working: Sequence[bool]) -> dict[str, object]:
    table = Counter((one.planted, one.found) for one in told)
    columns = [kind for kind in CLASSES if any(found == kind for _, found in table) or kind in KINDS]
    print(f"\n{'planted':<12}" + "".join(f"{kind:>12}" for kind in columns) + f"{'named':>9}")
    shares: dict[str, float] = {}
    for kind in KINDS:
        of = sum(table[kind, found] for found in columns)
        shares[kind] = table[kind, kind] / of if of else 0.0
        print(f"{kind:<12}" + "".join(f"{table[kind, found] or '-':>12}" for found in columns) + f"{shares[kind]:>8.1%}")
    named = sum(table[kind, kind] for kind in KINDS) / len(told)
    print(f"\n{len(told)} planted failures, {named:.1%} named; the unbroken system gets {sum(working) / len(working):.1%} right")
    figures: dict[str, object] = {"diagnosed": round(named, 4), "least": round(min(shares.values()), 4), "planted": len(told)}
    fewest = min(sum(table[kind, found] for found in columns) for kind in KINDS)
    return figures | {"fewest": fewest, "working": round(sum(working) / len(working), 4), **{k: round(v, 4) for k, v in shares.items()}}


def develop(most: int = 12) -> None:
    """The same on the worlds that the rules are written on, and each case that is named wrong."""
    told, working = _all([world(HARBOUR, "dev"), world(HUTS, "judge")], most)
    _figures(told, working)
    for one in told:
        if one.found != one.planted:
            print(f"{one.how}: {one.case} is {one.found} ({one.why})")


if __name__ == "__main__":
    develop(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
