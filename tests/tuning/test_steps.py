"""A step in pieces, in little memory and at any learning rate; and what is said of a training that taught nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import save_random_model

from rung.errors import TuningError
from rung.models import bundled
from rung.tuning import loop
from rung.tuning.adapted import adapted
from rung.tuning.adapters import makings
from rung.tuning.learned import judged
from rung.tuning.loop import Encoded, Forward, halved, loss_of, padded, total_loss
from rung.tuning.lr_range import range_test, suggested
from rung.tuning.memory import available, held, out_of_memory, passing, peak
from rung.tuning.recipe import PLAIN, Heard, Recipe, train
from rung.tuning.rows import Row
from rung.tuning.stream import streamed

RECIPE = Recipe(rank=4, alpha=8, epochs=2, learning_rate=5e-3, batch_rows=8, batch_tokens=1 << 16, patience=99)
ROOT = Path(__file__).parents[2]


def row(n: int, words: int = 3) -> Row:
    asked = f"Question {n}: {'what is it? ' * words}"
    return Row(f"r{n:02}", ({"role": "user", "content": asked}, {"role": "assistant", "content": f"it is {n % 3}"}), (), f"g{n}")


TRAINING, HELD = [row(n) for n in range(16)], [row(n) for n in range(20, 24)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_model(tmp_path_factory.mktemp("base"), seed=0)


def curve(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "loss.jsonl").read_text().splitlines()]


SCARCE = """
import json, resource, sys
import torch
from pathlib import Path
from test_steps_rows import *
from rung.tuning.adapted import adapted
from rung.tuning.recipe import Heard, train
base, place, room = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
adapted(base, RECIPE)  # all libraries are loaded
if room:
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (room << 20), resource.RLIM_INFINITY))
said = []
folder = train(base, TRAINING, HELD, RECIPE, place, {}, "base", Heard(say=said.append))
print(json.dumps({"folder": str(folder), "said": said}))
"""
ROWS = """
from test_steps import row
from rung.tuning.recipe import Recipe
RECIPE = Recipe(rank=4, alpha=8, epochs=1, learning_rate=5e-3, batch_rows=24, batch_tokens=1 << 20, validations=1)
TRAINING, HELD = [row(n, 380) for n in range(24)], [row(n, 9) for n in range(50, 52)]
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux to limit a process's memory")
def test_out_of_memory_is_answered_by_smaller_pieces_and_learns_the_same(base: Path, tmp_path: Path) -> None:
    (tmp_path / "test_steps_rows.py").write_text(ROWS)
    places = [str(tmp_path), str(Path(__file__).parent), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": ":".join(places), "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    found = {}
    for room in (0, 900):
        done = subprocess.run(
            [sys.executable, "-c", SCARCE, str(base), str(tmp_path / f"room{room}"), str(room)],
            capture_output=True, text=True, env=environment, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found[room] = json.loads(done.stdout.splitlines()[-1])
    assert not [line for line in found[0]["said"] if "out of memory" in line]
    assert [line for line in found[900]["said"] if line.startswith("out of memory: batches are taken in 2 pieces")]
    plenty, scarce = (Path(found[room]["folder"]) for room in (0, 900))
    assert curve(scarce) == pytest.approx(curve(plenty), rel=1e-4)
    assert json.loads((scarce / "scores.json").read_text())["pieces"] > 1
    assert makings(scarce) == makings(plenty)


def test_what_means_no_memory_and_what_does_not() -> None:
    import torch

    assert out_of_memory(MemoryError())
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert out_of_memory(caught.value)
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert (available("cpu") or 1) > 0
    assert peak("cpu") > 1 << 20


def test_the_estimate_counts_what_torch_keeps(base: Path) -> None:
    """Of the tensors that a forward pass keeps for its backward pass, counted by torch's own hooks."""
    import torch

    model = adapted(base, RECIPE)[1]
    r = Random(0)
    batch = [Encoded(f"r{n}", tuple(r.randrange(64) for _ in range(200)), 150) for n in range(8)]
    forward, kept = streamed(model), dict[int, int]()
    assert forward

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss_of(forward, batch)
    assert 0.4 < passing(model, forward, batch, PLAIN) / sum(kept.values()) < 2.5
    learned = [p for p in model.parameters() if p.requires_grad]
    assert held(learned) == 12 * sum(p.numel() for p in learned)
    assert passing(model, forward, batch, replace(PLAIN, checkpointing=True)) < passing(model, forward, batch, PLAIN)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 30), st.integers(0, 9))
