"""Small specialists on BANKING77 and CLINC150: accuracy on the official test splits, milliseconds a query, few examples, out of scope.

It refuses to learn or to choose anything on a test split: recipe, temperature and threshold come from rows of the training
splits that were set aside, and for CLINC150 from its validation split. Trained encoders are kept in `.bench/routing`, so a
second run trains nothing.
"""

from __future__ import annotations

import csv
import gzip
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from rung.approach.prompt import BARE
from rung.approach.specialist import Specialist
from rung.knowledge import embedders
from rung.knowledge.embedders.openvino import has_bf16
from rung.measure.bootstrap import interval
from rung.tuning.calibrate import calibration_error, threshold
from rung.tuning.rows import no_context, rows
from rung.tuning.specialist import SpecialistRecipe
from rung.types import Case, Interval
from rung.workspace.specialists import neighbours, open_neighbours, open_specialist, trained

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
KEPT = ROOT / ".bench" / "routing"
SHOTS = (5, 10, 50)
Pairs = list[tuple[str, str]]


def run(small: bool = False) -> dict[str, object]:
    """Accuracies with their 95 % intervals. `--small` takes five examples of each label and leaves CLINC150 and the full split out."""
    if not (DATA / "banking77").is_dir():
        print(f"skipped: the development data is not at {DATA}")
        return {"skipped": True}
    train, test = banking("train"), banking("test")
    print(f"{'set':<22} {'rows':>6} {'system':<12} {'accuracy':>8} {'95 % interval':>16} {'error of confidence':>20}")
    figures: dict[str, object] = {"encoder": embedders.load("minilm").id}
    if not small:
        figures |= compared("", train, test, recipe("banking77")) | clinc()
    for shots in SHOTS[:1] if small else SHOTS:
        figures |= compared(f"shot{shots}_", drawn(train, shots), test, recipe("shot"))
    return figures


def recipe(kind: str) -> SpecialistRecipe:
    """The recipes, chosen on rows of the training split that were set aside."""
    plain = SpecialistRecipe(precision="bf16" if has_bf16() else "fp32")
    return {"shot": plain, "banking77": replace(plain, members=2, epochs=6), "clinc150": replace(plain, epochs=4)}[kind]


def banking(split: str) -> Pairs:
    """Question and label of each row of the official split."""
    with (DATA / "banking77" / f"{split}.csv").open(encoding="utf-8", newline="") as lines:
        return [(row["text"], row["category"]) for row in csv.DictReader(lines)]


def drawn(train: Pairs, shots: int) -> Pairs:
    """So many random rows of each label."""
    by_label: dict[str, Pairs] = {}
    for row in train:
        by_label.setdefault(row[1], []).append(row)
    return [row for label, of in sorted(by_label.items()) for row in Random(f"{shots}/{label}").sample(of, min(shots, len(of)))]


def compared(name: str, train: Pairs, test: Pairs, chosen: SpecialistRecipe) -> dict[str, object]:
    """Encoder, nearest examples and linear SVM, learning the same rows and asked the same."""
    encoder, nearest = specialists(train, chosen)
    ready: Mapping[str, Callable[[Sequence[str]], list[tuple[str, float]]]] = {
        "encoder": encoder.labelled, "knn": nearest.labelled, "svm": svm(train),
    }  # fmt: skip
    figures: dict[str, object] = {}
    for system, labelled in ready.items():
        said = labelled([text for text, _ in test])
        right = [label == gold for (label, _), (_, gold) in zip(said, test, strict=True)]
        of = measured(right)
        error = calibration_error([sure for _, sure in said], right) if system == "encoder" else None
        shown = "" if error is None else f"{error:.4f}"
        print(f"{name or 'full':<22} {len(train):>6} {system:<12} {of.estimate:>8.4f} {of.low:>8.4f}-{of.high:.4f} {shown:>20}", flush=True)
        key = f"{name}{system}" if name else {"encoder": "banking77", "svm": "svm_banking77", "knn": "knn_banking77"}[system]
        figures |= {key: round(of.estimate, 4), f"{key}_interval": [round(of.low, 4), round(of.high, 4)]}
        figures |= {f"{name}calibration_error": round(error, 4)} if error is not None else {}
    return figures | ({} if name else milliseconds(encoder, [text for text, _ in test]))


