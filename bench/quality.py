"""Quality of retrieval on SciFact and on a company's handbook: every leg and fusion with its interval, and the tuned embedder.

It refuses to choose on what it reports: fusions are chosen on SciFact's train questions (for the tuned embedder, on those it
was not trained on) and, for the handbook, which has none, on sentences cut out of its passages; whether to rank again, on SciFact's.
"""

from __future__ import annotations

import csv
import gzip
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rung.errors import TuningError
from rung.knowledge import embedders
from rung.knowledge.fusion import fused, fusion
from rung.knowledge.knowledge import POOL, Knowledge, legs, open_knowledge, sync
from rung.knowledge.read import read_document
from rung.knowledge.rerankers import load as reranker
from rung.knowledge.rerankers import reranked
from rung.measure.bootstrap import clusters_of, interval
from rung.measure.retrieval import by_case, ndcg_at
from rung.types import Case, Document, Evidence, Hit, Interval
from rung.workspace.choose import CANDIDATES, asking, choose, unlearned
from rung.workspace.embedding import tuned_on

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
KEPT = Path(tempfile.gettempdir()) / "rung-bench"  # indexes stay here between runs; a sync sees what is still current
READ = 30  # passages that the reranker reads, the default
DEEP = 50  # passages looked at, so that ten documents are among them

Found = Sequence[tuple["Question", Mapping[str, Sequence[Hit]]]]
Score = Callable[["Question", Sequence[Hit]], float]


@dataclass(frozen=True)
class Question:
    """A question, the documents that answer it with their grades, and where known the span of the section that does."""

    text: str
    documents: Mapping[str, float]
    section: tuple[str, int, int] = ("", 0, 0)


@dataclass(frozen=True)
class Task:
    """Documents and the questions that are measured."""

    name: str
    documents: Sequence[Document]
    questions: Sequence[Question]


def run(small: bool = False) -> dict[str, object]:
    """nDCG@10: `scifact` (by document), `scifact_tuned`, `handbook_chunk` and `handbook_document`, each as chosen, and all others."""
    if not DATA.is_dir():
        print(f"skipped: the development data is not at {DATA}")
        return {"skipped": True}
    one_in = 10 if small else 1
    print(f"{'task':<18} {'ranked by':<16} {'nDCG@10':>8}  95 % interval")
    figures, late = _scifact(one_in)
    return figures | _handbook(one_in, late)


def _scifact(one_in: int) -> tuple[dict[str, object], bool]:
    task, examples = _share(scifact("test"), one_in), _cases(scifact("train"))
    knowledge = indexed(task, one_in)
    examples = [case for case in examples if all(knowledge.shows(e.document) for e in case.evidence)]
    found, mode = _asked(knowledge, task), choose(knowledge, examples).mode
    again = _again(knowledge, examples, found, mode)
    late = again.chosen
    figures = _shown("scifact", found, by_document, mode, again) | _peer(task)
    known = {evidence.document for case in examples for evidence in case.evidence}
    figures |= _unseen("scifact", found, known, mode)
    try:
        tuned = tuned_on(knowledge, examples, KEPT / "embedders")
    except TuningError as error:
        print(f"scifact_tuned: {error.message}")
        return figures, late
    gained = tuned.gained
    print(f"tuned on {len(examples)} train questions less {gained.n} set aside, on which the mean reciprocal rank went from", end=" ")
    print(f"{tuned.base:.4f} to {tuned.tuned:.4f}, gained {gained.estimate:+.4f} ({gained.low:+.4f} to {gained.high:+.4f})")
    if tuned.unseen:
        new = tuned.unseen
        print(f"on the {new.n} about documents not trained on {new.estimate:+.4f} ({new.low:+.4f} to {new.high:+.4f})")
    knowledge = open_knowledge(knowledge.folder.parent, embedders.load(f"tuned:{tuned.folder}"))
    set_aside = unlearned(knowledge, examples)
    found, mode = _asked(knowledge, task), choose(knowledge, set_aside).mode
    again = _again(knowledge, set_aside, found, mode)
    figures |= _shown("scifact_tuned", found, by_document, mode, again) | _unseen("scifact_tuned", found, known, mode)
    return figures, late


