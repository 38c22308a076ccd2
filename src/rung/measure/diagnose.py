"""Why an answer is wrong, told from replays and without a judge: where the first thing went wrong on the way to it.

It refuses to guess: what no replay can tell apart keeps a name that says so. The order of the questions is the way of an
answer: is the case itself sound, was the fact known, was the answer steady, was the document there, was it found, was it used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from rung.measure.notices import Notice
from rung.types import Case, Interval, Score

CLASSES = {
    "doubtful": "the question or its ideal answer is doubtful",
    "form": "the facts are right and the form is wrong",
    "unstable": "right when asked in other words or with another seed",
    "missing": "the document is not in the knowledge, or nothing was looked up",
    "retrieval": "the document is there and was not found",
    "distracted": "the passage was there, and was ignored or lost among others",
    "reasoning": "wrong from the right passage alone",
    "unread": "the passage was there and the answer is wrong; a replay would tell distraction from reasoning",
}
FIRST = {
    "doubtful": "mend these cases before you trust any number: the passages they name say something else",
    "form": "show the form: few-shot examples first, then tuning; documents won't help",
    "unstable": "answer greedily, ask one way, and measure again; then few-shot or tuning to steady it",
    "missing": "add the documents, or search those there are (rag); tuning teaches facts badly",
    "retrieval": "mend the search: more passages, another fusion, a reranker (`rung index --explain`)",
    "distracted": "show fewer or better ranked passages, then tune on retrieved passages (raft)",
    "reasoning": "a stronger model, worked examples, or tuning on passages (raft); a better search won't help",
    "unread": "name a model for replays: with it this splits into distraction and reasoning",
}
RUNGS = ("few-shot", "long-context", "rag", "tuned", "hybrid", "raft")
SPECIALISTS = ("knn", "encoder", "extractor")
CONTENT = ("facts", "label", "field_f1")  # parts of a score that say whether the content is right, by task


@dataclass(frozen=True)
class Replays:
    """An answer's score and those of its replays; None where there was none. Scores are of the same case."""

    score: Score
    gold: Score | None = None  # with the passages that hold the evidence, alone
    nothing: Score | None = None  # without any passage
    repeats: tuple[Score, ...] = ()  # asked in other words, or with another seed
    known: bool | None = None  # the evidence is in the knowledge
    found: bool | None = None  # it stood before the model
    looked_up: bool | None = None  # whether the system looks anything up
    doubt: str = ""  # why the case itself can't be right
    spelled: bool = False  # the facts are there in another spelling, such as numbers in words
    unmoved: bool = False  # it says one thing among what was found, with the evidence alone and with nothing


@dataclass(frozen=True)
class Cause:
    """The class of one failure, and what tells it."""

    case: str
    kind: str
    why: str


@dataclass(frozen=True)
class Share:
    """How many failures are of one kind, as a share of all cases asked."""

    kind: str
    count: int
    share: Interval
    cases: tuple[str, ...]


@dataclass(frozen=True)
class Reach:
    """At most so many of the cases could a rung get right: those right now, and those that its mechanism could mend."""

    rung: str
    share: Interval
    lacks: str = ""  # why it can't be climbed here yet


@dataclass(frozen=True)
class Diagnosis:
    """All of it: the causes by case, counted, and how far each rung could get."""

    asked: int
    right: Interval
    causes: tuple[Cause, ...]
    shares: tuple[Share, ...]  # the most frequent first
    reaches: tuple[Reach, ...]
    first: str  # what to do first
    notices: tuple[Notice, ...] = ()


def right(score: Score | None) -> bool:
    """Facts and form, wholly."""
    return score is not None and score.primary >= 1


def content(score: Score | None) -> bool:
    """The facts, the label or the fields, whatever the form."""
    if score is None:
        return False
    told = [score.parts[part] for part in CONTENT if part in score.parts]
    return min(told) >= 1 if told else score.parts.get("abstained", score.primary) >= 1


def cause(case: Case, told: Replays) -> Cause:
    """The first thing that went wrong."""
    kind, why = _cause(case, told)
    return Cause(case.id, kind, why)


