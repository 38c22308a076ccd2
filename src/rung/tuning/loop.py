"""Rows to batches to a loss: prompts are masked, and only the learned tokens' logits are computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from rung.errors import TuningError
from rung.models.template import encode_row
from rung.tuning.rows import Row


@dataclass(frozen=True)
class Encoded:
    """A row's token ids, and how many of them are prompt."""

    id: str
    ids: tuple[int, ...]
    prompt: int


def encode_rows(tokenizer: Any, rows: Sequence[Row], window: int) -> tuple[list[Encoded], int]:
    """The rows that fit the window, and the number of those that don't. TuningError where a row teaches nothing."""
    encoded = []
    for row in rows:
        ids, prompt = encode_row(tokenizer, row.messages)
        if len(ids) <= window:
            if prompt >= len(ids):
                raise TuningError(f"row {row.id} has no answer to learn", "give the example an answer")
            encoded.append(Encoded(row.id, tuple(ids), prompt))
    return encoded, len(rows) - len(encoded)


def batches(rows: Sequence[Encoded], most: int, tokens: int, r: Random) -> list[list[Encoded]]:
    """Batches of rows of like length, at most `most` of them and `tokens` tokens with padding; their order is random."""
    shuffled = sorted(rows, key=lambda row: row.id)
    r.shuffle(shuffled)
    made: list[list[Encoded]] = []
    for row in sorted(shuffled, key=lambda row: len(row.ids) // 16):
        longest = max(len(row.ids), *(len(other.ids) for other in made[-1])) if made else 0
        if made and len(made[-1]) < most and longest * (len(made[-1]) + 1) <= tokens:
            made[-1].append(row)
        else:
            made.append([row])
    r.shuffle(made)
    return made


def loss_of(model: Any, batch: Sequence[Encoded], *, summed: bool = False) -> Any:
    """Cross-entropy over the answers' tokens, their mean or their sum."""
    import torch

    device = next(model.parameters()).device
    width = max(len(row.ids) for row in batch)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    learned = torch.zeros(len(batch), width, dtype=torch.bool)
    attended = torch.zeros(len(batch), width, dtype=torch.long)
    for i, row in enumerate(batch):
        ids[i, : len(row.ids)] = torch.tensor(row.ids)
        attended[i, : len(row.ids)] = 1
        learned[i, row.prompt : len(row.ids)] = True
    ids, learned, attended = ids.to(device), learned.to(device), attended.to(device)
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = causal.model(input_ids=ids, attention_mask=attended, use_cache=False).last_hidden_state
    logits = causal.lm_head(hidden[:, :-1][learned[:, 1:]])
    return torch.nn.functional.cross_entropy(logits.float(), ids[:, 1:][learned[:, 1:]], reduction="sum" if summed else "mean")


def mean_loss(model: Any, rows: Sequence[Encoded], tokens: int) -> float:
    """Mean loss of the answers' tokens over all rows, without learning."""
    import torch

    model.eval()
    total = learned = 0.0
    with torch.inference_mode():
        for batch in batches(rows, 64, tokens, Random("order")):
            total += float(loss_of(model, batch, summed=True))
            learned += sum(len(row.ids) - row.prompt for row in batch)
    return total / learned
