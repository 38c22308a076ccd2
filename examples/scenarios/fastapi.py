"""A product's documentation that changes weekly: FastAPI's (MIT), with gaps cut into its sentences and into lines that were changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

from examples.scenarios.changing import documents, edits, history
from examples.scenarios.parts import Scenario, Sizes, reading, split
from rung.approach.sentences import sentences
from rung.tuning.questions import cut_out
from rung.types import Case, Passage

SIZES = (150, 200)
ROOT = "docs/en/docs/"
NAME = "FastAPI"  # what every page names: a gap that it fills can be guessed
EACH = 6  # questions of one document, so that long ones don't rule
TOML = reading("fastapi", "You know FastAPI. Answer from the passages.")


def make(data: Path, sizes: Sizes) -> Scenario:
    """DATA holds docs_head_masked and freshness_pairs (.jsonl.gz). All questions on one document stand on one side."""
    now = {path: text for path, text in documents(data, ROOT).items() if not path.startswith(("_", "release-notes"))}
    changed = edits(data, ROOT, now)
    made = [case for path in sorted(now) for case in _cut(path, now[path], sizes.seed)]
    held, examples = split([*made, *(after for _, after in changed)], sizes, {after.group for _, after in changed})
    return Scenario(TOML, held, "MIT", examples, now, history(changed, held, now))


def _cut(path: str, text: str, seed: int) -> list[Case]:
    """At most `EACH` questions, drawn among the sentences of the document's prose."""
    spans = [(start, end) for start, end in _prose(text) if 8 <= len(text[start:end].split()) <= 40]
    Random(f"{seed}/{path}").shuffle(spans)
    found = []
    for start, end in spans:
        passage = Passage(f"{path.replace('/', '-')}-{start}", path, start, end, text[start:end])
        case = cut_out(passage, text[start:end], path)
        if isinstance(case, Case) and case.answer != NAME and len(found) < EACH:
            found.append(Case(f"cut-{path}-{start}", case.question, case.answer, ((case.text,),), case.evidence, ("cut-out",), path))
    return found


def _prose(text: str) -> Iterator[tuple[int, int]]:
    """Sentences outside of code, headings, boxes, lists and tables, without links and tags."""
    code = [match.span() for match in re.finditer(r"```.*?```", text, re.S)]
    for start, end in sentences(text):
        marked = re.match(r"\s*(?:[#/|{<!*-]|\d+\.)", text[start:end]) or re.search(r"\]\(|</?\w", text[start:end])
        if not marked and not any(a < end and start < b for a, b in code):
            yield start, end
