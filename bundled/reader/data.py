"""Rows of reading comprehension as groups of windows: the right passage, look-alikes of its document, or look-alikes alone.

It refuses sources without a licence that lets weights be shared, and answers that are not words of their passage.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from rung.measure.metrics import token_f1
from rung.models.spans import Window, covered, windows
from rung.tuning.spans import Group

SOURCES = ("squad_v2dev", "squad_v1dev_extra", "squad_v1dev_13art", "qamr", "fairytaleqa", "policyqa_dev", "tatqa_dev_text")
TEST = ("Normans", "Construction", "Oxygen")  # articles of the train file kept for the test of abstention
VALIDATION = ("Southern_California", "Pharmacy")


@dataclass(frozen=True)
class Row:
    """A question on a passage; no answers where it has none."""

    source: str
    doc: str
    context: str
    question: str
    answers: tuple[str, ...]
    starts: tuple[int, ...]


def read(path: Path) -> list[Row]:
    """The rows with answers that stand in their passage, or with none because there is none."""
    found = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            kept = [
                (a, s) for a, s in zip(row["answers"], row["answer_starts"], strict=True) if s >= 0 and row["context"][s : s + len(a)] == a
            ]
            if row["source"] in SOURCES and (kept or row["is_impossible"]):
                answers, starts = zip(*kept, strict=True) if kept else ((), ())
                found.append(Row(row["source"], row["doc"], row["context"], row["question"], answers, starts))
    return found


def part(row: Row) -> str:
    """train, validation or test; by document."""
    if row.source.startswith("squad"):
        return "test" if row.doc in TEST else "validation" if row.doc in VALIDATION else "train"
    lot = int(hashlib.sha256(row.doc.encode()).hexdigest()[:8], 16) % 100
    return "validation" if lot < 3 else "train"


def agreed(row: Row) -> int:
    """The number of the answer that is most like the others, the shorter of two."""
    likeness = [sum(token_f1(one, [other]) for other in row.answers) for one in row.answers]
    return max(range(len(likeness)), key=lambda n: (round(likeness[n], 6), -len(row.answers[n])))


def headed(row: Row, r: Random) -> tuple[str, int]:
    """The passage, half the time under its document's title as passages stand in a prompt, and the title's length."""
    if row.source not in ("squad_v2dev", "fairytaleqa") or r.random() < 0.5:
        return row.context, 0
    title = re.sub(r"[_-]+", " ", row.doc).strip()
    title = title[:1].upper() + title[1:]
    return f"{title}\n{row.context}", len(title) + 1


class Shelf:
    """The passages of each document, to draw look-alikes from."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.by_doc: dict[str, list[str]] = {}
        for row in rows:
            passages = self.by_doc.setdefault(row.doc, [])
            if row.context not in passages:
                passages.append(row.context)
        self.by_source: dict[str, list[str]] = {}
        for source, context in sorted({(row.source, row.context) for row in rows}):
            self.by_source.setdefault(source, []).append(context)
        self.words: dict[str, set[str]] = {}

    def alike(self, row: Row, r: Random) -> str:
        """A passage of the same document that shares many words with the question and holds no answer; "" where there is none."""
        others = [p for p in self.by_doc[row.doc] if p != row.context and not any(a.lower() in p.lower() for a in row.answers)]
        others = r.sample(others, min(12, len(others)))
        asked = set(re.findall(r"\w{4,}", row.question.lower()))
        ranked = sorted(others, key=lambda p: -len(asked & self._words(p)))
        return r.choice(ranked[:2]) if ranked else ""

    def other(self, row: Row, r: Random) -> str:
        """A passage from the same source that is about something else."""
        chosen = r.choice(self.by_source[row.source])
        return "" if any(answer.lower() in chosen.lower() for answer in row.answers) else chosen

    def _words(self, passage: str) -> set[str]:
        if passage not in self.words:
            self.words[passage] = set(re.findall(r"\w{4,}", passage.lower()))
        return self.words[passage]


def group(tokenizer: Any, row: Row, shelf: Shelf, r: Random, size: int) -> Group | None:
    """The row as it is read this time; None where its answer is too long for a window."""
    draw = r.random()
    others = [p for p in (_beside(shelf, row, r) for _ in range(2 if r.random() < 0.4 else 1)) if p] if draw < 0.65 else []
    drawn = tuple(_any(tokenizer, row.question, other, 0, r, size) for other in others)
    if row.answers and drawn and draw < 0.35:  # the right passage was not found
        return Group(drawn, None)
    text, skip = headed(row, r)
    if not row.answers:
        return Group((_any(tokenizer, row.question, text, skip, r, size), *(drawn if draw < 0.35 else ())), None)
    n = agreed(row)
    start, end = row.starts[n] + skip, row.starts[n] + skip + len(row.answers[n])
    if row.source == "qamr" and draw > 0.7:  # a sentence among others
        before, after = (r.choice(shelf.by_source["qamr"]) for _ in range(2))
        text, start, end = f"{before} {text} {after}", start + len(before) + 1, end + len(before) + 1
    at = [
        (window, found)
        for window in windows(tokenizer, row.question, text, size, size // 2, skip)
        if (found := covered(window, start, end))
    ]
    if not at or at[0][1][1] - at[0][1][0] >= 40:
        return None
    window, (first, last) = r.choice(at)
    return Group((window, *drawn), (0, first, last))


def _beside(shelf: Shelf, row: Row, r: Random) -> str:
    return shelf.alike(row, r) if r.random() < 0.7 else shelf.other(row, r)


def _any(tokenizer: Any, question: str, text: str, skip: int, r: Random, size: int) -> Window:
    return r.choice(list(windows(tokenizer, question, text, size, size // 2, skip)))
