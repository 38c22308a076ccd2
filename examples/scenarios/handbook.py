"""A company's handbook and its updates: Sourcegraph's (Apache-2.0), its own FAQ as questions, and lines that were changed since."""

from __future__ import annotations

from pathlib import Path

from examples.scenarios.changing import documents, edits, history
from examples.scenarios.parts import Scenario, Sizes, reading, rows_of, split
from rung.approach.sentences import sentences
from rung.types import Case, Evidence

SIZES = (150, 300)
ROOT = "content/"
SHORT = 40  # words; longer answers of the FAQ are whole sections, which no metric without a judge can hold an answer to
TOML = reading("handbook", r'''You answer the staff's questions from the handbook. If it is not there, say \"I don't know.\"''')


def make(data: Path, sizes: Sizes) -> Scenario:
    """DATA holds docs_head_masked, faq_gold and freshness_pairs (.jsonl.gz). All questions on one document stand on one side."""
    now = documents(data, ROOT)
    changed = edits(data, ROOT, now)
    held, examples = split([*_faq(data, now), *(after for _, after in changed)], sizes)
    return Scenario(TOML, held, "Apache-2.0", examples, now, history(changed, held, now))


def _faq(data: Path, now: dict[str, str]) -> list[Case]:
    found = []
    for row in rows_of(data / "faq_gold.jsonl.gz"):
        path, answer = row["gold_path"].removeprefix(ROOT), row["answer_text"].removeprefix("A:").strip()
        start, end = sentences(answer)[0] if answer else (0, 0)
        quote = answer[start:end].strip()
        if answer and len(answer.split()) <= SHORT and quote in now.get(path, ""):
            found.append(Case(row["id"], row["question"], answer, (), (Evidence(path, quote),), ("faq",), path))
    return found
