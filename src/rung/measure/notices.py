"""Warnings from evidence: what a project does against what its own measurements say. Each holds the numbers that made it speak.

It refuses to warn where nothing was measured or counted: an unknown number keeps its warning silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LONG_SYSTEM = 2_000  # tokens of instructions
FEW_EXAMPLES = 500
MANY_PASSAGES = 10
LONG_PROMPT = 200_000  # tokens that one cached prompt holds
TRAINED, SEARCHING = ("tuned", "hybrid", "raft"), ("rag", "hybrid", "raft")
WEEK = 7


@dataclass(frozen=True)
class Circumstances:
    """What was counted; None where it wasn't."""

    rungs: tuple[str, ...]  # those the project builds
    system_tokens: int | None = None
    examples: int = 0
    k: int = 0
    deepest: int | None = None  # the lowest rank at which a case's evidence was found
    causes: Mapping[str, int] = field(default_factory=dict)  # kind → failures, of a diagnosis
    changes_a_week: float | None = None  # commits to the knowledge that changed documents
    retrainings_a_year: float = 4
    baseline: bool | None = None  # whether the last climb measured a prompt alone
    overlap: int = 0  # groups that stand in cases and in examples
    knowledge_tokens: int | None = None
    window: int | None = None
    questions_month: float | None = None
    break_even: float | None = None  # questions a month from which the trained rung pays


@dataclass(frozen=True)
class Notice:
    """A short name, what was found, and what to do."""

    name: str
    found: str
    do: str


def notices(told: Circumstances) -> list[Notice]:
    """All that apply, those that spoil the measurement first."""
    found = [_overlap(told), _baseline(told), _system(told), _examples(told), _passages(told), *_wrong_cure(told)]
    found += [_pace(told), _fits(told), _volume(told)]
    return [one for one in found if one]


def _overlap(told: Circumstances) -> Notice | None:
    if not told.overlap:
        return None
    return Notice(
        "overlap", f"{told.overlap} groups stand in cases and in examples", "keep a group on one side, or trained rungs look too good"
    )


def _baseline(told: Circumstances) -> Notice | None:
    if told.baseline is not False:
        return None
    return Notice("no baseline", "the last climb did not measure a prompt alone", "climb with --rung prompt: every gain is a gain over it")


def _system(told: Circumstances) -> Notice | None:
    if told.system_tokens is None or told.system_tokens <= LONG_SYSTEM:
        return None
    what = f"the instructions take {told.system_tokens:,} tokens, paid with each question"
    return Notice("long instructions", what, f"above {LONG_SYSTEM:,} move examples to few-shot or tuning, and facts to the knowledge")


def _examples(told: Circumstances) -> Notice | None:
    trained = [rung for rung in told.rungs if rung in TRAINED]
    if not trained or told.examples >= FEW_EXAMPLES:
        return None
    do = "expect form and tone, not skill; write more, or `rung synthesize` some"
    return Notice("few examples", f"{', '.join(trained)} learn from {told.examples} examples, under {FEW_EXAMPLES}", do)


def _passages(told: Circumstances) -> Notice | None:
    if told.k <= MANY_PASSAGES or told.deepest is None or told.deepest > MANY_PASSAGES:
        return None
    what = f"k is {told.k}, and no evidence was found below rank {told.deepest}"
    return Notice("too many passages", what, f"set k = {max(told.deepest, 1)}: the others only distract and cost")


def _wrong_cure(told: Circumstances) -> list[Notice | None]:
    """Tuning where facts are missing, retrieval where the form is wrong."""
    failures = sum(told.causes.values())
    facts = sum(told.causes.get(kind, 0) for kind in ("missing", "retrieval"))
    form = told.causes.get("form", 0)
    only_tuned = "tuned" in told.rungs and not any(rung in SEARCHING for rung in told.rungs)
    only_search = "rag" in told.rungs and not any(rung in (*TRAINED, "few-shot") for rung in told.rungs)
    found: list[Notice | None] = []
    if failures and facts > failures / 2 and only_tuned:
        found.append(
            Notice("tuning for facts", f"{facts} of {failures} failures are missing facts", "search first: tuning teaches facts badly")
        )
    if failures and form > failures / 2 and only_search:
        found.append(Notice("retrieval for form", f"{form} of {failures} failures are form alone", "try few-shot, then tuning"))
    return found


def _pace(told: Circumstances) -> Notice | None:
    if told.changes_a_week is None or "tuned" not in told.rungs or told.changes_a_week * 52 <= told.retrainings_a_year:
        return None
    what = f"the knowledge changes {told.changes_a_week:.2g} times a week and is taught {told.retrainings_a_year:g} times a year"
    return Notice("stale weights", what, "let what changes be retrieved; `rung freshness` measures how stale answers get")


def _fits(told: Circumstances) -> Notice | None:
    if told.knowledge_tokens is None or not 0 < told.knowledge_tokens <= LONG_PROMPT or "long-context" in told.rungs:
        return None
    if not any(rung in SEARCHING for rung in told.rungs) or (told.window is not None and told.window < told.knowledge_tokens):
        return None
    what = f"all documents are {told.knowledge_tokens:,} tokens, which fit one cached prompt"
    return Notice("fits one prompt", what, "climb with --rung long-context before you build retrieval")


def _volume(told: Circumstances) -> Notice | None:
    if told.break_even is None or told.questions_month is None or told.questions_month >= told.break_even:
        return None
    what = f"{told.questions_month:,.0f} questions a month, and training pays from {told.break_even:,.0f}"
    return Notice("under the break-even", what, "stay on the lower rung until the volume is there (`rung cost`)")
