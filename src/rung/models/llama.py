"""The forward pass of Llama and its like on a CPU, laid out for speed: many prompts in one pass, weights packed by oneDNN.

It refuses every model whose arithmetic is not exactly that of transformers' `LlamaForCausalLM`, and models so large that a
packed copy of their weights for each adapter costs too much: those run as transformers has them. Prompts stand in one line
without padding, each piece attends to its own prompt alone, and a row of a matrix product has the same bits whatever the
other rows are (measured for oneDNN from two rows on, for MKL from four), so an answer depends on its prompt alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

from rung.models.adapters import Adapters
from rung.models.attention import attend_one
from rung.models.forward import COLUMNS, ROWS, Piece, rounded

if TYPE_CHECKING:
    from rung.models.keyvalues import Slots

BLOCK = 32  # small, so that prompts which begin alike share almost all of it; attention loses a tenth against 64
CHUNK = 256  # tokens whose activations still lie in a core's cache
_ROPES = {"default", "linear", "llama3", "yarn"}  # whose angles don't depend on the prompt

Linear = Callable[[torch.Tensor], torch.Tensor]
Mix = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Layer:
    """Linear layers (tokens, in) → (tokens, out); queries, keys and values are one, gate and up are one."""

    before: torch.Tensor
    qkv: Linear
    out: Linear
    after: torch.Tensor
    gate_up: Linear
    down: Linear


@dataclass(frozen=True)
class Weights:
    """All that depends on the adapter."""

    layers: list[Layer]
    head: Linear


def suits(model: Any, limit: int) -> bool:
    """Whether `LlamaForward` computes what this model does, with four sets of weights within `limit` bytes."""
    config = model.config
    plain = config.model_type == "llama" and config.hidden_act == "silu" and not config.attention_bias and not config.mlp_bias
    if not plain or model.device.type != "cpu" or model.dtype != torch.float32:
        return False
    rope = (config.rope_parameters or {}).get("rope_type", "default")
    return rope in _ROPES and 4 * sum(weight.nbytes for weight in model.parameters()) <= limit


def pack(weight: torch.Tensor) -> Linear:
    """x ↦ x · weightᵀ for x of shape (rows, in), by oneDNN where it is there: on AMD it is more than twice as fast as MKL,
    packing once saves packing at every call, and torch's compiler relies on the same operator."""
    if not torch._C._has_mkldnn or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return lambda x: F.linear(x, weight)
    packed, run = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), None), torch.ops.mkldnn._linear_pointwise.default
    return lambda x: run(x, packed, None, "none", [], "")


