"""The parts of `python -m bench train` beside the trainers: shapes, sizes that fit, why a peer is left out, the GPU's part on a CPU."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from bench import _llamafactory
from bench._large import SIZES, Size, _saved, compared, fitting, measured


@pytest.mark.parametrize("size", [SIZES["1B"], SIZES["8B"]])
def test_the_numbers_of_its_layers_are_counted(size: Size) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.device("meta"):
        model = LlamaForCausalLM(
            LlamaConfig(
                hidden_size=size.hidden, intermediate_size=size.inner, num_hidden_layers=size.layers,
                num_attention_heads=size.heads, num_key_value_heads=size.key_heads, vocab_size=8,
            )
        )  # fmt: skip
    assert size.layer_numbers == sum(part.weight.numel() for part in model.model.modules() if isinstance(part, torch.nn.Linear))


def test_sizes_are_taken_as_the_memory_allows() -> None:
    assert fitting(16, small=False) == []
    assert fitting(40, small=False) == ["1B"]
    assert fitting(80, small=False) == ["1B", "8B"]
    assert fitting(80, small=True) == ["1B"]


def test_a_peer_that_is_not_there_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(_llamafactory.PYTHON, raising=False)
    assert "names no interpreter" in _llamafactory.missing()
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'llamafactory'\" >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setenv(_llamafactory.PYTHON, str(python))
    assert "No module named" in _llamafactory.missing()


def test_a_trainer_is_measured(tmp_path: Path) -> None:

    found = measured("tiny", "ours", _saved(SIZES["tiny"], tmp_path / "model"), 32)
    assert found["tokens_per_second"] > 0
    assert found["share_of_chip"] > 0
    assert found["losses"][-1] < found["losses"][0]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="TRL is not installed")
def test_trainers_are_compared() -> None:
    found = compared(["tiny"], 32)
    assert found["tiny_TRL_tokens_per_second"] > 0
    assert found["tiny_loss_gap"] < 0.01