def test_a_loss_in_chunks_is_the_loss(size: int, seed: int) -> None:
    import torch

    torch.manual_seed(seed)
    hidden, head = torch.randn(30, 8, requires_grad=True), torch.nn.Linear(8, 50, bias=False)
    r = Random(seed)
    batch = [Encoded("a", tuple(r.randrange(50) for _ in range(21)), 1), Encoded("b", tuple(r.randrange(50) for _ in range(15)), 5)]

    def found(vocabulary: int) -> tuple[float, torch.Tensor, torch.Tensor]:
        hidden.grad = head.weight.grad = None
        loss = loss_of(Forward(lambda _: hidden, head, vocabulary), batch)
        loss.backward()
        assert hidden.grad is not None
        return float(loss.detach()), hidden.grad, head.weight.grad

    whole, chunked = found(1), found(loop.LOGITS // size)
    assert chunked[0] == pytest.approx(whole[0], rel=1e-5)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(whole[1:], chunked[1:], strict=True))


def test_body_and_head_apart_say_what_the_model_says(base: Path) -> None:
    model = adapted(base, RECIPE)[1].eval()
    batch = [Encoded("a", tuple(range(10, 40)), 20), Encoded("b", tuple(range(40, 52)), 3)]
    assert total_loss(halved(model), batch, 100)[0] == pytest.approx(total_loss(padded(model), batch, 100)[0], rel=1e-5)
    assert total_loss(padded(model), batch, 100)[1] == 19


def test_a_range_test_finds_a_rate_that_learns_and_leaves_nothing_behind(base: Path, tmp_path: Path) -> None:
    found = range_test(base, TRAINING, RECIPE, steps=40)
    assert 1e-5 < found.suggestion < 1
    assert found.rates == tuple(sorted(found.rates))
    assert len(found.rates) == len(found.losses)
    scores = {}
    for rate in (found.suggestion, 1e-6):
        folder = train(base, TRAINING, HELD, replace(RECIPE, learning_rate=rate, epochs=8), tmp_path, {}, "base")
        scores[rate] = json.loads((folder / "scores.json").read_text())
    assert scores[found.suggestion]["learned"]
    assert not scores[1e-6]["learned"]
    assert "too low" in scores[1e-6]["why"]


def test_no_rate_is_suggested_where_nothing_fell() -> None:
    assert suggested([0.1, 0.2, 0.4, 0.8], [3.0, 2.9, 1.0, 2.0]) == 0.2
    with pytest.raises(TuningError, match="no learning rate"):
        suggested([0.1, 0.2, 0.4], [1.0, 2.0, 3.0])


def test_a_training_that_diverges_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    recipe = replace(RECIPE, learning_rate=100.0, epochs=4, warmup=0.0)
    folder = train(bundled.folder("tiny"), TRAINING, HELD, recipe, tmp_path, {}, "base", Heard(say=said.append))
    scores = json.loads((folder / "scores.json").read_text())
    assert not scores["learned"]
    assert "too high" in scores["why"]
    assert f"warning: {scores['why']}" in said


def lines(*losses: float, norm: float = 1.0, rate: float = 1e-3) -> list[dict[str, float]]:
    return [{"loss": loss, "lr": rate, "norm": norm} for loss in losses]


@pytest.mark.parametrize(
    ("own", "held_out", "seen", "words"),
    [
        ((3.0, 1.0), (3.0, 1.5), lines(*[2.0] * 20), ""),
        ((3.0, 1.0), (3.0, 3.2), lines(*[2.0] * 20), "rows set aside"),
        ((3.0, 2.99), (3.0, 3.0), lines(*[3.0] * 20), "too low"),
        ((3.0, 3.0), (3.0, 3.0), lines(*[3.0] * 4), "there were 4 steps"),
        ((3.0, 3.5), (3.0, 3.6), lines(3.0, 3.1, 3.2, 3.3, 3.9, 4.0, 4.1, 4.2), "too high"),
        ((3.0, 3.0), (3.0, 3.0), lines(*[3.0] * 20, norm=0.0), "no gradient"),
        ((0.01, 0.01), (0.02, 0.02), lines(*[0.01] * 20), "knew these rows"),
    ],
)
def test_the_reason_is_told(own: tuple[float, float], held_out: tuple[float, float], seen: list[dict[str, float]], words: str) -> None:
    said = judged(own, held_out, seen)
    assert words in said
    assert bool(said) == bool(words)
