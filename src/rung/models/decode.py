"""The decoding loop: prompts are read in blocks, then all are answered together, one token at a step.

It refuses to let rows touch each other: a block is always computed in the same way from the blocks before it, and the
forward pass gives a row the same bits whatever stands beside it and however many threads work. So a reply in float32
depends on its prompt alone. Greedy is the largest logit, sampling is drawn from (seed, prompt), and nothing else is on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

from rung.models.forward import COLUMNS, ROWS, Forward, Piece, rounded
from rung.models.keyvalues import Prefixes, Shape, Slots, block_names
from rung.models.pieces import Pieces
from rung.types import Reply, Settings, Usage

if TYPE_CHECKING:
    import torch


@dataclass
class Row:
    """One prompt while it is being answered."""

    ids: list[int]
    settings: Settings
    pieces: Pieces
    send: Callable[[str | Reply | Exception], None]
    gone: Callable[[], bool] = lambda: False  # whether nobody waits for the answer any more
    begun: float = 0.0
    cached: int = 0
    tokens: list[int] = field(default_factory=list)
    random: Random = field(default_factory=Random)

    def begin(self) -> None:
        """Start the clock, and this row's own randomness."""
        self.begun = time.perf_counter()
        self.random = Random(f"{self.settings.seed}/{sha256(str(self.ids).encode()).hexdigest()}")

    def end(self, finish: str) -> None:
        """Hand out what was held back, and the reply."""
        if piece := self.pieces.close():
            self.send(piece)
        usage = Usage(len(self.ids), len(self.tokens), self.cached)
        self.send(Reply(self.pieces.text, usage, time.perf_counter() - self.begun, "stop" if self.pieces.stopped else finish))


@dataclass(frozen=True)
class Decoder:
    """A causal language model with what its loop needs to know."""

    forward: Forward
    shape: Shape
    ends: frozenset[int]  # tokens that end a turn
    prefixes: Prefixes

    def names(self, row: Row, adapter: str) -> list[bytes]:
        """The names of a prompt's whole blocks."""
        return list(block_names(adapter, row.ids, self.forward.block))

    def read(self, rows: Sequence[Row], slots: Slots, first: int, adapter: str) -> torch.Tensor:
        """Read prompts into the slots from `first` on, from kept blocks where there are any; the logits of their last
        tokens, (rows, vocabulary)."""
        pieces = [piece for number, row in enumerate(rows) for piece in self._pieces(row, slots, first + number, adapter)]
        logits = self.forward.read(pieces)
        for piece in pieces:
            if piece.name is not None:
                self.prefixes.put(piece.name, slots.copy(piece.row, piece.start, piece.start + self.forward.block))
        return logits

    def _pieces(self, row: Row, slots: Slots, slot: int, adapter: str) -> list[Piece]:
        """What is left to read of a prompt when its kept blocks have been put in place."""
        import torch

        names, size, kept = self.names(row, adapter), self.forward.block, []
        for name in names:
            if (block := self.prefixes.get(name)) is None:
                break
            kept.append(block)
        if kept:
            slots.paste(slot, 0, torch.cat(kept, dim=2))
            row.cached = len(kept) * size
        starts = range(row.cached, len(names) * size, size)
        pieces = [
            Piece(row.ids[start : start + size], slots, slot, start, name) for start, name in zip(starts, names[len(kept) :], strict=True)
        ]
        return [*pieces, Piece(row.ids[len(names) * size :], slots, slot, len(names) * size, None)]

    def step(self, rows: Sequence[Row], slots: Slots) -> torch.Tensor:
        """Logits behind the last token of every row, shape (rows, vocabulary). Row i lies in slot i."""
        return self.forward.step([row.tokens[-1] for row in rows], [len(row.ids) + len(row.tokens) - 1 for row in rows], slots)