class LlamaForward:
    """A `Forward`. One set of packed weights an adapter is kept, within `limit` bytes; an evicted one is made again."""

    block, appetite = BLOCK, 4 * CHUNK

    def __init__(self, model: Any, adapters: Adapters, window: int, limit: int) -> None:
        config = model.config
        self._model, self._adapters, self._limit = model, adapters, limit
        self._set_bytes = sum(weight.nbytes for weight in model.parameters())
        self._sets: OrderedDict[str, Weights] = OrderedDict()
        self._heads, self._key_heads = config.num_attention_heads, config.num_key_value_heads
        self._size = getattr(config, "head_dim", None) or config.hidden_size // self._heads
        self._turns = _turns(model, window, self._size)
        self._future = torch.full((BLOCK, BLOCK), float("-inf")).triu(1)  # added to scores of what comes later

    def use(self, adapter: str) -> None:
        """Answer with this adapter from now on; "" is the bare base model."""
        if adapter not in self._sets:
            while self._sets and (len(self._sets) + 1) * self._set_bytes > self._limit:
                self._sets.popitem(last=False)
            self._sets[adapter] = self._packed(adapter)
        self._sets.move_to_end(adapter)

    def drop(self, adapter: str) -> None:
        self._sets.pop(adapter, None)

    def _packed(self, adapter: str) -> Weights:
        def joined(number: int, names: str) -> Linear:
            return pack(torch.cat([self._weight(adapter, f"model.layers.{number}.{name}") for name in names.split()]))

        layers = [
            Layer(
                layer.input_layernorm.weight.detach(),
                joined(number, "self_attn.q_proj self_attn.k_proj self_attn.v_proj"),
                joined(number, "self_attn.o_proj"),
                layer.post_attention_layernorm.weight.detach(),
                joined(number, "mlp.gate_proj mlp.up_proj"),
                joined(number, "mlp.down_proj"),
            )
            for number, layer in enumerate(self._model.model.layers)
        ]
        return Weights(layers, pack(self._adapters.merged(adapter, "lm_head")))

    def _weight(self, adapter: str, name: str) -> torch.Tensor:
        """A merged weight. Queries come scaled, and where transformers turns the halves of a head against each other, here
        neighbours are turned, as complex numbers: the rows are put in that order."""
        weight = self._adapters.merged(adapter, name)
        if not name.endswith(("q_proj", "k_proj")):
            return weight
        turned = weight.view(-1, 2, self._size // 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)
        return turned * self._size**-0.5 if name.endswith("q_proj") else turned

    def read(self, pieces: Sequence[Piece]) -> torch.Tensor:
        """Fill in keys and values; the logits behind the pieces that end a prompt, shape (such pieces, vocabulary)."""
        logits, chunk, size = [], list[Piece](), 0
        for number, piece in enumerate(pieces):
            chunk.append(piece)
            size += len(piece.ids)
            if number + 1 == len(pieces) or size + len(pieces[number + 1].ids) > CHUNK:
                logits.append(self._read(chunk))
                chunk, size = [], 0
        return torch.cat(logits)

    def _read(self, pieces: list[Piece]) -> torch.Tensor:
        ids = [token for piece in pieces for token in piece.ids]
        positions = [piece.start + i for piece in pieces for i in range(len(piece.ids))]
        ends, end = [], 0
        for piece in pieces:
            end += len(piece.ids)
            if piece.name is None:
                ends.append(end - 1)

        def mix(layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            mixed, begin = torch.zeros_like(q), 0
            for piece in pieces:
                own = slice(begin, begin + len(piece.ids))
                mixed[own] = self._attend(piece, layer, q[own], k[own], v[own])
                begin = own.stop
            return mixed

        return self._run(ids, positions, mix, ends)

    def _attend(self, piece: Piece, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Causal attention of one piece, whose keys and values are written first: all of shape (n, heads, size)."""
        n, heads, size = q.shape
        keys, values = piece.slots.keys[layer][piece.row], piece.slots.values[layer][piece.row]
        end = piece.start + n
        keys[:, piece.start : end], values[:, piece.start : end] = k.transpose(0, 1), v.transpose(0, 1)
        shared = heads // self._key_heads
        queries = q.transpose(0, 1).reshape(self._key_heads, shared * n, size)
        scores = torch.bmm(queries, keys[:, :end].transpose(1, 2)).view(heads, n, end)
        scores[:, :, piece.start :] += self._future[:n, :n]
        weights = scores.softmax(-1).view(self._key_heads, shared * n, end)
        return torch.bmm(weights, values[:, :end]).view(heads, n, size).transpose(0, 1)

    def step(self, tokens: list[int], positions: list[int], slots: Slots) -> torch.Tensor:
        """Logits behind one more token for each of the first rows, at its position: (rows, vocabulary)."""
        n, columns = len(tokens), rounded(max(positions) + 1, COLUMNS)
        slots.grow(n, columns)
        rows, at = torch.arange(n), torch.tensor(positions)
        hidden = (torch.arange(columns) > at[:, None])[:, None, None]

        def mix(layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            keys, values = slots.keys[layer], slots.values[layer]
            keys[rows, :, at], values[rows, :, at] = k[:n], v[:n]
            mixed = torch.zeros_like(q)
            queries = q[:n].reshape(n, self._key_heads, -1, self._size)
            mixed[:n] = attend_one(queries, keys[:n, :, :columns], values[:n, :, :columns], hidden).flatten(1, 2)
            return mixed

        return self._run(tokens, positions, mix, list(range(n)))

    def _run(self, ids: list[int], positions: list[int], mix: Mix, wanted: list[int]) -> torch.Tensor:
        """Logits (wanted, vocabulary) of tokens that stand in one line; `mix` is the attention, of (tokens, heads, size)."""
        weights, model, spare = next(reversed(self._sets.values())), self._model.model, [0] * (-len(ids) % ROWS)
        heads, eps = self._heads + self._key_heads, self._model.config.rms_norm_eps
        turns = self._turns[torch.tensor(positions + spare)][:, None]
        kept = torch.tensor(wanted + wanted[:1] * (-len(wanted) % ROWS), dtype=torch.long)
        x = F.embedding(torch.tensor(ids + spare), model.embed_tokens.weight)
        for number, layer in enumerate(weights.layers):
            qkv = layer.qkv(_norm(x, layer.before, eps)).view(len(x), -1, self._size)
            torch.view_as_complex(qkv[:, :heads].view(len(x), heads, -1, 2)).mul_(turns)
            q, k, v = qkv.split_with_sizes((self._heads, self._key_heads, self._key_heads), 1)
            mixed = mix(number, q, k, v).flatten(1)
            if number + 1 == len(weights.layers):  # from here on, nothing but the answered tokens counts
                if not wanted:
                    return x.new_empty(0, self._model.lm_head.out_features)
                mixed, x = mixed[kept], x[kept]
            x = layer.out(mixed).add_(x)
            gate, up = layer.gate_up(_norm(x, layer.after, eps)).chunk(2, 1)
            x = layer.down(F.silu(gate).mul_(up)).add_(x)
        return weights.head(_norm(x, model.norm.weight, eps))[: len(wanted)]


def _norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    return F.rms_norm(x, weight.shape, weight, eps)


def _turns(model: Any, window: int, size: int) -> torch.Tensor:
    """Rotary position embedding (arXiv 2104.09864) as transformers computes it, as complex numbers (window, size / 2)."""
    cos, sin = model.model.rotary_emb(torch.zeros(1), torch.arange(window)[None])
    return torch.complex(cos[0, :, : size // 2], sin[0, :, : size // 2])
