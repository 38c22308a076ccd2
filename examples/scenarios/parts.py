"""What every scenario is made with: reading a published file, splitting by group, writing a project.

No question stands on both sides, nor nearly the same one, and a group (a document, an illness, a report) stands on one. A
folder that holds another project is refused.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from random import Random
from typing import Any

from rung.approach.question import question_key
from rung.errors import DataError
from rung.tuning.audit.same import Near, shape
from rung.types import Case

READING = """[project]
name = "{name}"
task = "answer"
cases = "cases.jsonl"
examples = "examples.jsonl"
bar = 0.8

[model]
name = "bundled:reader"

[knowledge]
folder = "docs"
k = 5

[prompt]
system = "{system}"
"""


@dataclass(frozen=True)
class Sizes:
    """How many held-out cases and, at most, examples; and the seed that draws them."""

    held: int
    train: int
    seed: int = 0


def reading(name: str, system: str) -> str:
    """The rung.toml of questions that `bundled:reader` answers from documents."""
    return READING.format(name=name, system=system)


@dataclass(frozen=True)
class Scenario:
    """A project before it is written. `files` holds what else stands beside rung.toml: path → content."""

    toml: str
    cases: Sequence[Case]
    licence: str
    examples: Sequence[Case] = ()
    documents: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def published(path: Path) -> str:
    """The text of a published file, unpacked. DataError where it is missing."""
    if not path.is_file():
        raise DataError(f"{path} is missing", "name the folder that holds the set as it was published")
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")


def rows_of(path: Path) -> list[Any]:
    """The rows of a published file: a JSON list, or an object a line."""
    text = published(path)
    return json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines() if line.strip()]


def split(cases: Sequence[Case], sizes: Sizes, first: Collection[str] = ()) -> tuple[list[Case], list[Case]]:
    """Held-out cases and examples; groups are drawn whole, those of `first` before others, by their names and the seed alone."""
    groups: dict[str, list[Case]] = {}
    for case in once(cases):
        groups.setdefault(case.group, []).append(case)
    held: list[Case] = []
    rest: list[Case] = []
    for name in sorted(groups, key=lambda name: (name not in first, Random(f"{sizes.seed}/{name}").random())):
        (held if len(held) < sizes.held else rest).extend(groups[name])
    return held[: sizes.held], apart(rest, held)[: sizes.train]


def once(cases: Sequence[Case]) -> list[Case]:
    """The cases without those that ask what one before asks."""
    return list({question_key(case.question): case for case in reversed(cases)}.values())[::-1]


def apart(cases: Sequence[Case], held: Sequence[Case]) -> list[Case]:
    """The cases without those that ask what a held-out one asks, or nearly."""
    keys, seen = {question_key(case.question) for case in held}, Near()
    seen.add([shape(case.question) for case in held])
    return [case for case in cases if question_key(case.question) not in keys and not seen.of(shape(case.question))]


def drawn(cases: Sequence[Case], number: int, seed: int) -> list[Case]:
    """So many of the cases at random, in their own order; all where there are fewer."""
    chosen = set(Random(seed).sample(range(len(cases)), min(number, len(cases))))
    return [case for place, case in enumerate(cases) if place in chosen]


def write(folder: Path, made: Scenario, model: str | None = None) -> None:
    """The project, `rung.toml` last. DataError where the folder holds one already."""
    if (folder / "rung.toml").exists():
        raise DataError(f"{folder} holds a project already", "name another folder, or remove that one")
    files = {f"docs/{path}": text for path, text in made.documents.items()} | dict(made.files)
    files["cases.jsonl"] = lines(made.cases)
    if made.examples:
        files["examples.jsonl"] = lines(made.examples)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    toml = made.toml if model is None else "".join(
        f'name = "{model}"\n' if line.startswith('name = "bundled:') else line for line in made.toml.splitlines(keepends=True)
    )  # fmt: skip
    (folder / "rung.toml").write_text(toml, encoding="utf-8")


def lines(cases: Sequence[Case]) -> str:
    """A case a line, without what stands at its default."""
    plain = {one.name: one.default for one in fields(Case) if one.default is not MISSING}
    rows = [{name: value for name, value in asdict(case).items() if name not in plain or value != plain[name]} for case in cases]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
