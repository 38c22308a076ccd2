"""A search for rank, learning rate, epochs and base model within a time: Optuna proposes, successive halving ends what lags behind.

It judges on the rows set aside for validation alone, and refuses to forget: every trial is written down and survives a kill.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rung.errors import MissingExtra, TuningError
from rung.tuning.adapters import adapter_name, find, makings
from rung.tuning.recipe import PLAIN, Heard, Means, Recipe, fitting, train
from rung.tuning.rows import Row
from rung.tuning.steps import Line

RANKS, EPOCHS = (4, 8, 16, 32, 64), (2, 3, 4, 6, 8, 12)
AROUND = 5.0  # times and parts of the derived learning rate


@dataclass(frozen=True)
class Base:
    """A model to choose among, with the recipe that is derived for it."""

    name: str
    folder: Path
    id: str
    recipe: Recipe


@dataclass(frozen=True)
class Tried:
    """One trial. `loss` is in nats per character of the answers, which compares models with different tokens."""

    model: str
    rank: int
    learning_rate: float
    epochs: int
    loss: float
    seconds: float
    how: str  # "done", "stopped" (it lagged behind) or "cut off"


class _Over(Exception):
    """The time is up."""


def search(
    bases: Sequence[Base],
    training: Sequence[Row],
    validation: Sequence[Row],
    adapters: Path,
    documents: Mapping[str, str],
    budget: float,
    heard: Heard,
    means: Means = PLAIN,
) -> tuple[list[Tried], Tried]:
    """All trials of this search, of earlier runs too, and the best that was trained to its end; of the adapters made
    here only its own is kept.

    The first trial is the derived recipe, so the best is never worse on these rows. Trials go on until `budget` seconds are
    over; one that a kill or the end of the time cut off is resumed by the next run. TuningError where none was finished.
    """
    if find_spec("optuna") is None:
        raise MissingExtra("rung train --budget", "search")
    import optuna

    optuna.logging.set_verbosity(logging.ERROR)
    place = adapters / f"{adapter_name(bases[0].recipe, ' '.join(base.id for base in bases), training, validation)}.search"
    study = _study(place, bases)
    ends = time.monotonic() + budget

    def tried(trial: Any) -> float:
        base = next(base for base in bases if base.name == trial.suggest_categorical("model", [base.name for base in bases]))
        recipe = proposed(trial, base.recipe)
        heard.say(
            f"trial {trial.number + 1}: {base.name}, rank {recipe.rank}, learning rate {recipe.learning_rate:g}, epochs {recipe.epochs}"
        )
        return _trained(trial, base, recipe, (training, validation), adapters, documents, ends, heard, means)

    while time.monotonic() < ends:
        try:
            study.optimize(tried, n_trials=1, catch=(TuningError,))
        except _Over:
            break
        heard.progress(min(int(budget), int(budget - ends + time.monotonic())), max(1, int(budget)))
    heard.progress(max(1, int(budget)), max(1, int(budget)))
    return _settled(study, bases, training, validation, adapters)


def proposed(trial: Any, derived: Recipe) -> Recipe:
    """The recipe that a trial names: around the derived one."""
    rank = trial.suggest_categorical("rank", RANKS) if derived.method != "full" else derived.rank
    times = trial.suggest_float("times", 1 / AROUND, AROUND, log=True)  # of the derived rate, which differs between models
    epochs = trial.suggest_categorical("epochs", EPOCHS)
    rate = float(f"{derived.learning_rate * times:.1e}")
    return replace(derived, rank=rank, alpha=rank * derived.alpha // derived.rank or 1, learning_rate=rate, epochs=epochs)


def _study(place: Path, bases: Sequence[Base]) -> Any:
    """The trials so far, from their journal; what was running when it ended is asked for again."""
    import warnings

    import optuna
    from optuna.storages.journal import JournalFileBackend

    place.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(place / "journal.jsonl")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=2, reduction_factor=2)
        study = optuna.create_study(study_name="rung", storage=storage, load_if_exists=True, pruner=pruner)
    study.sampler = optuna.samplers.TPESampler(seed=bases[0].recipe.seed + len(study.trials))
    if not study.trials:
        for base in bases:
            near = min(EPOCHS, key=lambda epochs: abs(epochs - base.recipe.epochs))
            rank = min(RANKS, key=lambda rank: abs(rank - base.recipe.rank))
            study.enqueue_trial({"model": base.name, "rank": rank, "times": 1.0, "epochs": near})
    for number, trial in enumerate(study.trials):
        if trial.state == optuna.trial.TrialState.RUNNING:
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        later = [other.system_attrs.get("fixed_params") for other in study.trials[number + 1 :]]
        cut_off = trial.state in (optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.FAIL) and "failed" not in trial.user_attrs
        if cut_off and trial.params not in later:
            study.enqueue_trial(trial.params)
    return study


def _trained(
    trial: Any,
    base: Base,
    recipe: Recipe,
    rows: tuple[Sequence[Row], Sequence[Row]],
    adapters: Path,
    documents: Mapping[str, str],
    ends: float,
    heard: Heard,
    means: Means,
) -> float:
    """The lowest validation loss of one trial, per character. What lags behind is ended, and its checkpoint deleted."""
    import optuna

    per, best, count = _tokens_per_character(base, rows[1]), float("inf"), 0

    def watch(line: Line) -> None:
        nonlocal best, count
        if "val_loss" in line:
            best, count = min(best, line["val_loss"] * per), count + 1
            trial.report(best, count)
            if trial.should_prune():
                raise optuna.TrialPruned
        if time.monotonic() > ends:
            raise _Over

    begun = time.monotonic()
    name = adapter_name(recipe, base.id, *rows)
    trial.set_user_attr("made", find(adapters, name) is None)
    try:
        train(base.folder, *rows, recipe, adapters, documents, base.id, Heard(watch=watch), means)
    except optuna.TrialPruned:
        shutil.rmtree(adapters / f"{name}.partial")
        raise
    except TuningError as error:
        trial.set_user_attr("failed", error.message)
        raise
    finally:
        trial.set_user_attr("seconds", time.monotonic() - begun)
        trial.set_user_attr("recipe", {"rank": recipe.rank, "learning_rate": recipe.learning_rate, "epochs": recipe.epochs})
        trial.set_user_attr("adapter", name)
    return best if count else _kept_loss(adapters, name) * per


def _kept_loss(adapters: Path, name: str) -> float:
    """Of an adapter that an earlier trial or training had made."""
    import json

    folder = find(adapters, name)
    assert folder, "training has just returned it"
    return float(json.loads((folder / "scores.json").read_text(encoding="utf-8"))["validation_loss"]["tuned"])


def _tokens_per_character(base: Base, validation: Sequence[Row]) -> float:
    from transformers import AutoConfig, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base.folder, local_files_only=True)
    reach = AutoConfig.from_pretrained(base.folder, local_files_only=True).max_position_embeddings
    encoded, _ = fitting(tokenizer, validation, reach)
    characters = sum(len(row.text) or len(row.messages[-1]["content"]) for row in validation)
    return sum(len(row.ids) - row.prompt for row in encoded) / characters


def _settled(
    study: Any, bases: Sequence[Base], training: Sequence[Row], validation: Sequence[Row], adapters: Path
) -> tuple[list[Tried], Tried]:
    import optuna

    states = {optuna.trial.TrialState.COMPLETE: "done", optuna.trial.TrialState.PRUNED: "stopped"}
    found: list[tuple[Tried, Mapping[str, Any]]] = []
    for trial in study.trials:
        losses = [*trial.intermediate_values.values(), *([trial.value] if trial.value is not None else [])]
        if losses and "recipe" in trial.user_attrs:
            told, how = trial.user_attrs, states.get(trial.state, "cut off")
            found.append((Tried(trial.params["model"], **told["recipe"], loss=min(losses), seconds=told["seconds"], how=how), told))
    done = sorted((pair for pair in found if pair[0].how == "done"), key=lambda pair: pair[0].loss)
    if not done:
        raise TuningError("no trial was finished in that time", "give a longer --budget; the same command goes on with what was begun")
    for _, told in done[1:]:
        if told["made"] and told["adapter"] != done[0][1]["adapter"]:
            lost = find(adapters, told["adapter"])
            if lost and len(makings(lost)) <= 1:  # others may have come to the same weights
                shutil.rmtree(lost, ignore_errors=True)
    return sorted((tried for tried, _ in found), key=lambda tried: tried.loss), done[0][0]
