"""Keys and values of attention in buffers that are written in place, and blocks of them kept for prompts that begin alike.

It refuses nothing: callers see to it that what they put together belongs together.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

PAGE = 64 << 20  # bytes; what is so large the C library takes from the system, apart from all else


@dataclass(frozen=True)
class Shape:
    """What a model's attention needs: tensors are (rows, heads, columns, size) for each of `layers`."""

    layers: int
    heads: int
    size: int
    dtype: torch.dtype
    device: torch.device

    def token_bytes(self) -> int:
        """Bytes of keys and values of one token."""
        return 2 * self.layers * self.heads * self.size * self.dtype.itemsize


class Slots:
    """Room for several rows; row i's token j lies in column j, whatever the other rows hold.

    transformers' own DynamicCache copies everything it holds at every token; here a token is written in place.
    """

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self.rows = self.columns = 0
        self.keys: list[torch.Tensor] = []
        self.values: list[torch.Tensor] = []

    def grow(self, rows: int, columns: int) -> None:
        """See to it that there are so many rows and columns. Zeros, as what a mask hides is still multiplied."""
        import torch

        if rows <= self.rows and columns <= self.columns:
            return
        size = (max(rows, self.rows), self._shape.heads, max(columns, self.columns), self._shape.size)
        for held in (self.keys, self.values):
            for layer in range(self._shape.layers):
                wider = torch.zeros(size, dtype=self._shape.dtype, device=self._shape.device)
                if self.rows:
                    wider[: self.rows, :, : self.columns] = held[layer]
                    held[layer] = wider
                else:
                    held.append(wider)
        self.rows, self.columns = size[0], size[2]

    def move(self, source: int, target: int, columns: int) -> None:
        """Copy one row's first columns over another's."""
        for tensor in (*self.keys, *self.values):
            tensor[target, :, :columns] = tensor[source, :, :columns]

    def copy(self, row: int, start: int, end: int) -> torch.Tensor:
        """A copy of one row's columns, shape (2 · layers, heads, end - start, size)."""
        import torch

        return torch.stack([tensor[row, :, start:end] for tensor in (*self.keys, *self.values)])

    def paste(self, row: int, start: int, block: torch.Tensor) -> None:
        """Put what `copy` returned into a row, from column `start` on."""
        for tensor, part in zip((*self.keys, *self.values), block, strict=True):
            tensor[row, :, start : start + block.shape[2]] = part


class Line:
    """One row while its prompt is read, `length` tokens so far. Stands where transformers expects its Cache."""

    def __init__(self, slots: Slots, row: int, length: int) -> None:
        self._slots, self._row, self.length = slots, row, length

    def update(self, keys: torch.Tensor, values: torch.Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Called by each layer's attention: (1, heads, n, size) written behind `length`, all columns so far returned."""
        end, row = self.length + keys.shape[2], slice(self._row, self._row + 1)
        held = self._slots.keys[layer_idx], self._slots.values[layer_idx]
        held[0][row, :, self.length : end], held[1][row, :, self.length : end] = keys, values
        return held[0][row, :, :end], held[1][row, :, :end]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Asked by transformers."""
        return self.length


@dataclass(frozen=True)
class Step:
    """The first rows while each gets one more token, at its own position. Stands where transformers expects its Cache."""

    slots: Slots
    rows: torch.Tensor  # 0, 1, … n-1
    positions: torch.Tensor  # shape (n,)
    columns: int

    def update(self, keys: torch.Tensor, values: torch.Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Called by each layer's attention: (n, heads, 1, size) written at the positions, `columns` returned."""
        held = self.slots.keys[layer_idx], self.slots.values[layer_idx]
        held[0][self.rows, :, self.positions], held[1][self.rows, :, self.positions] = keys[:, :, 0], values[:, :, 0]
        n = keys.shape[0]
        return held[0][:n, :, : self.columns], held[1][:n, :, : self.columns]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Asked by transformers."""
        return self.columns - 1


class Prefixes:
    """Blocks of recent prompts, all of one shape, each under the hash of its adapter and of every token up to its end; the
    least recently used leave when `limit` bytes are full.

    A block is always computed by itself from the blocks before it, so whether it was found here or computed again
    changes nothing, down to the last bit. They lie side by side in pages, where a new one takes the place of one that
    left: kept each by itself among what comes and goes, they left holes of half their size.
    """

    def __init__(self, limit: int, page: int = PAGE) -> None:
        self.limit, self._page = limit, page
        self.size = 0  # bytes held
        self._blocks: OrderedDict[bytes, torch.Tensor] = OrderedDict()
        self._free: list[torch.Tensor] = []  # places of the last page that nothing was put into yet

    def get(self, name: bytes) -> torch.Tensor | None:
        """The block of that name, which counts as used. It is to be read before the next one is put."""
        block = self._blocks.get(name)
        if block is not None:
            self._blocks.move_to_end(name)
        return block

    def holds(self, name: bytes) -> bool:
        """Whether the block of that name is kept, without using it."""
        return name in self._blocks

    def put(self, name: bytes, block: torch.Tensor) -> None:
        """Keep a copy of a block, at the price of the least recently used one."""
        if block.nbytes <= self.limit and name not in self._blocks:
            self._blocks[name] = self._place(block).copy_(block)

    def _place(self, block: torch.Tensor) -> torch.Tensor:
        if not self._free and self.size + block.nbytes > self.limit:
            return self._blocks.popitem(last=False)[1]
        if not self._free:
            self._free.extend(block.new_empty(max(1, min(self._page, self.limit - self.size) // block.nbytes), *block.shape))
        self.size += block.nbytes
        return self._free.pop()


def block_names(adapter: str, ids: Sequence[int], block: int) -> Iterator[bytes]:
    """The name of each whole block of a prompt, of `block` tokens each. Its last token is in none: that one has to be
    computed to be answered."""
    digest = hashlib.sha256(f"{adapter}/".encode())
    for start in range(0, (len(ids) - 1) // block * block, block):
        digest.update(array("q", ids[start : start + block]).tobytes())
        yield digest.copy().digest()
