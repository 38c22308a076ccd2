"""Asks an approach every case once, records each answer as it comes, and scores them; an interrupted run goes on where it was.

It refuses to mix answers of two keys: those of another key are moved aside, never read and never deleted. Cases are asked in
fixed blocks in the order of their ids, because how questions share a batch may change the last bit of an answer: a block is
taken from the record whole or asked again whole, so a resumed run says what an uninterrupted one says.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from rung.errors import DataError, ModelError
from rung.measure.cost import Prices
from rung.measure.record import (
    answer_from_json,
    answer_to_json,
    lines_of,
    refuse_write,
    score_to_json,
    summary_to_json,
    to_line,
    write_lines,
    write_whole,
)
from rung.measure.score import Task, score
from rung.measure.summary import summarise
from rung.types import Answer, Case, Json, Score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    AnswerAll: TypeAlias = Callable[[Sequence[str]], Iterator[tuple[int, Answer]]]
    Progress: TypeAlias = Callable[[int, int], None]  # (cases done, cases in all)

Pairs: TypeAlias = "list[tuple[Answer, Score]]"

BLOCK = 32
ANSWERS, SCORES, SUMMARY = "answers.jsonl", "scores.jsonl", "summary.json"


def evaluation_key(approach_id: str, cases: Sequence[Case], settings: str = "") -> str:
    """The hash of all that answers depend on: the approach, the ids and questions of the cases, and any further settings.

    Ideal answers, evidence and the required form are left out on purpose: changing them scores again without asking again.
    """
    asked = [[case.id, case.question] for case in in_order(cases)]
    return sha256(json.dumps([approach_id, settings, BLOCK, asked]).encode()).hexdigest()[:32]


def in_order(cases: Sequence[Case]) -> list[Case]:
    """The cases by id, which is the order they are asked and scored in."""
    return sorted(cases, key=lambda case: case.id)


def evaluate(
    name: str,
    answer_all: AnswerAll,
    cases: Sequence[Case],
    task: Task,
    folder: Path,
    key: str,
    progress: Progress | None = None,
    prices: Prices | None = None,
    seed: int = 0,
    portions: Sequence[Sequence[Case]] = (),
) -> Pairs:
    """(answer, score) of every case, by case id; `folder` then holds answers.jsonl, scores.jsonl and summary.json.

    Answers recorded under the same key are not asked again. Ctrl-C and errors of the model keep what is recorded. The seed is
    that of the interval in the summary. `portions` are all the cases there are, in the parts that they are asked in, of which
    `cases` are the first few: no block crosses a part, so that asking part after part says what asking all at once says.
    ModelError where the approach leaves a question without an answer, RungError where the folder can't be written.
    """
    cases = in_order(cases)
    blocks = [block for portion in portions or [cases] for block in _blocks(in_order(portion))]
    kept = _recorded(folder / ANSWERS, key, blocks)
    _begin(folder / ANSWERS, name, key, in_order([case for block in blocks for case in block]), kept)
    asked = {case.id for case in cases}
    done = {case: answer for case, answer in kept.items() if case in asked}
    if progress:
        progress(len(done), len(cases))
    for block in blocks:
        if block[0].id in asked and not all(case.id in done for case in block):
            for case, answer in _ask(name, answer_all, block, folder / ANSWERS):
                done[case.id] = answer
                if progress:
                    progress(len(done), len(cases))
    return _finish(name, [done[case.id] for case in cases], cases, task, folder, prices or Prices(), seed)


def rescore(folder: Path, cases: Sequence[Case], task: Task, prices: Prices | None = None, seed: int = 0) -> Pairs:
    """Score recorded answers again, under a new task, new ideal answers or new prices, without a model.

    DataError where the folder holds no answers, or none to one of the cases.
    """
    cases = in_order(cases)
    head, answers = _read(folder / ANSWERS)
    missing = [case.id for case in cases if case.id not in answers or answers[case.id].question != case.question]
    if not head or missing:
        what = f"no answer to {missing[0]!r} ({len(missing)} missing)" if head else "no recorded answers"
        raise DataError(f"{folder} holds {what}", "run the evaluation first; it asks only what is missing")
    return _finish(head.get("name", folder.name), [answers[case.id] for case in cases], cases, task, folder, prices or Prices(), seed)


def recorded_answers(folder: Path) -> dict[str, Answer]:
    """Case id → answer, as the folder of an evaluation holds them; empty where there is none."""
    return _read(folder / ANSWERS)[1]


def _finish(name: str, answers: Sequence[Answer], cases: Sequence[Case], task: Task, folder: Path, prices: Prices, seed: int) -> Pairs:
    pairs = [(answer, score(task, case, answer)) for case, answer in zip(cases, answers, strict=True)]
    write_lines(folder / SCORES, [score_to_json(one) for _, one in pairs])
    summary = summarise(name, pairs, cases, prices, task, seed=seed)
    write_whole(folder / SUMMARY, json.dumps(summary_to_json(summary), ensure_ascii=False, indent=1).encode() + b"\n")
    return pairs


def _blocks(cases: Sequence[Case]) -> Iterator[Sequence[Case]]:
    return (cases[start : start + BLOCK] for start in range(0, len(cases), BLOCK))


def _ask(name: str, answer_all: AnswerAll, block: Sequence[Case], path: Path) -> Iterator[tuple[Case, Answer]]:
    """Ask one block, writing each answer down before it is handed on; the block is on disk when it ends."""
    left = set(range(len(block)))
    with _open(path) as file:
        for number, answer in answer_all([case.question for case in block]):
            if number not in left:
                raise ModelError(
                    f"{name} answered question {number} of a block of {len(block)} twice or unasked", "this is a fault of the approach"
                )
            left.remove(number)
            _append(file, path, to_line({"case": block[number].id, "answer": answer_to_json(answer)}), sync=not left)
            yield block[number], answer
    if left:
        raise ModelError(f"{name} gave no answer to case {block[min(left)].id!r}", "run again: the cases answered in whole blocks are kept")


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("ab", buffering=0)
    except OSError as fault:
        refuse_write(path, fault)


def _append(file: BinaryIO, path: Path, line: bytes, *, sync: bool) -> None:
    try:
        rest = memoryview(line)
        while rest:  # an unbuffered write may stop short when the disk is nearly full
            rest = rest[file.write(rest) :]
        if sync:
            os.fsync(file.fileno())
    except OSError as fault:
        refuse_write(path, fault)


def _read(path: Path) -> tuple[dict[str, str], dict[str, Answer]]:
    """(head, case id → answer) of a record; both empty where there is none, a line that is no answer left out."""
    rows = lines_of(path)
    head: Json = next(rows, {})
    answers: dict[str, Answer] = {}
    for row in rows:
        try:
            answers[row["case"]] = answer_from_json(row["answer"])
        except (KeyError, TypeError):
            continue
    return (head, answers) if isinstance(head, dict) and isinstance(head.get("key"), str) else ({}, {})


def _recorded(path: Path, key: str, blocks: Sequence[Sequence[Case]]) -> dict[str, Answer]:
    """Answers of the blocks that are recorded whole under this key; a record of another key is moved aside first."""
    head, answers = _read(path)
    if head and head["key"] != key:
        try:
            os.replace(path, path.with_name(f"answers-{head['key'][:12]}.jsonl"))
        except OSError as fault:
            refuse_write(path, fault)
        return {}
    return {
        case.id: answers[case.id]
        for block in blocks
        if all(case.id in answers and answers[case.id].question == case.question for case in block)
        for case in block
    }


def _begin(path: Path, name: str, key: str, cases: Sequence[Case], done: dict[str, Answer]) -> None:
    """Make the record hold its head and whole blocks only, so that what is appended next is not glued to a torn line."""
    lines = [{"key": key, "name": name}, *({"case": case.id, "answer": answer_to_json(done[case.id])} for case in cases if case.id in done)]
    content = b"".join(map(to_line, lines))
    if not path.exists() or sorted(path.read_bytes().split(b"\n")) != sorted(content.split(b"\n")):
        write_whole(path, content)
