"""The search keeps to its time, never does worse than the derived recipe, forgets no trial, and names what to write down."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from tiny_model import save_random_model

from rung.errors import ConfigError, TuningError
from rung.tuning.adapters import adapter_name, find
from rung.tuning.recipe import Heard, Recipe, train
from rung.tuning.rows import Row
from rung.tuning.search import Base, Tried, search
from rung.workspace.search_recipe import seconds_of

RECIPE = Recipe(rank=4, alpha=8, epochs=2, learning_rate=5e-3, batch_rows=4, batch_tokens=512)


def row(n: int) -> Row:
    messages = ({"role": "user", "content": f"Question: what is {n}?"}, {"role": "assistant", "content": f"it is {n % 3}"})
    return Row(f"r{n:02}", messages, (), f"g{n}")  # type: ignore[arg-type]


TRAINING, HELD = [row(n) for n in range(12)], [row(n) for n in range(20, 24)]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> list[Base]:
    places = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    return [Base(place.name[:5], save_random_model(place, seed=seed), place.name[:5], RECIPE) for seed, place in enumerate(places)]


def run(bases: list[Base], adapters: Path, budget: float, say: object = print) -> tuple[list[Tried], Tried]:
    return search(bases, TRAINING, HELD, adapters, {}, budget, Heard(say=say))  # type: ignore[arg-type]


def test_it_tries_keeps_the_best_and_goes_on_where_it_was_killed(bases: list[Base], tmp_path: Path) -> None:
    before = train(bases[0].folder, TRAINING, HELD, RECIPE, tmp_path, {}, bases[0].id)
    said: list[str] = []

    def killed(sentence: str) -> None:
        said.append(sentence)
        if len(said) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(bases, tmp_path, 600, killed)
    again: list[str] = []
    tried, best = run(bases, tmp_path, 4, again.append)
    assert again[0].split(": ")[1] == said[3].split(": ")[1]  # the same settings, under a new number
    assert tried == sorted(tried, key=lambda one: one.loss)
    first = next(one for one in tried if (one.model, one.rank, one.learning_rate, one.epochs) == ("first", 4, 5e-3, 2))
    assert first.how == "done"
    assert best.loss <= first.loss
    assert {one.model for one in tried} <= {"first", "secon"}
    recipe = Recipe(
        rank=best.rank, alpha=2 * best.rank, epochs=best.epochs, learning_rate=best.learning_rate, batch_rows=4, batch_tokens=512
    )
    assert find(tmp_path, adapter_name(recipe, best.model, TRAINING, HELD))
    assert before.exists()  # it was there before the search
    more, better = run(bases, tmp_path, 2)
    assert len(more) > len(tried)
    assert better.loss <= best.loss


def test_too_short_a_time_says_so_and_loses_nothing(bases: list[Base], tmp_path: Path) -> None:
    with pytest.raises(TuningError, match="no trial was finished"):
        run(bases, tmp_path, 0.001)
    tried: list[Tried] = []
    for seconds in (1, 5, 25):  # a busy machine takes longer, and goes on with what was begun
        with suppress(TuningError):
            tried = tried or run(bases, tmp_path, seconds)[0]
    assert tried


@pytest.mark.parametrize(("told", "seconds"), [("90s", 90), ("30m", 1800), ("1.5h", 5400)])
def test_times(told: str, seconds: float) -> None:
    assert seconds_of(told) == seconds


@pytest.mark.parametrize("told", ["30", "m", "0m", "ten minutes", "-5m"])
def test_no_times(told: str) -> None:
    with pytest.raises(ConfigError, match="no time"):
        seconds_of(told)
