"""A sweep goes on where it was stopped, keeps losses and no weights, and trains nothing that it knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import save_random_model
from tiny_rows import HELD, RECIPE, TRAINING

from rung.tuning.raft_sweep import PLACE, Cell, sweep
from rung.tuning.recipe import Heard
from rung.tuning.rows import Row

GRID = ((0.4, 1), (1.0, 1), (1.0, 3))
ONCE = replace(RECIPE, epochs=1)


class Killed(Exception):
    """Ends a sweep where a kill would."""


def made(p: float, distractors: int) -> Sequence[Row]:
    return TRAINING[: round(10 * p) + distractors - 1]


@pytest.fixture
def swept(tmp_path: Path) -> Callable[[Heard], list[Cell]]:
    save_random_model(tmp_path / "base", seed=0)
    return lambda heard: sweep(tmp_path / "base", made, HELD, GRID, ONCE, tmp_path / "adapters", {}, "base", heard)


def test_a_stopped_sweep_goes_on_and_a_finished_one_is_read(swept: Callable[[Heard], list[Cell]], tmp_path: Path) -> None:
    def stop(sentence: str) -> None:
        if sentence.startswith("cell 3"):
            raise Killed

    place, steps = tmp_path / "adapters" / PLACE, []
    with pytest.raises(Killed):
        swept(Heard(say=stop))
    trained = {path.parent: path.stat().st_mtime_ns for path in place.glob("*/adapter_model.safetensors")}
    assert len(trained) == 2

    def watch(done: int, total: int) -> None:
        steps.append(total)
        assert all((path / "adapter_model.safetensors").stat().st_mtime_ns == stamp for path, stamp in trained.items())

    cells = swept(Heard(watch))
    assert len(set(steps)) == 1  # of the third cell alone
    assert {(cell.gold_probability, cell.distractors) for cell in cells} == set(GRID)
    assert [cell.loss for cell in cells] == sorted(cell.loss for cell in cells)
    assert len(list(place.iterdir())) == 3
    assert all(path.suffix == ".json" for path in place.iterdir())
    assert swept(Heard(lambda done, total: pytest.fail("it trained again"))) == cells


def test_cells_that_teach_the_same_are_told_each(tmp_path: Path) -> None:
    save_random_model(tmp_path / "base", seed=0)
    twice = ((0.4, 1), (0.6, 1))
    cells = sweep(tmp_path / "base", lambda p, others: TRAINING, HELD, twice, ONCE, tmp_path / "adapters", {}, "base", Heard())
    assert [(cell.gold_probability, cell.loss) for cell in cells] == [(0.4, cells[0].loss), (0.6, cells[0].loss)]
