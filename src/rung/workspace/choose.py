"""Chooses how to rank by measuring every fusion on one knowledge. It refuses the held-out cases: it takes solved examples.

Where too few examples name their evidence, sentences are cut out of passages and stand for questions: what is left of the
passage must be found among the others. Such questions sound like the documents, and the choice says that they were made up.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from rung.knowledge.choice import Candidate, Choice, read_choice, stands, write_choice
from rung.knowledge.fusion import HYBRID, fused, fusion
from rung.knowledge.knowledge import POOL, Knowledge, legs
from rung.types import ALL, Case, Evidence, Hit, Passage

if TYPE_CHECKING:
    from rung.types import Vectors

SHARES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
CANDIDATES = (
    "dense",
    "words",
    *(f"{way}:{share}" for way in ("min-max", "z-score") for share in SHARES),
    "rank:10",
    "rank:60",
)
ENOUGH = 30  # examples with evidence, below which questions are made
MOST = 300  # questions asked: more narrow the intervals by little
AMONG = 3000  # passages that a made question's passage must be found among
CUT = 10
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]")

Asked = tuple[Case, dict[str, list[Hit]]]  # a question and what each leg brings
Progress = Callable[[int, int], None]


def keep_choice(knowledge: Knowledge, examples: Sequence[Case], progress: Progress | None = None) -> Choice:
    """The choice kept beside the index; measured anew where the questions changed or the documents became many more or fewer."""
    known = [case for case in unlearned(knowledge, examples) if case.evidence and all(knowledge.shows(e.document) for e in case.evidence)]
    told = [[case.id, case.question, [[one.document, one.quote] for one in case.evidence]] for case in known]
    asked = hashlib.sha256(json.dumps([told, CANDIDATES, POOL, MOST]).encode()).hexdigest()[:16]
    kept, documents = read_choice(knowledge.choice), len(knowledge.documents())
    if kept and stands(kept, asked, documents):
        return kept
    choice = choose(knowledge, known, asked, progress)
    write_choice(knowledge.choice, choice)
    return choice


def unlearned(knowledge: Knowledge, examples: Sequence[Case]) -> list[Case]:
    """The examples that the embedder wasn't trained on; on the others its leg would look better than it is."""
    learned: frozenset[str] = getattr(knowledge.embedder, "learned", frozenset())
    return [case for case in examples if case.id not in learned]


def choose(knowledge: Knowledge, examples: Sequence[Case], asked: str = "", progress: Progress | None = None) -> Choice:
    """Measure every candidate: nDCG@10 of passages on at most 300 questions, each leg searched once a question."""
    searched, cases, questions = asking(knowledge, examples)
    found: list[Asked] = []
    for number, case in enumerate(cases, 1):
        found.append((case, legs(searched, case.question, POOL)))
        if progress:
            progress(number, len(cases))
    mode, why, candidates = decided(found)
    return Choice(mode, why, questions, asked, len(knowledge.documents()), candidates)


def asking(knowledge: Knowledge, examples: Sequence[Case]) -> tuple[Knowledge, list[Case], str]:
    """What is searched, at most 300 questions with their evidence, and where they come from, in words."""
    if len(examples) >= ENOUGH:
        cases = _fewer(examples, MOST)
        return knowledge, cases, f"{len(cases)} solved examples"
    searched, cases = made_up(knowledge)
    return searched, cases, f"{len(cases)} sentences cut out of passages, for want of examples with evidence"


def decided(found: Sequence[Asked]) -> tuple[str, str, tuple[Candidate, ...]]:
    """The mode, why it was chosen, and the candidates, best first.

    `hybrid` stands unless the best is ahead by more than one standard error of the paired difference (Breiman's rule):
    the best of many is a little lucky.
    """
    from rung.measure.bootstrap import clusters_of, intervals, tabulate

    if not found:
        return "hybrid", "there was nothing to ask", ()
    columns = [measured(found, mode) for mode in CANDIDATES]
    clusters = clusters_of([case for case, _ in found])
    bounds = intervals(tabulate(columns, clusters), (0.0, 1.0))
    rows = sorted(
        (Candidate(mode, i.estimate, i.low, i.high) for mode, i in zip(CANDIDATES, bounds, strict=True)), key=lambda row: -row.ndcg
    )
    usual, first = columns[CANDIDATES.index(HYBRID)], columns[CANDIDATES.index(rows[0].mode)]
    table = tabulate([{case: first[case] - usual[case] for case in usual}], clusters)
    ahead, error = float(table.means[0]), float(table.errors[0])
    if ahead > error:
        return rows[0].mode, f"{ahead:.3f} ahead of {HYBRID}, standard error {error:.3f}", tuple(rows)
    return HYBRID, f"{rows[0].mode} is {ahead:.3f} ahead, within the standard error of {error:.3f}", tuple(rows)


def measured(found: Sequence[Asked], mode: str) -> dict[str, float]:
    """nDCG@10 of each question under a mode."""
    from rung.measure.retrieval import by_case

    how = fusion(mode)
    return {case.id: by_case(fused(brought, how)[:CUT], case.evidence)["ndcg@10"] for case, brought in found}


def made_up(knowledge: Knowledge) -> tuple[Knowledge, list[Case]]:
    """Sentences cut out of passages as questions, and a knowledge in memory in which those passages lack them."""
    import numpy as np

    from rung.knowledge.chunk import searchable
    from rung.knowledge.indexes.exact import Exact

    held = _spread(list(knowledge.passages()), AMONG)
    cut = {passage.id: halves for passage in held if (halves := parted(passage))}
    chosen = set(sorted(cut, key=_lot)[:MOST])
    held = [replace(passage, text=cut[passage.id][1]) if passage.id in chosen else passage for passage in held]
    cases = [
        Case(passage.id, cut[passage.id][0], "", evidence=(Evidence(passage.document, passage.text),), group=passage.document)
        for passage in held
        if passage.id in chosen
    ]
    known, rows = knowledge.index.stored(sorted({passage.document for passage in held}))
    vectors = dict(zip((passage.id for passage in known), rows, strict=True))
    fresh = [passage for passage in held if passage.id in chosen]
    vectors |= zip((passage.id for passage in fresh), knowledge.embedder.embed([searchable(passage) for passage in fresh]), strict=True)
    stacked: Vectors = np.array([vectors[passage.id] for passage in held], np.float32).reshape(len(held), rows.shape[1])
    return replace(knowledge, index=Exact(Path(), rows.shape[1], held, stacked), only=ALL), cases


def parted(passage: Passage) -> tuple[str, str] | None:
    """A sentence of 6 to 40 words and the passage without it; None where too little would be left."""
    found = [match for match in _SENTENCE.finditer(passage.text) if 6 <= len(match[0].split()) <= 40]
    if not found:
        return None
    match = Random(f"sentence/{passage.id}").choice(found)
    rest = passage.text[: match.start()] + passage.text[match.end() :]
    return (match[0].strip(), rest) if len(rest.split()) >= 20 else None


def _fewer(cases: Sequence[Case], most: int) -> list[Case]:
    return sorted(sorted(cases, key=lambda case: _lot(case.id))[:most], key=lambda case: case.id)


def _spread(passages: Sequence[Passage], most: int) -> list[Passage]:
    """At most so many passages, drawn by lot, in their order."""
    lots = sorted(_lot(passage.id) for passage in passages)[:most]
    return [passage for passage in passages if lots and _lot(passage.id) <= lots[-1]]


def _lot(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
