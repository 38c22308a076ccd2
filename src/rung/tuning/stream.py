"""A faster forward pass for Llama-like models with LoRA on a CPU: rows end to end without padding, fewer and larger products.

It refuses models that are built otherwise, and its caller trusts it only after it gave the same logits as transformers.
Attention stays within a row; each LoRA pair is added to its frozen matrix before the product (W + s B A, Hu et al. 2021,
section 4), so that tokens pass through one product and no gradient of a frozen matrix is ever computed; and the last layer
computes only what the learned tokens need.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from rung.tuning.loop import Encoded, Forward, causal_of, halved, padded
from rung.tuning.shard import gathering, is_split

PIECE = 192  # queries at once: softmax over small matrices is faster than a flash kernel with its backward pass
GROUPS = (
    ("self_attn.q_proj",),
    ("self_attn.k_proj", "self_attn.v_proj"),
    ("self_attn.o_proj",),
    ("mlp.gate_proj", "mlp.up_proj"),
    ("mlp.down_proj",),
)
Frozen = tuple[tuple[Any, ...], Any, tuple[float, ...]]  # matrices side by side, their bias if any, each one's LoRA scale


def product(x: Any, weight: Any, bias: Any = None) -> Any:
    """`F.linear` without a gradient; in fp32 by oneDNN, which on AMD processors is twice as fast as MKL and as exact."""
    bias = None if bias is None else bias.to(x.dtype)
    if x.dtype == torch.float32 and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return F.linear(x, weight, bias)


class Joined(torch.autograd.Function):
    """Tokens (n, in) through frozen matrices side by side, A and B of each given in turn, or none at all."""

    @staticmethod
    def forward(ctx: Any, x: Any, frozen: Frozen, *pairs: Any) -> Any:
        ctx.save_for_backward(x, *pairs)
        ctx.frozen = frozen
        return product(x, _merged(frozen, pairs, x.dtype), frozen[1])

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        x, *pairs = ctx.saved_tensors
        weights, _, scales = ctx.frozen
        back = product(grad, _merged(ctx.frozen, pairs, x.dtype).t()) if ctx.needs_input_grad[0] else None
        learned = []
        if pairs:
            # Blocks off the diagonal are computed in vain: a product over slices would be far slower.
            rank, outs = pairs[0].shape[0], [weight.shape[0] for weight in weights]
            inner = product(x, torch.cat(pairs[::2]).to(x.dtype))
            outer = product(grad, torch.block_diag(*pairs[1::2]).to(x.dtype).t())  # type: ignore[no-untyped-call]
            for_a, for_b = product(outer.t(), x.t()).split(rank), product(inner.t(), grad.t()).split(rank)
            for n, scale in enumerate(scales):
                learned += [for_a[n].float() * scale, for_b[n].split(outs, 1)[n].t().float() * scale]
        return back, None, *learned


def _merged(frozen: Frozen, pairs: Sequence[Any], kind: Any) -> Any:
    """All matrices side by side, each with its pair added: (sum of outs, in)."""
    weights, _, scales = frozen
    if not pairs:
        return (weights[0] if len(weights) == 1 else torch.cat(weights)).to(kind)
    joined = torch.empty(sum(weight.shape[0] for weight in weights), weights[0].shape[1], dtype=weights[0].dtype)
    into = joined.split([weight.shape[0] for weight in weights])  # type: ignore[no-untyped-call]
    for out, weight, a, b, scale in zip(into, weights, pairs[::2], pairs[1::2], scales, strict=True):
        torch.addmm(weight, b.detach(), a.detach(), alpha=scale, out=out)
    return joined.to(kind)


def fastest(model: Any, rows: Sequence[Encoded], checkpointing: bool = False) -> Forward:
    """The first that says what transformers says on the shortest and the longest row: the stream, body and head apart, or as it is."""
    within = gathering(model)
    slow = padded(model)._replace(within=within)
    ends = sorted(rows, key=lambda row: len(row.ids))
    model.eval()
    ends = [ends[0], ends[-1]]
    with torch.no_grad():
        told = within(lambda: slow.hidden(ends))
        for forward in (streamed(model, checkpointing), halved(model)._replace(within=within)):
            if forward is not None:
                said = within(partial(_logits, forward, ends))
                if told.shape == said.shape and float((told - said).abs().max()) < 1e-3 * float(told.abs().max()):
                    return forward
    return slow


def _logits(forward: Forward, rows: Sequence[Encoded]) -> Any:
    return forward.head(forward.hidden(rows))


def streamed(model: Any, checkpointing: bool = False) -> Forward | None:
    """The stream in two halves; None where the model is built otherwise. With checkpointing layers are computed again, not kept."""
    causal = causal_of(model)
    if model.device.type != "cpu" or is_split(causal) or not _llama_like(causal):
        return None
    body, config = causal.model, causal.config
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    parts = [_layer(layer) for layer in body.layers]
    matrix = ((causal.lm_head.weight,), causal.lm_head.bias, ())

    def hidden(batch: Sequence[Encoded]) -> Any:
        ids = torch.tensor([token for row in batch for token in row.ids])
        starts = [0, *accumulate(len(row.ids) for row in batch)]
        at = torch.cat([torch.arange(start + row.prompt - 1, start + len(row.ids) - 1) for start, row in zip(starts, batch, strict=False)])
        x = F.embedding(ids, body.embed_tokens.weight)
        positions = torch.cat([torch.arange(len(row.ids)) for row in batch])
        cos, sin = (part[0, :, : size // 2] for part in body.rotary_emb(x, positions[None]))
        half = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        with torch.autocast("cpu", enabled=False):
            for number, layer in enumerate(parts):
                given = (x, layer, (cos.to(half), sin.to(half)), size, batch, at if number == len(parts) - 1 else None)
                x = checkpoint(_through, *given, use_reentrant=False) if checkpointing else _through(*given)
            return _norm(x, body.norm, half)

    def head(x: Any) -> Any:
        with torch.autocast("cpu", enabled=False):
            return Joined.apply(x, matrix)  # type: ignore[no-untyped-call]

    return Forward(hidden, head, causal.lm_head.weight.shape[0])


def _through(x: Any, layer: Any, turn: tuple[Any, Any], size: int, batch: Sequence[Encoded], at: Any) -> Any:
    """One layer on the stream (tokens, hidden); with `at`, what comes out of it at those tokens alone."""
    half = turn[0].dtype
    own, (q, kv, o, gate_up, down) = layer
    normed = _norm(x, own.input_layernorm, half)
    keys, values = _joined(normed, kv).view(len(x), 2, -1, size).unbind(1)
    keys = _head_norm(keys, own.self_attn, "k_norm")
    if at is not None:
        x, normed = x[at], normed[at]
    queries = _head_norm(_joined(normed, q).view(len(x), -1, size), own.self_attn, "q_norm")
    here = turn if at is None else (turn[0][at], turn[1][at])
    mixed = _attend(_rotated(queries, here), _rotated(keys, turn), values.transpose(0, 1), batch, at is not None)
    x = x + _joined(mixed, o)
    gate, up = _joined(_norm(x, own.post_attention_layernorm, half), gate_up).chunk(2, -1)
    return x + _joined(F.silu(gate) * up, down)


def _attend(q: Any, k: Any, v: Any, batch: Sequence[Encoded], learned: bool) -> Any:
    """Causal attention within each row; (heads, tokens, size) to (tokens, heads * size), the learned tokens' alone if asked."""
    heads, size, groups, out = k.shape[0], k.shape[2], q.shape[0] // k.shape[0], []
    lengths = [len(row.ids) for row in batch]
    asked = [len(row.ids) - row.prompt for row in batch] if learned else lengths
    for row, q1, k1, v1 in zip(batch, q.split(asked, 1), k.split(lengths, 1), v.split(lengths, 1), strict=True):
        first, end = (row.prompt - 1, len(row.ids) - 1) if learned else (0, len(row.ids))
        runs = max(1, round((end - first) / PIECE))
        for a, b in pairwise(first + (end - first) * i // runs for i in range(runs + 1)):
            unseen = torch.full((b - a, b), float("-inf"), dtype=q.dtype).triu_(a + 1).repeat(groups, 1)
            piece = q1[:, a - first : b - first].reshape(heads, groups * (b - a), size)
            weights = torch.baddbmm(unseen, piece, k1[:, :b].transpose(1, 2), alpha=size**-0.5).softmax(-1)
            out.append(torch.bmm(weights, v1[:, :b]).view(heads * groups, b - a, size))
    return torch.cat(out, 1).transpose(0, 1).flatten(1)


def _rotated(x: Any, turn: tuple[Any, Any]) -> Any:
    """Rotary positions on (tokens, heads, size), halves against each other as transformers lays them: (heads, tokens, size)."""
    cos, sin = turn
    first, second = x.transpose(0, 1).chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)


