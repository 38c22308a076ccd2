"""Whether an exported model says what its adapter says: the same questions, both answers, and a stated tolerance.

It refuses an export that read a prompt otherwise, whatever it answered: a wrong template or tokenizer shows there first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rung.types import Answer, Case, Score

if TYPE_CHECKING:
    from rung.models.runtimes import First

SHOWN = 5  # differing cases that are told


@dataclass(frozen=True)
class Tolerance:
    """How far an export may be from its adapter: greedy answers that must be the same, mean divergence, primary score."""

    same: float  # share of the cases, at least
    divergence: float  # mean KL of what comes first, adapter from export, in nats, at most
    score: float  # absolute difference of the mean primary score, at most


TOLERANCES = {
    "f32": Tolerance(0.98, 0.0005, 0.01),
    "f16": Tolerance(0.95, 0.002, 0.02),
    "bf16": Tolerance(0.90, 0.005, 0.02),
    "q8_0": Tolerance(0.80, 0.01, 0.03),
    "q4_k_m": Tolerance(0.50, 0.1, 0.05),
}


@dataclass(frozen=True)
class Differing:
    """A case that the two answer differently."""

    case: str
    adapter: str
    export: str


@dataclass(frozen=True)
class Agreement:
    """What was measured; `refused` says what is beyond the tolerance, empty where nothing is."""

    cases: int
    same: float
    divergence: float
    scores: tuple[float, float]  # adapter, export
    misread: int  # prompts of which the export read other tokens
    differing: tuple[Differing, ...]  # the first few
    tolerance: Tolerance
    refused: tuple[str, ...]


def agreement(
    cases: Sequence[Case],
    ours: Sequence[tuple[Answer, Score]],
    theirs: Sequence[tuple[Answer, Score]],
    firsts: tuple[Mapping[str, First], Mapping[str, First]],
    tolerance: Tolerance,
) -> Agreement:
    """Both sides' answers and scores in order of `cases`, and what each read and would say first, by prompt."""
    pairs = [(case.id, mine[0].text, other[0].text) for case, mine, other in zip(cases, ours, theirs, strict=True)]
    differing = [Differing(*one) for one in pairs if one[1] != one[2]]
    names = [name for name in firsts[0] if name in firsts[1]]
    misread = len(firsts[0]) - sum(firsts[0][name].ids == firsts[1][name].ids for name in names)
    diverged = [divergence(firsts[0][name], firsts[1][name]) for name in names]
    mean = sum(diverged) / len(diverged) if diverged else float("inf")
    means = tuple(sum(score.primary for _, score in side) / len(side) for side in (ours, theirs))
    same, apart = 1 - len(differing) / len(pairs), abs(means[0] - means[1])
    refused = []
    if misread:
        refused.append(f"it reads {misread} of {len(firsts[0])} prompts as other tokens: template or tokenizer differ")
    if same < tolerance.same:
        refused.append(f"{same:.1%} of its answers are the adapter's, at least {tolerance.same:.0%} must be")
    if not mean <= tolerance.divergence:  # also where it is no number
        refused.append(f"what it says first diverges by {mean:.4f} nats, at most {tolerance.divergence} is allowed")
    if apart > tolerance.score:
        refused.append(f"its score is {means[1]:.3f}, the adapter's {means[0]:.3f}; at most {tolerance.score} may lie between")
    return Agreement(len(pairs), same, mean, (means[0], means[1]), misread, tuple(differing[:SHOWN]), tolerance, tuple(refused))


def divergence(ours: First, theirs: First) -> float:
    """KL(ours || theirs) of the next token, in nats; infinite where the vocabularies differ."""
    import numpy as np

    if ours.logits.shape != theirs.logits.shape:
        return float("inf")
    mine, other = ours.logits.astype(np.float64), theirs.logits.astype(np.float64)
    with np.errstate(invalid="ignore"):  # no number is an answer too
        mine, other = mine - np.logaddexp.reduce(mine), other - np.logaddexp.reduce(other)
        return float((np.exp(mine) * (mine - other)).sum())
