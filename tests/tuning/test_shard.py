"""A model split over two processes learns what one process learns, each holds half of it, and what they leave can be gone on with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_model import save_random_model
from tiny_rows import HELD, RECIPE, TRAINING
from two_processes import BROKEN_OFF, JOBS, broken_off

from rung.errors import ConfigError
from rung.tuning.adapters import finished, told, verify
from rung.tuning.estimate import estimate
from rung.tuning.recipe import Means, Recipe, train
from rung.tuning.shard import needed, sharding
from rung.tuning.spread import Group

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_model(tmp_path_factory.mktemp("base"), seed=0)


@pytest.fixture(scope="module")
def made(base: Path) -> Path:
    """What two processes left behind, one training of which a single process had begun."""
    out = base.parent / "two"
    recipe, means = JOBS["full"]
    broken_off(base, recipe, replace(means, shard=False), out / "taken over")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, TESTS / "two_processes.py", base, out], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return out


def folder(adapters: Path) -> Path:
    (made,) = finished(adapters)
    verify(made)
    return made


def losses(adapter: Path, *names: str) -> list[float]:
    lines = [json.loads(line) for line in (adapter / "loss.jsonl").read_text().splitlines()]
    return [line[name] for line in lines for name in names if name in line]


def weights(adapter: Path) -> dict[str, torch.Tensor]:
    (file,) = adapter.glob("*.safetensors")
    return load_file(file)


def alone(base: Path, name: str, out: Path) -> Path:
    recipe, means = JOBS[name]
    return train(base, TRAINING, HELD, recipe, out, {}, "base", means=replace(means, shard=False))


@pytest.mark.parametrize("name", ["lora", "checkpointing", "full"])
def test_it_learns_what_one_process_learns(made: Path, base: Path, tmp_path: Path, name: str) -> None:
    one, two = alone(base, name, tmp_path), folder(made / name)
    assert losses(two, "loss", "norm", "val_loss") == pytest.approx(losses(one, "loss", "norm", "val_loss"), rel=1e-4)
    theirs = weights(two)
    for key, value in weights(one).items():
        torch.testing.assert_close(theirs.pop(key), value, rtol=1e-3, atol=2e-4)
    assert not theirs
    assert told(two, "recipe.json") == told(one, "recipe.json")
    assert {file.name for file in two.iterdir()} == {file.name for file in one.iterdir()}
    scores = told(one, "scores.json"), told(two, "scores.json")
    assert scores[0]["trained_parameters"] == scores[1]["trained_parameters"]
    assert scores[0]["training_loss"]["tuned"] == pytest.approx(scores[1]["training_loss"]["tuned"], rel=1e-4)


def test_in_bf16_it_learns_about_the_same(made: Path, base: Path, tmp_path: Path) -> None:
    one, two = alone(base, "bf16", tmp_path), folder(made / "bf16")
    assert losses(two, "loss") == pytest.approx(losses(one, "loss"), rel=0.02)
    assert {value.dtype for value in weights(two).values()} == {torch.float32}


def test_each_process_holds_half(made: Path) -> None:
    for rank in range(2):
        held = json.loads((made / f"held{rank}.json").read_text())
        assert held == pytest.approx({"weights": 0.5, "optimizer": 0.5, "best": 0.5}, abs=0.01)


def test_broken_off_it_goes_on_with_the_same_bits(made: Path) -> None:
    whole, resumed = folder(made / "full"), folder(made / "resumed")
    assert losses(resumed, "loss") == losses(whole, "loss")
    assert (resumed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_one_process_goes_on_with_what_two_left(made: Path, base: Path) -> None:
    (work,) = (made / "left").glob("*.partial")
    assert json.loads((work / "resume.json").read_text())["step"] < BROKEN_OFF
    one = alone(base, "full", made / "left")
    assert losses(one, "loss") == pytest.approx(losses(folder(made / "full"), "loss"), rel=1e-4)


def test_two_processes_go_on_with_what_one_left(made: Path) -> None:
    assert losses(folder(made / "taken over"), "loss") == pytest.approx(losses(folder(made / "full"), "loss"), rel=1e-4)


def test_what_can_not_be_split_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="several processes, and this is one alone") as refused:
        train(base, TRAINING, HELD, RECIPE, tmp_path, {}, "base", means=Means(shard=True))
    assert "torchrun" in str(refused.value.hint)
    with pytest.raises(ConfigError, match="base of qlora can't be split"):
        sharding(base, replace(RECIPE, method="qlora"), True, Group(0, 2))
    assert not sharding(base, replace(RECIPE, method="qlora"), "auto", Group(0, 2))
    assert not sharding(base, RECIPE, "auto", Group())


def test_what_a_copy_needs_is_read_from_the_files(base: Path) -> None:
    numbers = sum(value.numel() for value in load_file(base / "model.safetensors").values())
    assert needed(base, RECIPE) == 4 * numbers
    assert needed(base, replace(RECIPE, method="full")) == 20 * numbers


def test_the_estimate_says_what_each_of_several_would_hold(base: Path) -> None:
    said: list[str] = []
    found = estimate(base, TRAINING, Recipe(method="full", epochs=1), said.append, Means(shard=True))
    assert found["memory"] > found["memory_of_2"] > found["memory_of_4"] > found["memory_of_8"]
    assert any("split by shard = true" in sentence for sentence in said)
