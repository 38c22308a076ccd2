"""The verdict in plain English with its numbers; it words what was decided and decides nothing, and it never names a second."""

from __future__ import annotations

from math import isclose
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rung.measure.verdict import Limits
    from rung.types import Comparison, Interval, Summary


def percent(share: float, against: float | None = None) -> str:
    """A share as a percentage, with as many decimals as keep it from looking equal to `against` where it isn't."""
    for decimals in range(3):
        text = f"{100 * share:.{decimals}f} %"
        if against is None or isclose(share, against, abs_tol=1e-9) or text != f"{100 * against:.{decimals}f} %":
            return text
    return text


def points(difference: float) -> str:
    """A difference of shares in percentage points, without its sign."""
    size = 100 * abs(difference)
    if size < 1:
        return "less than 1 point"
    return f"{size:.0f} point{'' if round(size) == 1 else 's'}"


def right(interval: Interval, bar: float) -> str:
    """ "78 % right (71-84 %)"."""
    return f"{percent(interval.estimate, bar)} right ({100 * interval.low:.0f}-{100 * interval.high:.0f} %)"


def size(interval: Interval) -> str:
    """ "n = 105 in 13 groups"; the groups are named where they are fewer than the cases."""
    return f"n = {interval.n}" + (f" in {interval.clusters} groups" if interval.clusters < interval.n else "")


def cases(interval: Interval) -> str:
    """ "105 cases in 13 groups"."""
    return size(interval).removeprefix("n = ").replace(str(interval.n), f"{interval.n} case{'' if interval.n == 1 else 's'}", 1)


def sentence(
    summaries: Sequence[Summary],
    chosen: Summary | None,
    best: Sequence[Summary],
    comparisons: Sequence[Comparison],
    limits: Limits,
    broken: Mapping[str, Sequence[str]],
) -> str:
    """The verdict in one sentence or two."""
    if not best:
        failed = "; ".join(f"{one.name}: {one.note}" for one in summaries)
        return f"nothing was measured, since no rung could run ({failed or 'there are none'})"
    if chosen:
        return _met(chosen, best, comparisons, limits)
    return _unmet(summaries, best, comparisons, limits, broken)


def _met(chosen: Summary, best: Sequence[Summary], comparisons: Sequence[Comparison], limits: Limits) -> str:
    from rung.measure.stats import two_figures  # numpy comes with it

    bar, primary = percent(limits.bar), chosen.primary
    text = f"{chosen.name}: {right(primary, limits.bar)}, the lowest rung that clears {bar}"
    if primary.low >= limits.bar - 1e-9:
        text += "; its 95 % interval clears the bar, too"
    elif primary.estimate > limits.bar + 1e-9:
        needed = two_figures(max(primary.n + 1, primary.n * ((primary.estimate - primary.low) / (primary.estimate - limits.bar)) ** 2))
        confirm = "doesn't" if primary.n == 1 else "don't"
        text += f"; its interval reaches below the bar, so {cases(primary)} {confirm} confirm it (at this estimate about {needed:,} would)"
    else:
        text += f"; it stands on the bar, so {cases(primary)} can't say on which side it lies"
    top = max(best, key=lambda one: one.primary.estimate)
    if chosen.name not in {one.name for one in best}:
        by = f"{percent(top.primary.estimate, primary.estimate)}, {_p(_between(chosen, top, comparisons))}"
        text += f"; {top.name} is better still ({by})"
    elif len(comparisons) > 0:
        text += "; no rung is distinguishably better"
    return text + _good_enough(chosen, top, comparisons, limits)


def _good_enough(chosen: Summary, top: Summary, comparisons: Sequence[Comparison], limits: Limits) -> str:
    """Whether the lower rung is as good as the best one within the margin; "" where it is the best, or no margin is asked for."""
    if not limits.margin or top.primary.estimate <= chosen.primary.estimate:
        return ""
    if as_good(chosen, top, comparisons):
        return f"; it is as good as {top.name} within {points(limits.margin)}"
    return f"; that it is as good as {top.name} within {points(limits.margin)} is not shown"


def as_good(one: Summary, other: Summary, comparisons: Sequence[Comparison]) -> bool:
    """Whether a lower rung was shown to be as good as a higher one within the margin."""
    return any(found.as_good for found in comparisons if (found.first, found.second) == (one.name, other.name))


def _unmet(
    summaries: Sequence[Summary],
    best: Sequence[Summary],
    comparisons: Sequence[Comparison],
    limits: Limits,
    broken: Mapping[str, Sequence[str]],
) -> str:
    able = [one for one in summaries if one.ran and one.primary.estimate >= limits.bar - 1e-9]
    top = max(best, key=lambda one: one.primary.estimate)
    bar = percent(limits.bar)
    text = f"no rung clears {bar}"
    if able:
        named = "; ".join(f"{one.name} has {right(one.primary, limits.bar)}, but {' and '.join(broken[one.name])}" for one in able)
        text = f"no rung clears {bar} within the limits: {named}"
        if top in able:
            return text
    short = limits.bar - top.primary.estimate
    reach = "its interval does not reach the bar" if top.primary.high < limits.bar else "its interval reaches the bar"
    text += f"; {top.name} comes nearest with {right(top.primary, limits.bar)}, {points(short)} short ({reach}); {lacks(top, limits.bar)}"
    beside = [
        one.name + (f" (as good within {points(limits.margin)})" if as_good(one, top, comparisons) else "")
        for one in best
        if one is not top
    ]
    if beside:
        text += f"; not distinguishable from it at {size(top.primary)}: {', '.join(beside)}"
    if broken[top.name]:
        text += f"; besides, {' and '.join(broken[top.name])}"
    return text


