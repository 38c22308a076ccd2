"""The claim on money: the volume from which tuning is paid back. Prices are the tariff's; only tokens and seconds are measured."""

from __future__ import annotations

from rung.claims.claim import Claim, Finding, Scene, unmeasured
from rung.claims.speed import GUIDES

A_DAY = 100_000


def break_even(scene: Scene) -> Finding:
    """Questions a day from which `tuned` is cheaper than `rag` over the months of the tariff, tokens paid as a host sells them."""
    from rung.costing import costs_of
    from rung.costs.arithmetic import DAYS

    if len(scene.ran("rag", "tuned")) < 2:
        return unmeasured("rag and tuned were not both climbed")
    found = costs_of(scene.ws, scene.climb, None, A_DAY, None, "yes")
    crossing = next((one for one in found.crossings if (one.before, one.after) == ("rag", "tuned")), None)
    if crossing is None:
        total = {one.name: one.total.estimate or 0.0 for one in found.rungs}
        said = (
            f"no crossing: in {found.months:g} months tuned costs {total['tuned']:,.0f} and rag {total['rag']:,.0f} {found.tariff.currency}"
        )
        return Finding("held" if total["tuned"] < total["rag"] else "did not hold", f"{said} at {A_DAY:,} a day")
    at, low, high = (None if one is None else one / DAYS for one in (crossing.volume.estimate, crossing.volume.low, crossing.volume.high))
    said = f"from {_number(at)} questions a day ({_number(low)} to {_number(high)}) over {found.months:g} months"
    if high is not None and high <= A_DAY:
        return Finding("held", said)
    return Finding("did not hold" if low is None or low > A_DAY else "not settled", said)


def _number(told: float | None) -> str:
    return "never" if told is None else f"{told:,.0f}"


CLAIMS = (Claim("break-even", "At 100,000 questions a day tuning has paid its cost up front back against RAG.", GUIDES, break_even),)
