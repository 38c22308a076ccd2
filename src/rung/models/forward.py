"""The forward pass as transformers has it, for every architecture and device, over our buffers of keys and values.

It refuses to read two prompts in one pass: a piece of a prompt is a pass of its own, so that nothing stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rung.models.adapters import Adapters
from rung.models.keyvalues import Line, Slots, Step

if TYPE_CHECKING:
    import torch

ROWS, COLUMNS, TOKENS = 4, 64, 8  # what steps and reading are rounded up to


@dataclass(frozen=True)
class Piece:
    """Neighbouring tokens of one prompt, whose keys and values belong into a row of the buffers from `start` on.

    All that lies before `start` is there already, or is an earlier piece of the same pass.
    """

    ids: Sequence[int]
    slots: Slots
    row: int
    start: int
    name: bytes | None  # of a whole block that can be kept; None for the prompt's end, whose last token is answered


class Forward(Protocol):
    """A causal language model. What it computes for a prompt may not depend on what it is given beside it."""

    @property
    def block(self) -> int:
        """Tokens that are read and kept together. Prompts share whole blocks only, so that each is computed in one way."""
        ...

    @property
    def appetite(self) -> int:
        """About so many tokens of prompts are best read in one pass."""
        ...

    def use(self, adapter: str) -> None:
        """Answer with this adapter from now on; "" is the bare base model."""
        ...

    def drop(self, adapter: str) -> None:
        """Free what was prepared for this adapter."""
        ...

    def read(self, pieces: Sequence[Piece]) -> torch.Tensor:
        """Fill in keys and values; the logits behind the pieces that end a prompt, shape (such pieces, vocabulary)."""
        ...

    def step(self, tokens: list[int], positions: list[int], slots: Slots) -> torch.Tensor:
        """Logits behind one more token for each of the first rows, at its position: (rows, vocabulary)."""
        ...


@dataclass(frozen=True)
class PlainForward:
    """Any causal language model of transformers, with adapters as hooks."""

    model: Any
    adapters: Adapters
    appetite: int = 1

    @property
    def block(self) -> int:
        """A CPU is about as fast with 64 tokens as with more, a GPU is not."""
        return 64 if self.model.device.type == "cpu" else 256

    def use(self, adapter: str) -> None:
        self.adapters.use(adapter)

    def drop(self, adapter: str) -> None:
        """Nothing was prepared."""

    def read(self, pieces: Sequence[Piece]) -> torch.Tensor:
        import torch

        logits = [(piece, self._read(piece)) for piece in pieces]
        return torch.stack([last for piece, last in logits if piece.name is None])

    def _read(self, piece: Piece) -> torch.Tensor:
        import torch

        device, spare = self.model.device, -len(piece.ids) % TOKENS  # spare tokens come last, where nothing looks at them
        columns = torch.arange(piece.start + len(piece.ids) + spare, device=device)
        seen = columns[None, :] <= columns[piece.start :, None]
        tokens = torch.tensor([[*piece.ids, *[0] * spare]], device=device)
        line = Line(piece.slots, piece.row, piece.start)
        return self._run(tokens, columns[None, piece.start :], seen[None, None], line, TOKENS)[0, TOKENS - 1 - spare]

    def step(self, tokens: list[int], positions: list[int], slots: Slots) -> torch.Tensor:
        import torch

        device, spare = self.model.device, -len(tokens) % ROWS
        columns = rounded(max(positions) + 1, COLUMNS)
        slots.grow(len(tokens) + spare, columns)
        ids, at = torch.tensor([tokens + [0] * spare, positions + [0] * spare], device=device)
        seen = torch.arange(columns, device=device)[None, :] <= at[:, None]
        cache = Step(slots, torch.arange(len(ids), device=device), at, columns)
        return self._run(ids[:, None], at[:, None], seen[:, None, None], cache, 1)[: len(tokens), 0]

    def _run(self, ids: torch.Tensor, positions: torch.Tensor, seen: torch.Tensor, cache: Line | Step, keep: int) -> torch.Tensor:
        logits: torch.Tensor = self.model(
            input_ids=ids, attention_mask=seen, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=keep
        ).logits
        return logits


def rounded(number: int, multiple: int) -> int:
    """The next multiple that is no smaller."""
    return -(-number // multiple) * multiple
