"""Medical questions: MedQuAD (Ben Abacha and Demner-Fushman 2019, CC BY 4.0), those on genetic conditions whose answers can be checked.

Most of its answers are pages of prose, which no metric without a judge can hold an answer to. Taken are the questions whose
answer says one thing that a rule can find: one pattern of inheritance, one gene, one frequency.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from examples.scenarios.parts import Scenario, Sizes, rows_of, split
from rung.approach.sentences import sentences
from rung.types import Case, Evidence

SIZES = (150, 400)
SOURCE = "GHR"  # Genetics Home Reference, whose pages keep to one form
CONDITIONS = 400  # pages at most, drawn by the seed, so that the index is built in minutes
TOLD = {
    "inheritance": re.compile(r"\b(autosomal recessive|autosomal dominant|X-linked recessive|X-linked dominant|mitochondrial)\b"),
    "genetic changes": re.compile(r"\b[Mm]utations in the ([A-Z][A-Z0-9]+) gene\b"),
    "frequency": re.compile(r"\b(1 in [\d,]+\d)\b"),
}
TOML = """[project]
name = "medquad"
task = "answer"
cases = "cases.jsonl"
examples = "examples.jsonl"
bar = 0.8
rungs = ["prompt", "few-shot", "rag", "tuned", "hybrid", "raft"]

[model]
name = "bundled:tiny"
max_tokens = 32

[knowledge]
folder = "docs"
passage_tokens = 96
k = 5

[prompt]
system = "You answer questions on genetic conditions from the passages."

[tuning]
epochs = 3
"""


def make(data: Path, sizes: Sizes) -> Scenario:
    """DATA holds medquad.jsonl.gz. All questions on one condition stand on one side."""
    pages: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows_of(data / "medquad.jsonl.gz"):
        if row["source"] == SOURCE:
            pages[row["focus"].strip().lower()].append(row)
    cases = [case for focus in sorted(pages) for row in pages[focus] for case in _asked(focus, row)]
    held, examples = split(cases, sizes)
    shown = list(dict.fromkeys(case.group for case in (*held, *examples)))
    shown += [focus for focus in sorted(pages) if focus not in shown][: max(0, CONDITIONS - len(shown))]
    return Scenario(TOML, held, "CC BY 4.0", examples, {_path(focus): _page(pages[focus]) for focus in shown})


def _asked(focus: str, row: dict[str, str]) -> list[Case]:
    """The question with its short answer, where its answer says one and no more."""
    pattern = TOLD.get(row["qtype"])
    said = list(dict.fromkeys(pattern.findall(row["answer"]))) if pattern else []
    if len(said) != 1:
        return []
    quote = next(row["answer"][start:end].strip() for start, end in sentences(row["answer"]) if said[0] in row["answer"][start:end])
    return [Case(row["qid"], row["question"], said[0], ((said[0],),), (Evidence(_path(focus), quote),), (row["qtype"],), focus)]


def _page(rows: list[dict[str, str]]) -> str:
    """A condition's page; its headings name the topic and don't repeat the questions."""
    return "\n\n".join([f"# {rows[0]['focus']}", *(f"## {row['qtype'].capitalize()}\n\n{row['answer']}" for row in rows)]) + "\n"


def _path(focus: str) -> str:
    return re.sub(r"\W+", "-", focus).strip("-") + ".md"
