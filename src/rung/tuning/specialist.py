"""Tunes a BERT encoder with a linear head to name labels, several members side by side, and calibrates what they say.

Temperature and threshold come from rows that whoever scored them never saw: each member sets another fold of the rows aside, so
that together they learn from every row; where rows are few, a scout of the same recipe sets a fifth aside, is asked, and is
thrown away, and the members learn all. It refuses a label with a single row, and weights it can't name by what made them. A
kill loses the epoch it falls in.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from rung.approach.specialist import softmax
from rung.errors import TuningError
from rung.tuning.adapters import find, lineage, store
from rung.tuning.calibrate import calibration_error, temperature, threshold
from rung.tuning.encoder import Encoder
from rung.tuning.rows import Row

if TYPE_CHECKING:
    from rung.types import Vectors

Progress = Callable[[int, int], None]
SCOUT = "scout"  # learns four fifths of few rows, so that the rest can be asked about
VERSION = 2  # of what training does with a recipe; a change makes other names


@dataclass(frozen=True)
class SpecialistRecipe:
    """Everything that decides what is learned, apart from the rows."""

    members: int = 1
    folds: int = 10  # each member sets one of them aside
    epochs: int = 10
    least: int = 400  # steps: fewer rows are passed over more often
    most: int = 30  # passes for that
    few: int = 16  # examples a label, on average, up to which the encoder is tuned by contrast and its head fitted afterwards
    gentle: float = 0.25  # then, of the learning rate; of the epochs, half
    strength: float = 10.0  # then, of the head's fit against its decay
    learning_rate: float = 2e-4  # of the highest layer, at its peak
    layer_decay: float = 0.9  # each layer below learns slower by it (Howard and Ruder 2018)
    head_rate: float = 3e-3
    scale: float = 20.0  # of the cosines to the labels' directions, which start as the labels' mean vectors
    batch: int = 32
    smoothing: float = 0.1  # of the labels (Szegedy et al. 2016)
    average: float = 0.99  # of the weights over steps; the averaged ones are kept (Polyak and Juditsky 1992)
    dropout: float = 0.1
    warmup: float = 0.1  # share of the steps
    weight_decay: float = 0.01
    clip: float = 1.0
    tokens: int = 128  # after which a text is cut
    precision: str = "fp32"  # of the products in training: fp32 or bf16
    seed: int = 0


def specialist_name(recipe: SpecialistRecipe, base: str, training: Sequence[Row], others: Sequence[Row]) -> str:
    """The hash of recipe, base encoder and rows; the same makings give the same name before anything is trained."""
    told = [VERSION, asdict(recipe), base, [[row.id, row.hash] for row in training], [[row.id, row.hash] for row in others]]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def text_of(row: Row) -> str:
    """What is asked in a row: its last message but one."""
    return row.messages[-2]["content"]


def label_of(row: Row) -> str:
    """What is learned in a row: its last message."""
    return row.messages[-1]["content"]


def train_specialist(
    base: Path,
    base_id: str,
    training: Sequence[Row],
    others: Sequence[Row],
    recipe: SpecialistRecipe,
    home: Path,
    progress: Progress | None = None,
) -> Path:
    """Train, or find what the same makings made; the folder under `home`.

    `base` holds a BERT of safetensors with its tokenizer.json; mean pooling. `others` are rows that fit no label: nobody is
    trained on them, they set the threshold. TuningError where there are too few labels or rows.
    """
    name = specialist_name(recipe, base_id, training, others)
    ready = find(home, name)
    if ready:
        return ready
    labels = _labels(training)
    work = home / f"{name}.partial"
    work.mkdir(parents=True, exist_ok=True)
    found: list[tuple[Vectors, list[int], Vectors]] = []
    turns, scarce = _turns(training, recipe), few(training, recipe)
    for number, turn in enumerate(turns):
        encoder = Encoder(base, recipe, len(labels), recipe.seed + number, [text_of(row) for row in (*training, *others)], few=scarce)
        if (work / turn.name).exists():
            encoder.load(work / turn.name)
        else:
            bar = partial(_told, progress, number, len(turns))
            _train(encoder, _tokens(encoder, turn.learned), [labels.index(label_of(row)) for row in turn.learned], work, number, bar)
            encoder.save(work / turn.name)
        (work / f"member-{number}.pt").unlink(missing_ok=True)
        gold = [labels.index(label_of(row)) for row in turn.held]
        if gold:
            found.append((encoder.logits(_tokens(encoder, turn.held)), gold, encoder.logits(_tokens(encoder, others))))
    shutil.rmtree(work / SCOUT, ignore_errors=True)
    told = {"base": base_id, "labels": labels, "members": recipe.members} | _calibrated(found)
    lines = {"recipe.json": asdict(recipe), "rows.json": lineage(training, others, {})}
    return store(work, home, name, {"specialist.json": told} | lines)


def few(training: Sequence[Row], recipe: SpecialistRecipe) -> bool:
    """Whether the labels have so few rows that encoder and head aren't tuned together."""
    return len(training) <= recipe.few * len({label_of(row) for row in training})


