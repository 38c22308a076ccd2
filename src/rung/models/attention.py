"""Attention on a CPU whose result for a row has the same bits whatever stands beside it and however many threads work.

It refuses nothing, and computes what transformers' own `sdpa` computes. Measured with torch 2.13 and MKL: a step with two
queries per key head has that property, a step with one has it on one thread only. So a lone query is asked twice.
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
    query = query.reshape(rows, heads // shared, shared, size)  # the heads of one key head as queries beside each other
    if shared == 1:
        query = query.expand(-1, -1, 2, -1)
    result = scaled_dot_product_attention(query, key, value, attention_mask, scale=scaling)
    return result[:, :, :shared].reshape(rows, 1, heads, size), None
