"""Makes probabilities honest on rows set aside: a temperature, the error that is left, and where to stop believing. It trains nothing.

Temperature scaling and the expected calibration error are Guo et al. 2017 (arXiv 1706.04599).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rung.types import Vectors

GOLDEN = (math.sqrt(5) - 1) / 2


def temperature(logits: Vectors, gold: Sequence[int]) -> float:
    """The T in [1/20, 20] that makes the labels `gold` likeliest under softmax(logits / T); logits of shape (rows, labels).

    A label counts (n + 1) / (n + 2) and the rest is spread over all (Platt 1999): where n rows are all right, the likeliest T is
    not 0. The loss has one minimum in 1 / T, so golden-section search on log T finds it.
    """
    low, high = -math.log(20), math.log(20)
    for _ in range(60):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        if _loss(logits, gold, math.exp(left)) < _loss(logits, gold, math.exp(right)):
            high = right
        else:
            low = left
    return math.exp((low + high) / 2)


def _loss(logits: Vectors, gold: Sequence[int], t: float) -> float:
    import numpy as np

    scaled = logits.astype(np.float64) / t
    top = scaled.max(1, keepdims=True)
    every = top[:, 0] + np.log(np.exp(scaled - top).sum(1))
    slip = 1 / (len(gold) + 2)
    return float((every - (1 - slip) * scaled[np.arange(len(gold)), list(gold)] - slip * scaled.mean(1)).mean())


def calibration_error(confidences: Sequence[float], right: Sequence[bool], bins: int = 15) -> float:
    """Σ over bins of equal width: share of the rows × |share right - mean confidence|; 0 without rows."""
    kept: dict[int, list[tuple[float, bool]]] = {}
    for confidence, hit in zip(confidences, right, strict=True):
        kept.setdefault(min(bins - 1, int(confidence * bins)), []).append((confidence, hit))
    gaps = (abs(sum(hit for _, hit in rows) - math.fsum(confidence for confidence, _ in rows)) for rows in kept.values())
    return math.fsum(gaps) / len(confidences) if confidences else 0.0


def threshold(confidences: Sequence[float], right: Sequence[bool], others: Sequence[float]) -> float:
    """The lowest confidence to believe: the most rows right, where one of `others` is right if it is not believed.

    `others` are confidences on texts that fit no label. Without any there is nothing to weigh, and everything is believed (0).
    """
    if not others:
        return 0.0
    seen = sorted({0.0, *confidences, *others})
    cuts = [0.0, *((a + b) / 2 for a, b in pairwise(seen)), seen[-1] + 1e-6]
    hits, off = sorted(one for one, hit in zip(confidences, right, strict=True) if hit), sorted(others)
    return max(cuts, key=lambda cut: (len(hits) - bisect_left(hits, cut) + bisect_left(off, cut), -cut))
