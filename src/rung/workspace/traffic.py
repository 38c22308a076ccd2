"""One row for each answer that was served: counts, seconds and scores, written in the transaction of its audit entry.

It holds no word of people's: what was asked and answered stands in the audit log, as far as that keeps it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import itemgetter
from typing import Any

from rung.measure.abstention import abstains
from rung.types import Answer
from rung.workspace.store import Run, Store


@dataclass(frozen=True)
class Traffic:
    """An answer in figures. `score` is that of its best passage, on the scale of the search that found it; None without passages."""

    id: str  # which the client was told
    entry: int  # the audit log's number of it
    at: float  # seconds since the epoch when it began
    who: str  # as the audit log names it
    model: str
    ended: str  # "answered", or why not
    seconds: float
    retrieval: float  # seconds of them
    prompt: int
    completion: int
    cached: int
    money: float
    passages: int
    score: float | None
    abstained: bool  # says that it doesn't know
    sentences: int  # that were checked
    unsupported: int


@dataclass(frozen=True)
class Asked:
    """An answer in figures, with what the audit log still holds of its words; "" where that is nothing."""

    figures: Traffic
    question: str = ""  # as it was searched for
    answer: str = ""
    documents: tuple[str, ...] = ()


BEGINNING = 300  # characters in which an answer says that it doesn't know; the request path is no place for reading on
NAMES = [field.name for field in fields(Traffic)]
COLUMNS = ", ".join(NAMES)
_values = itemgetter(*NAMES)
_INSERT = f"INSERT INTO traffic ({COLUMNS}) VALUES ({', '.join('?' * len(NAMES))})"


def figures(
    answer: Answer, *, id: str, entry: int, at: float, who: str, model: str, ended: str, seconds: float, money: float, refusal: str
) -> Traffic:
    """Of an answer; `refusal` is what the project says where it doesn't know."""
    abstained = ended == "answered" and abstains(answer.text[:BEGINNING], (refusal,))
    return Traffic(
        id, entry, at, who, model, ended, round(seconds, 6), round(answer.retrieval_seconds, 6), answer.usage.prompt,
        answer.usage.completion, answer.usage.cached, money, len(answer.hits),
        float(max(hit.score for hit in answer.hits)) if answer.hits else None, abstained,
        len(answer.sentences), sum(not sentence.support for sentence in answer.sentences),
    )  # fmt: skip


def keep(run: Run, row: Traffic) -> None:
    """Add it, within a transaction."""
    run(_INSERT, _values({**vars(row), "abstained": int(row.abstained)}))


def traffic(store: Store, since: float = 0.0, until: float = float("inf")) -> list[Traffic]:
    """The answers that began in [since, until), oldest first."""
    until = min(until, 1e18)
    rows = store.read(f"SELECT {COLUMNS} FROM traffic WHERE at >= ? AND at < ? ORDER BY at, id", (since, until))
    return [_row(row) for row in rows]


def asked(store: Store, rows: Sequence[Traffic]) -> list[Asked]:
    """The same answers with their words."""
    if not rows:
        return []
    first, last = min(row.entry for row in rows), max(row.entry for row in rows)
    kept = store.read("SELECT number, content FROM trail WHERE kind = ? AND number BETWEEN ? AND ?", ("question", first, last))
    words = {number: json.loads(content) for number, content in kept if content is not None}
    return [_with_words(row, words.get(row.entry) or {}) for row in rows]


def answered(store: Store, id: str) -> Asked | None:
    """The answer with this id, or None."""
    rows = store.read(f"SELECT {COLUMNS} FROM traffic WHERE id = ?", (id,))
    return asked(store, [_row(rows[0])])[0] if rows else None


def _with_words(row: Traffic, told: dict[str, Any]) -> Asked:
    question = told.get("searched_for") or told.get("question", "")
    return Asked(row, question, told.get("answer", ""), tuple(told.get("documents", ())))


def _row(row: Sequence[Any]) -> Traffic:
    told = dict(zip(NAMES, row, strict=True))
    return Traffic(**{**told, "abstained": bool(told["abstained"])})
