"""The decoding loop: each prompt is read by itself, in blocks, then all are answered together, one token at a step.

It refuses to let rows touch each other. A prompt is read alone; steps run in multiples of four rows and 64 columns, where
a CPU's matrix products (measured with MKL) give a row the same bits whatever stands beside it and however many threads
work; `attention` sees to the rest. So a reply in float32 depends on its prompt alone. Greedy is the largest logit,
sampling is drawn from (seed, prompt), and nothing else is on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any

from rung.models.keyvalues import Line, Prefixes, Shape, Slots, Step, block_names
from rung.models.pieces import Pieces
from rung.types import Reply, Settings, Usage

if TYPE_CHECKING:
    import torch

ROWS, COLUMNS, TOKENS = 4, 64, 8  # what steps and reading are rounded up to


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
    """A causal language model of transformers with what its loop needs to know."""

    model: Any
    shape: Shape
    ends: frozenset[int]  # tokens that end a turn
    prefixes: Prefixes

    def read(self, row: Row, line: Line, adapter: str) -> torch.Tensor:
        """Fill a line with a prompt, from kept blocks where there are any; the logits of its last token, (vocabulary,)."""
        missing, size = False, self.shape.block
        for name in block_names(adapter, row.ids, size):
            block = None if missing else self.prefixes.get(name)
            if block is not None:
                line.paste(block)
                row.cached += size
                continue
            missing = True
            start = line.length
            self._read_on(row.ids[start : start + size], line)
            self.prefixes.put(name, line.copy(start, start + size))
        return self._read_on(row.ids[line.length :], line)

    def _read_on(self, ids: list[int], line: Line) -> torch.Tensor:
        import torch

        device, spare = self.shape.device, -len(ids) % TOKENS  # spare tokens come last, where nothing looks at them
        columns = torch.arange(line.length + len(ids) + spare, device=device)
        seen = columns[None, :] <= columns[line.length :, None]
        tokens = torch.tensor([ids + [0] * spare], device=device)
        logits = self._run(tokens, columns[None, line.length :], seen[None, None], line, TOKENS)
        line.length += len(ids)
        return logits[0, TOKENS - 1 - spare]

    def step(self, rows: Sequence[Row], slots: Slots) -> torch.Tensor:
        """Logits behind the last token of every row, shape (rows, vocabulary). Row i lies in slot i."""
        import torch

        device, spare = self.shape.device, -len(rows) % ROWS
        lengths = [len(row.ids) + len(row.tokens) - 1 for row in rows]
        slots.grow(len(rows) + spare, -(-(max(lengths) + 1) // COLUMNS) * COLUMNS)
        positions = torch.tensor(lengths + [0] * spare, device=device)
        columns = -(-(max(lengths) + 1) // COLUMNS) * COLUMNS
        seen = torch.arange(columns, device=device)[None, :] <= positions[:, None]
        tokens = torch.tensor([[row.tokens[-1]] for row in rows] + [[0]] * spare, device=device)
        cache = Step(slots, torch.arange(len(rows) + spare, device=device), positions, columns)
        return self._run(tokens, positions[:, None], seen[:, None, None], cache, 1)[: len(rows), 0]

    def _run(self, ids: torch.Tensor, positions: torch.Tensor, seen: torch.Tensor, cache: Line | Step, keep: int) -> torch.Tensor:
        logits: torch.Tensor = self.model(
            input_ids=ids, attention_mask=seen, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=keep
        ).logits
        return logits


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
        """Read one prompt that waits, if there is room, or else give every row its next token; False when all is done."""
        for index in reversed(range(len(self._rows))):
            if self._rows[index].gone():
                self._leave(index)
        while self.waiting and self.waiting[0].gone():
            self.waiting.popleft()
        if self.waiting and self._has_room(self.waiting[0]):
            self._join(self.waiting.popleft())
        elif self._rows:
            tokens = choose(self._decoder.step(self._rows, self._slots), self._rows)
            for index in reversed(range(len(tokens))):
                if self._ended(self._rows[index], tokens[index]):
                    self._leave(index)
        return bool(self._rows or self.waiting)

    def _has_room(self, row: Row) -> bool:
        columns = max(len(one.ids) + one.settings.max_tokens for one in (row, *self._rows))
        size = (len(self._rows) + 1) * columns * self._decoder.shape.token_bytes()
        return not self._rows or (len(self._rows) < self._most and size <= self._limit)

    def _join(self, row: Row) -> None:
        row.begin()
        ahead = min(row.settings.max_tokens, 4 * COLUMNS)
        rows = min(len(self._rows) + 1 + len(self.waiting), self._most)  # as many at once as will come, growing is a copy
        self._slots.grow(-(-rows // ROWS) * ROWS, -(-(len(row.ids) + ahead) // COLUMNS) * COLUMNS)
        logits = self._decoder.read(row, Line(self._slots, len(self._rows)), self.adapter)
        if not self._ended(row, choose(logits[None], [row])[0]):
            self._rows.append(row)

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
