"""Histories replayed commit by commit into an index, and the index against one built from scratch at the end.

It refuses to count a document that a search doesn't find: after a commit of one document its newest words are looked for.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from rung.knowledge import embedders
from rung.knowledge.knowledge import Knowledge, history, open_knowledge, search, sync
from rung.knowledge.read import read_document
from rung.types import Document, Hit

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SETS = ("fastapi_docs", "sourcegraph_handbook")
CHECKED = 50  # questions on which both indexes are compared


def run(small: bool = False) -> dict[str, object]:
    """For each set: documents synced a second, the p50 in ms of a commit of one document with a search, and whether the indexes are equal.

    In small, the first 40 commits with the hashing embedder; else all 24 months, the handbook with the hashing embedder.
    """
    figures: dict[str, object] = {}
    print(f"{'set':<22}{'embedder':>10}{'commits':>9}{'changes':>9}{'docs/s':>8}{'p50 ms':>8}{'equal':>7}{'same hits':>11}{'states':>8}")
    for name in SETS:
        if not (DATA / name).is_dir():
            print(f"skipped: the development data is not at {DATA / name}")
            return {"skipped": True}
        spec = "hashing" if small or name == "sourcegraph_handbook" else "minilm"
        with tempfile.TemporaryDirectory() as folder:
            figures |= {f"{name}_{key}": value for key, value in _replayed(name, spec, 40 if small else None, Path(folder)).items()}
    return figures


def commits(name: str) -> Iterator[list[dict[str, Any]]]:
    """The rows of each commit, the first snapshot first."""
    with gzip.open(DATA / name / "docs_history.jsonl.gz", "rt", encoding="utf-8") as file:
        for _, rows in groupby(map(json.loads, file), key=lambda row: row["commit"]):
            yield list(rows)


def _replayed(name: str, spec: str, most: int | None, folder: Path) -> dict[str, object]:
    embedder = embedders.load(spec)
    knowledge = open_knowledge(folder / "walked", embedder)
    held: dict[str, Document] = {}
    first, *later = commits(name)
    _apply(held, first)
    sync(knowledge, list(held.values()))
    seconds: list[tuple[int, float]] = []
    for rows in later[:most]:
        _apply(held, rows)
        started = time.perf_counter()
        sync(knowledge, list(held.values()))
        if len(rows) == 1 and rows[0]["path"] in held:
            _must_find(knowledge, held[rows[0]["path"]])
        seconds.append((len(rows), time.perf_counter() - started))
    changes, spent = sum(rows for rows, _ in seconds), sum(spent for _, spent in seconds)
    single = [spent for rows, spent in seconds if rows == 1]
    equal, same = _compared(knowledge, held, folder)
    rate, p50 = changes / spent, 1000 * median(single)
    states = len(history(knowledge))
    print(f"{name:<22}{spec:>10}{len(seconds):>9}{changes:>9}{rate:>8.1f}{p50:>8.0f}{equal!s:>7}{same:>11.3f}{states:>8}")
    found = {"documents_per_second": round(rate, 2), "p50_ms": round(p50, 1), "changes": changes, "states": states}
    return found | {"equal": equal, "same_hits": round(same, 4)}


def _apply(held: dict[str, Document], rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["type"] == "D" or not (row.get("text") or "").strip():
            held.pop(row["path"], None)
        else:
            held[row["path"]] = read_document(row["text"].encode("utf-8", "replace"), row["path"])


def _must_find(knowledge: Knowledge, document: Document) -> None:
    words = document.text.split()[-12:]
    found = [hit.passage for hit in search(knowledge, " ".join([document.title, *words]), 20)]
    mine = [passage for passage in found if passage.document == document.path]
    if any(document.text[passage.start : passage.end] != passage.text for passage in mine):
        raise SystemExit(f"a search found an old version of {document.path}")


def _compared(knowledge: Knowledge, held: dict[str, Document], folder: Path) -> tuple[bool, float]:
    """Whether documents and passages are those of an index built at once, and the share of the ten best that both find."""
    fresh = open_knowledge(folder / "fresh", knowledge.embedder)
    sync(fresh, list(held.values()))
    equal = (fresh.version, list(fresh.passages())) == (knowledge.version, list(knowledge.passages()))
    asked = [document.title for document in list(held.values())[:CHECKED]]
    shares = [len(_names(search(fresh, text, 10)) & _names(search(knowledge, text, 10))) / 10 for text in asked]
    return equal, sum(shares) / len(shares)


def _names(hits: list[Hit]) -> set[str]:
    return {hit.passage.id for hit in hits}
