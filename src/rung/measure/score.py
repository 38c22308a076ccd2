"""One answer to its score: a primary number (right facts and required form) and the parts it is made of.

It never looks at what other cases or rungs got, so a score depends on the case and the answer alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, cast, get_args

from rung.errors import ConfigError
from rung.measure.abstention import abstains, house_wordings
from rung.measure.cases import check_form, check_labels
from rung.measure.citations import citation_rates
from rung.measure.faithful import faithfulness
from rung.measure.fields import field_f1, find_json, schema_check
from rung.measure.metrics import canonical, contains, exact, facts_contained, has_form, token_f1, without_markers
from rung.measure.retrieval import by_case
from rung.types import Answer, Case, Json, Score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Kind = Literal["answer", "extract", "classify"]
NEAR = 0.8  # token F1 from which an answer counts as right where a case lists no facts


@dataclass(frozen=True)
class Task:
    """What is measured: the kind, the required form (a regular expression), the labels or the JSON Schema."""

    kind: Kind = "answer"
    form: str | None = None
    labels: tuple[str, ...] = ()
    schema: Mapping[str, Json] | None = None
    house: tuple[str, ...] = ()  # how this project says that it doesn't know


def make_task(
    kind: str, cases: Sequence[Case], form: str | None = None, labels: Sequence[str] = (), schema: Mapping[str, Json] | None = None
) -> Task:
    """The task, checked against its cases. Without labels, `classify` takes those that occur in the cases.

    ConfigError for an unknown kind, a broken form or schema; DataError for cases that no answer could be right on.
    """
    if kind not in get_args(Kind):
        nearest = get_close_matches(kind, get_args(Kind), n=1)
        raise ConfigError(
            f"there is no task {kind!r}", f"did you mean {nearest[0]!r}?" if nearest else "choose answer, extract or classify"
        )
    if kind == "classify":
        labels = tuple(labels) or tuple(sorted({case.text for case in cases}))
        check_labels(cases, labels)
    if kind == "extract":
        schema_check(schema)({})
    if form:
        check_form(cases, form)
    return Task(cast("Kind", kind), form or None, tuple(labels), schema, house_wordings(cases))


def score(task: Task, case: Case, answer: Answer) -> Score:
    """The score of one answer. Parts are there only where they apply: no citation recall without evidence.

    answer: all fact groups contained (without facts: exact, or token F1 >= 0.8, to an accepted text), and the form.
    Unanswerable: it says that it doesn't know, and has the form if the ideal answer has it. extract: valid × field F1, and
    the form. classify: the label exactly right, or with a form set, the only label named, and the form.
    """
    if task.kind == "classify":
        primary, parts = _classify(task, case, answer.text)
    elif task.kind == "extract":
        primary, parts = _extract(task, case, answer.text)
    else:
        primary, parts = _answer(task, case, answer.text)
    if task.form:
        asked = not case.unanswerable or has_form(case.text, task.form)
        parts["form"] = float(has_form(answer.text, task.form))
        primary *= parts["form"] if asked else 1.0
    if task.kind == "answer":
        parts |= faithfulness(answer, form_words(task.form or ""), task.house)
    return Score(case.id, primary, parts | _sources(case, answer))


def _answer(task: Task, case: Case, text: str) -> tuple[float, dict[str, float]]:
    bare = without_markers(text)
    accepted = accepted_texts(case)
    own = (*house_wordings([case]), *task.house)
    parts = {"exact": exact(bare, accepted), "f1": token_f1(bare, accepted), "abstained": float(abstains(text, own))}
    if case.unanswerable:
        parts["false_answer"] = 1.0 - parts["abstained"]
        return parts["abstained"], parts
    if case.facts:
        parts["contains"] = facts_contained(bare, case.facts)
        right = parts["contains"] == 1.0
    else:
        right = parts["exact"] == 1.0 or parts["f1"] >= NEAR
    parts["facts"] = float(right)
    return parts["facts"], parts


def _extract(task: Task, case: Case, text: str) -> tuple[float, dict[str, float]]:
    valid, said = find_json(text, schema_check(task.schema))
    _, gold = find_json(case.answer, lambda _: True) if isinstance(case.answer, str) else (True, case.answer)
    fields = field_f1(said, gold)
    parts = {"valid": float(valid), "field_f1": fields, "exact": float(fields == 1.0)}
    return parts["valid"] * fields, parts


def _classify(task: Task, case: Case, text: str) -> tuple[float, dict[str, float]]:
    gold = case.text
    said = predicted_label(task, text)
    parts = {"label": float(said == gold), "in_labels": float(said != ""), "contains": float(contains(_loose(text), _loose(gold)))}
    return parts["label"], parts


def predicted_label(task: Task, text: str) -> str:
    """The label the text is, letter case, outer quotes and a final period aside; with a form, the only one it names; else ""."""
    bare = without_markers(text)
    trimmed = canonical(bare).strip(" .\"'`*")
    for label in task.labels:
        if bare == label or trimmed == canonical(label):
            return label
    if not task.form:
        return ""
    named = [label for label in task.labels if contains(_loose(bare), _loose(label))]
    longest = [one for one in named if not any(one != other and contains(_loose(other), _loose(one)) for other in named)]
    return longest[0] if len(longest) == 1 else ""


def _loose(text: str) -> str:
    return text.replace("_", " ")


@lru_cache(maxsize=64)
def form_words(form: str) -> tuple[str, ...]:
    """The words that a form itself brings to every answer."""
    return tuple(sorted(set(re.findall(r"[A-Za-z]{3,}", form))))


def _sources(case: Case, answer: Answer) -> dict[str, float]:
    if case.unanswerable or not case.evidence:
        return {}
    precision, recall = citation_rates(answer, case.evidence)
    parts = {"citation_precision": precision, "citation_recall": recall}
    searched = answer.made_by.get("source", "").startswith(("search", "everything"))
    retrieved = by_case(answer.hits, case.evidence) if answer.hits or answer.dropped or searched else {}
    return {name: value for name, value in parts.items() if value is not None} | retrieved


def accepted_texts(case: Case) -> tuple[str, ...]:
    """The texts an answer may equal, without citation markers."""
    texts = case.answer if isinstance(case.answer, list) and all(isinstance(one, str) for one in case.answer) else [case.text]
    return tuple(without_markers(one) for one in texts)
