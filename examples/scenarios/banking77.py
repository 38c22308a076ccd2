"""Support routing: BANKING77 (Casanueva et al. 2020, CC BY 4.0), questions of a bank's customers to 77 labels, official split."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from examples.scenarios.parts import Scenario, Sizes, apart, drawn, published
from rung.types import Case

SIZES = (200, 2000)
TOML = """[project]
name = "banking77"
task = "classify"
cases = "cases.jsonl"
examples = "examples.jsonl"
labels = "labels.json"
bar = 0.8
rungs = ["knn", "encoder", "prompt", "few-shot"]

[model]
name = "bundled:tiny"
max_tokens = 24

[knowledge]
folder = ""

[prompt]
system = "Which matter is the question about?"
shots = 6
"""


def make(data: Path, sizes: Sizes) -> Scenario:
    """DATA holds train.csv, test.csv and categories.json. A training row that nearly asks what a held-out row asks is left out."""
    test, train = _cases(data, "test"), _cases(data, "train")
    labels = [_words(label) for label in json.loads(published(data / "categories.json"))]
    held = drawn(test, sizes.held, sizes.seed)
    examples = drawn(apart(train, held), sizes.train, sizes.seed)
    return Scenario(TOML, held, "CC BY 4.0", examples, files={"labels.json": json.dumps(labels, indent=1)})


def _cases(data: Path, part: str) -> list[Case]:
    rows = csv.DictReader(io.StringIO(published(data / f"{part}.csv"), newline=""))
    return [Case(f"{part}-{number:05}", row["text"].strip(), _words(row["category"])) for number, row in enumerate(rows)]


def _words(label: str) -> str:
    """`card_arrival` as a person would write it."""
    return label.replace("_", " ").rstrip("?").lower()
