"""Questions whose answers changed between two versions of the documents, and what an answer to one is: right, stale or neither.

It asks nobody, and takes a question for changed only where its evidence was there and is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rung.measure.score import Task, score
from rung.types import Answer, Case


@dataclass(frozen=True)
class Change:
    """A question before and after; `after` is None where nobody has written its new answer yet."""

    before: Case
    after: Case | None = None


@dataclass(frozen=True)
class Freshness:
    """Shares of the changed questions that one rung answered rightly, or as they were right before the change."""

    asked: int
    right: float
    stale: float


def changes(before: Sequence[Case], after: Sequence[Case], then: Mapping[str, str], now: Mapping[str, str]) -> list[Change]:
    """The cases of `before` with a quote that stood in the documents `then` (path → text) and stands there no more, by id.

    White space aside. `after` holds the same questions, by id, with their new answers.
    """
    new = {case.id: case for case in after}
    found = [case for case in before if any(_gone(e.document, e.quote, then, now) for e in case.evidence)]
    return [Change(case, new.get(case.id)) for case in sorted(found, key=lambda case: case.id)]


def _gone(path: str, quote: str, then: Mapping[str, str], now: Mapping[str, str]) -> bool:
    words = " ".join(quote.split())
    return bool(words) and words in _plain(then.get(path, "")) and words not in _plain(now.get(path, ""))


def _plain(text: str) -> str:
    return " ".join(text.split())


def freshness(task: Task, changed: Sequence[Change], answers: Sequence[Answer]) -> Freshness:
    """Shares over the answers, one for each change in its order. The form is left out: it is another question.

    An answer that holds the old facts and the new ones is right: it may say what changed.
    """
    bare = replace(task, form=None)
    right = [change.after is not None and _is_right(bare, change.after, answer) for change, answer in zip(changed, answers, strict=True)]
    old = [_is_right(bare, change.before, answer) for change, answer in zip(changed, answers, strict=True)]
    n = len(changed)
    stale = sum(was and not is_now for was, is_now in zip(old, right, strict=True))
    return Freshness(n, sum(right) / n if n else 0.0, stale / n if n else 0.0)


def _is_right(task: Task, case: Case, answer: Answer) -> bool:
    return score(task, case, answer).primary == 1.0
