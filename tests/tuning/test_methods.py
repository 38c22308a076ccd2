"""Every method learns, is served as it was trained, and goes on after an interruption; what is unset is derived."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import save_random_model
from tiny_rows import HELD, RECIPE, TRAINING

from rung.models import bundled, load
from rung.sections import TuningConfig
from rung.tuning.adapted import adapted
from rung.tuning.defaults import derived, hidden_size, told
from rung.tuning.loop import encode_rows, loss_of, padded, total_loss
from rung.tuning.recipe import Heard, Means, Method, train
from rung.tuning.rows import raw_rows
from rung.types import Passage, Reply, Settings


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_model(tmp_path_factory.mktemp("base"), seed=0)


def spoken(base: Path, folder: Path | None) -> list[str]:
    """What transformers and peft say greedily."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    whole = folder is not None and (folder / "config.json").exists()
    tokenizer = AutoTokenizer.from_pretrained(base)
    model: Any = AutoModelForCausalLM.from_pretrained(folder if whole else base, dtype=torch.float32)
    if folder and not whole:
        model = PeftModel.from_pretrained(model, str(folder))
    said = []
    for one in TRAINING[:3]:
        text = tokenizer.apply_chat_template(list(one.messages[:-1]), tokenize=False, add_generation_prompt=True)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")
        out = model.generate(**ids, max_new_tokens=8, do_sample=False)
        said.append(tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True))
    return said


@pytest.mark.parametrize("method", ["lora", "rslora", "dora", "full", "pretrain"])
def test_it_learns_and_is_served_as_it_was_trained(base: Path, tmp_path: Path, method: Method) -> None:
    recipe = replace(RECIPE, method=method, epochs=40)
    folder = train(base, TRAINING, HELD, recipe, tmp_path, {}, "base")
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["training_loss"]["tuned"] < 0.7 * scores["training_loss"]["base"]
    assert json.loads((folder / "recipe.json").read_text())["method"] == method
    model = load(f"local:{base}", folder)
    replies = {
        n: p.text for n, p in model.stream([list(r.messages[:-1]) for r in TRAINING[:3]], Settings(max_tokens=8)) if isinstance(p, Reply)
    }
    assert [replies[n] for n in range(3)] == spoken(base, folder) != spoken(base, None)
    assert model.id != load(f"local:{base}").id


@pytest.mark.parametrize("method", ["dora", "full"])
def test_interrupted_it_goes_on_as_if_it_had_not_been(base: Path, tmp_path: Path, method: Method) -> None:
    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    recipe = replace(RECIPE, method=method, epochs=3)
    whole = train(base, TRAINING, HELD, recipe, tmp_path / "whole", {}, "base")
    with pytest.raises(KeyboardInterrupt):
        train(base, TRAINING, HELD, recipe, tmp_path / "halves", {}, "base", Heard(stop))
    halves = train(base, TRAINING, HELD, recipe, tmp_path / "halves", {}, "base")
    for file in halves.glob("*.safetensors"):
        assert file.read_bytes() == (whole / file.name).read_bytes()


def test_what_is_trained(base: Path) -> None:
    counted = {}
    for method in ("lora", "dora", "full"):
        model = adapted(base, replace(RECIPE, method=method))[1]  # type: ignore[arg-type]
        counted[method] = sum(p.numel() for p in model.parameters() if p.requires_grad)
    everything = sum(p.numel() for p in model.parameters())
    assert counted["lora"] < counted["dora"] < counted["full"] == everything


@pytest.mark.slow
@pytest.mark.parametrize(("method", "layer"), [("qlora", "Linear4bit"), ("qlora8", "Linear8bitLt")])
def test_qlora_holds_the_base_in_few_bits(tmp_path: Path, method: Method, layer: str) -> None:
    pytest.importorskip("bitsandbytes", reason="the extra qlora is not installed")
    base, recipe = bundled.folder("tiny"), replace(RECIPE, method=method, epochs=10)
    linear = adapted(base, recipe)[1].get_base_model().model.layers[0].mlp.gate_proj.base_layer
    assert type(linear).__name__ == layer
    scores = json.loads((train(base, TRAINING, HELD, recipe, tmp_path, {}, "base") / "scores.json").read_text())
    assert scores["training_loss"]["tuned"] < 0.7 * scores["training_loss"]["base"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["qlora", "qlora8"])