def _handbook(one_in: int, late: bool) -> dict[str, object]:
    """`late` is what SciFact's train claims chose: a sentence cut out of a passage is found by its words, and can't judge a reranker."""
    task = _share(handbook(), one_in)
    knowledge = indexed(task, one_in)
    mode = choose(knowledge, []).mode
    found = _asked(knowledge, task)
    again = replace(_again(knowledge, [], found, mode), chosen=late)
    figures = _shown("handbook_document", found, by_document, mode, again) | _shown("handbook_chunk", found, by_section, mode, again)
    return figures | _peer(task)


def scifact(split: str) -> Task:
    """Claims and the abstracts that support or refute them (Wadden et al. 2020), in BEIR's form."""
    folder = DATA / "scifact"
    documents = [_document(row["_id"], f"# {row['title']}\n\n{row['text']}\n") for row in _rows(folder / "corpus.jsonl.gz")]
    wanted: dict[str, dict[str, float]] = {}
    with (folder / f"qrels.{split}.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            wanted.setdefault(row["query-id"], {})[f"{row['corpus-id']}.md"] = float(row["score"])
    texts = {row["_id"]: row["text"] for row in _rows(folder / f"queries.{split}.jsonl.gz")}
    return Task("scifact", documents, [Question(texts[name], relevant) for name, relevant in wanted.items()])


def handbook() -> Task:
    """Questions of a company's handbook and the sections that answer them; the questions are struck out of the pages."""
    folder = DATA / "sourcegraph_handbook"
    pages = {row["path"]: row["text"] for row in _rows(folder / "docs_head_masked.jsonl.gz") if row["text"].strip()}
    documents = {path: _document(path.removesuffix(".md"), text) for path, text in pages.items()}
    questions = []
    for row in _rows(folder / "faq_gold.jsonl.gz"):
        page, lines = documents[row["gold_path"]], pages[row["gold_path"]].splitlines()
        body = "\n".join(lines[row["gold_section_start_line"] : row["gold_section_end_line"]]).strip()
        start = page.text.index(body)
        questions.append(Question(row["question"], {page.path: 1.0}, (page.path, start, start + len(body))))
    return Task("handbook", list(documents.values()), questions)


def by_document(question: Question, hits: Sequence[Hit]) -> float:
    """nDCG@10 of the documents in the order of their best passages."""
    return ndcg_at(list(dict.fromkeys(hit.passage.document for hit in hits[:DEEP])), question.documents)


def by_section(question: Question, hits: Sequence[Hit]) -> float:
    """nDCG@10 where the first passage of the section gains: one that shares half of the shorter of the two."""
    document, start, end = question.section
    for rank, hit in enumerate(hits[:10]):
        passage = hit.passage
        shared = min(end, passage.end) - max(start, passage.start)
        if passage.document == document and 2 * shared >= min(end - start, len(passage.text.strip())):
            return ndcg_at([*[""] * rank, "section"], {"section": 1.0})
    return 0.0


def indexed(task: Task, one_in: int) -> Knowledge:
    """The task's documents in an index that is kept between runs; says how long it took."""
    knowledge = open_knowledge(KEPT / f"{task.name}-{one_in}", embedders.load("minilm"))
    started = time.perf_counter()
    sync(knowledge, task.documents)
    print(f"{task.name}: {len(task.documents)} documents indexed in {time.perf_counter() - started:.0f} s by {knowledge.embedder.id}")
    return knowledge


def _asked(knowledge: Knowledge, task: Task) -> Found:
    return [(question, legs(knowledge, question.text, POOL)) for question in task.questions]


@dataclass(frozen=True)
class Again:
    """Each question's passages in the order of late interaction, and whether that was better on the questions that choose."""

    hits: Sequence[Sequence[Hit]]
    chosen: bool


def _again(knowledge: Knowledge, examples: Sequence[Case], found: Found, mode: str) -> Again:
    late, how = reranker("late"), fusion(mode)

    def read(question: str, brought: Mapping[str, Sequence[Hit]]) -> list[Hit]:
        hits = fused(brought, how)
        return [*reranked(late, question, hits[:READ]), *hits[READ:]]

    searched, cases, told = asking(knowledge, examples)
    gains = {}
    for case in cases:
        brought = legs(searched, case.question, POOL)
        before, after = fused(brought, how)[:10], read(case.question, brought)[:10]
        gains[case.id] = by_case(after, case.evidence)["ndcg@10"] - by_case(before, case.evidence)["ndcg@10"]
    gained = interval(gains, clusters_of(cases), (-1.0, 1.0))
    print(f"late interaction after {mode} on {told}: {gained.estimate:+.4f} ({gained.low:+.4f} to {gained.high:+.4f})")
    return Again([read(question.text, brought) for question, brought in found], gained.estimate > 0)


def _shown(name: str, found: Found, score: Score, chosen: str, again: Again) -> dict[str, object]:
    """A line for each way to rank; the figure of the chosen one under the task's name."""
    figures: dict[str, object] = {}
    chosen = "min-max:0.5" if chosen == "hybrid" else chosen
    last = f"{chosen} late"
    ranked = {mode: [fused(brought, fusion(mode)) for _, brought in found] for mode in CANDIDATES} | {last: again.hits}
    for mode, lists in ranked.items():
        told = _interval([(question, score(question, hits)) for (question, _), hits in zip(found, lists, strict=True)])
        mark = "  <- chosen" if mode == (last if again.chosen else chosen) else ""
        print(f"{name:<18} {mode:<16} {told.estimate:>8.4f}  {told.low:.4f} to {told.high:.4f}{mark}")
        figures[f"{name}_late" if mode == last else f"{name}_{mode}"] = round(told.estimate, 4)
    return figures | {name: figures[f"{name}_late" if again.chosen else f"{name}_{chosen}"], f"{name}_chosen": chosen}


def _unseen(name: str, found: Found, known: set[str], mode: str) -> dict[str, object]:
    """The chosen way on the questions whose documents no train question is about: what is learned and not only remembered."""
    new = [(question, brought) for question, brought in found if not known & set(question.documents)]
    told = _interval([(question, by_document(question, fused(brought, fusion(mode)))) for question, brought in new])
    print(f"{name:<18} {mode:<16} {told.estimate:>8.4f}  {told.low:.4f} to {told.high:.4f}  on {told.n} about documents not in train")
    return {f"{name}_unseen": round(told.estimate, 4)}


def _peer(task: Task) -> dict[str, object]:
    """bm25s over whole documents as its makers set it up for BEIR: stemmed, Lucene's BM25, k1 0.9, b 0.4."""
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer("english")
    index = bm25s.BM25(k1=0.9, b=0.4)
    index.index(bm25s.tokenize([document.text for document in task.documents], stemmer=stemmer, show_progress=False), show_progress=False)
    scores = []
    for question in task.questions:
        words = bm25s.tokenize(question.text, stemmer=stemmer, show_progress=False)
        numbers, _ = index.retrieve(words, k=min(10, len(task.documents)), show_progress=False)
        scores.append(ndcg_at([task.documents[int(number)].path for number in numbers[0]], question.documents))
    told = _interval(list(zip(task.questions, scores, strict=True)))
    print(f"{task.name:<18} {'bm25s':<16} {told.estimate:>8.4f}  {told.low:.4f} to {told.high:.4f}")
    return {f"{task.name}_bm25s": round(told.estimate, 4)}


def _interval(scores: Sequence[tuple[Question, float]]) -> Interval:
    """Questions on one section's document rise and fall together."""
    cases = [Case(str(number), "", "", group=question.section[0]) for number, (question, _) in enumerate(scores)]
    return interval({case.id: score for case, (_, score) in zip(cases, scores, strict=True)}, clusters_of(cases))


def _cases(task: Task) -> list[Case]:
    """The task's questions as solved examples."""
    told = enumerate(task.questions)
    return [Case(f"train-{n}", q.text, "", evidence=tuple(Evidence(path) for path, grade in q.documents.items() if grade)) for n, q in told]


def _share(task: Task, one_in: int) -> Task:
    """Every n-th question, with the documents that answer them and every n-th other one."""
    questions = task.questions[::one_in]
    wanted = {path for question in questions for path in question.documents}
    kept = [document for number, document in enumerate(task.documents) if document.path in wanted or number % one_in == 0]
    return Task(task.name, kept, questions)


def _document(name: str, text: str) -> Document:
    return read_document(text.encode(), f"{name}.md")


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
