"""The stream says and learns what transformers does, on every model it takes; on all others the padded rows train."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import save_random_model

from rung.tuning.loop import Encoded, loss_of, padded
from rung.tuning.recipe import Recipe, train
from rung.tuning.rows import Row
from rung.tuning.stream import fastest, streamed

SIZES = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
LENGTHS = [(1, 2), (9, 12), (300, 310), (30, 31), (200, 640)]  # tokens of prompt, of the whole row


def encoded(lengths: list[tuple[int, int]], seed: int = 0) -> list[Encoded]:
    r = Random(seed)
    return [Encoded(f"r{n:02}", tuple(r.randrange(64) for _ in range(whole)), prompt) for n, (prompt, whole) in enumerate(lengths)]


def model_of(kind: str, *, dropout: float = 0.0, learned: bool = True, **options: Any) -> Any:
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**(SIZES | {"max_position_embeddings": 1024} | options))
    lora = LoraConfig(
        r=4, lora_alpha=8, lora_dropout=dropout, target_modules="all-linear", init_lora_weights=not learned, task_type="CAUSAL_LM"
    )
    return get_peft_model(getattr(transformers, f"{kind}ForCausalLM")(config), lora)


def gradients(model: Any, logits: Any, rows: list[Encoded]) -> tuple[float, list[Any]]:
    model.zero_grad(set_to_none=True)
    loss = loss_of(logits, rows)
    loss.backward()
    return float(loss.detach()), [p.grad.clone() for p in model.parameters() if p.requires_grad]


MEMO: dict[str, Any] = {}
MODELS: list[tuple[str, dict[str, Any]]] = [
    ("Llama", {}),
    ("Llama", {"num_key_value_heads": 2, "tie_word_embeddings": True, "head_dim": 16}),
    ("Llama", {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0}}),
    ("Qwen2", {"num_key_value_heads": 2}),
    ("Qwen3", {"num_key_value_heads": 2, "head_dim": 8}),  # normalizes queries and keys
    ("Mistral", {"sliding_window": None, "num_key_value_heads": 4}),
]


@pytest.mark.parametrize(("kind", "options"), MODELS)
def test_losses_and_gradients_are_those_of_transformers(kind: str, options: dict[str, Any]) -> None:
    model, rows = model_of(kind, **options), encoded(LENGTHS)
    fast = streamed(model)
    assert fast is not None
    slow_loss, slow = gradients(model, padded(model), rows)
    fast_loss, found = gradients(model, fast, rows)
    assert fast_loss == pytest.approx(slow_loss, rel=1e-5)
    assert all(float((a - b).abs().max()) < 1e-4 * float(a.abs().max()) + 1e-8 for a, b in zip(slow, found, strict=True))
    assert all(p.grad is None for p in model.parameters() if not p.requires_grad)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 250), st.integers(1, 250)), min_size=1, max_size=5))
def test_a_row_does_not_depend_on_its_company(lengths: list[tuple[int, int]]) -> None:
    model = MEMO.setdefault("llama", model_of("Llama"))
    rows = encoded([(prompt, prompt + more) for prompt, more in lengths])
    alone = sum(float(loss_of(streamed(model), [row], summed=True).detach()) for row in rows)  # type: ignore[arg-type]
    assert float(loss_of(streamed(model), rows, summed=True).detach()) == pytest.approx(alone, rel=1e-5)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["Llama", "Qwen2", "Qwen3"])
def test_under_autocast_it_rounds_and_gradients_stay_in_fp32(kind: str) -> None:
    import torch

    model, rows = model_of(kind, num_key_value_heads=2), encoded(LENGTHS)
    exact, _ = gradients(model, streamed(model), rows)
    with torch.autocast("cpu", torch.bfloat16):
        rounded, found = gradients(model, streamed(model), rows)
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.02)
    assert {grad.dtype for grad in found} == {torch.float32}


OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("Llama", {"dropout": 0.1}),
    ("Mistral", {"sliding_window": 8, "num_key_value_heads": 4}),
    ("Gemma", {"head_dim": 8, "num_key_value_heads": 4, "pad_token_id": 0}),  # its norms add one to their weights
    ("Granite", {"residual_multiplier": 0.3}),
    ("Llama", {"hidden_act": "gelu"}),
    ("Olmo2", {}),
    ("GPTNeoX", {}),
]


@pytest.mark.parametrize(("kind", "options"), OTHERS)
@pytest.mark.filterwarnings("ignore")  # what transformers says about models built from nothing is not ours
def test_models_that_are_built_otherwise_train_on_padded_rows(kind: str, options: dict[str, Any]) -> None:
    import torch

    model, rows = model_of(kind, **options), encoded([(9, 12), (300, 310)])
    assert fastest(model, rows).hidden.__qualname__.startswith(("padded", "halved"))
    assert fastest(model_of("Llama"), rows).hidden.__qualname__.startswith("streamed")
    model.eval()
    with torch.inference_mode():
        whole = [model(input_ids=torch.tensor([row.ids])).logits[0, row.prompt - 1 : -1] for row in rows]
        assert torch.allclose(padded(model).hidden(rows), torch.cat(whole), atol=1e-4)
        chosen = fastest(model, rows)
        assert torch.allclose(chosen.head(chosen.hidden(rows)), torch.cat(whole), atol=1e-4)


def test_two_trainings_on_the_stream_give_the_same_bytes(tmp_path: Path) -> None:
    base = save_random_model(tmp_path / "base", seed=1)
    rows = [
        Row(f"r{n:02}", ({"role": "user", "content": f"what is {n}?"}, {"role": "assistant", "content": f"it is {n % 3}"}), (), f"g{n}")
        for n in range(12)
    ]
    made = [train(base, rows[:9], rows[9:], Recipe(rank=4, epochs=2, batch_rows=4), tmp_path / place, {}, "base") for place in "ab"]
    assert made[0].name == made[1].name
    assert len({(folder / "adapter_model.safetensors").read_bytes() for folder in made}) == 1
