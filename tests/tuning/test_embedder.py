"""The question encoder learns to meet fixed passages, is named by what made it, and nothing is kept that is no better."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_bert import save_random_bert

from rung.errors import DataError, TuningError
from rung.tuning.embedder import Asked, EmbedderRecipe, embedder_name, train_embedder

RECIPE = EmbedderRecipe(epochs=12, learning_rate=3e-3, batch=4, warmup=1, patience=12)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_bert(tmp_path_factory.mktemp("bert"))


def questions(phrase: str, of: range) -> list[Asked]:
    return [Asked(f"{phrase} {number}", f"{phrase} w{number}", (number,)) for number in of]


TRAINING = [*questions("where is", range(8)), *questions("the", range(8))]
VALIDATION = questions("find the", range(8))
PASSAGES = np.linalg.qr(np.random.default_rng(0).normal(size=(32, 32)))[0][:8].astype(np.float32)


def trained(base: Path, home: Path, recipe: EmbedderRecipe = RECIPE) -> Path:
    return train_embedder(base, "base", PASSAGES, TRAINING, VALIDATION, recipe, home)


def test_it_learns_what_carries_over_to_other_questions(base: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    folder = train_embedder(base, "base", PASSAGES, TRAINING, VALIDATION, RECIPE, tmp_path, lambda *step: steps.append(step))
    scores = json.loads((folder / "scores.json").read_text())
    assert set(scores) == {one.id for one in VALIDATION}
    assert np.mean([after for _, after in scores.values()]) > np.mean([before for before, _ in scores.values()]) + 0.2
    losses = [json.loads(line)["loss"] for line in (folder / "loss.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]
    assert steps[-1] == (12, 12)
    assert json.loads((folder / "rows.json").read_text()) == [one.id for one in TRAINING]
    assert not list(tmp_path.glob("*.tmp"))


def test_the_same_makings_are_not_trained_twice_and_give_the_same_weights(base: Path, tmp_path: Path) -> None:
    first = trained(base, tmp_path / "a")
    stamp = (first / "model.safetensors").stat().st_mtime_ns
    assert trained(base, tmp_path / "a") == first
    assert (first / "model.safetensors").stat().st_mtime_ns == stamp
    again = trained(base, tmp_path / "b")
    assert again.name == first.name
    assert (again / "model.safetensors").read_bytes() == (first / "model.safetensors").read_bytes()


def test_a_changed_folder_is_refused(base: Path, tmp_path: Path) -> None:
    folder = trained(base, tmp_path)
    (folder / "config.json").write_text("{}")
    with pytest.raises(DataError, match="was changed"):
        trained(base, tmp_path)


def test_the_name_is_of_all_that_decides_what_is_learned() -> None:
    makings = [
        (RECIPE, "base", PASSAGES, TRAINING),
        (replace(RECIPE, seed=1), "base", PASSAGES, TRAINING),
        (RECIPE, "other", PASSAGES, TRAINING),
        (RECIPE, "base", PASSAGES[::-1].copy(), TRAINING),
        (RECIPE, "base", PASSAGES, TRAINING[1:]),
    ]
    names = {embedder_name(recipe, base, vectors, training, VALIDATION) for recipe, base, vectors, training in makings}
    assert len(names) == len(makings)


def test_nothing_is_kept_that_is_no_better(base: Path, tmp_path: Path) -> None:
    with pytest.raises(TuningError, match="no better"):
        trained(base, tmp_path, replace(RECIPE, learning_rate=0.0, epochs=1))
    assert not list(tmp_path.iterdir())


def test_too_few_examples_are_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(TuningError, match="too few"):
        train_embedder(base, "base", PASSAGES, TRAINING, [], RECIPE, tmp_path)