def specialists(train: Pairs, chosen: SpecialistRecipe) -> tuple[Specialist, Specialist]:
    """The tuned encoder and the nearest examples, found in `.bench/routing` or made."""
    cases = [Case(f"{number:05}", text, label) for number, (text, label) in enumerate(train)]
    made, plain = rows(cases, BARE, no_context), embedders.load("minilm")
    folder = trained(KEPT, plain, made, chosen, "", told)
    return open_specialist(folder), open_neighbours(neighbours(KEPT, plain, made, lambda *_: None), plain, 10)


def told(what: str, done: int, total: int) -> None:
    """A line for each pass, since the longest training takes many minutes."""
    print(f"  {what}: {done} of {total}, {time.strftime('%H:%M:%S')}", flush=True)


def svm(train: Pairs) -> Callable[[Sequence[str]], list[tuple[str, float]]]:
    """The peer: TF-IDF of words, pairs of words and two to five letters into scikit-learn's linear SVM with its own defaults."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    pipe: Any = make_pipeline(make_union(words, letters), LinearSVC()).fit([text for text, _ in train], [label for _, label in train])
    return lambda texts: [(str(label), 1.0) for label in pipe.predict(list(texts))]


def measured(right: Sequence[bool]) -> Interval:
    """The share right with its bootstrap interval; each row stands alone."""
    scores = {f"{number:05}": float(one) for number, one in enumerate(right)}
    return interval(scores, {one: one for one in scores})


def milliseconds(encoder: Specialist, texts: Sequence[str]) -> dict[str, object]:
    """One question after the other, the reply's own clock, after twenty that warm up."""
    from rung.types import Reply, Settings

    prompts: list[Any] = [[{"role": "user", "content": text}] for text in [*texts[:20], *texts]]
    took = [piece.seconds for _, piece in encoder.stream(prompts, Settings()) if isinstance(piece, Reply)][20:]
    took.sort()
    found = {"p50_ms": round(1000 * took[len(took) // 2], 2), "p95_ms": round(1000 * took[int(0.95 * len(took))], 2)}
    print(f"one question at a time: {found['p50_ms']} ms p50, {found['p95_ms']} ms p95")
    return found


def clinc() -> dict[str, object]:
    """In-scope accuracy and out-of-scope recall at the threshold that leaves most of the validation split right.

    The encoder never learns an out-of-scope row, as in the threshold row of Larson et al. 2019.
    """
    with gzip.open(DATA / "clinc150" / "data_full.json.gz", "rt", encoding="utf-8") as file:
        data: dict[str, Pairs] = {name: [(text, label) for text, label in part] for name, part in json.load(file).items()}
    encoder, _ = specialists(data["train"], recipe("clinc150"))
    said = {name: encoder.labelled([text for text, _ in data[name]]) for name in ("val", "oos_val", "test", "oos_test")}
    right = {name: [label == gold for (label, _), (_, gold) in zip(said[name], data[name], strict=True)] for name in ("val", "test")}
    sure = {name: [confidence for _, confidence in part] for name, part in said.items()}
    cut = threshold(sure["val"], right["val"], sure["oos_val"])
    inside = measured([hit and confidence >= cut for hit, confidence in zip(right["test"], sure["test"], strict=True)])
    outside = measured([confidence < cut for confidence in sure["oos_test"]])
    everything = measured(right["test"])
    print(f"CLINC150, {len(data['train'])} rows: in scope {everything.estimate:.4f} without a threshold; threshold {cut:.3f}")
    print(f"  in scope {inside.estimate:.4f} ({inside.low:.4f}-{inside.high:.4f})")
    print(f"  out of scope told {outside.estimate:.4f} ({outside.low:.4f}-{outside.high:.4f})")
    return {
        "clinc_in_scope": round(inside.estimate, 4), "clinc_in_scope_interval": [round(inside.low, 4), round(inside.high, 4)],
        "clinc_oos_recall": round(outside.estimate, 4), "clinc_oos_recall_interval": [round(outside.low, 4), round(outside.high, 4)],
        "clinc_in_scope_without_threshold": round(everything.estimate, 4), "clinc_threshold": round(cut, 4),
        "clinc_calibration_error": round(calibration_error(sure["test"], right["test"]), 4),
    }  # fmt: skip
