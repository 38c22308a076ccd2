"""Finance over tables and text: the development set of TAT-QA (Zhu et al. 2021, CC BY 4.0), a report's table with its paragraphs each.

Its scales (thousand, million, percent) are not asked for: an answer is right where its numbers or words are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from examples.scenarios.parts import Scenario, Sizes, reading, rows_of, split
from rung.types import Case, Evidence

SIZES = (150, 400)
TOML = reading("tatqa", "You answer questions on financial reports from the passages.")


def make(data: Path, sizes: Sizes) -> Scenario:
    """DATA holds tatqa_dataset_dev.json.gz. All questions on one table stand on one side."""
    reports = rows_of(data / "tatqa_dataset_dev.json.gz")
    cases = [_case(report["table"]["uid"], asked) for report in reports for asked in report["questions"] if _told(asked)]
    held, examples = split(cases, sizes)
    return Scenario(TOML, held, "CC BY 4.0", examples, {f"{report['table']['uid']}.md": _page(report) for report in reports})


def _told(asked: dict[str, Any]) -> list[Any]:
    """The values of the answer; none where one of them is empty."""
    told = asked["answer"] if isinstance(asked["answer"], list) else [asked["answer"]]
    return told if all(map(_plain, told)) else []


def _case(uid: str, asked: dict[str, Any]) -> Case:
    told, tags = _told(asked), (asked["answer_type"], asked["answer_from"])
    facts, evidence = tuple(map(_spellings, told)), (Evidence(f"{uid}.md"),)
    return Case(asked["uid"], asked["question"], ", ".join(map(_plain, told)), facts, evidence, tags, uid)


def _plain(value: object) -> str:
    return " ".join(str(value).split())


def _spellings(value: object) -> tuple[str, ...]:
    """The value as it stands, without its currency, and without a sign or brackets, which are often written otherwise."""
    text = _plain(value)
    bare = text.strip("$€£() ").lstrip("-").strip("$€£ ")
    return tuple(dict.fromkeys((text, bare))) if bare else (text,)


def _page(report: dict[str, Any]) -> str:
    """The table as Markdown, then the paragraphs in order."""
    rows = [[_plain(cell).replace("|", "/") for cell in row] for row in report["table"]["table"]]
    marked = [f"| {' | '.join(row)} |" for row in rows]
    marked.insert(1, "|" + " --- |" * len(rows[0]))
    paragraphs = sorted(report["paragraphs"], key=lambda one: int(one["order"]))
    return "\n\n".join(["\n".join(marked), *(one["text"] for one in paragraphs)]) + "\n"
