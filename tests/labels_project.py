"""A small `classify` project whose encoder is a random BERT, for the tests of specialists."""

from __future__ import annotations

import json
from pathlib import Path

from tiny_bert import save_random_bert

LABELS = ["none of these", "w0", "w1", "w2", "w3"]
TOML = """\
[project]
name = "labels"
task = "classify"
cases = "cases.jsonl"
examples = "examples.jsonl"
labels = "labels.json"
other = "none of these"
bar = 0.5

[model]
name = "local:model"
max_tokens = 4

[knowledge]
folder = ""

[specialist]
encoder = "hf:bert"
epochs = 40
learning_rate = 0.003
k = 3
{more}
"""


def lines(rows: list[tuple[str, str]], name: str) -> str:
    return "".join(json.dumps({"id": f"{name}{n}", "question": text, "answer": label}) + "\n" for n, (text, label) in enumerate(rows))


def labelled(folder: Path, model: Path) -> Path:
    """Write the project: fifty examples, ten of which fit no label, and sixteen cases."""
    save_random_bert(folder / "bert")
    (folder / "model").symlink_to(model)
    (folder / "rung.toml").write_text(TOML.format(more=""))
    (folder / "labels.json").write_text(json.dumps(LABELS))
    starts = ("where is", "the", "find", "find the", "is")
    solved = [(f"{start} {label} {end}", label) for label in LABELS[1:] for start in starts for end in ("w6", "w7")]
    solved += [(f"{start} w5 {end}", LABELS[0]) for start in starts for end in ("w6", "w7")]
    (folder / "examples.jsonl").write_text(lines(solved, "e"))
    asked = [(f"{start} the {label}", label) for label in LABELS[1:] for start in ("where", "find is", "w6", "w7 is")]
    (folder / "cases.jsonl").write_text(lines(asked, "c"))
    return folder
