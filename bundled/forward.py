"""The Llama forward pass over a stream of exercises without padding, for training on a CPU.

The same arithmetic as transformers' `LlamaForCausalLM`, which the weights are loaded into and saved from, laid out for
speed: tokens of all exercises in one line, attention within one exercise at a time, its prompt causal and its branches
over the prompt and themselves, and the last layer's feed-forward only where a loss is taken.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch.nn import functional as F

from bundled.encode import Stream


def rotate(x: Any, cos: Any, sin: Any) -> Any:
    """Rotary positions on (heads, tokens, size): halves against each other, as transformers lays them."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


PIECE = 192


def pieces(stream: Stream) -> list[list[tuple[int, int, Any]]]:
    """For each exercise the (start, end, additive mask) of runs of queries; a run sees no token behind its end.

    Softmax over small matrices is twice as fast here as the flash kernel with its backward pass.
    """
    made = []
    for start, prompt, length in zip(stream.starts, stream.prompts, stream.lengths, strict=True):
        branch, order = torch.from_numpy(stream.branch[start : start + length]), torch.arange(length)
        runs = max(1, round(prompt / PIECE))
        cuts = [0, length] if length <= PIECE * 4 // 3 else [*(prompt * i // runs for i in range(runs + 1)), length]
        own = []
        for a, b in pairwise(cuts):
            seen = ((branch[None, :b] == 0) | (branch[None, :b] == branch[a:b, None])) & (order[None, :b] <= order[a:b, None])
            own.append((a, b, torch.zeros(seen.shape, dtype=torch.bfloat16).masked_fill_(~seen, float("-inf"))))
        made.append(own)
    return made


def attend(q: Any, k: Any, v: Any, stream: Stream, runs: list[list[tuple[int, int, Any]]]) -> Any:
    """Attention within each exercise; q, k, v have shape (heads, tokens, size), the result (tokens, heads * size)."""
    lengths, scale, out = stream.lengths, q.shape[-1] ** -0.5, []
    for q1, k1, v1, own in zip(q.split(lengths, 1), k.split(lengths, 1), v.split(lengths, 1), runs, strict=True):
        for a, b, mask in own:
            scores = torch.baddbmm(mask, q1[:, a:b], k1[:, :b].transpose(1, 2), alpha=scale)
            out.append(torch.bmm(scores.softmax(-1), v1[:, :b]))
    return torch.cat(out, 1).transpose(0, 1).flatten(1)


def loss_of(model: Any, stream: Stream) -> Any:
    """Mean cross-entropy of the tokens, by their weights."""
    config, half = model.config, torch.bfloat16
    heads, size = config.num_attention_heads, config.hidden_size // config.num_attention_heads
    frequency = 1.0 / config.rope_parameters["rope_theta"] ** (torch.arange(0, size, 2).float() / size)
    angle = torch.from_numpy(stream.positions).float()[:, None] * frequency
    cos, sin = angle.cos().to(half), angle.sin().to(half)
    runs, ids = pieces(stream), torch.from_numpy(stream.ids)
    at = torch.from_numpy(stream.weight > 0).nonzero().squeeze(1)
    layers, embedding = model.model.layers, model.model.embed_tokens.weight
    x = F.embedding(ids, embedding)

    def norm(x: Any, part: Any) -> Any:
        return F.rms_norm(x, (x.shape[-1],), part.weight, config.rms_norm_eps).to(half)

    for number, layer in enumerate(layers):
        own = layer.self_attn
        joined = torch.cat((own.q_proj.weight, own.k_proj.weight, own.v_proj.weight)).to(half)
        q, k, v = F.linear(norm(x, layer.input_layernorm), joined).view(-1, 3, heads, size).permute(1, 2, 0, 3).contiguous().unbind(0)
        mixed = attend(rotate(q, cos, sin), rotate(k, cos, sin), v, stream, runs)
        if number == len(layers) - 1:  # a token is predicted from the one before it
            mixed, x = mixed[at - 1], x[at - 1]
        x = x + F.linear(mixed, own.o_proj.weight.to(half))
        gate, up = F.linear(norm(x, layer.post_attention_layernorm), torch.cat((layer.mlp.gate_proj.weight, layer.mlp.up_proj.weight)).to(half)).chunk(2, dim=-1)
        x = x + F.linear(F.silu(gate) * up, layer.mlp.down_proj.weight.to(half))
    logits = F.linear(norm(x, model.model.norm), embedding.to(half))
    weight = torch.from_numpy(stream.weight).float()[at]
    return (F.cross_entropy(logits.float(), ids[at], reduction="none") * weight).sum() / weight.sum()
