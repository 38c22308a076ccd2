"""Attention on a CPU whose result for a row has the same bits whatever stands beside it and however many threads work.

It refuses nothing, and computes what transformers' own `sdpa` computes. Measured with torch 2.13 and MKL: for a lone query
per key head the fused kernel has that property on one thread only; two plain products have it, and are as fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

NAME = "rung_cpu"  # as transformers is asked for it


def register() -> str:
    """Make the attention known to transformers, under the name that is returned."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)
    return NAME


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Scaled dot-product attention: query (rows, heads, n, size), key and value (rows, key heads, columns, size), the
    mask (rows or 1, 1, n, columns) true where a query may look; result (rows, n, heads, size)."""
    from torch.nn.functional import scaled_dot_product_attention

    rows, heads, n, size = query.shape
    shared = heads // key.shape[1]
    if n > 1:
        result = scaled_dot_product_attention(query, key, value, attention_mask, scale=scaling, enable_gqa=shared > 1)
        return result.transpose(1, 2), None
    query = query.reshape(rows, heads // shared, shared, size) * (scaling or size**-0.5)
    hidden = None if attention_mask is None else ~attention_mask
    return attend_one(query, key, value, hidden).view(rows, 1, heads, size), None


def attend_one(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, hidden: torch.Tensor | None) -> torch.Tensor:
    """One scaled query per head: query (rows, key heads, heads of each, size), key and value (rows, key heads, columns,
    size), `hidden` (rows, 1, 1, columns) true where a row may not look; the result has the query's shape."""
    scores = query @ key.transpose(2, 3)
    if hidden is not None:
        scores.masked_fill_(hidden, float("-inf"))
    return scores.softmax(-1) @ value
