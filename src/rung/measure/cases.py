"""Reads cases from a file and refuses what can't be measured: every error names its file, its line and a way out.

It never guesses: a field nobody reads is an error that names the nearest one, and two cases may not share an id.
"""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from hashlib import sha256
from itertools import chain, count
from typing import TYPE_CHECKING

from rung.approach.question import question_key
from rung.errors import DataError
from rung.measure.files import rows_of
from rung.measure.rows import NotRated, RowError, case_from_row
from rung.types import Case

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

NAMED = 5  # rows named in one error; the rest are counted


def read_cases(path: Path) -> list[Case]:
    """The cases of a file, in its order; any format that `rows_of` reads, in any of the forms that `case_from_row` takes.

    A row without an id gets one from the hash of its question, and a number where the question came before: data sets without
    ids hold some questions twice. Logged answers that nobody rated well are left out. DataError for a file that is missing,
    empty or not UTF-8, a broken line, a missing or unknown field, and two rows of one id.
    """
    cases: list[Case] = []
    for line, found in numbered_cases(path):
        if isinstance(found, Case):
            cases.append(found)
        elif not isinstance(found, NotRated):
            raise DataError(f"{path}, line {line}: {found.message}", found.hint)
    if not cases:
        raise DataError(f"{path} holds no cases", 'write one JSON object a line: {"id": ..., "question": ..., "answer": ...}')
    return cases


def numbered_cases(path: Path, columns: Mapping[str, str] | None = None) -> Iterator[tuple[int, Case | RowError]]:
    """Each row's line with its case, or with what is wrong with it. DataError where the file as a whole can't be read."""
    lines: dict[str, int] = {}
    for line, row in rows_of(path, columns):
        if isinstance(row, RowError):
            yield line, row
            continue
        try:
            case = case_from_row(row)
        except RowError as fault:
            yield line, fault
            continue
        case = case if case.id else _with_id(case, lines)
        if case.id in lines:
            yield (
                line,
                RowError(
                    f"the id {case.id!r} is taken by line {lines[case.id]}",
                    "give each case an id of its own, or remove the row if it is the same question twice",
                ),
            )
        else:
            lines[case.id] = line
            yield line, case


def check_overlap(cases: Sequence[Case], examples: Sequence[Case]) -> None:
    """DataError where a training row asks what a held-out case asks, or carries its id: the score would be memory."""
    held_out = {question_key(case.question): case.id for case in cases}
    ids = {case.id for case in cases}
    pairs = [(row.id, held_out.get(question_key(row.question), row.id if row.id in ids else "")) for row in examples]
    same = [f"{row!r} is case {case!r}" for row, case in pairs if case]
    if same:
        raise DataError(
            f"{_count(len(same), 'training row equals a held-out case', 'training rows equal held-out cases')}: {_name(same)}",
            "remove these rows from the examples, or from the cases; a question is trained on or measured on, never both",
        )


def check_labels(cases: Sequence[Case], labels: Sequence[str]) -> None:
    """DataError where a case's answer is not one of the labels (letter for letter)."""
    known = set(labels)
    wrong = [case for case in cases if not isinstance(case.answer, str) or case.answer not in known]
    if wrong:
        nearest = get_close_matches(str(wrong[0].answer), labels, n=1)
        raise DataError(
            f"{_count(len(wrong), 'case has a label', 'cases have labels')} outside the list of {len(known)}: "
            + _name([f"{case.id!r} has {case.answer!r}" for case in wrong]),
            f"did you mean {nearest[0]!r}? Otherwise add the label to the list"
            if nearest
            else "add the label to the list, or mend the case",
        )


def check_form(cases: Sequence[Case], form: str) -> None:
    """DataError where the ideal answer to an answerable case does not have the required form: nobody could score there."""
    from rung.measure.metrics import has_form

    wrong = [case for case in cases if not case.unanswerable and not has_form(case.text, form)]
    if wrong:
        raise DataError(
            f"{_count(len(wrong), 'ideal answer does', 'ideal answers do')} not have the required form: "
            + _name([repr(case.id) for case in wrong]),
            "mend the answers, or loosen `form` in rung.toml until the ideal answers match it",
        )


def _with_id(case: Case, taken: Collection[str]) -> Case:
    name = sha256(case.question.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    free = next(one for one in chain([name], (f"{name}-{n}" for n in count(2))) if one not in taken)
    return replace(case, id=free)


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def _name(items: Iterable[str]) -> str:
    listed = list(items)
    rest = len(listed) - NAMED
    return ", ".join(listed[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
