"""How likely an answer must be to be said: chosen on the validation part of the train file. Nothing of the dev file is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from bundled.reader.data import Row, Shelf
from rung.measure.metrics import token_f1
from rung.models.reading import Quote, open_reader, trimmed

MOST = 600  # questions
THRESHOLDS = [n / 100 for n in range(5, 100, 2)]


def asked(rows: Sequence[Row], shelf: Shelf) -> list[tuple[Row, list[str]]]:
    """Each question with three passages of its document in drawn order; every fourth answerable one without the right one."""
    made = []
    for n, row in enumerate(rows):
        r = Random(f"threshold/{n}")
        others = sorted({shelf.alike(row, r) for _ in range(4)} - {""})
        missing = bool(row.answers and n % 4 == 0 and others)
        chosen = others[:3] if missing else [row.context, *others[:2]]
        made.append((replace(row, answers=(), starts=()) if missing else row, r.sample(chosen, len(chosen))))
    return made


def said(row: Row, passages: Sequence[str], found: Quote | None, threshold: float) -> float:
    """Token F1 of the quote; of an unanswerable question 1 where nothing is said."""
    if found is None or found.probability < threshold:
        return float(not row.answers)
    start, end = trimmed(passages[found.passage], found.start, found.end)
    return token_f1(passages[found.passage][start:end], row.answers) if row.answers else 0.0


def tuned(change: Path, rows: Sequence[Row]) -> float:
    """The threshold of the highest harmonic mean of two shares: F1 where there is an answer, silence where there is none.

    By their plain mean a reader that is often wrong is best when it never says anything.
    """
    reader = open_reader(None, change)
    longer = [row for row in rows if row.source != "qamr"]  # a lone sentence has no neighbours to be taken from
    everything = asked(Random("threshold").sample(longer, min(MOST, len(longer))), Shelf(longer))
    found = [(row, passages, reader.found(row.question, passages)) for row, passages in everything]
    best, worth = THRESHOLDS[0], 0.0
    for threshold in THRESHOLDS:
        kinds: dict[bool, list[float]] = {True: [], False: []}
        for row, passages, quote in found:
            kinds[bool(row.answers)].append(said(row, passages, quote, threshold))
        f1, silence = (sum(kinds[answerable]) / max(len(kinds[answerable]), 1) for answerable in (True, False))
        mean = 2 * f1 * silence / max(f1 + silence, 1e-9)
        print(f"threshold {threshold:.2f} F1 {f1:.4f}, silent where it should be {silence:.4f}, harmonic mean {mean:.4f}")
        best, worth = (threshold, mean) if mean > worth else (best, worth)
    return best
