"""The precision of training: named or settled once, kept, part of the adapter's name, and without a trace in the weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import save_random_model

from rung.config import read_config
from rung.errors import ConfigError
from rung.tuning.adapted import adapted
from rung.tuning.adapters import adapter_name, find
from rung.tuning.loop import encode_rows, padded
from rung.tuning.precision import Precision, race, settle, stepped
from rung.tuning.recipe import Heard, Recipe, train
from rung.tuning.rows import Row

RECIPE = Recipe(rank=4, alpha=8, dropout=0.2, epochs=2, learning_rate=5e-3, batch_rows=4, batch_tokens=512)
AUTO = replace(RECIPE, precision="auto")


def asked(n: int) -> Row:
    messages = ({"role": "user", "content": f"Question: what is {n}?"}, {"role": "assistant", "content": f"it is {n % 3}"})
    return Row(f"r{n:02}", messages, (f"d{n}.md",), f"g{n}")  # type: ignore[arg-type]


TRAINING, HELD = [asked(n) for n in range(12)], [asked(n) for n in range(20, 24)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_model(tmp_path_factory.mktemp("base"), seed=0)


def weights(folder: Path) -> bytes:
    return (folder / "adapter_model.safetensors").read_bytes()


def name(precision: Precision) -> str:
    return adapter_name(replace(RECIPE, precision=precision), "base", TRAINING, HELD)


def kept(adapters: Path, seconds: tuple[float, float] | None = None) -> Path:
    """Where a choice is kept; with `seconds`, one that an earlier run settled on."""
    path = adapters / f"{name('auto')}.precision.json"
    if seconds:
        settle(path, lambda: seconds)
    return path


def test_unless_asked_nothing_is_timed_and_steps_are_fp32(base: Path, tmp_path: Path) -> None:
    assert find(tmp_path, name("fp32")) is None
    assert train(base, TRAINING, HELD, RECIPE, tmp_path, {}, "base") == find(tmp_path, name("fp32"))
    assert not list(tmp_path.glob("*.precision.json"))


def test_auto_settles_once_trains_what_naming_its_choice_trains_and_is_found_again(base: Path, tmp_path: Path) -> None:
    """Dropout would tell if the race had drawn from the generator."""
    folder = train(base, TRAINING, HELD, AUTO, tmp_path, {}, "base")
    before = kept(tmp_path).read_text()
    chosen: Precision = json.loads(before)["precision"]
    assert folder == find(tmp_path, name(chosen))
    assert json.loads((folder / "recipe.json").read_text())["precision"] == chosen
    assert train(base, TRAINING, HELD, AUTO, tmp_path, {}, "base", Heard(lambda *_: pytest.fail("trained again"))) == folder
    assert kept(tmp_path).read_text() == before
    named = train(base, TRAINING, HELD, replace(RECIPE, precision=chosen), tmp_path / "named", {}, "base")
    assert weights(named) == weights(folder)


def test_bf16_interrupted_under_auto_goes_on_as_it_began_and_differs_from_fp32(base: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    for place in ("whole", "halves"):
        kept(tmp_path / place, (1.5, 1.0))
    whole = train(base, TRAINING, HELD, AUTO, tmp_path / "whole", {}, "base")
    with pytest.raises(KeyboardInterrupt):
        train(base, TRAINING, HELD, AUTO, tmp_path / "halves", {}, "base", Heard(stop))
    assert (tmp_path / "halves" / f"{name('bf16')}.partial" / "resume.pt").exists()
    assert weights(train(base, TRAINING, HELD, AUTO, tmp_path / "halves", {}, "base")) == weights(whole)
    assert weights(train(base, TRAINING, HELD, RECIPE, tmp_path / "whole", {}, "base")) != weights(whole)


def test_bf16_rounds_the_steps_and_keeps_what_is_learned_in_fp32(base: Path) -> None:
    import torch

    tokenizer, model = adapted(base, replace(RECIPE, dropout=0.0))
    batch = encode_rows(tokenizer, TRAINING, 512)[0]
    fp32, bf16 = (float(stepped(padded(model), batch, precision, "cpu").detach()) for precision in ("fp32", "bf16"))  # type: ignore[arg-type]
    assert fp32 != bf16
    assert bf16 == pytest.approx(fp32, rel=0.05)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_a_race_learns_nothing(base: Path) -> None:
    import torch

    tokenizer, model = adapted(base, RECIPE)
    before = [p.detach().clone() for p in model.parameters()]
    assert min(race(model, padded(model), [encode_rows(tokenizer, TRAINING, 512)[0]], 1)) > 0
    assert all(torch.equal(p, q) and p.grad is None for p, q in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize(("seconds", "chosen"), [((1.5, 1.0), "bf16"), ((1.05, 1.0), "fp32"), ((1.0, 2.0), "fp32")])
def test_bf16_has_to_win_by_a_margin_and_what_was_settled_stays(tmp_path: Path, seconds: tuple[float, float], chosen: str) -> None:
    path = kept(tmp_path, seconds)
    assert settle(path, lambda: pytest.fail("it was kept")) == chosen
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_configuration_names_it_and_refuses_others(tmp_path: Path) -> None:
    (tmp_path / "rung.toml").write_text('[tuning]\nprecision = "bf16"\n')
    assert read_config(tmp_path / "rung.toml").tuning.precision == "bf16"
    (tmp_path / "rung.toml").write_text('[tuning]\nprecision = "fp16"\n')
    with pytest.raises(ConfigError, match=r"tuning\.precision"):
        read_config(tmp_path / "rung.toml")
