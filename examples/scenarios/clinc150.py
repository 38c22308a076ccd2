"""Support routing with questions that belong nowhere: CLINC150 (Larson et al. 2019, CC BY 3.0), 150 labels and out of scope."""

from __future__ import annotations

import json
from pathlib import Path

from examples.scenarios.parts import Scenario, Sizes, apart, drawn, published
from rung.types import Case

SIZES = (200, 3000)
OTHER = "out of scope"
TOML = f"""[project]
name = "clinc150"
task = "classify"
cases = "cases.jsonl"
examples = "examples.jsonl"
labels = "labels.json"
other = "{OTHER}"
bar = 0.8
rungs = ["knn", "encoder", "prompt", "few-shot"]

[model]
name = "bundled:tiny"
max_tokens = 16

[knowledge]
folder = ""

[prompt]
system = "What does the user want?"
shots = 6
"""


def make(data: Path, sizes: Sizes) -> Scenario:
    """DATA holds data_full.json.gz. All out-of-scope examples are kept: they settle the threshold."""
    told = json.loads(published(data / "data_full.json.gz"))
    held = drawn([*_cases(told, "test"), *_cases(told, "oos_test")], sizes.held, sizes.seed)
    outside = apart([*_cases(told, "oos_train"), *_cases(told, "oos_val")], held)
    inside = drawn(apart(_cases(told, "train"), held), max(0, sizes.train - len(outside)), sizes.seed)
    labels = sorted({case.text for case in [*_cases(told, "train"), *outside]})
    return Scenario(TOML, held, "CC BY 3.0", [*inside, *outside], files={"labels.json": json.dumps(labels, indent=1)})


def _cases(told: dict[str, list[list[str]]], part: str) -> list[Case]:
    named = [(text, OTHER if label == "oos" else label.replace("_", " ")) for text, label in told[part]]
    return [Case(f"{part}-{number:05}", text, label, tags=_tags(label)) for number, (text, label) in enumerate(named)]


def _tags(label: str) -> tuple[str, ...]:
    return (OTHER,) if label == OTHER else ()
