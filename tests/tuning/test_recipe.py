"""The recipe on a tiny random model: it learns, masks, resumes exactly, and its adapters are what their names say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from tiny_model import save_random_model
from tiny_rows import HELD, RECIPE, TRAINING

from rung.errors import DataError, TuningError
from rung.models import load
from rung.tuning.adapters import adapter_name, find
from rung.tuning.loop import batches, encode_rows
from rung.tuning.recipe import Heard, Recipe, train
from rung.tuning.rows import Row
from rung.types import Reply, Settings


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    save_random_model(folder, seed=0)
    return folder


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "loss.jsonl").read_text().splitlines()]


def test_it_learns_and_says_so(base: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    folder = train(base, TRAINING, HELD, RECIPE, tmp_path, {"d1.md": "abc"}, "base", Heard(lambda done, total: seen.append((done, total))))
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["training_loss"]["tuned"] < scores["training_loss"]["base"]
    assert scores["learned"]
    curve = losses(folder)
    assert curve[-1] < curve[0]
    assert seen[-1][0] == seen[-1][1] == len(curve)
    told = json.loads((folder / "rows.json").read_text())
    assert told["training"] == {r.id: r.hash for r in TRAINING}
    assert told["documents"]["d1.md"] == "abc"
    assert not list(tmp_path.glob("*.partial"))
    assert str(base) not in (folder / "adapter_config.json").read_text()


def test_the_same_makings_are_found_and_not_trained_again(base: Path, tmp_path: Path) -> None:
    first = train(base, TRAINING, HELD, RECIPE, tmp_path, {}, "base")
    stamp = (first / "adapter_model.safetensors").stat().st_mtime_ns
    again = train(base, TRAINING, HELD, RECIPE, tmp_path, {}, "base", Heard(lambda done, total: pytest.fail("it trained again")))
    assert again == first
    assert (again / "adapter_model.safetensors").stat().st_mtime_ns == stamp


def test_the_name_depends_on_recipe_base_and_rows() -> None:
    names = {
        adapter_name(RECIPE, "base", TRAINING, HELD),
        adapter_name(Recipe(), "base", TRAINING, HELD),
        adapter_name(RECIPE, "other", TRAINING, HELD),
        adapter_name(RECIPE, "base", TRAINING[1:], HELD),
    }
    assert len(names) == 4


def test_a_changed_adapter_is_refused(base: Path, tmp_path: Path) -> None:
    folder = train(base, TRAINING, HELD, Recipe(rank=2, epochs=1), tmp_path, {}, "base")
    (folder / "recipe.json").write_text("{}")
    with pytest.raises(DataError, match="was changed"):
        find(tmp_path, folder.name)


def test_interrupted_and_resumed_is_as_if_never_interrupted(base: Path, tmp_path: Path) -> None:
    whole = train(base, TRAINING, HELD, RECIPE, tmp_path / "whole", {}, "base")

    def stop(done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(base, TRAINING, HELD, RECIPE, tmp_path / "halves", {}, "base", Heard(stop))
    assert list((tmp_path / "halves").glob("*.partial/resume.pt"))
    halves = train(base, TRAINING, HELD, RECIPE, tmp_path / "halves", {}, "base")
    assert losses(halves) == losses(whole)
    assert (halves / "adapter_model.safetensors").read_bytes() == (whole / "adapter_model.safetensors").read_bytes()
    told = [json.loads((folder / "scores.json").read_text()) for folder in (whole, halves)]
    for key in ("training_loss", "validation_loss", "learned"):
        assert told[0][key] == told[1][key]  # "before" is before the first step, not before the second half


def test_killed_and_started_again_gives_the_same_weights(base: Path, tmp_path: Path) -> None:
    whole = train(base, TRAINING, HELD, RECIPE, tmp_path / "whole", {}, "base")
    code = (
        "import sys; sys.path.insert(0, sys.argv[3])\n"
        "from pathlib import Path; from test_recipe import *\n"
        "import time\n"
        "train(Path(sys.argv[1]), TRAINING, HELD, RECIPE, Path(sys.argv[2]), {}, 'base', Heard(progress=lambda d, t: time.sleep(0.2)))\n"
    )
    here = [str(Path(__file__).parent), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    path = {**os.environ, "PYTHONPATH": ":".join(here)}  # the same number of threads, too: it decides the last bits
    process = subprocess.Popen([sys.executable, "-c", code, str(base), str(tmp_path / "killed"), here[0]], env=path)
    deadline = time.monotonic() + 90
    while not list((tmp_path / "killed").glob("*.partial/resume.pt")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    killed = train(base, TRAINING, HELD, RECIPE, tmp_path / "killed", {}, "base")
    assert (killed / "adapter_model.safetensors").read_bytes() == (whole / "adapter_model.safetensors").read_bytes()


def test_the_adapter_serves_what_it_learned(base: Path, tmp_path: Path) -> None:
    folder = train(
        base, TRAINING, HELD, Recipe(rank=8, alpha=32, epochs=80, learning_rate=1e-2, batch_rows=12, patience=999), tmp_path, {}, "base"
    )
    model = load(f"local:{base}", folder)
    replies = [p for _, p in model.stream([list(r.messages[:-1]) for r in TRAINING[:3]], Settings(max_tokens=8)) if isinstance(p, Reply)]
    assert all(reply.text.strip().startswith("it is") for reply in replies)
    assert model.id != load(f"local:{base}").id


def test_prompts_are_masked_and_answers_end(base: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    encoded, dropped = encode_rows(tokenizer, TRAINING, 512)
    assert dropped == 0
    for one, original in zip(encoded, TRAINING, strict=True):
        assert tokenizer.decode(one.ids[one.prompt :], skip_special_tokens=True).strip() == original.messages[-1]["content"]
        assert one.ids[-1] == tokenizer.eos_token_id


def test_rows_that_do_not_fit_are_dropped_and_none_left_is_an_error(base: Path, tmp_path: Path) -> None:
    long = [Row("l", ({"role": "user", "content": "x " * 9000}, {"role": "assistant", "content": "y"}), (), "g")]
    with pytest.raises(TuningError, match="window"):
        train(base, long, HELD, RECIPE, tmp_path, {}, "base")


def test_batches_hold_every_row_once_and_keep_to_their_size(base: Path) -> None:
    from transformers import AutoTokenizer

    encoded, _ = encode_rows(AutoTokenizer.from_pretrained(base), TRAINING, 512)
    made = batches(encoded, 4, 200, Random(1))
    assert sorted(r.id for batch in made for r in batch) == [r.id for r in TRAINING]
    assert all(len(batch) <= 4 for batch in made)
    assert batches(encoded[::-1], 4, 200, Random(1)) == made
