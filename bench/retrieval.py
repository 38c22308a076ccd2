"""Quality of retrieval on SciFact and on a company's handbook: ours by words, by vectors and hybrid, and bm25s as the peer.

It refuses to tune on what it reports: the fusion was chosen on SciFact's train queries (`choose`, printed by
`python -m bench.retrieval`), never on the queries below.
"""

from __future__ import annotations

import csv
import gzip
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rung.knowledge import embedders
from rung.knowledge.fusion import by_rank, by_score
from rung.knowledge.knowledge import Knowledge, open_knowledge, search, sync
from rung.knowledge.read import read_document
from rung.measure.retrieval import ndcg_at, recall_at
from rung.types import Document

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MODES = ("words", "dense", "hybrid")
DEEP = 50  # passages asked for, so that ten documents are among them

Ask = Callable[[str], list[str]]


@dataclass(frozen=True)
class Task:
    """Documents, and questions with the paths of the documents that answer them."""

    name: str
    documents: Sequence[Document]
    queries: Sequence[tuple[str, Mapping[str, float]]]


def run(small: bool = False) -> dict[str, object]:
    """nDCG@10 and recall@10 by document, and our hybrid's nDCG@10 over bm25s's on SciFact's test queries as `ratio`."""
    if not DATA.is_dir():
        print(f"skipped: the development data is not at {DATA}")
        return {"skipped": True}
    figures: dict[str, object] = {}
    print(f"{'task':<10} {'system':<14} {'nDCG@10':>8} {'recall@10':>10} {'ms/query':>9}")
    for task in (scifact("test"), handbook()):
        part = _share(task, 5) if small else task
        with tempfile.TemporaryDirectory() as folder:
            for system, ask in systems(part, Path(folder)):
                figures |= _scored(part, system, ask)
    ratios = {name: round(_ratio(figures, name), 4) for name in ("scifact", "handbook")}
    figures |= {f"{name}_ratio": ratio for name, ratio in ratios.items()}
    return figures | {"ratio": ratios["scifact"]}


def scifact(split: str) -> Task:
    """Claims and the abstracts that support or refute them (Wadden et al. 2020), in BEIR's form."""
    folder = DATA / "scifact"
    documents = [_document(row["_id"], f"# {row['title']}\n\n{row['text']}\n") for row in _rows(folder / "corpus.jsonl.gz")]
    wanted: dict[str, dict[str, float]] = {}
    with (folder / f"qrels.{split}.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            wanted.setdefault(row["query-id"], {})[f"{row['corpus-id']}.md"] = float(row["score"])
    queries = {row["_id"]: row["text"] for row in _rows(folder / f"queries.{split}.jsonl.gz")}
    return Task("scifact", documents, [(queries[name], relevant) for name, relevant in wanted.items()])


def handbook() -> Task:
    """Questions of a company's handbook and the pages that answer them; the questions are struck out of the pages."""
    folder = DATA / "sourcegraph_handbook"
    pages = [row for row in _rows(folder / "docs_head_masked.jsonl.gz") if row["text"].strip()]
    documents = [_document(row["path"].removesuffix(".md"), row["text"]) for row in pages]
    gold = [(row["question"], {row["gold_path"]: 1.0}) for row in _rows(folder / "faq_gold.jsonl.gz")]
    return Task("handbook", documents, gold)


def systems(task: Task, folder: Path) -> Iterator[tuple[str, Ask]]:
    """bm25s over whole documents, then ours in each mode."""
    yield "bm25s", peer(task.documents)
    knowledge = indexed(task, folder)
    for mode in MODES:
        yield mode, lambda query, mode=mode: by_document(search(knowledge, query, DEEP, mode))  # type: ignore[misc]


def peer(documents: Sequence[Document]) -> Ask:
    """bm25s as its makers set it up for BEIR: stemmed, Lucene's BM25, k1 0.9, b 0.4."""
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer("english")
    index = bm25s.BM25(k1=0.9, b=0.4)
    index.index(bm25s.tokenize([document.text for document in documents], stemmer=stemmer, show_progress=False), show_progress=False)

    def ask(query: str) -> list[str]:
        words = bm25s.tokenize(query, stemmer=stemmer, show_progress=False)
        numbers, _ = index.retrieve(words, k=min(10, len(documents)), show_progress=False)
        return [documents[int(number)].path for number in numbers[0]]

    return ask


def indexed(task: Task, folder: Path, kind: str = "lance") -> Knowledge:
    """The task's documents in an index under `folder`; says how long it took."""
    knowledge = open_knowledge(folder, embedders.load("minilm"), kind)
    started = time.perf_counter()
    sync(knowledge, task.documents)
    print(f"{task.name}: {len(task.documents)} documents indexed in {time.perf_counter() - started:.0f} s by {knowledge.embedder.id}")
    return knowledge


def by_document(hits: Sequence[Any]) -> list[str]:
    """Documents in the order of their best passages."""
    return list(dict.fromkeys(hit.passage.document for hit in hits))


def choose(folder: Path) -> None:
    """What the default fusion was chosen by: nDCG@10 on SciFact's train queries."""
    task = scifact("train")
    knowledge = indexed(task, folder)
    legs = [{mode: search(knowledge, query, 100, mode) for mode in ("dense", "words")} for query, _ in task.queries]
    ways: dict[str, Callable[[Any], Any]] = {f"rank, constant {constant}": _ranked(constant) for constant in (10, 20, 60)}
    ways |= {f"score, dense {share:.1f}": _weighed(share) for share in (0.3, 0.4, 0.5, 0.6, 0.7)}
    ways |= {mode: (lambda found, mode=mode: found[mode]) for mode in ("dense", "words")}
    for name, way in ways.items():
        scores = [ndcg_at(by_document(way(found)), relevant) for found, (_, relevant) in zip(legs, task.queries, strict=True)]
        print(f"{name:<20} {sum(scores) / len(scores):.4f}")


def _ranked(constant: int) -> Callable[[Any], Any]:
    return lambda found: by_rank(found, constant)


def _weighed(share: float) -> Callable[[Any], Any]:
    return lambda found: by_score(found, {"dense": share, "words": 1 - share})


def _scored(task: Task, system: str, ask: Ask) -> dict[str, object]:
    started = time.perf_counter()
    ranked = [ask(query) for query, _ in task.queries]
    seconds = (time.perf_counter() - started) / len(task.queries)
    pairs = [(found, relevant) for found, (_, relevant) in zip(ranked, task.queries, strict=True)]
    ndcg = sum(ndcg_at(found, relevant) for found, relevant in pairs) / len(pairs)
    recall = sum(recall_at(found, relevant, 10) for found, relevant in pairs) / len(pairs)
    print(f"{task.name:<10} {system:<14} {ndcg:>8.4f} {recall:>10.4f} {1000 * seconds:>9.2f}")
    return {f"{task.name}_{system}_ndcg10": round(ndcg, 4), f"{task.name}_{system}_recall10": round(recall, 4)}


def _ratio(figures: Mapping[str, Any], task: str) -> float:
    return float(figures[f"{task}_hybrid_ndcg10"]) / float(figures[f"{task}_bm25s_ndcg10"])


def _share(task: Task, one_in: int) -> Task:
    """Every n-th question, with the documents that answer them and every n-th other one."""
    queries = task.queries[::one_in]
    wanted = {path for _, relevant in queries for path in relevant}
    kept = [document for number, document in enumerate(task.documents) if document.path in wanted or number % one_in == 0]
    return Task(task.name, kept, queries)


def _document(name: str, text: str) -> Document:
    return read_document(text.encode(), f"{name}.md")


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        choose(Path(scratch))
