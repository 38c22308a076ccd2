"""The ways to break a working system, each with the class of failure it plants, and a project written to disk. It diagnoses nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from bench._worlds import Asked, World, document, path, sentence
from rung.types import Json

TOML = """\
[project]
name = "planted"
cases = "cases.jsonl"
form = '^Answer: [^\\n]+?( \\[\\d+\\])*$'
rungs = ["rag"]

[model]
name = "endpoint:{model}@{url}"
temperature = {temperature}
options = {{ concurrency = 4 }}

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

    world: World  # empty where the documents were not made up here
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


READER = """\
[project]
name = "harbor"
cases = "cases.jsonl"

[model]
name = "bundled:reader"

[knowledge]
folder = "docs"
embedder = "{embedder}"
index = "exact"
mode = "{mode}"
passage_tokens = 96
k = {k}
"""


def other_facts(project: Project) -> Project:
    """Ideal answer and facts are those of another question, the evidence is not."""
    others = [*project.rows[1:], *project.rows[:1]]
    pairs = zip(project.rows, others, strict=True)
    return replace(project, rows=[{**row, "answer": other["answer"], "facts": other["facts"]} for row, other in pairs])


def sentences_lost(project: Project) -> Project:
    """The documents are there, without the sentences that hold the evidence."""
    files = dict(project.files)
    for row in project.rows:
        for one in row["evidence"]:
            files[one["document"]] = str(files[one["document"]]).replace(one["quote"], "")
    return replace(project, files=files)


READER_BREAKS = (
    Break("documents removed", "missing", removed),
    Break("sentences lost", "missing", sentences_lost),
    Break("decoys, k = 1", "retrieval", decoys),
    Break("wrong embedder, k = 1", "retrieval", embedder),
    Break("gold of another question", "doubtful", mixed_up),
    Break("facts of another question", "doubtful", other_facts),
)


def written(project: Project, folder: Path, toml: str = TOML) -> Path:
    (folder / "docs").mkdir(parents=True)
    for name, text in project.files.items():
        (folder / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "docs" / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in project.rows))
    (folder / "rung.toml").write_text(toml.format(**project.settings))
    return folder
