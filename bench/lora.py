"""LoRA against full fine-tuning on three data sets: what each gets right on held-out cases, with paired intervals, parameters and time.

It refuses to favour either: both get the recipe derived for their method, and the better of two learning rates on the rows set
aside for validation. Harbor is measured on the form of its answers, the two classification sets on eight intents each.
"""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random

from rung.climb import Measured, climb
from rung.measure.bootstrap import clusters_of
from rung.measure.cases import question_key
from rung.measure.stats import compare_all
from rung.workspace import workspace as w

ROOT = Path(__file__).resolve().parents[1]
HARBOR, DATA = ROOT / "examples" / "harbor", ROOT.parent / "shared" / "data"
RATES = (1.0, 2.5)  # times the derived one
INTENTS = 8
TOML = """
[project]
task = "classify"
cases = "cases.jsonl"
examples = "examples.jsonl"
labels = "labels.json"
[model]
max_tokens = 16
[knowledge]
folder = ""
[prompt]
system = "Which matter is the question about?"
"""


def run(small: bool) -> dict[str, object]:
    """Print a table; for each set both scores, the paired difference with its interval, and what LoRA takes of parameters and time."""
    figures: dict[str, object] = {}
    print(f"{'set':<12}{'full':>8}{'LoRA':>8}{'difference, 95 % interval':>30}{'parameters':>12}{'time':>8}{'cases':>7}")
    with tempfile.TemporaryDirectory() as scratch:
        for name, folder in _projects(Path(scratch), small):
            figures |= {f"{name}_{key}": value for key, value in _compared(name, folder, small).items()}
    relative = [float(str(value)) for key, value in figures.items() if key.endswith("_relative")]
    return figures | {"worst_relative": min(relative), "sets": len(relative)}


def _projects(scratch: Path, small: bool) -> list[tuple[str, Path]]:
    shutil.copytree(HARBOR, scratch / "harbor", ignore=shutil.ignore_patterns(".rung", "docs", "history*"))
    toml = (scratch / "harbor" / "rung.toml").read_text(encoding="utf-8")
    toml = toml.replace('folder = "docs"', 'folder = ""').replace("epochs = 4", "")
    (scratch / "harbor" / "rung.toml").write_text(toml, encoding="utf-8")
    found = [("harbor", scratch / "harbor")]
    for name, read in (("banking77", _banking), ("clinc150", _clinc)):
        if (DATA / name).is_dir():
            found.append((name, _project(scratch / name, *read(DATA / name), small)))
        else:
            print(f"{name:<12}skipped: the development data is not at {DATA / name}")
    return found


Pairs = list[tuple[str, str]]


def _banking(folder: Path) -> tuple[Pairs, Pairs]:
    def rows(name: str) -> Pairs:
        with (folder / name).open(encoding="utf-8", newline="") as lines:
            return [(row["text"].strip(), row["category"].replace("_", " ").rstrip("?").lower()) for row in csv.DictReader(lines)]

    return rows("train.csv"), rows("test.csv")


def _clinc(folder: Path) -> tuple[Pairs, Pairs]:
    path = next(iter(sorted(folder.glob("data_full.json*"))))
    raw = path.read_bytes()
    data = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    return tuple([(text, label.replace("_", " ")) for text, label in data[split]] for split in ("train", "test"))  # type: ignore[return-value]


def _project(folder: Path, train: Pairs, test: Pairs, small: bool) -> Path:
    """Eight intents drawn once, 25 or 50 rows of each to learn, 15 or 30 to measure, none of which asks what one to learn asks."""
    folder.mkdir()
    chosen = sorted(Random("intents").sample(sorted({label for _, label in test}), INTENTS))
    (folder / "labels.json").write_text(json.dumps(chosen), encoding="utf-8")
    (folder / "rung.toml").write_text(TOML, encoding="utf-8")
    held = _drawn(test, chosen, 15 if small else 30)
    asked = {question_key(question) for question, _ in held}
    solved = _drawn([pair for pair in train if question_key(pair[0]) not in asked], chosen, 25 if small else 50)
    for name, pairs in (("cases", held), ("examples", solved)):
        lines = [json.dumps({"id": f"{name}{n:04}", "question": q, "answer": label}) for n, (q, label) in enumerate(pairs)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def _drawn(pairs: Pairs, labels: Sequence[str], each: int) -> Pairs:
    found: Pairs = []
    for label in labels:
        unlike = sorted({question_key(question): (question, of) for question, of in pairs if of == label}.values())
        found += Random(label).sample(unlike, min(each, len(unlike)))
    return found


def _compared(name: str, folder: Path, small: bool) -> dict[str, float]:
    chosen = {method: _best(folder, method, small) for method in ("full", "lora")}
    parts = {method: _scores(done) for method, (done, _) in chosen.items()}
    cases = w.cases(w.open_workspace(folder))
    gap = compare_all(parts, clusters_of(cases))[0].difference
    mean = {method: sum(found.values()) / len(found) for method, found in parts.items()}
    told = {method: scores for method, (_, scores) in chosen.items()}
    parameters, seconds = (told["lora"][key] / told["full"][key] for key in ("trained_parameters", "seconds"))
    shown = f"{gap.estimate:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"
    print(f"{name:<12}{mean['full']:>8.3f}{mean['lora']:>8.3f}{shown:>30}{parameters:>12.3f}{seconds:>8.2f}{len(cases):>7}", flush=True)
    return {
        "full": round(mean["full"], 4), "lora": round(mean["lora"], 4), "difference": round(gap.estimate, 4),
        "low": round(gap.low, 4), "high": round(gap.high, 4), "relative": round(gap.estimate / max(mean["full"], 1e-9), 4),
        "loss_full": round(told["full"]["val"], 4), "loss_lora": round(told["lora"]["val"], 4),
        "parameters": round(parameters, 4), "time": round(seconds, 3), "cases": len(cases),
    }  # fmt: skip


def _scores(done: Measured) -> dict[str, float]:
    """A case's score; on harbor, whose facts no adapter knows without passages, whether the answer keeps to the house form."""
    return {score.case: score.parts.get("form", score.primary) for score in done.scores}


def _best(folder: Path, method: str, small: bool) -> tuple[Measured, dict[str, float]]:
    """Of two learning rates the one with the lower validation loss: the tuned rung as measured, and what its training said."""
    from rung.workspace.training import planned

    found = []
    for times in RATES:
        ws = w.open_workspace(folder)
        epochs = 3 if small else None
        tuning = ws.config.tuning.model_copy(update={"method": method, "epochs": epochs})
        plan = planned(w.Workspace(folder, ws.config.model_copy(update={"tuning": tuning})), w.examples(ws), None)
        rate = plan.recipe.learning_rate * times
        tuning = tuning.model_copy(update={"learning_rate": float(f"{rate:.2g}")})
        there = w.Workspace(folder, ws.config.model_copy(update={"tuning": tuning}))
        done = climb(there, rungs=("tuned",)).rungs[0]
        folders = [path for path in (folder / ".rung" / "adapters").iterdir() if (path / "recipe.json").exists()]
        told = {path: json.loads((path / "recipe.json").read_text(encoding="utf-8")) for path in folders}
        (path,) = (path for path, one in told.items() if one["method"] == method and one["learning_rate"] == tuning.learning_rate)
        scores = json.loads((path / "scores.json").read_text(encoding="utf-8"))
        found.append((done, {**scores, "val": scores["validation_loss"]["tuned"]}))
    return min(found, key=lambda pair: pair[1]["val"])
