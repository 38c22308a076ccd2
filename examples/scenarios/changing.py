"""Documents that change: what a one-line edit replaced becomes a question, before and after, for `rung freshness`.

It takes only edits that put one short thing in another's place (a name, a number, a channel): mended spelling, markup and
rewording have no answer that could be stale.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path

from examples.scenarios.parts import lines, rows_of
from rung.tuning.questions import GAP
from rung.types import Case, Evidence

THING = re.compile(r"[\w$€£#@%+'’./ -]+")
LONGEST = 5  # words of what was replaced
ALIKE = 0.7  # from here on two strings are one, spelled otherwise


def documents(data: Path, root: str) -> dict[str, str]:
    """Path below `root` → text as it is now; headings that are the questions of the FAQ are taken out."""
    return {_below(row["path"], root): row["text"] for row in rows_of(data / "docs_head_masked.jsonl.gz")}


def edits(data: Path, root: str, now: Mapping[str, str]) -> list[tuple[Case, Case]]:
    """Each edit whose new line still stands once in its document, as the same question before and after; one for each line."""
    found: dict[str, tuple[Case, Case]] = {}
    for number, row in enumerate(rows_of(data / "freshness_pairs.jsonl.gz")):
        path, line, was = _below(row["path"], root), row["new_line"].strip(), row["old_line"].strip()
        told = _replaced(row["changes"], line, was)
        if told and now.get(path, "").count(line) == 1 and was not in now[path]:
            question = f"What is missing here? {line.lstrip('-*>#| ').replace(told[1], GAP, 1)}"
            case = Case(f"edit-{number:04}", question, told[1], ((told[1],),), (Evidence(path, line),), ("changed",), path)
            found[f"{path}\n{line}"] = (replace(case, answer=told[0], facts=((told[0],),), evidence=(Evidence(path, was),)), case)
    return list(found.values())


def history(pairs: Iterable[tuple[Case, Case]], held: Sequence[Case], now: Mapping[str, str]) -> dict[str, str]:
    """Files of the held-out edits: the questions with their old answers, and the documents with the old lines put back."""
    ids = {case.id for case in held}
    chosen = [(before, after) for before, after in pairs if after.id in ids]
    then: dict[str, str] = {}
    for before, after in chosen:
        path = after.group
        then[path] = then.get(path, now[path]).replace(after.evidence[0].quote, before.evidence[0].quote)
    return {"history-cases.jsonl": lines([before for before, _ in chosen])} | {f"history/{path}": text for path, text in then.items()}


def _replaced(changes: Sequence[Sequence[str]], line: str, was: str) -> tuple[str, str] | None:
    """What stood there and what stands there now, where that is one thing in place of another."""
    if len(changes) != 1 or not 6 <= len(line.split()) <= 60:
        return None
    old, new = (side.strip(" .,:;") for side in changes[0])
    short = all(THING.fullmatch(side) and len(side.split()) <= LONGEST for side in (old, new))
    told = all(re.search(r"\d|[#$€£%]|(?<=.)[A-Z]|^[A-Z](?=\w*[A-Z\d ])", side) or re.match(r"[A-Z]", side) for side in (old, new))
    apart = not {old.lower(), new.lower()} & {""} and old.lower() not in new.lower() and new.lower() not in old.lower()
    alone = line.count(new) == 1 and was.count(old) == 1
    return (old, new) if short and told and apart and alone and _ratio(old, new) < ALIKE else None


def _ratio(old: str, new: str) -> float:
    numbers = re.search(r"\d", old) and re.search(r"\d", new)
    return 0.0 if numbers else SequenceMatcher(None, old.lower(), new.lower()).ratio()


def _below(path: str, root: str) -> str:
    return path.removeprefix(root)
