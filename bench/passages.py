"""What the model is shown of the right section of a company's handbook: ways to cut, and how far passages are widened.

It refuses to name a winner for other documents: the ranking is the default one, chosen on SciFact, and nothing is chosen here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bench.quality import DATA, KEPT, Question, Task, _interval, _share, by_section, handbook
from rung.knowledge import embedders
from rung.knowledge.chunkers import SPLITTERS
from rung.knowledge.expand import Widener
from rung.knowledge.knowledge import Knowledge, open_knowledge, search, sync
from rung.types import Hit

K = 5
MORE = (12, 24)  # plain passages, about as much to read as neighbours and sections: the peer of widening
EXPANSIONS = ("none", "neighbours:1", "neighbours:2", "section", "document")


def run(small: bool) -> Mapping[str, object]:
    """`NAME_ndcg` of each chunker, and for each expansion the share of the right section among what is shown, and its tokens.

    `ratio` is what sections show of it over what 24 plain passages show, which are a little more to read.
    """
    if not DATA.is_dir():
        print(f"skipped: the development data is not at {DATA}")
        return {"skipped": True}
    task = _share(handbook(), 10 if small else 1)
    print(f"{len(task.documents)} documents, {len(task.questions)} questions, {K} passages of at most 200 tokens")
    print(f"{'cut':<11} {'shown':<13} {'section shown':>13}  {'95 % interval':<16} {'tokens':>7} {'nDCG@10':>8} {'seconds':>8}")
    figures: dict[str, float] = {}
    for name in ("structure", *SPLITTERS):
        started = time.perf_counter()
        knowledge = open_knowledge(KEPT / f"handbook-{10 if small else 1}", embedders.load("minilm"), chunker=name)
        sync(knowledge, task.documents)
        figures |= _measured(knowledge, task, name, time.perf_counter() - started)
    return figures | {"ratio": round(figures["section_shown"] / figures[f"{MORE[1]}_passages_shown"], 3)}


def _measured(knowledge: Knowledge, task: Task, name: str, seconds: float) -> dict[str, float]:
    found = [(question, search(knowledge, question.text, max(MORE))) for question in task.questions]
    ndcg = _interval([(question, by_section(question, hits)) for question, hits in found]).estimate
    figures: dict[str, float] = {f"{name}_ndcg": round(ndcg, 4)}
    ways = [(how, K) for how in EXPANSIONS] + [(f"{k} passages", k) for k in MORE]
    for how, k in ways if name == "structure" else ways[:1]:
        widener = Widener(knowledge, how if k == K else "none")
        shown = [(question, widener.widen(hits[:k], 1 << 20)) for question, hits in found]
        told = _interval([(question, _share_shown(question, hits)) for question, hits in shown])
        tokens = sum(knowledge.embedder.count(hit.passage.text) for _, hits in shown for hit in hits) / len(shown)
        measured = f"{told.estimate:>13.3f}  {told.low:.3f} to {told.high:.3f}"
        print(f"{name:<11} {how:<13} {measured}   {tokens:>7.0f} {ndcg:>8.4f} {seconds:>8.1f}")
        label = name if how == "none" else how.replace(":", "_").replace(" ", "_")
        figures |= {f"{label}_shown": round(told.estimate, 4), f"{label}_tokens": round(tokens)}
    return figures


def _share_shown(question: Question, hits: Sequence[Hit]) -> float:
    """How much of the right section's text stands in the passages; they don't overlap."""
    document, start, end = question.section
    parts = [hit.passage for hit in hits if hit.passage.document == document]
    return sum(max(0, min(end, part.end) - max(start, part.start)) for part in parts) / (end - start)