def test_through_few_bits_gradients_reach_every_layer_also_after_a_validation(method: Method) -> None:
    pytest.importorskip("bitsandbytes", reason="the extra qlora is not installed")
    tokenizer, model = adapted(bundled.folder("tiny"), replace(RECIPE, method=method))
    batch, forward = encode_rows(tokenizer, TRAINING, 512)[0], padded(model)
    model.eval()
    total_loss(forward, batch, 4096)
    model.train()
    loss_of(forward, batch).backward()
    norms = [float(p.grad.norm()) for name, p in model.named_parameters() if "lora_B" in name]
    assert len(norms) == 42
    assert min(norms) > 1e-3 * max(norms)


@pytest.mark.parametrize("means", [Means(checkpointing=True)])
@pytest.mark.parametrize("method", ["lora", "dora", "full"])
def test_means_change_no_more_than_rounding(base: Path, tmp_path: Path, method: Method, means: Means) -> None:
    recipe = replace(RECIPE, method=method, epochs=2)
    plain, other = (train(base, TRAINING, HELD, recipe, tmp_path / str(m.checkpointing), {}, "base", means=m) for m in (Means(), means))
    assert plain.name == other.name
    assert curve(other) == pytest.approx(curve(plain), rel=1e-4)


def curve(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "loss.jsonl").read_text().splitlines()]


def test_raw_text_is_learned_whole_and_cut_at_the_window(base: Path) -> None:
    from transformers import AutoTokenizer

    text = "The price of part 3 is 30 euros. <|end|> " * 30
    passages = [Passage("a", "d.md", 0, 700, text[:700]), Passage("b", "d.md", 650, len(text), text[650:])]
    (made,) = raw_rows(passages)
    assert made.text == text
    tokenizer = AutoTokenizer.from_pretrained(base)
    encoded, dropped = encode_rows(tokenizer, [made], 64)
    assert dropped == 0
    assert all(len(one.ids) <= 64 and one.prompt == 1 and one.ids[0] == tokenizer.bos_token_id for one in encoded)
    assert tokenizer.eos_token_id not in [token for one in encoded for token in one.ids[:-1]]  # text opens and ends no turn
    assert made.hash != replace(made, text="other").hash


@given(st.integers(1, 100_000), st.sampled_from(["lora", "full", "pretrain"]), st.integers(64, 16_384))
def test_derived_recipes_are_sensible(rows: int, method: str, width: int) -> None:
    asked = TuningConfig(method=method)  # type: ignore[arg-type]
    recipe = derived(asked, rows, width, 0)
    assert 1 <= recipe.epochs <= 8
    assert 2 <= recipe.batch_rows <= 32
    assert 1e-6 < recipe.learning_rate < 1e-2
    assert recipe.alpha == 2 * recipe.rank
    assert rows * recipe.epochs >= min(rows * 8, 2000)
    assert ("rank" in told(asked, recipe)) == (method != "full")


def test_what_is_set_is_not_derived(base: Path) -> None:
    asked = TuningConfig(rank=3, epochs=2, learning_rate=1e-3, batch_rows=5, alpha=7)
    recipe = derived(asked, 12, hidden_size(base), 4)
    assert (recipe.rank, recipe.epochs, recipe.learning_rate, recipe.batch_rows, recipe.alpha, recipe.seed) == (3, 2, 1e-3, 5, 7, 4)
    assert "derived" not in told(asked, recipe)
    assert "derived: alpha, learning rate, rows a batch" in told(
        TuningConfig(rank=3, epochs=2), derived(TuningConfig(rank=3, epochs=2), 9, 32, 0)
    )