def _norm(x: Any, part: Any, half: Any) -> Any:
    return F.rms_norm(x.float(), (x.shape[-1],), part.weight, part.variance_epsilon).to(half)


def _head_norm(x: Any, attention: Any, name: str) -> Any:
    """Qwen3 normalizes each query and key, most others don't."""
    part = getattr(attention, name, None)
    return x if part is None or part.weight.shape != x.shape[-1:] else _norm(x, part, x.dtype)


def _joined(x: Any, linears: tuple[Frozen, tuple[Any, ...]]) -> Any:
    return Joined.apply(x, linears[0], *linears[1])  # type: ignore[no-untyped-call]


def _layer(layer: Any) -> Any:
    return layer, [_frozen([_found(layer, name) for name in group]) for group in GROUPS]


def _frozen(modules: Sequence[Any]) -> tuple[Frozen, tuple[Any, ...]]:
    pairs = [matrix.weight for module in modules for matrix in (module.lora_A["default"], module.lora_B["default"])]
    biases = [module.base_layer.bias for module in modules if module.base_layer.bias is not None]
    frozen = tuple(module.base_layer.weight for module in modules)
    return (frozen, torch.cat(biases) if biases else None, tuple(module.scaling["default"] for module in modules)), tuple(pairs)


def _llama_like(causal: Any) -> bool:
    """Whether its parts have Llama's names, plain LoRA on every linear layer, no dropout, and no window on attention.

    Whatever a model does differently between them, its logits show.
    """
    from peft.tuners.lora import Linear

    names = ("model.layers", "model.embed_tokens", "model.rotary_emb", "model.norm.variance_epsilon", "lm_head.weight")
    norms = ("input_layernorm.variance_epsilon", "post_attention_layernorm.variance_epsilon")
    if any(_found(causal, name) is None for name in names):
        return False
    if any(_found(layer, name) is None for layer in causal.model.layers for name in norms):
        return False
    if (getattr(causal.config, "rope_parameters", None) or {}).get("partial_rotary_factor", 1.0) != 1.0:
        return False
    kinds = getattr(causal.config, "layer_types", None)
    windowed = set(kinds) - {"full_attention"} if kinds else getattr(causal.config, "sliding_window", None)
    modules = [_found(layer, name) for layer in causal.model.layers for group in GROUPS for name in group]
    return not windowed and all(
        type(m) is Linear
        and type(m.base_layer) is torch.nn.Linear
        and not m.use_dora["default"]
        and isinstance(m.lora_dropout["default"], torch.nn.Identity)
        for m in modules
    )


def _found(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part, None)
    return module
