"""A question and a text as windows of MiniLM's tokens, and the best span of their scores, for training and serving alike.

It refuses to cut a text: what a window can't hold stands in the next, which begins a stride further on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLS, SEP = 101, 102  # of BERT's uncased vocabulary
SIZE, STRIDE = 256, 128  # tokens of a window, and how far on the next one begins
ASKED = 64  # tokens of the question that are read
LONGEST = 40  # tokens of an answer


@dataclass(frozen=True)
class Window:
    """`[CLS] question [SEP] text [SEP]` as ids; token `first + i` of the text spans `offsets[i]`, in characters of the text."""

    ids: tuple[int, ...]
    first: int
    offsets: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Span:
    """Characters [start, end) of a text; `score` is the logarithm of its odds against there being no answer in the window."""

    text: int  # number of the text
    start: int
    end: int
    score: float


def windows(tokenizer: Any, question: str, text: str, size: int = SIZE, stride: int = STRIDE, skip: int = 0) -> Iterator[Window]:
    """The windows that cover the text. Its first `skip` characters are headings: read in each window and never quoted."""
    asked = tokenizer.encode(question, add_special_tokens=False).ids[:ASKED]
    encoded = tokenizer.encode(text, add_special_tokens=False)
    ids, offsets = encoded.ids, encoded.offsets
    head = sum(1 for _, end in offsets if end <= skip) if skip else 0
    above, ids, offsets = ids[:head][: size // 4], ids[head:], offsets[head:]
    room = size - len(asked) - len(above) - 3
    front = (CLS, *asked, SEP, *above)
    at = 0
    while True:
        part = slice(at, at + room)
        yield Window((*front, *ids[part], SEP), len(front), tuple(offsets[part]))
        if at + room >= len(ids):
            return
        at += min(stride, room)


def kinds(window: Window, asked: int = 0) -> list[int]:
    """BERT's token types: 0 up to the first separator, 1 behind it."""
    border = window.ids.index(SEP) + 1
    return [0] * border + [1] * (len(window.ids) - border)


def best(logits: NDArray[np.float32], window: Window, longest: int = LONGEST) -> tuple[float, int, int]:
    """(score, start, end) of the best span of at most `longest` tokens; `logits` (tokens, 2) are of start and end.

    The score is start + end less those of the first token, which stands for "no answer" (Devlin et al. 2019).
    """
    import numpy as np

    n = len(window.offsets)
    if not n:
        return float("-inf"), 0, 0
    here = logits[window.first : window.first + n] - logits[0]
    pairs = here[:, None, 0] + here[None, :, 1]
    allowed = np.triu(np.ones((n, n), bool)) & ~np.triu(np.ones((n, n), bool), longest)
    start, end = divmod(int(np.where(allowed, pairs, -np.inf).argmax()), n)
    return float(pairs[start, end]), window.offsets[start][0], window.offsets[end][1]


def covered(window: Window, start: int, end: int) -> tuple[int, int] | None:
    """The window's first and last token of the characters [start, end); None where they don't lie in it whole."""
    inside = [number for number, (a, b) in enumerate(window.offsets) if a < end and b > start]
    if not inside or window.offsets[inside[0]][0] > start or window.offsets[inside[-1]][1] < end:
        return None
    return window.first + inside[0], window.first + inside[-1]


def spread(spans: Sequence[Span]) -> list[float]:
    """The probability of each span where they and "no answer" share all of it: the softmax of the scores and of 0."""
    import math

    top = max([0.0, *(span.score for span in spans)])
    weights = [math.exp(span.score - top) for span in spans]
    total = sum(weights) + math.exp(-top)
    return [weight / total for weight in weights]
