"""Our forward pass of Llama against transformers' own, and against itself in other company."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import save_random_adapter, save_random_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from rung.errors import ModelError
from rung.models import bundled
from rung.models.adapters import Adapters
from rung.models.decode import Decoder, Row
from rung.models.forward import COLUMNS, Forward, PlainForward, rounded
from rung.models.keyvalues import Prefixes, Shape, Slots
from rung.models.llama import LlamaForward, suits
from rung.models.pieces import Pieces
from rung.types import Settings

VOCABULARY, WINDOW, ENOUGH = 97, 512, 1 << 30
ROPES: dict[str, dict[str, Any]] = {
    "default": {"rope_type": "default", "rope_theta": 10000.0},
    "yarn": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 128},
    "linear": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0},
    "llama3": {
        "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    },
}  # fmt: skip


def llama(seed: int = 0, rope: str = "default", **changes: Any) -> Any:
    options = {
        "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 56, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": WINDOW, "initializer_range": 0.3, "rope_parameters": ROPES[rope],
    } | changes  # fmt: skip
    torch.manual_seed(seed)
    return LlamaForCausalLM(LlamaConfig(**options)).eval()


def decoder(forward: Forward, model: Any, kept: int = 0) -> Decoder:
    config = model.config
    shape = Shape(config.num_hidden_layers, config.num_key_value_heads, config.head_dim, torch.float32, torch.device("cpu"))
    forward.use("")
    return Decoder(forward, shape, frozenset(), Prefixes(kept))


def row(ids: list[int]) -> Row:
    return Row(ids, Settings(), Pieces(str), print)


def logits(one: Decoder, prompts: list[list[int]], adapter: str = "", steps: int = 2) -> list[torch.Tensor]:
    """Of each prompt, shape (1 + steps, vocabulary): behind it, and behind tokens that everyone is given."""
    one.forward.use(adapter)
    with torch.inference_mode():
        slots, rows = Slots(one.shape), [row(ids) for ids in prompts]
        slots.grow(len(rows), rounded(max(map(len, prompts)), COLUMNS))
        found = [one.read(rows, slots, 0, adapter)]
        for token in range(steps):
            for each in rows:
                each.tokens.append(token + len(each.ids) % 7)
            found.append(one.step(rows, slots))
    return list(torch.stack(found, 1))


def as_transformers_has_it(model: Any, ids: list[int], steps: int = 2) -> torch.Tensor:
    whole = torch.tensor([[*ids, *[token + len(ids) % 7 for token in range(steps)]]])
    with torch.inference_mode():
        return model(whole).logits[0, len(ids) - 1 :]  # type: ignore[no-any-return]


def assert_close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """Within 2e-5 of the largest logit: what float32 leaves when sums are taken in another order."""
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5 * float(theirs.abs().max()))


MODEL = llama()
OURS = LlamaForward(MODEL, Adapters(MODEL), WINDOW, ENOUGH)
prompts_of_all_lengths = st.lists(st.integers(1, 150), min_size=1, max_size=9)


def tokens(length: int, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return [int(token) for token in torch.randint(VOCABULARY, (length,), generator=generator)]


@pytest.mark.parametrize(
    ("rope", "changes"),
    [
        ("default", {}),
        ("linear", {"num_key_value_heads": 4}),
        ("yarn", {"num_hidden_layers": 1}),
        ("llama3", {"num_key_value_heads": 1, "head_dim": 16}),
        ("default", {"tie_word_embeddings": True, "rms_norm_eps": 1e-3}),
    ],
)
def test_logits_are_those_of_transformers(rope: str, changes: dict[str, Any]) -> None:
    model = llama(3, rope, **changes)
    assert suits(model, ENOUGH)
    ours = decoder(LlamaForward(model, Adapters(model), WINDOW, ENOUGH), model)
    prompts = [tokens(length, length) for length in (1, 2, 31, 32, 33, 64, 65, 300, 5)]
    for got, prompt in zip(logits(ours, prompts), prompts, strict=True):
        assert_close(got, as_transformers_has_it(model, prompt))


def test_the_bundled_model_is_read_as_transformers_reads_it() -> None:
    try:
        folder = bundled.folder("tiny")
    except ModelError as error:
        pytest.skip(error.message)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert suits(model, ENOUGH)
    ours = decoder(LlamaForward(model, Adapters(model), WINDOW, ENOUGH), model)
    prompt = tokens(200)
    assert_close(logits(ours, [prompt])[0], as_transformers_has_it(model, prompt))


def test_an_adapter_merged_is_the_adapter_beside_the_base(tmp_path: Path) -> None:
    folder = save_random_model(tmp_path / "base")
    model: Any = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    adapters = Adapters(model)
    names = ["", *(adapters.load(save_random_adapter(folder, tmp_path / f"adapter {seed}", seed)) for seed in (1, 2))]
    one_set = sum(weight.nbytes for weight in model.parameters())
    ours, plain = (decoder(forward, model) for forward in (LlamaForward(model, adapters, 512, ENOUGH), PlainForward(model, adapters)))
    forgetful = decoder(LlamaForward(model, adapters, 512, one_set), model)
    prompts = [tokens(length, length) for length in (3, 40, 100)]
    first = {name: logits(ours, prompts, name) for name in names}
    for name in reversed(names):
        for got, again, hooked in zip(first[name], logits(forgetful, prompts, name), logits(plain, prompts, name), strict=True):
            assert torch.equal(got, again), "a set of weights that was evicted is made again, bit by bit"
            assert_close(got, hooked)
    assert not torch.equal(first[names[0]][0], first[names[1]][0])


@settings(max_examples=25, deadline=None)
@given(prompts_of_all_lengths, st.integers(1, 3))
def test_a_prompt_is_read_to_the_same_bits_in_any_company(lengths: list[int], threads: int) -> None:
    ours, before = decoder(OURS, MODEL), torch.get_num_threads()
    prompts = [tokens(length, number) for number, length in enumerate(lengths)]
    alone = [logits(ours, [prompt])[0] for prompt in prompts]
    torch.set_num_threads(threads)
    together = logits(ours, prompts)
    torch.set_num_threads(before)
    assert all(map(torch.equal, alone, together))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 150), prompts_of_all_lengths)
def test_kept_blocks_change_nothing(common: int, lengths: list[int]) -> None:
    keeping, fresh = decoder(OURS, MODEL, kept=1 << 24), decoder(OURS, MODEL)
    prompts = [tokens(common) + tokens(length, number + 1) for number, length in enumerate(lengths)]
    once = [logits(keeping, [prompt])[0] for prompt in prompts]
    again = logits(keeping, prompts)
    never = logits(fresh, prompts)
    assert all(map(torch.equal, once, never))
    assert all(map(torch.equal, again, never))


@pytest.mark.parametrize(
    "changes",
    [{"attention_bias": True}, {"mlp_bias": True}, {"hidden_act": "gelu"}, {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}],
)
def test_other_arithmetic_is_left_to_transformers(changes: dict[str, Any]) -> None:
    assert not suits(llama(**changes), ENOUGH)


def test_other_numbers_and_large_models_are_left_to_transformers() -> None:
    size = sum(weight.nbytes for weight in MODEL.parameters())
    assert suits(MODEL, 4 * size)
    assert not suits(MODEL, 4 * size - 1)
    assert not suits(MODEL, 0)
    assert not suits(llama().to(torch.bfloat16), ENOUGH)
