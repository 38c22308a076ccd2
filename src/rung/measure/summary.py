"""One rung's answers and scores to the row that a report shows: means with uncertainty, seconds and cost; it decides nothing."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from rung.errors import DataError
from rung.measure.cost import Prices, cost_per_1000, cost_per_correct, seconds
from rung.measure.metrics import abstention_rates, accuracy, macro_f1
from rung.types import Answer, Case, Interval, Score, Summary, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rung.measure.score import Task


def summarise(
    name: str,
    pairs: Sequence[tuple[Answer, Score]],
    cases: Sequence[Case],
    prices: Prices | None = None,
    task: Task | None = None,
    note: str = "",
    seed: int = 0,
    level: float = 0.95,
) -> Summary:
    """The summary of a rung that ran. Parts are means over the cases that have them; precision and recall of abstention, and
    for `classify` accuracy and macro-F1, are over all cases. Seconds are nearest-rank percentiles. DataError without answers.
    """
    from rung.measure.bootstrap import clusters_of, interval

    prices = prices or Prices()
    if not pairs:
        raise DataError(f"{name} has no answers to summarise", "run the evaluation first")
    answers, scores = [answer for answer, _ in pairs], [score for _, score in pairs]
    primary = interval({score.case: score.primary for score in scores}, clusters_of(cases), seed=seed, level=level)
    took = [seconds(answer) for answer in answers]
    return Summary(
        name=name,
        primary=primary,
        parts=_means(scores) | _apart(scores) | _abstention(scores) | _labels(pairs, cases, task),
        seconds_p50=percentile(took, 0.5),
        seconds_p95=percentile(took, 0.95),
        cost_per_1000=cost_per_1000(answers, prices),
        cost_per_correct=cost_per_correct(answers, scores, prices),
        usage=sum((answer.usage for answer in answers), Usage()),
        note=note,
    )


def not_run(name: str, note: str) -> Summary:
    """The summary of a rung that could not run, with the reason as its note."""
    return Summary(name, Interval(0.0, 0.0, 0.0, 0, 0), {}, 0.0, 0.0, 0.0, None, Usage(), note=note, ran=False)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values doesn't exceed (nearest rank)."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def _means(scores: Sequence[Score]) -> dict[str, float]:
    columns: dict[str, list[float]] = {}
    for one in sorted(scores, key=lambda score: score.case):
        for part, value in one.parts.items():
            columns.setdefault(part, []).append(value)
    return {part: sum(values) / len(values) for part, values in columns.items()}


def _apart(scores: Sequence[Score]) -> dict[str, float]:
    """Search and reading apart, over the cases with evidence: how often all of it stood before the model, how often the answer was
    right then, and which share of all these cases was lost where. Nothing where nothing was searched for."""
    known = sorted((one for one in scores if "recall@k" in one.parts), key=lambda score: score.case)
    if not known:
        return {}
    found = [one for one in known if one.parts["recall@k"] >= 1]
    lost = {"lost_in_search": [one for one in known if one.parts["recall@k"] < 1], "lost_in_reading": found}
    parts = {name: sum(1 - one.primary for one in those) / len(known) for name, those in lost.items()}
    then = {"right_if_found": sum(one.primary for one in found) / len(found)} if found else {}
    return {"evidence_found": len(found) / len(known)} | then | parts


def _abstention(scores: Sequence[Score]) -> dict[str, float]:
    judged = [score for score in scores if "abstained" in score.parts]
    if not any("false_answer" in score.parts for score in judged):
        return {}
    rates = abstention_rates([score.parts["abstained"] == 1 for score in judged], ["false_answer" in score.parts for score in judged])
    return {name: rate for name, rate in zip(("abstention_precision", "abstention_recall"), rates, strict=True) if rate is not None}


def _labels(pairs: Sequence[tuple[Answer, Score]], cases: Sequence[Case], task: Task | None) -> dict[str, float]:
    if task is None or task.kind != "classify":
        return {}
    from rung.measure.score import predicted_label

    gold = {case.id: case.text for case in cases}
    golds = [gold[score.case] for _, score in pairs]
    said = [predicted_label(task, answer.text) for answer, _ in pairs]
    return {"accuracy": accuracy(golds, said), "macro_f1": macro_f1(golds, said)}
