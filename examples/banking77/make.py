"""Makes a `classify` project out of BANKING77 (Casanueva et al., 2020, CC BY 4.0): `python examples/banking77/make.py DATA FOLDER`.

DATA holds train.csv, test.csv and categories.json as published. Held-out rows come from the test split and examples
from the training split; an example that asks what a test row asks is left out.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from random import Random

from rung.approach.question import question_key

TOML = """[project]
name = "banking77"
task = "classify"
cases = "cases.jsonl"
examples = "examples.jsonl"
labels = "labels.json"
bar = 0.8
rungs = ["knn", "encoder", "prompt", "few-shot", "tuned"]

[model]
name = "bundled:tiny"
max_tokens = 24

[knowledge]
folder = ""

[prompt]
system = "Which matter is the question about?"
shots = 6

[tuning]
epochs = {epochs}
learning_rate = 0.002
"""


def rows(path: Path) -> list[tuple[str, str]]:
    """Questions with their labels in plain words."""
    with path.open(encoding="utf-8", newline="") as lines:
        return [(row["text"].strip(), words(row["category"])) for row in csv.DictReader(lines)]


def words(label: str) -> str:
    """`card_arrival` as a person would write it."""
    return label.replace("_", " ").rstrip("?").lower()


def write(path: Path, name: str, chosen: list[tuple[str, str]]) -> None:
    """One case to a line."""
    lines = [json.dumps({"id": f"{name}-{n:05}", "question": q, "answer": label}) for n, (q, label) in enumerate(chosen)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Sample, check, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--held", type=int, default=500, help="held-out rows (500)")
    parser.add_argument("--train", type=int, default=2000, help="training rows (2000)")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    held = Random(args.seed).sample(rows(args.data / "test.csv"), args.held)
    taken = {question_key(question) for question, _ in rows(args.data / "test.csv")}
    training = [row for row in rows(args.data / "train.csv") if question_key(row[0]) not in taken]
    args.folder.mkdir(parents=True, exist_ok=True)
    labels = [words(label) for label in json.loads((args.data / "categories.json").read_text(encoding="utf-8"))]
    (args.folder / "labels.json").write_text(json.dumps(labels, indent=1), encoding="utf-8")
    (args.folder / "rung.toml").write_text(TOML.format(epochs=args.epochs), encoding="utf-8")
    write(args.folder / "cases.jsonl", "held", held)
    write(args.folder / "examples.jsonl", "train", Random(args.seed).sample(training, min(args.train, len(training))))
    print(f"{args.folder}: {args.held} held-out rows, {min(args.train, len(training))} examples of {len(training)}, {len(labels)} labels")


if __name__ == "__main__":
    main()
