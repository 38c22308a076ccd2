"""A small change learns to find answers, goes on where it was stopped, and is the same model once it is written."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from rung.errors import TuningError
from rung.knowledge.embedders import minilm
from rung.models.reading import open_reader
from rung.models.spans import covered, windows
from rung.tuning.spans import Group, SpanRecipe, batches, logits, loss, opened, train, write

BASE = minilm.open_embedder().folder
TOKENIZER = minilm.tokenizer(BASE)
RECIPE = SpanRecipe(epochs=4, rate=2e-3, tokens=256, rank=4, dropout=0.1, size=64)
TOWNS = ("Lund", "Ghent", "Turku", "Bergen", "Graz", "Porto", "Cork", "Basel")


def groups() -> list[Group]:
    made = []
    for n, town in enumerate(TOWNS):
        text = f"The {n + 3} mills of {town} grind corn and rye."
        (window,) = windows(TOKENIZER, "Where are the mills?", text)
        (other,) = windows(TOKENIZER, "Where are the mills?", "Nobody knows why the river is so cold.")
        at = text.index(town)
        found = covered(window, at, at + len(town))
        assert found
        made.append(Group((window, other), (0, *found)) if n % 4 else Group((other,), None))
    return made


def test_the_loss_falls_and_a_stopped_training_ends_as_one_that_was_not(tmp_path: Path) -> None:
    made, losses = batches(groups(), Random(0), RECIPE.tokens), []
    whole = train(BASE, None, made, RECIPE, tmp_path / "whole.pt", lambda step, steps, value: losses.append(value))
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])

    class Stop(Exception):
        pass

    def stop(step: int, steps: int, value: float) -> None:
        if step == 4:
            raise Stop

    with pytest.raises(Stop):
        train(BASE, None, made, RECIPE, tmp_path / "cut.pt", stop, every=3)
    again = train(BASE, None, made, RECIPE, tmp_path / "cut.pt")
    assert all(torch.equal(again[name], whole[name]) for name in whole)


def test_what_is_written_says_what_was_trained(tmp_path: Path) -> None:
    made = batches(groups(), Random(0), RECIPE.tokens)
    learned = train(BASE, None, made, replace(RECIPE, epochs=1), tmp_path / "resume.pt")
    write(learned, tmp_path / "reader", {"scale": RECIPE.scale, "threshold": 0.5, "recipe": asdict(RECIPE)})
    reader = open_reader(None, tmp_path / "reader", precision="f32", threads=1)
    window = groups()[1].windows[0]
    with torch.no_grad():
        told = logits(opened(BASE, replace(RECIPE, dropout=0.0)).eval(), learned, [Group((window,), None)], RECIPE.scale)[0].numpy()
    said = reader._run([window.ids])[0][: len(window.ids)]
    assert np.abs(told[: len(window.ids)] - said).max() < 0.05  # half precision, and bf16 in training


def test_the_loss_is_the_cross_entropy_over_both_windows_and_no_answer() -> None:
    group = groups()[1]
    found = torch.randn(2, 48, 2, generator=torch.Generator().manual_seed(0))
    parts = [found[n, w.first : w.first + len(w.offsets)] - found[n, 0] for n, w in enumerate(group.windows)]
    odds = torch.cat([torch.zeros(1, 2), *parts]).softmax(0)
    assert group.target
    number, first, last = group.target
    assert number == 0
    at = group.windows[0].first
    wanted = -(odds[1 + first - at, 0].log() + odds[1 + last - at, 1].log()) / 2
    assert float(loss(found, [group])) == pytest.approx(float(wanted), abs=1e-5)


def test_a_loss_that_is_no_number_is_said(tmp_path: Path) -> None:
    made = batches(groups(), Random(0), RECIPE.tokens)
    with pytest.raises(TuningError, match="not a number"):
        train(BASE, None, made, replace(RECIPE, rate=1e30), tmp_path / "resume.pt")