class Batch:
    """Prompts of one adapter that are answered together. Whoever ends makes room for one that waits."""

    def __init__(self, decoder: Decoder, adapter: str, most: int, limit: int) -> None:
        self.adapter = adapter
        self.waiting: deque[Row] = deque()
        self._decoder, self._most, self._limit = decoder, most, limit
        self._slots = Slots(decoder.shape)
        self._rows: list[Row] = []

    def everyone(self) -> list[Row]:
        """Rows that are being answered or wait to be."""
        return [*self._rows, *self.waiting]

    def advance(self) -> bool:
        """Read prompts that wait, if there is room, or else give every row its next token; False when all is done."""
        for index in reversed(range(len(self._rows))):
            if self._rows[index].gone():
                self._leave(index)
        while self.waiting and self.waiting[0].gone():
            self.waiting.popleft()
        if joining := self._joining():
            self._join(joining)
        elif self._rows:
            tokens = choose(self._decoder.step(self._rows, self._slots), self._rows)
            for index in reversed(range(len(tokens))):
                if self._ended(self._rows[index], tokens[index]):
                    self._leave(index)
        return bool(self._rows or self.waiting)

    def _joining(self) -> list[Row]:
        """The next prompts to read in one pass. One whose next block is being read for another prompt waits for it."""
        prefixes, joining, read, tokens = self._decoder.prefixes, list[Row](), set[bytes](), 0
        for row in self.waiting:
            full = joining and tokens >= self._decoder.forward.appetite
            if full or row.gone() or not self._has_room(row, joining):
                break
            names = self._decoder.names(row, self.adapter) if prefixes.limit else []
            missing = [name for name in names if not prefixes.holds(name)]
            if missing and missing[0] in read:
                break
            joining.append(row)
            read.update(missing)
            tokens += len(row.ids) - (len(names) - len(missing)) * self._decoder.forward.block
        return joining

    def _has_room(self, row: Row, joining: list[Row]) -> bool:
        rows = [row, *joining, *self._rows]
        columns = max(len(one.ids) + one.settings.max_tokens for one in rows)
        return len(rows) == 1 or (len(rows) <= self._most and len(rows) * columns * self._decoder.shape.token_bytes() <= self._limit)

    def _join(self, rows: list[Row]) -> None:
        columns = max(len(row.ids) + min(row.settings.max_tokens, 4 * COLUMNS) for row in rows)
        most = min(len(self._rows) + len(self.waiting), self._most)  # as many at once as will come, growing is a copy
        self._slots.grow(rounded(most, ROWS), rounded(columns, COLUMNS))
        for row in rows:
            row.begin()
        first = len(self._rows)
        logits = self._decoder.read(rows, self._slots, first, self.adapter)
        for row in rows:
            self.waiting.popleft()
            self._rows.append(row)
        tokens = choose(logits, rows)
        for index in reversed(range(len(rows))):
            if self._ended(rows[index], tokens[index]):
                self._leave(first + index)

    def _leave(self, index: int) -> None:
        """Put the last row into the slot of one that has ended: one copy, whatever the number of rows."""
        last = self._rows.pop()
        if index != len(self._rows):
            self._slots.move(len(self._rows), index, len(last.ids) + len(last.tokens))
            self._rows[index] = last

    def _ended(self, row: Row, token: int) -> bool:
        """Give a row its token and hand out the text; True when that was the last."""
        if token in self._decoder.ends:
            row.end("stop")
            return True
        row.tokens.append(token)
        if piece := row.pieces.push(token):
            row.send(piece)
        if row.pieces.stopped or len(row.tokens) >= row.settings.max_tokens:
            row.end("length")
            return True
        return False


def choose(logits: torch.Tensor, rows: Sequence[Row]) -> list[int]:
    """The next token of each row: the largest logit, or a draw from softmax(logits / temperature)."""
    import torch

    tokens: list[int] = logits.argmax(dim=-1).tolist()
    for index, row in enumerate(rows):
        if row.settings.temperature > 0:
            weights = torch.softmax(logits[index].to("cpu", torch.float64) / row.settings.temperature, dim=-1).cumsum(0)
            drawn = torch.searchsorted(weights, row.random.random() * weights[-1].item(), right=True)
            tokens[index] = min(int(drawn), weights.shape[0] - 1)
    return tokens
