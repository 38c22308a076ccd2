"""Rows to batches to a loss: prompts are masked, and only the learned tokens' logits are computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


Logits = Callable[[Sequence[Encoded]], Any]  # of a batch's learned tokens, row by row: (tokens, vocabulary)


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


def padded(model: Any) -> Logits:
    """The logits of any causal model of transformers: rows side by side, padded to the longest."""
    import torch

    causal = model.get_base_model() if hasattr(model, "get_base_model") else model

    def logits(batch: Sequence[Encoded]) -> Any:
        width = max(len(row.ids) for row in batch)
        ids = torch.zeros(len(batch), width, dtype=torch.long)
        learned, attended = torch.zeros_like(ids, dtype=torch.bool), torch.zeros_like(ids)
        for i, row in enumerate(batch):
            ids[i, : len(row.ids)] = torch.tensor(row.ids)
            attended[i, : len(row.ids)] = 1
            learned[i, row.prompt - 1 : len(row.ids) - 1] = True
        learned = learned.to(model.device)
        # The head sees the learned tokens alone, and whatever the model does to its logits afterwards is done to them.
        hook = causal.get_output_embeddings().register_forward_pre_hook(lambda _, given: (given[0][learned],))
        try:
            return causal(input_ids=ids.to(model.device), attention_mask=attended.to(model.device), use_cache=False).logits
        finally:
            hook.remove()

    return logits


def loss_of(logits: Logits, batch: Sequence[Encoded], *, summed: bool = False) -> Any:
    """Cross-entropy over the answers' tokens, their mean or their sum, in fp32."""
    import torch

    found = logits(batch).float()
    targets = torch.tensor([token for row in batch for token in row.ids[row.prompt :]], device=found.device)
    return torch.nn.functional.cross_entropy(found, targets, reduction="sum" if summed else "mean")


def mean_loss(logits: Logits, rows: Sequence[Encoded], tokens: int) -> float:
    """Mean loss of the answers' tokens over all rows, without learning. Dropout is the caller's to switch off."""
    import torch

    total = learned = 0.0
    with torch.inference_mode():
        for batch in batches(rows, 64, tokens, Random("order")):
            total += float(loss_of(logits, batch, summed=True))
            learned += sum(len(row.ids) - row.prompt for row in batch)
    return total / learned