def passed_over(
    one: Summary, chosen: Summary | None, best: Sequence[Summary], comparisons: Sequence[Comparison], limits: Limits, broken: Sequence[str]
) -> str:
    """Why this rung was not chosen."""
    if not one.ran:
        return f"could not run: {one.note}" if one.note else "could not run"
    clears = one.primary.estimate >= limits.bar - 1e-9
    if clears and broken:
        return f"{right(one.primary, limits.bar)} clears the bar, but {' and '.join(broken)}"
    if clears and chosen:
        return _above(one, chosen, comparisons, limits)
    text = f"{right(one.primary, limits.bar)}, {points(limits.bar - one.primary.estimate)} below the bar: {lacks(one, limits.bar)}"
    rival = chosen or max(best, key=lambda other: other.primary.estimate)
    if rival.name != one.name:
        apart = _between(rival, one, comparisons)
        text += "" if apart is None or apart.distinguishable else f"; {_untold(rival, apart)}"
    return text + (f"; besides, {' and '.join(broken)}" if broken else "")


def _above(one: Summary, chosen: Summary, comparisons: Sequence[Comparison], limits: Limits) -> str:
    """Why a rung that clears the bar, too, but stands higher on the ladder was not taken."""
    found = _between(chosen, one, comparisons)
    text = right(one.primary, limits.bar)
    if found is None or not found.distinguishable:
        text += f", {_untold(chosen, found)}" if found else ""
        text += f"; {chosen.name} is as good within {points(limits.margin)}" if as_good(chosen, one, comparisons) else ""
        dearer = limits.cost_per_1000 is not None and one.cost_per_1000 > chosen.cost_per_1000
        return text + ("; it costs more" if dearer else "") + f"; {chosen.name} stands lower on the ladder"
    better = (found.difference.estimate > 0) is (found.first == chosen.name)
    by = points(found.difference.estimate)
    if better:
        within = f", is as good within {points(limits.margin)}" if as_good(chosen, one, comparisons) else ""
        text += f", better than {chosen.name} by {by} ({_p(found)})"
        return f"{text}, but {chosen.name} clears the bar{within} and stands lower on the ladder"
    return f"{text}, worse than {chosen.name} by {by} ({_p(found)}) and higher on the ladder"


def _untold(rival: Summary, found: Comparison) -> str:
    d = found.difference
    sign = 1 if found.first == rival.name else -1
    low, high = sorted((sign * d.low, sign * d.high))
    by = f"{signed(sign * d.estimate)} points, {signed(low)} to {signed(high)}"
    return f"not distinguishable from {rival.name} at {size(d)} ({by}" + (
        f"; about {found.cases_needed:,} cases would tell)" if found.cases_needed else ")"
    )


def signed(difference: float) -> str:
    """Percentage points with their sign; 0 has none."""
    return f"{whole:+d}" if (whole := round(100 * difference)) else "0"


def lacks(one: Summary, bar: float) -> str:
    """What keeps a rung below the bar, by its parts: "facts right 12 %, form 98 %: knows the form, lacks the facts"."""
    parts = one.parts
    content = next((name for name in ("facts", "label", "field_f1") if name in parts), "")
    if not content:
        return "its parts don't say why"
    words = {"facts": "facts", "label": "label", "field_f1": "fields"}[content]
    shown = [f"{words} right {percent(parts[content])}"] + [f"{name} {percent(parts[name])}" for name in ("form", "valid") if name in parts]
    formal = min((parts[name] for name in ("form", "valid") if name in parts), default=None)
    text = f"{', '.join(shown)}: {_diagnosis(parts[content], formal, bar, words)}"
    found = parts.get("recall@k")
    if parts[content] < bar and found is not None:
        reads = found >= bar
        text += f"; retrieval brings {percent(found)} of the evidence"
        text += ", so it is the reading that falls short" if reads else ", so much is lost there"
    if parts.get("false_answer", 0.0) > 1 - bar + 1e-9:
        text += f"; it answers {percent(parts['false_answer'])} of the questions that have no answer"
    return text


def _diagnosis(content: float, formal: float | None, bar: float, words: str) -> str:
    thing = {"facts": "the facts", "label": "the labels", "fields": "the fields"}[words]
    missing = f"{_short(content, bar)} {thing}"
    if formal is None:
        return f"has {thing}, not the rest" if content >= bar else missing
    if content >= bar and formal >= bar:
        return f"has {thing} and the form, but too seldom in one answer"
    if formal >= bar:
        return f"knows the form, {missing}"
    return f"has {thing}, {_short(formal, bar)} the form" if content >= bar else f"{missing}, {_short(formal, bar)} the form"


def _short(share: float, bar: float) -> str:
    return "lacks" if share < bar / 2 else "is short of"


def _between(first: Summary, second: Summary, comparisons: Sequence[Comparison]) -> Comparison | None:
    wanted = {first.name, second.name}
    return next((one for one in comparisons if {one.first, one.second} == wanted), None)


def _p(found: Comparison | None) -> str:
    if found is None:
        return "not compared"
    return "p < 0.001" if found.p_adjusted < 0.001 else f"p = {found.p_adjusted:.2g}"