@dataclass(frozen=True)
class Turn:
    """An encoder to be trained: the rows it learns, and those it is asked about."""

    name: str
    learned: list[Row]
    held: list[Row]


def _turns(training: Sequence[Row], recipe: SpecialistRecipe) -> list[Turn]:
    scarce = few(training, recipe)
    folds = folded(training, replace(recipe, folds=max(2, recipe.folds // 2)) if scarce else recipe)

    def turn(name: str, fold: int) -> Turn:
        learned, held = ([row for row in training if (folds[row.id] == fold) == aside] for aside in (False, True))
        return Turn(name, learned, held)

    if scarce:
        return [turn(SCOUT, 0), *(Turn(f"member-{number}", list(training), []) for number in range(recipe.members))]
    return [turn(f"member-{number}", number) for number in range(recipe.members)]


def set_aside(training: Sequence[Row], recipe: SpecialistRecipe) -> list[Row]:
    """The rows that the first encoder to be trained is asked about and doesn't learn."""
    return _turns(training, recipe)[0].held


def _told(progress: Progress | None, turn: int, turns: int, done: int, epochs: int) -> None:
    if progress:
        progress(turn * epochs + done, turns * epochs)


def epochs(recipe: SpecialistRecipe, rows: int) -> int:
    """Passes over so many rows: the recipe's, or as many as its least number of steps takes, within bounds."""
    return max(recipe.epochs, min(recipe.most, math.ceil(recipe.least / math.ceil(rows / recipe.batch))))


def _train(encoder: Encoder, tokens: list[list[int]], gold: list[int], work: Path, member: int, bar: Callable[[int, int], None]) -> None:
    checkpoint = work / f"member-{member}.pt"
    done = encoder.resume(checkpoint)
    if not done and not encoder.few:
        encoder.start_head(tokens, gold)
    every = max(1, encoder.recipe.epochs // 2) if encoder.few else epochs(encoder.recipe, len(tokens))
    for number in range(done, every):
        loss = encoder.epoch(number, every, tokens, gold)
        with (work / "loss.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"member": member, "step": encoder.steps, "loss": loss}) + "\n")
        encoder.checkpoint(checkpoint, number + 1)
        bar(number + 1, every)
    encoder.use_average()
    if encoder.few:
        encoder.fit_head(tokens, gold)


def _tokens(encoder: Encoder, rows: Sequence[Row]) -> list[list[int]]:
    return encoder.tokens([text_of(row) for row in rows])


def _labels(training: Sequence[Row]) -> list[str]:
    """The labels in order. TuningError unless there are two at least, with two rows each."""
    counts = Counter(label_of(row) for row in training)
    few = sorted(label for label, count in counts.items() if count < 2)
    if few:
        raise TuningError(f"the label '{few[0]}' has a single example", "give each label two examples or more, five are better")
    if len(counts) < 2:
        raise TuningError("the examples have fewer than two labels", "a specialist tells labels apart: give it examples of each")
    return sorted(counts)


def folded(training: Sequence[Row], recipe: SpecialistRecipe) -> dict[str, int]:
    """Row id → fold. Rows of a group share one, and each label's rows are spread over all of them as evenly as they go."""
    by_label: dict[str, list[str]] = {}
    for row in sorted(training, key=lambda row: row.id):
        by_label.setdefault(label_of(row), []).append(row.group)
    fold: dict[str, int] = {}
    turn = 0  # goes on from label to label, so that the folds are of like size where labels have few rows
    for label, groups in sorted(by_label.items()):
        fresh = [group for group in dict.fromkeys(groups) if group not in fold]
        for group in Random(f"{recipe.seed}/{label}").sample(fresh, len(fresh)):
            fold[group] = turn % recipe.folds
            turn += 1
    return {row.id: fold[row.group] for row in training}


def _calibrated(found: Sequence[tuple[Vectors, list[int], Vectors]]) -> dict[str, Any]:
    """Temperature, threshold, and the scores on the rows set aside, each by an encoder that did not learn it."""
    import numpy as np

    if not found:
        return {"temperature": 1.0, "threshold": 0.0, "scores": {"rows": 0}}
    logits, gold = np.concatenate([one for one, _, _ in found]), [label for _, labels, _ in found for label in labels]
    t = temperature(logits, gold)
    shares = softmax(logits / t)
    sure, right = shares.max(1).tolist(), (shares.argmax(1) == np.asarray(gold)).tolist()
    unlike = np.concatenate([softmax(one / t) for _, _, one in found]).max(1).tolist()
    cut = threshold(sure, right, unlike)
    scores = {
        "rows": len(gold),
        "accuracy": sum(right) / len(right),
        "calibration_error": calibration_error(sure, right),
        "answered": sum(one >= cut for one in sure) / len(sure),
        "others": len(unlike),
        "others_told": sum(one < cut for one in unlike) / len(unlike) if unlike else None,
    }
    return {"temperature": t, "threshold": cut, "scores": scores}
