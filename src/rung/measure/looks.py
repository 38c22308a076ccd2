"""When a climb that may stop early looks at what it has, how much of the error each look may spend, and whether it may be the last.

Looks are taken when a quarter, half, three quarters and all of the clusters have been asked, in an order drawn by the seed. Each
look has a fixed part of alpha (Bonferroni over looks; Lan & DeMets, 1983, "Discrete sequential boundaries for clinical trials",
call it spending): a p value is divided by its look's part, which is valid for any test, with clusters and ties, whatever made the
climb stop. Three quarters are kept for the last look, so that going on to the end costs about 9 % more cases than one look would.

Whether a rung is on one side of the bar is told by betting (Waudby-Smith & Ramdas, 2024, "Estimating means of bounded random
variables by betting"; Ville, 1939): capital that grows K / alpha-fold against "its share is at the bar" is an accident in alpha / K
of all climbs, with any number of clusters and of looks. It refuses to stop for seconds or costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

from rung.types import Case, Verdict

WEIGHTS = (0.04, 0.08, 0.13, 0.75)  # of alpha, look by look
FEWEST = 8  # clusters, below which a part of them says nothing
BETS = 24  # stakes that the capital is spread over
BOLDEST = 0.95  # of the stake that could lose everything


def portions(cases: Sequence[Case], clusters: Mapping[str, str], seed: int = 0) -> list[list[Case]]:
    """The cases that are asked before each look, clusters whole and in random order, so that each part is a fair sample.

    Each portion is in order of id. One portion where there are fewer than FEWEST clusters.
    """
    members: dict[str, list[Case]] = {}
    for case in sorted(cases, key=lambda one: one.id):
        members.setdefault(clusters[case.id], []).append(case)
    names = in_order_asked(clusters, [case.id for case in cases], seed)
    if len(names) < FEWEST:
        return [sorted(cases, key=lambda one: one.id)]
    cuts = [round(len(names) * number / len(WEIGHTS)) for number in range(len(WEIGHTS) + 1)]
    parts = [names[start:end] for start, end in pairwise(cuts)]
    return [sorted((case for name in part for case in members[name]), key=lambda one: one.id) for part in parts]


def in_order_asked(clusters: Mapping[str, str], ids: Sequence[str], seed: int) -> list[str]:
    """The clusters of these cases in their random order; a cluster's place doesn't depend on the others that are there."""
    return sorted({clusters[one] for one in ids}, key=lambda name: (Random(f"{seed}/{name}").random(), name))


def known(asked: Sequence[Sequence[Case]]) -> list[frozenset[str]]:
    """The ids known at each look, for the portions that were asked."""
    found: list[frozenset[str]] = []
    for part in asked:
        found.append((found[-1] if found else frozenset()) | {case.id for case in part})
    return found


def weight(looks: Sequence[object]) -> float:
    """The part of alpha of the last of these looks; all of it where there were no looks."""
    return WEIGHTS[len(looks) - 1] if looks else 1.0


@dataclass(frozen=True)
class Asked:
    """The cases in the parts they are asked in, and how many parts were."""

    portions: Sequence[Sequence[Case]]
    looks: int

    @property
    def cases(self) -> tuple[Case, ...]:
        """Those that were asked, in order of id."""
        return tuple(sorted((case for part in self.portions[: self.looks] for case in part), key=lambda case: case.id))

    @property
    def known(self) -> list[frozenset[str]]:
        """The ids known at each look; empty where there was one look at all of them."""
        return known(self.portions[: self.looks]) if len(self.portions) > 1 else []

    def told(self) -> str:
        """When the climb stopped."""
        whole, looks = sum(map(len, self.portions)), len(self.portions)
        if looks == 1:
            return "no: too few groups of cases to look at a part of them"
        if self.looks == looks:
            return f"no: {looks} looks, and the choice was not certain before the last"
        return f"at look {self.looks} of {looks}, after {len(self.cases):,} of {whole:,} cases; {whole - len(self.cases):,} were not asked"

    def said(self, verdict: Verdict) -> Verdict:
        """The verdict, its sentence with when the climb stopped."""
        if self.looks == len(self.portions):
            return verdict
        whole = sum(map(len, self.portions))
        return replace(verdict, sentence=f"{verdict.sentence}; stopped early: {len(self.cases):,} of {whole:,} cases made it certain")


def capital(scores: Mapping[str, float], clusters: Mapping[str, str], bar: float, largest: int, seed: int = 0) -> tuple[float, float]:
    """What a gambler holds who bet 1 on "above the bar" and 1 on "below it", cluster by cluster in the order they were asked.

    `largest` is the size of the largest cluster of all, known before any score is. Each stake is fixed beforehand, which makes
    each a martingale where the share is at the bar, whatever the clusters' sizes and correlations are; so is their mean.
    """
    gain, size = dict[str, float](), dict[str, int]()
    for case in sorted(scores):
        gain[clusters[case]] = gain.get(clusters[case], 0.0) + scores[case] - bar
        size[clusters[case]] = size.get(clusters[case], 0) + 1
    gains = [gain[name] / largest for name in in_order_asked(clusters, list(scores), seed)]
    return _grown(gains, bar), _grown([-one for one in gains], 1 - bar)


def _grown(gains: Sequence[float], worst: float) -> float:
    held = [1.0] * BETS
    for gain in gains:
        held = [one * (1 + BOLDEST * (bet + 1) / BETS / max(worst, 1e-3) * gain) for bet, one in enumerate(held)]
    return sum(held) / BETS


def settled(capitals: Sequence[tuple[float, float]], alpha: float) -> bool:
    """Whether the lowest rung that meets the bar is certain: those below it are below the bar, and it is not; or all are below.

    `capitals` are of the rungs within the limits, in the order of the ladder; false in at most alpha of all climbs.
    """
    enough = len(capitals) / alpha
    for above, below in capitals:
        if above >= enough:
            return True
        if below < enough:
            return False
    return True