def _cause(case: Case, told: Replays) -> tuple[str, str]:
    if told.doubt:
        return "doubtful", told.doubt
    if content(told.score):
        return "form", "what it says is right, how it says it is not"
    if told.spelled:
        return "form", "the facts are right, spelled in a way that the case does not accept"
    steady = sum(map(right, told.repeats))
    if steady and told.found is not False:
        return "unstable", f"right in {steady} of {len(told.repeats)} repeats"
    if case.unanswerable:
        return _answered(told)
    if told.known is False:
        return "missing", "no document of the knowledge holds the evidence, or not all of it"
    if told.looked_up is False and told.known:
        return "missing", "it was asked without a passage" + _and_then(told)
    if told.found is False:
        return "retrieval", "the evidence is in the knowledge and was not among what was found" + _and_then(told)
    if told.unmoved:
        return "distracted", "the passages were ignored: it says the same with the evidence alone, and with nothing"
    if told.gold is None:
        if told.found or told.known:
            return "unread", "the evidence stood before the model" if told.found else "nobody told what passages it was shown"
        return "reasoning", "nothing had to be looked up"
    if content(told.gold):
        return "distracted", "right from the evidence alone"
    return "reasoning", "wrong from the evidence alone"


def _answered(told: Replays) -> tuple[str, str]:
    """A question without an answer was answered."""
    if told.nothing is not None and right(told.nothing):
        return "distracted", "nothing answers it; without passages it says so, with them it doesn't"
    return "reasoning", "nothing answers it, and it answers all the same"


def _and_then(told: Replays) -> str:
    return "; with it the answer would still be wrong" if told.gold is not None and not content(told.gold) else ""


def diagnosis(
    cases: Sequence[Case],
    right_now: Mapping[str, float],
    replays: Mapping[str, Replays],
    seed: int = 0,
    rungs: Mapping[str, str] = MappingProxyType(dict.fromkeys(RUNGS, "")),
) -> Diagnosis:
    """Causes of all failures. `right_now`: case id → primary score of every case asked; `replays`: of those that failed.

    `rungs`: those whose reach is told, each with why it can't be climbed yet.
    """
    from rung.measure.bootstrap import clusters_of, interval

    clusters = clusters_of(cases)
    causes = tuple(cause(case, replays[case.id]) for case in cases if case.id in replays)
    kinds = {one.case: one.kind for one in causes}

    def share(hit: Mapping[str, float]) -> Interval:
        return interval(hit, clusters, seed=seed)

    shares = [
        Share(kind, sum(k == kind for k in kinds.values()), share({c.id: float(kinds.get(c.id) == kind) for c in cases}), _of(causes, kind))
        for kind in CLASSES
        if kind in kinds.values()
    ]
    shares.sort(key=lambda one: -one.count)
    now = {case.id: float(right_now[case.id] >= 1) for case in cases}
    reaches = tuple(
        Reach(rung, share({case.id: now[case.id] or float(_mends(rung, replays[case.id], kinds[case.id])) for case in cases}), lacks)
        for rung, lacks in rungs.items()
    )
    first = FIRST[shares[0].kind] if shares else "nothing failed; ask harder questions, or more of them"
    return Diagnosis(len(cases), share(now), causes, tuple(shares), reaches, first)


def _of(causes: Sequence[Cause], kind: str) -> tuple[str, ...]:
    return tuple(one.case for one in causes if one.kind == kind)


def _mends(rung: str, told: Replays, kind: str) -> bool:
    """Whether the rung's mechanism could make a failed answer right, taken at its best.

    Examples mend form; the right passages mend what is right from them alone, or what nobody tried to answer so; a tuned model
    mends form and steadiness, on passages also what it now reads wrongly; a specialist learns the whole task. Nobody mends a
    doubtful case, or a document that is nowhere.
    """
    if kind == "doubtful":
        return False
    if rung in SPECIALISTS:
        return told.known is not False
    there = told.known is not False
    untried = told.gold is None and bool(told.known or told.found)  # nobody read the evidence alone, so it may be what it takes
    return {
        "few-shot": kind in ("form", "unstable"),
        "long-context": there and (untried or right(told.gold)),
        "rag": there and (untried or right(told.gold)),
        "tuned": kind in ("form", "unstable") or content(told.nothing),
        "hybrid": kind in ("form", "unstable") or (there and (untried or content(told.gold))),
        "raft": kind in ("form", "unstable") or there,
    }[rung]
