"""Reads cases from JSONL or CSV and refuses what can't be measured: every error names its file, its line and a way out.

It never guesses: a field nobody reads is an error that names the nearest one, and two cases may not share an id.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from dataclasses import replace
from difflib import get_close_matches
from hashlib import sha256
from itertools import chain, count
from typing import TYPE_CHECKING, TypeAlias

from rung.errors import DataError
from rung.measure.rows import RowError, case_from_row
from rung.types import Case, Json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

Rows: TypeAlias = "Iterator[tuple[int, dict[str, Json]]]"

CSV_ROLES = {"question": "question", "text": "question", "answer": "answer", "label": "answer", "category": "answer"}
CSV_EXTRAS = ("id", "group", "tags")
HALF = re.compile(r"\\u[dD][89a-fA-F]")  # may be half of a pair; no model can read one that stands alone
HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")
NAMED = 5  # rows named in one error; the rest are counted


def read_cases(path: Path) -> list[Case]:
    """The cases of a JSONL file (cases, OpenAI chats, Alpaca rows) or a CSV, in the order of the file.

    A row without an id gets one from the hash of its question, and a number where the question came before: data sets without
    ids hold some questions twice. DataError for a file that is missing, empty or not UTF-8, a broken line, a missing or
    unknown field, and two rows of one id.
    """
    text = _read(path)
    rows = _csv_rows(path, text) if path.suffix.lower() == ".csv" else _json_rows(path, text)
    cases: dict[str, Case] = {}
    lines: dict[str, int] = {}
    for line, row in rows:
        try:
            case = case_from_row(row)
        except RowError as fault:
            raise DataError(f"{path}, line {line}: {fault.message}", fault.hint) from None
        case = case if case.id else _with_id(case, lines)
        if case.id in cases:
            raise DataError(
                f"{path}, line {line}: the id {case.id!r} is taken by line {lines[case.id]}",
                "give each case an id of its own, or remove the row if it is the same question twice",
            )
        cases[case.id], lines[case.id] = case, line
    if not cases:
        raise DataError(f"{path} holds no cases", 'write one JSON object a line: {"id": ..., "question": ..., "answer": ...}')
    return list(cases.values())


def question_key(question: str) -> str:
    """A question with case, accents' encoding, punctuation and spacing taken out: what makes two questions the same one."""
    text = unicodedata.normalize("NFKC", question).casefold()
    return " ".join(re.sub(r"[^\w\s]", " ", text).split()) or text.strip()


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


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path} is not there", "write the path relative to rung.toml, or create the file") from None
    except UnicodeDecodeError as fault:
        raise DataError(f"{path} is not UTF-8 (byte {fault.start})", "save the file as UTF-8") from None
    except OSError as fault:
        raise DataError(f"{path} can't be read: {fault.strerror}", "check that it is a file you may read") from None


def _json_rows(path: Path, text: str) -> Rows:
    if text.lstrip().startswith("["):
        raise DataError(
            f"{path}, line 1: the file is one JSON list", "write one JSON object a line, without brackets and commas around them"
        )
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as fault:
            said = f"{fault.msg} at column {fault.colno}" if isinstance(fault, json.JSONDecodeError) else str(fault)
            raise DataError(f"{path}, line {number}: broken JSON ({said})", "each line must hold one whole JSON object") from None
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number}: a JSON object was expected", 'write {"question": ..., "answer": ...}')
        if HALF.search(line) and HALF_CHARACTER.search(json.dumps(row, ensure_ascii=False)):
            hint = "write the character itself, or both halves of the pair, such as \\ud83d\\ude00"
            raise DataError(f"{path}, line {number}: a \\u escape names half a character", hint)
        yield number, row


def _csv_rows(path: Path, text: str) -> Rows:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        names = [_column(path, name.strip()) for name in header]
        for role in ("question", "answer"):
            if header and names.count(role) != 1:
                fault = "no" if role not in names else "more than one"
                aka = "question (or text)" if role == "question" else "answer (or label, category)"
                raise DataError(f"{path}, line 1: {fault} column {aka}", "the first line names the columns: question,answer or text,label")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(names):
                raise DataError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells under {len(names)} columns", 'put texts with commas in "quotes"'
                )
            yield reader.line_num, _csv_row(dict(zip(names, cells, strict=True)))
    except csv.Error as fault:
        raise DataError(
            f"{path}, line {reader.line_num}: broken CSV ({fault})", 'put texts with commas, quotes or line breaks in "quotes"'
        ) from None


def _csv_row(cells: dict[str, str]) -> dict[str, Json]:
    row: dict[str, Json] = {name: cell.strip() for name, cell in cells.items() if cell.strip() or name in ("question", "answer")}
    if "tags" in row:
        row["tags"] = [tag.strip() for tag in row["tags"].split(";") if tag.strip()]
    return row


def _column(path: Path, name: str) -> str:
    if name.lower() in CSV_ROLES:
        return CSV_ROLES[name.lower()]
    if name.lower() in CSV_EXTRAS:
        return name.lower()
    known = [*CSV_ROLES, *CSV_EXTRAS]
    nearest = get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"columns that are read: {', '.join(known)}"
    raise DataError(f"{path}, line 1: nobody reads the column {name!r}", hint)


def _with_id(case: Case, taken: Collection[str]) -> Case:
    name = sha256(case.question.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    free = next(one for one in chain([name], (f"{name}-{n}" for n in count(2))) if one not in taken)
    return replace(case, id=free)


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def _name(items: Iterable[str]) -> str:
    listed = list(items)
    rest = len(listed) - NAMED
    return ", ".join(listed[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
