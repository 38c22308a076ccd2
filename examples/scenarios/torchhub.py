"""API calls out of instructions: TorchHub (Gorilla, Patil et al. 2023, Apache-2.0), RAFT's own data (Zhang et al. 2024), official split.

Every API of the test split stands in the training split, too: a tuned model can have learned the calls by heart. That is how the
set was published, and why plain tuning comes as far as RAFT on it. No instruction stands on both sides.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from examples.scenarios.parts import Scenario, Sizes, apart, drawn, once, rows_of
from rung.types import Case, Evidence

SIZES = (150, 300)
TOML = """[project]
name = "torchhub"
task = "answer"
cases = "cases.jsonl"
examples = "examples.jsonl"
bar = 0.8
rungs = ["prompt", "rag", "tuned", "raft"]

[model]
name = "bundled:tiny"
max_tokens = 64

[knowledge]
folder = "docs"
passage_tokens = 96
k = 3

[prompt]
system = "Name the API call that does it."

[tuning]
epochs = 2
"""


def make(data: Path, sizes: Sizes) -> Scenario:
    """DATA holds torchhub_api.jsonl.gz, torchhub_eval.json.gz and torchhub_train.json.gz."""
    pages: dict[str, str] = {}
    for row in rows_of(data / "torchhub_api.jsonl.gz"):  # calls that differ in an option alone share a page
        pages[_path(row["api_call"])] = pages.get(_path(row["api_call"]), "") + _page(row)
    test, train = ([_case(part, n, row) for n, row in enumerate(_rows(data, part))] for part in ("eval", "train"))
    held = drawn(once(test), sizes.held, sizes.seed)
    return Scenario(TOML, held, "Apache-2.0", drawn(apart(once(train), held), sizes.train, sizes.seed), pages)


def _rows(data: Path, part: str) -> list[dict[str, Any]]:
    return [row for row in rows_of(data / f"torchhub_{part}.json.gz") if _instruction(row["code"])]


def _instruction(code: str) -> str:
    """The instruction alone; "" where the row has another form."""
    found = re.search(r"Instruction['\"]?\s*:\s*(.+?)\s*(?:,?\s*\n?#*\s*['\"]?Output)", code, re.S)
    return found[1].strip("'\" \n") if found else ""


def _case(part: str, number: int, row: dict[str, Any]) -> Case:
    """Right is a call with the same repository and the same model, as in the published comparison of syntax trees."""
    call, group = row["api_call"], _path(row["api_call"])
    facts = tuple((said,) for said in _named(call))
    return Case(f"{part}-{number:04}", _instruction(row["code"]), call, facts, (Evidence(group, call),), (), group)


def _named(call: str) -> list[str]:
    return re.findall(r"'([^']+)'", call)[:2]


def _path(call: str) -> str:
    return re.sub(r"\W+", "-", " ".join(_named(call))).strip("-") + ".md"


def _page(row: dict[str, Any]) -> str:
    code = "\n".join(row["example_code"]) if isinstance(row["example_code"], list) else str(row["example_code"])
    about = f"Domain: {row['domain']}\n\nCall: `{row['api_call']}`\n\n{row['description']}"
    return f"# {row['functionality']}: {row['api_name']}\n\n{about}\n\n```python\n{code}\n```\n"
