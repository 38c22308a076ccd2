from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rung.errors import DataError
from rung.measure.plan import Variation, _chi_square, assumed, measured, needed, plan
from rung.types import Case


def power_of(n: int, difference: float, variance: float, level: float) -> float:
    """Of a two-sided paired t test, by the noncentral t distribution."""
    edge, shift = stats.t.ppf(1 - level / 2, n - 1), difference * (n / variance) ** 0.5
    return float(stats.nct.sf(edge, n - 1, shift) + stats.nct.cdf(-edge, n - 1, shift))


@pytest.mark.parametrize("difference", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("level", [0.05, 0.05 / 21])
@pytest.mark.parametrize("power", [0.8, 0.9, 0.95])
def test_the_number_of_cases_against_the_noncentral_t(difference: float, level: float, power: float) -> None:
    n = needed(difference, Variation(0.3, 1.0, ""), level, power)
    assert power_of(n, difference, 0.3, level) >= power - 0.004
    assert power_of(round(n * 0.93), difference, 0.3, level) < power + 0.005


def test_a_worked_example() -> None:
    # (1.95996 + 0.84162)² × 0.2 / 0.04² = 981.1 with the normal distribution; t of 982 degrees of freedom asks for a few more
    assert 981 < needed(0.04, Variation(0.2, 1.0, ""), 0.05, 0.8) < 986
    # sign flips of m clusters reach 2^(1 - m) at least: 6 for 5 %
    assert needed(1.0, Variation(0.001, 1.0, ""), 0.05, 0.8) == 6
    assert needed(1.0, Variation(0.001, 2.5, ""), 0.05, 0.8) == 15
    # rungs that agreed on all cases can't differ by 20 points and still agree: 0.2 × 0.8 is the least variance
    assert needed(0.2, Variation(0.001, 1.0, ""), 0.05, 0.8) == needed(0.2, Variation(0.16, 1.0, ""), 0.05, 0.8) > 30


def test_more_rungs_more_power_and_more_groups_ask_for_more() -> None:
    free = Variation(0.3, 1.0, "")
    two, five = plan(2, 100, 100, free), plan(5, 100, 100, free)
    assert (two.pairs, five.pairs) == (1, 10)
    for a, b in zip(two.needs, five.needs, strict=True):
        assert a.pair == a.best < b.pair < b.best
    assert five.tells["0.8"] < five.tells["0.9"] < five.tells["0.95"]
    (gap,) = [need.pair for need in plan(5, 100, 100, free, (five.tells["0.8"],)).needs if need.power == 0.8]
    assert gap <= 100
    assert plan(2, 4, 4, free).tells["0.8"] == 1.0  # four clusters tell nothing
    assert plan(2, 100, 100, free, alpha=0.0375).needs[0].pair > two.needs[0].pair


def test_groups_that_are_alike_weigh_as_kish_says() -> None:
    alone = [Case(f"c{n}", "q", "a") for n in range(40)]
    grouped = [Case(f"c{n}", "q", "a", group=f"g{n // 8}") for n in range(40)]
    assert assumed(alone, 0.8).variance == pytest.approx(0.32)
    assert assumed(grouped, 0.8).variance == pytest.approx(0.32 * (1 + 7 * 0.1))
    assert assumed(grouped, 0.8).per_cluster == 8
    assert "groups alike" in assumed(grouped, 0.8).origin
    assert assumed(alone, 1.0).variance > 0


def test_an_earlier_run_gives_the_variance_of_the_pair_that_varies_most() -> None:
    random = np.random.default_rng(2)
    ids = [f"c{n}" for n in range(400)]
    clusters = {one: one for one in ids}
    scores = {
        "a": dict.fromkeys(ids, 0.0),
        "b": dict(zip(ids, (random.random(400) < 0.1).astype(float), strict=True)),
        "c": dict(zip(ids, (random.random(400) < 0.5).astype(float), strict=True)),
    }
    found = measured(scores, clusters, "the run x")
    largest = max(np.var([scores[y][i] - scores[x][i] for i in ids], ddof=1) for x, y in (("a", "b"), ("a", "c"), ("b", "c")))
    assert found.variance == pytest.approx(largest * 399 / stats.chi2.ppf(0.2, 399), rel=1e-3)
    assert (found.per_cluster, found.origin) == (1.0, "the run x")


def test_chi_square_against_scipy() -> None:
    for freedom in (3, 5, 12, 40, 399):
        assert _chi_square(0.2, freedom) == pytest.approx(stats.chi2.ppf(0.2, freedom), rel=0.011)


def test_what_can_not_be_planned() -> None:
    free = Variation(0.3, 1.0, "")
    with pytest.raises(DataError, match="one rung"):
        plan(1, 100, 100, free)
    with pytest.raises(DataError, match="share above 0"):
        plan(2, 100, 100, free, (0.0,))
    with pytest.raises(DataError, match="no cases"):
        assumed([], 0.8)
    with pytest.raises(DataError, match="compared no rungs"):
        measured({"a": {"x": 1.0}}, {"x": "x"}, "the run y")
    with pytest.raises(DataError, match="2 groups"):
        measured({"a": {"x": 1.0, "y": 0.0}, "b": {"x": 1.0, "y": 1.0}}, {"x": "x", "y": "y"}, "the run y")
