"""From the last checkpoint to the folder that is shipped: `python -m bundled.reader.export RC_MIX RUN [OUT]`.

The threshold is chosen on the validation part of the train file; nothing of the dev file is looked at.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random

from bundled.reader.data import Row, Shelf, part, read
from rung.knowledge.embedders import minilm
from rung.measure.metrics import token_f1
from rung.models.reading import HOME, Quote, Reader, open_reader, trimmed

MOST = 700  # validation questions
THRESHOLDS = [n / 100 for n in range(5, 96, 2)]


def write(run: Path, out: Path) -> None:
    """The learned weights in half precision, named as MiniLM's own; the threshold is still open."""
    import torch
    from safetensors.torch import save_file

    recipe = json.loads((run / "recipe.json").read_text(encoding="utf-8"))
    learned = torch.load(run / "resume.pt")["model"]
    weights = {named(name): value.to(torch.float16).contiguous() for name, value in learned.items()}
    out.mkdir(parents=True, exist_ok=True)
    save_file(weights, out / "change.safetensors")
    with (out / "change.safetensors").open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    told(out, {"base": minilm.SHA256, "sha256": sha256, "scale": recipe["scale"], "threshold": 0.5, "recipe": recipe})


def named(name: str) -> str:
    """`bert.encoder...query.parametrizations.weight.0.a` as `encoder...query.a`."""
    return name.removeprefix("bert.").replace("parametrizations.weight.0.", "")


def told(out: Path, facts: dict[str, object]) -> None:
    """Write what goes with the weights."""
    (out / "reader.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def asked(rows: Sequence[Row], shelf: Shelf, seed: str) -> list[tuple[Row, list[str]]]:
    """Each question with three passages of its document in drawn order; every fourth answerable one without the right one."""
    made = []
    for n, row in enumerate(rows):
        r = Random(f"{seed}/{n}")
        others = {shelf.alike(row, r) for _ in range(4)} - {""}
        chosen = sorted(others)[:3] if row.answers and n % 4 == 0 and others else [row.context, *sorted(others)[:2]]
        made.append((row if row.context in chosen else Row(row.source, row.doc, "", row.question, (), ()), r.sample(chosen, len(chosen))))
    return made


def said(row: Row, passages: Sequence[str], found: Quote | None, threshold: float) -> float:
    """Token F1 of the quote; of an unanswerable question 1 where nothing is said."""
    if found is None or found.probability < threshold:
        return float(not row.answers)
    start, end = trimmed(passages[found.passage], found.start, found.end)
    return token_f1(passages[found.passage][start:end], row.answers) if row.answers else 0.0


def tune(reader: Reader, rows: Sequence[Row]) -> tuple[float, dict[float, float]]:
    """The threshold of the highest mean F1, where answerable and unanswerable questions weigh the same."""
    everything = asked(Random("validation").sample(rows, min(MOST, len(rows))), Shelf(rows), "validation")
    found = [(row, passages, reader.found(row.question, passages)) for row, passages in everything]
    by: dict[float, float] = {}
    for threshold in THRESHOLDS:
        kinds: dict[bool, list[float]] = {True: [], False: []}
        for row, passages, quote in found:
            kinds[bool(row.answers)].append(said(row, passages, quote, threshold))
        by[threshold] = sum(sum(scores) / len(scores) for scores in kinds.values()) / 2
    return max(by, key=lambda threshold: by[threshold]), by


def export(rc_mix: Path, run: Path, out: Path) -> None:
    """Write the folder, then its threshold."""
    with tempfile.TemporaryDirectory() as folder:
        write(run, Path(folder))
        rows = [row for row in read(rc_mix / "train.jsonl.gz") if part(row) == "validation" and row.source != "qamr"]
        threshold, by = tune(open_reader(change=Path(folder)), rows)
        print("\n".join(f"threshold {at:.2f} F1 {f1:.4f}" for at, f1 in by.items()))
        out.mkdir(parents=True, exist_ok=True)
        (out / "change.safetensors").write_bytes((Path(folder) / "change.safetensors").read_bytes())
        told(out, json.loads((Path(folder) / "reader.json").read_text(encoding="utf-8")) | {"threshold": threshold})
        print(f"{out}: threshold {threshold}, {(out / 'change.safetensors').stat().st_size / 1e6:.1f} MB")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Writes the reader's folder.")
    parser.add_argument("rows", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path, nargs="?", default=HOME)
    given = parser.parse_args()
    export(given.rows, given.run, given.out)


if __name__ == "__main__":
    main()
