"""What a claim is, what was found of it, and when it held. It calls nothing held or refuted that an interval leaves open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from rung.types import Interval

if TYPE_CHECKING:
    from rung.climb import Climb, Measured
    from rung.workspace.workspace import Progress, Workspace

Outcome = Literal["held", "did not hold", "not settled", "not measured"]


@dataclass(frozen=True)
class Scene:
    """Where claims are measured: a project, its last climb, and how to say what is being done."""

    ws: Workspace
    climb: Climb
    progress: Progress

    def ran(self, *names: str) -> dict[str, Measured]:
        """Those of the rungs that the climb measured, in the order of the names."""
        there = {one.summary.name: one for one in self.climb.rungs if one.summary.ran}
        return {name: there[name] for name in names if name in there}


@dataclass(frozen=True)
class Finding:
    """What was measured, in words and as an interval, and what that says of the claim; or why it can't be said here."""

    outcome: Outcome
    measured: str
    interval: Interval | None = None


@dataclass(frozen=True)
class Claim:
    """A headline, who says so, and the function that measures it. A heavy one climbs or trains anew, so it must be asked for."""

    name: str
    sentence: str
    source: str
    measure: Callable[[Scene], Finding]
    heavy: bool = False


def unmeasured(why: str) -> Finding:
    """The claim has nothing to be measured on here."""
    return Finding("not measured", why)


def judged(measured: str, found: Interval, low: float, high: float) -> Finding:
    """Held where the whole interval lies in [low, high], not where none of it does, and not settled in between."""
    within, outside = low <= found.low and found.high <= high, found.high < low or high < found.low
    return Finding("held" if within else "did not hold" if outside else "not settled", measured, found)


def values(one: Measured, part: str = "") -> dict[str, float]:
    """Case id → its score, or that part of it, for the cases that have it."""
    return {score.case: score.parts[part] if part else score.primary for score in one.scores if not part or part in score.parts}


def difference(after: Mapping[str, float], before: Mapping[str, float], scene: Scene) -> Interval:
    """The mean paired difference, `after` minus `before`, with its 95 % interval over groups."""
    from rung.measure.bootstrap import clusters_of, interval

    gained = {case: value - before[case] for case, value in after.items()}
    return interval(gained, clusters_of(scene.climb.cases), (-1.0, 1.0), scene.ws.config.project.seed)


def ratio(over: Mapping[str, float], under: Mapping[str, float], scene: Scene) -> Interval:
    """The ratio of two means of the same cases, its interval the percentiles of resampled groups. `under` must not be all 0."""
    import numpy as np

    from rung.measure.bootstrap import clusters_of, resampled, tabulate

    table = tabulate([over, under], clusters_of(scene.climb.cases))
    drawn = resampled(table, scene.ws.config.project.seed)
    drawn = drawn[drawn[:, 1] > 0]
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], (0.025, 0.975))
    mean = float(table.means[0] / table.means[1])
    return Interval(mean, min(mean, float(low)), max(mean, float(high)), len(over), len(table.sizes))


def share(found: Interval) -> str:
    """An interval as percent."""
    return f"{100 * found.estimate:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f})"


def points(found: Interval) -> str:
    """A difference as points."""
    return f"{100 * found.estimate:+.1f} points ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def both(first: Finding, second: Finding) -> Finding:
    """A claim with two halves: held where both did, refuted where one was."""
    order: tuple[Outcome, ...] = ("did not hold", "not measured", "not settled", "held")
    worse = min((first, second), key=lambda one: order.index(one.outcome))
    return replace(worse, measured=f"{first.measured}; {second.measured}", interval=worse.interval or first.interval)
