"""Questions that nothing answers, in groups of like ones, and whether what is asked is still what was asked and measured.

It looks at the knowledge as it is now: a gap that a document has closed since is one no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from rung.approach.question import question_key
from rung.types import Case
from rung.workspace.traffic import Asked

if TYPE_CHECKING:
    from rung.knowledge.knowledge import Knowledge
    from rung.measure.drift import Drift
    from rung.types import Embedder, Vectors

Best: TypeAlias = "tuple[str, float | None]"  # the best passage's document, and its cosine
ALIKE = 0.6  # mean cosine from which questions are one group
FEWEST = 20  # solved rows, below which nothing says how near a passage that answers is
LOW = 0.05  # quantile of their nearness below which a question found nothing
MOST = 1000  # questions that are looked at; of more a part is drawn


@dataclass(frozen=True)
class Gap:
    """Like questions that nothing answers, named by the most central one."""

    name: str
    count: int
    questions: tuple[str, ...]  # different ones, the most central first
    answers: tuple[str, ...]  # their ids
    nearest: str  # the document whose passage comes nearest to the name; "" where there is none
    nearness: float | None  # its cosine
    near: bool  # near enough to answer: then the search or the model failed, or the reader may not see it


@dataclass(frozen=True)
class Novel:
    """Like questions that no case asks, named by the most central one."""

    name: str
    count: int


@dataclass(frozen=True)
class Heard:
    """What the words of the questions tell. `nearness` is the mean cosine of the best passage."""

    questions: int  # looked at
    gaps: tuple[Gap, ...] = ()
    low: float | None = None  # nearness below which a question found nothing; None where too few solved rows say
    nearness: float | None = None
    since_before: Drift | None = None  # from the questions of the span before
    since_cases: Drift | None = None  # from those of the cases
    novel: tuple[Novel, ...] = ()


def heard(now: Sequence[Asked], before: Sequence[Asked], solved: Sequence[Case], cases: Sequence[Case], embedder: Embedder,
          knowledge: Knowledge | None, seed: int = 0) -> Heard:  # fmt: skip
    """Of the questions with words. `solved` are rows that the documents answer."""
    from rung.measure.drift import MOST as drawn
    from rung.measure.drift import drift

    looked = _some([one for one in now if one.question], seed)
    if not looked:
        return Heard(0)
    vectors = embedder.embed([one.question for one in looked], query=True)
    found = [_nearest(knowledge, vector) for vector in vectors]
    low = _low(solved, embedder, knowledge)
    open_ = [n for n, one in enumerate(looked) if one.figures.abstained or _below(found[n][1], low)]
    earlier = [one.question for one in _some([one for one in before if one.question], seed)[:drawn]]
    known = [case.question for case in cases][:drawn]
    of_cases = embedder.embed(known, query=True) if known else vectors[:0]
    near = [value for _, value in found if value is not None]
    return Heard(
        len(looked),
        _gaps(looked, vectors, open_, found, low),
        low,
        sum(near) / len(near) if near else None,
        drift(embedder.embed(earlier, query=True), vectors, seed) if earlier else None,
        drift(of_cases, vectors, seed) if known else None,
        _novel(looked, vectors, of_cases),
    )


def _gaps(looked: Sequence[Asked], vectors: Vectors, open_: Sequence[int], found: Sequence[Best], low: float | None) -> tuple[Gap, ...]:
    from rung.measure.groups import groups

    made = []
    for group in groups(vectors[list(open_)], ALIKE) if open_ else []:
        members = [open_[number] for number in group]
        document, nearness = found[members[0]]
        texts = tuple(dict.fromkeys(looked[number].question for number in members))
        near = low is not None and nearness is not None and not _below(nearness, low)
        made.append(Gap(texts[0], len(members), texts, tuple(looked[number].figures.id for number in members), document, nearness, near))
    return tuple(made)


def _novel(looked: Sequence[Asked], vectors: Vectors, of_cases: Vectors) -> tuple[Novel, ...]:
    """Groups of at least two askings that are like no case."""
    from rung.measure.groups import groups

    away = [n for n in range(len(looked)) if not len(of_cases) or float((of_cases @ vectors[n]).max()) < ALIKE]
    found = [[away[number] for number in group] for group in groups(vectors[away], ALIKE)] if away else []
    return tuple(Novel(looked[group[0]].question, len(group)) for group in found if len(group) > 1)


def _below(nearness: float | None, low: float | None) -> bool:
    return low is not None and nearness is not None and nearness < low


def _low(solved: Sequence[Case], embedder: Embedder, knowledge: Knowledge | None) -> float | None:
    """How near the best passage of a question is that the documents answer, at the least."""
    import numpy as np

    texts = [case.question for case in solved if not case.unanswerable][:MOST]
    if knowledge is None or len(texts) < FEWEST:
        return None
    near = [value for vector in embedder.embed(texts, query=True) if (value := _nearest(knowledge, vector)[1]) is not None]
    return float(np.quantile(near, LOW)) if near else None


def _nearest(knowledge: Knowledge | None, vector: Vectors) -> Best:
    """The document of the best passage and its cosine."""
    if knowledge is None or not knowledge.state.documents:
        return "", None
    hits = knowledge.index.dense(vector, 1, knowledge.only)
    return (hits[0].passage.document, float(hits[0].score)) if hits else ("", None)


def _some(found: Sequence[Asked], seed: int) -> list[Asked]:
    if len(found) <= MOST:
        return list(found)
    return sorted(Random(f"{seed}/watch").sample(list(found), MOST), key=lambda one: one.figures.at)


def new(questions: Sequence[str], cases: Sequence[Case]) -> list[str]:
    """Those that no row asks yet, each once."""
    known = {question_key(case.question) for case in cases}
    return [text for text in dict.fromkeys(questions) if question_key(text) not in known]
