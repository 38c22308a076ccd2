"""Rows to batches to a loss: prompts are masked, and only the learned tokens' logits are computed, a piece at a time.

It refuses rows that teach nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from rung.errors import TuningError
from rung.models.template import encode_row, encode_text
from rung.tuning.rows import Row
from rung.tuning.spread import ALONE, Group

LOGITS = 1 << 25  # held at once: 128 MiB in fp32, several times that with their gradient


@dataclass(frozen=True)
class Encoded:
    """A row's token ids, and how many of them are prompt."""

    id: str
    ids: tuple[int, ...]
    prompt: int


def at_once(work: Callable[[], Any]) -> Any:
    """Nothing before, nothing after."""
    return work()


class Forward(NamedTuple):
    """A model in two halves, so that the logits of a whole batch need never stand in memory at once."""

    hidden: Callable[[Sequence[Encoded]], Any]  # of a batch's learned tokens, row by row: (tokens, hidden)
    head: Callable[[Any], Any]  # (n, hidden) to logits (n, vocabulary)
    vocabulary: int
    within: Callable[[Callable[[], Any]], Any] = at_once  # calls what is computed in one pass, from a batch to its loss


def encode_rows(tokenizer: Any, rows: Sequence[Row], window: int) -> tuple[list[Encoded], int]:
    """The rows that fit the window, and the number of those that don't. TuningError where a row teaches nothing.

    Raw text is never too long: it is cut where the window ends.
    """
    encoded, dropped = [], 0
    for row in rows:
        if row.text:
            encoded += _cut(tokenizer, row, window)
            continue
        ids, prompt = encode_row(tokenizer, row.messages)
        if len(ids) > window:
            dropped += 1
            continue
        if prompt >= len(ids):
            raise TuningError(f"row {row.id} has no answer to learn", "give the example an answer")
        encoded.append(Encoded(row.id, tuple(ids), prompt))
    return encoded, dropped


def _cut(tokenizer: Any, row: Row, window: int) -> list[Encoded]:
    """Raw text in pieces of at most a window; each piece's first token is given, all others are learned."""
    first, last = tokenizer.bos_token_id, tokenizer.eos_token_id
    ids = encode_text(tokenizer, row.text)
    opening = [] if first is None else [first]
    size = window - len(opening)
    starts = range(0, len(ids), size)
    pieces = [[*opening, *ids[a : a + size]] for a in starts]
    if last is not None and pieces and len(pieces[-1]) < window:
        pieces[-1].append(last)
    return [Encoded(f"{row.id}#{n:04}", tuple(piece), 1) for n, piece in enumerate(pieces) if len(piece) > 1]


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


def padded(model: Any) -> Forward:
    """Any causal model of transformers as it is: rows side by side, padded to the longest; its logits come in one piece."""
    causal = causal_of(model)

    def hidden(batch: Sequence[Encoded]) -> Any:
        ids, attended, learned = _side_by_side(batch, model.device)
        # The head sees the learned tokens alone, and whatever the model does to its logits afterwards is done to them.
        hook = causal.get_output_embeddings().register_forward_pre_hook(lambda _, given: (given[0][learned],))
        try:
            return causal.forward(input_ids=ids, attention_mask=attended, use_cache=False).logits
        finally:
            hook.remove()

    return Forward(hidden, lambda logits: logits, 1)


def halved(model: Any) -> Forward:
    """The same with body and head apart; a caller has to see that nothing more is done to the logits."""
    causal = causal_of(model)
    head = causal.get_output_embeddings()

    def hidden(batch: Sequence[Encoded]) -> Any:
        ids, attended, learned = _side_by_side(batch, model.device)
        return causal.get_decoder()(input_ids=ids, attention_mask=attended, use_cache=False).last_hidden_state[learned]

    return Forward(hidden, head, head.weight.shape[0])


def causal_of(model: Any) -> Any:
    """The model of transformers, whether or not peft has put LoRA around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _side_by_side(batch: Sequence[Encoded], device: Any) -> tuple[Any, Any, Any]:
    """Ids, what is attended to, and the places whose next token is learned, all (rows, longest)."""
    import torch

    ids = torch.zeros(len(batch), max(len(row.ids) for row in batch), dtype=torch.long)
    learned, attended = torch.zeros_like(ids, dtype=torch.bool), torch.zeros_like(ids)
    for i, row in enumerate(batch):
        ids[i, : len(row.ids)] = torch.tensor(row.ids)
        attended[i, : len(row.ids)] = 1
        learned[i, row.prompt - 1 : len(row.ids) - 1] = True
    return ids.to(device), attended.to(device), learned.to(device)


def loss_of(forward: Forward, batch: Sequence[Encoded], *, summed: bool = False) -> Any:
    """Cross-entropy over the answers' tokens, their mean or their sum, in fp32.

    Beyond `LOGITS` of them, logits are computed piece by piece and again in the backward pass, so that memory holds one piece.
    """
    return forward.within(lambda: _loss(forward, batch, summed))


def _loss(forward: Forward, batch: Sequence[Encoded], summed: bool) -> Any:
    import torch
    from torch.nn.functional import cross_entropy
    from torch.utils.checkpoint import checkpoint

    hidden = forward.hidden(batch)
    targets = torch.tensor([token for row in batch for token in row.ids[row.prompt :]], device=hidden.device)
    size = max(1, LOGITS // forward.vocabulary)
    if len(targets) <= size:
        return cross_entropy(forward.head(hidden).float(), targets, reduction="sum" if summed else "mean")

    def piece(hidden: Any, targets: Any) -> Any:
        return cross_entropy(forward.head(hidden).float(), targets, reduction="sum")

    pairs = zip(hidden.split(size), torch.split(targets, size), strict=True)
    total = sum(checkpoint(piece, some, wanted, use_reentrant=False) for some, wanted in pairs)
    return total if summed else total / len(targets)


def total_loss(forward: Forward, rows: Sequence[Encoded], tokens: int, group: Group = ALONE) -> tuple[float, int]:
    """Summed loss of the answers' tokens over this process's rows and their number, without learning.

    All processes make as many passes, since those of a split model meet in each. Dropout is the caller's to switch off.
    """
    import torch

    total, learned = 0.0, 0
    with torch.no_grad():  # not inference_mode, whose tensors a split model would keep for its backward passes
        for batch in batches(rows, 64 * group.size, tokens * group.size, Random("order")):
            own = group.share(batch)
            loss = float(loss_of(forward, own or batch[:1], summed=True))
            if own:
                total += loss
                learned += sum(len(row.ids) - row.prompt for row in own)
    return total, learned
