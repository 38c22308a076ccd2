from __future__ import annotations

from itertools import product
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rung.errors import DataError
from rung.measure.bootstrap import clusters_of, interval, tabulate
from rung.measure.stats import cases_needed, compare_all, holm, sign_flip_p, two_figures
from rung.measure.student import t_quantile
from rung.types import Case, Interval


def alone(values: list[float]) -> tuple[dict[str, float], dict[str, str]]:
    return {f"{n:04}": value for n, value in enumerate(values)}, {f"{n:04}": f"c{n:04}" for n in range(len(values))}


def test_quantiles_of_t_against_scipy() -> None:
    for share, freedom in product((0.025, 0.4, 0.5, 0.9, 0.975, 0.9995), (1, 2, 3, 12, 99, 200, 201, 3000)):
        assert t_quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-6, abs=1e-9)
    for share, freedom in ((0.0, 3), (1.0, 3), (0.5, 0)):
        with pytest.raises(ValueError, match="no quantile"):
            t_quantile(share, freedom)


def test_the_sign_flip_test_on_single_cases_is_the_exact_mcnemar_test() -> None:
    for better, worse in ((9, 2), (5, 5), (1, 0), (40, 21), (0, 6)):
        sums = np.array([1.0] * better + [-1.0] * worse + [0.0] * 30)
        assert sign_flip_p(sums) == pytest.approx(stats.binomtest(better, better + worse).pvalue)


whole = st.lists(st.integers(-4, 4), min_size=1, max_size=9)
parts = st.lists(st.floats(-4, 4).map(lambda x: round(x, 2)), min_size=1, max_size=9)


@given(whole | parts)
@settings(max_examples=60, deadline=None)
def test_the_exact_p_against_enumeration(values: list[float]) -> None:
    flips = [abs(sum(sign * value for sign, value in zip(signs, values, strict=True))) for signs in product((1, -1), repeat=len(values))]
    expected = sum(one >= abs(sum(values)) - 1e-9 for one in flips) / len(flips)
    assert sign_flip_p(np.array(values, dtype=float)) == pytest.approx(expected)


def test_the_p_against_scipy() -> None:
    random = np.random.default_rng(4)
    for m, resamples in ((9, np.inf), (60, 20_000)):
        sums = random.normal(0.3, 1, m)
        theirs = stats.permutation_test((sums,), np.sum, permutation_type="samples", n_resamples=resamples, rng=np.random.default_rng(1))
        assert sign_flip_p(sums) == pytest.approx(theirs.pvalue, abs=1e-12 if m == 9 else 0.01)


def test_a_drawn_p_is_never_0_and_nothing_differing_gives_1() -> None:
    assert sign_flip_p(np.full(60, 0.5)) == pytest.approx(1 / 100_000)
    assert sign_flip_p(np.zeros(5)) == 1.0
    assert sign_flip_p(np.ones(200)) == pytest.approx(2.0**-199, rel=1e-9)


def test_holm_of_a_worked_table() -> None:
    # sorted .01 .02 .03 .04 times 4 3 2 1 = .04 .06 .06 .04, made monotone: .04 .06 .06 .06
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1))
def test_holm_lies_between_p_and_bonferroni(ps: list[float]) -> None:
    for p, adjusted in zip(ps, holm(ps), strict=True):
        assert p <= adjusted <= min(1, len(ps) * p) + 1e-12
    order = np.argsort(ps, kind="stable")
    assert list(np.diff(np.array(holm(ps))[order]) >= 0) == [True] * (len(ps) - 1)


def test_an_interval_of_single_cases_is_near_students() -> None:
    values, clusters = alone([1.0] * 140 + [0.0] * 60)
    found = interval(values, clusters)
    half = float(stats.t.ppf(0.975, 199)) * (0.7 * 0.3 / 199) ** 0.5
    assert found.estimate == 0.7
    assert found.low == pytest.approx(0.7 - half, abs=0.01)
    assert found.high == pytest.approx(0.7 + half, abs=0.01)
    assert (found.n, found.clusters) == (200, 200)


def test_clusters_widen_the_interval() -> None:
    values, apart = alone([float(n // 5 % 2) for n in range(100)])
    together = {case: f"g{int(case) // 5}" for case in apart}
    one, other = interval(values, together), interval(values, apart)
    assert one.high - one.low > 1.8 * (other.high - other.low)
    assert one.clusters == 20


def test_where_a_bootstrap_can_not_work() -> None:
    values, clusters = alone([1.0] * 30)
    assert interval(values, clusters) == Interval(1.0, pytest.approx(stats.beta.ppf(0.025, 30, 1)), 1.0, 30, 30)
    low = interval(*alone([0.0] * 30))
    assert (low.low, low.high) == (0.0, pytest.approx(stats.beta.ppf(0.975, 1, 30)))
    assert interval({"a": 1.0}, {"a": "g"}) == Interval(1.0, 0.0, 1.0, 1, 1)
    assert interval({"a": 1.0, "b": 0.0}, {"a": "g", "b": "g"}) == Interval(0.5, 0.0, 1.0, 2, 1)
    few = interval(*alone([0.4, 0.5, 0.6, 0.5]))
    assert few.high - 0.5 == pytest.approx(stats.t.ppf(0.975, 3) * np.std([0.4, 0.5, 0.6, 0.5], ddof=1) / 2)


@pytest.mark.parametrize("bad", [nan, inf])
def test_nan_is_refused(bad: float) -> None:
    with pytest.raises(DataError, match="case 'b' is not a finite number"):
        interval({"a": 1.0, "b": bad}, {"a": "x", "b": "y"})


def test_unequal_or_missing_cases_are_refused() -> None:
    with pytest.raises(DataError, match="no scored cases"):
        interval({}, {})
    with pytest.raises(DataError, match="'b' has no cluster"):
        interval({"a": 1.0, "b": 1.0}, {"a": "x"})
    with pytest.raises(DataError, match="case 'b' was scored on one rung"):
        compare_all({"x": {"a": 1.0}, "y": {"a": 1.0, "b": 0.0}}, {"a": "a", "b": "b"})


rows = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 1.0]), st.sampled_from([0.0, 1.0]), st.integers(0, 7)), min_size=1, max_size=30)


@given(rows, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_results_do_not_depend_on_the_order_of_rows(table: list[tuple[float, float, int]], shuffle: object) -> None:
    ids = [f"case{n}" for n in range(len(table))]
    clusters = {one: f"g{group}" for one, (_, _, group) in zip(ids, table, strict=True)}

    def compared(order: list[int]) -> object:
        scores = {"x": {ids[n]: table[n][0] for n in order}, "y": {ids[n]: table[n][1] for n in order[::-1]}}
        return compare_all(scores, {ids[n]: clusters[ids[n]] for n in order})

    order = list(range(len(table)))
    first = compared(order)
    shuffle.shuffle(order)  # type: ignore[attr-defined]
    assert compared(order) == first
    found = first[0]  # type: ignore[index]
    assert -1 <= found.difference.low <= found.difference.estimate <= found.difference.high <= 1
    assert 0 < found.p <= found.p_adjusted <= 1


def test_comparisons_of_three_rungs() -> None:
    random = np.random.default_rng(0)
    base = (random.random(120) < 0.4).astype(float)
    good = np.maximum(base, random.random(120) < 0.5).astype(float)
    same = base.copy()
    same[0] = 1 - same[0]
    columns = {"base": alone(list(base))[0], "good": alone(list(good))[0], "same": alone(list(same))[0]}
    found = {(one.first, one.second): one for one in compare_all(columns, alone(list(base))[1])}
    assert list(found) == [("base", "good"), ("base", "same"), ("good", "same")]
    better = found["base", "good"]
    assert better.distinguishable
    assert better.cases_needed is None
    assert better.difference.estimate == pytest.approx(float((good - base).mean()))
    assert better.difference.low > 0
    assert better.p_adjusted > better.p
    untold = found["base", "same"]
    assert not untold.distinguishable
    assert untold.p == 1.0
    assert untold.cases_needed is not None
    assert untold.cases_needed > 120
    assert compare_all({"base": columns["base"]}, {}) == ()


def test_cases_needed_of_a_worked_example() -> None:
    # 12 wins and 8 losses in 100 single cases: d = .04, variance .2 - .0016; (1.95996 + .84162)² × .1984 × 100/99 / .0016 = 983
    values, clusters = alone([1.0] * 12 + [-1.0] * 8 + [0.0] * 80)
    table = tabulate([values], clusters)
    assert cases_needed(table, interval(values, clusters, (-1, 1))) == 990
    flat = interval(*alone([0.0, 0.0]), (-1, 1))
    assert cases_needed(tabulate([alone([0.0, 0.0])[0]], alone([0.0, 0.0])[1]), flat) is None
    steady, few = alone([0.1] * 4)
    assert cases_needed(tabulate([steady], few), interval(steady, few, (-1, 1))) == 6  # 2^(1-m) <= .05 from m = 5.3 on


@pytest.mark.parametrize(("number", "rounded"), [(7.2, 8), (99, 99), (101, 110), (983, 990), (12_001, 13_000)])
def test_two_figures(number: float, rounded: int) -> None:
    assert two_figures(number) == rounded


def test_power_of_the_planned_number_of_cases() -> None:
    random = np.random.default_rng(5)
    told = [sign_flip_p(random.choice([1.0, -1.0, 0.0], p=[0.12, 0.08, 0.80], size=983)) < 0.05 for _ in range(300)]
    assert 0.70 < np.mean(told) < 0.88


def test_coverage_with_few_clusters() -> None:
    random = np.random.default_rng(6)
    covered = []
    for run in range(150):
        sizes = random.integers(2, 15, 13)
        rates = random.beta(0.8 * 4, 0.2 * 4, 13)
        values, clusters = {}, {}
        for group, (size, rate) in enumerate(zip(sizes, rates, strict=True)):
            for member in range(size):
                values[f"{group}-{member}"], clusters[f"{group}-{member}"] = float(random.random() < rate), f"g{group}"
        found = interval(values, clusters, seed=run)
        covered.append(found.low <= 0.8 <= found.high)
    assert np.mean(covered) >= 0.89  # 95 % less three standard errors of 150 runs and the shortfall the docstring names


def test_the_test_keeps_its_level() -> None:
    random = np.random.default_rng(7)
    false = []
    for _ in range(400):
        group = random.normal(0, 1, 13)[:, None] + random.normal(0, 1, (13, 8))
        false.append(sign_flip_p(group.sum(axis=1)) < 0.05)
    assert np.mean(false) < 0.085  # 5 % and three standard errors


def test_cluster_names_do_not_collide() -> None:
    found = clusters_of([Case("x", "q", "a"), Case("y", "q", "a", group="x"), Case("z", "q", "a", group="x")])
    assert found["x"] != found["y"] == found["z"]


def test_the_interval_of_unequal_clusters_against_scipys_bca() -> None:
    random = np.random.default_rng(8)
    sizes = random.integers(1, 9, 80)
    sums = np.array([random.binomial(size, rate) for size, rate in zip(sizes, random.beta(2, 1, 80), strict=True)], dtype=float)
    values, clusters = {}, {}
    for group, (size, total) in enumerate(zip(sizes, sums, strict=True)):
        for member in range(size):
            values[f"{group}-{member}"], clusters[f"{group}-{member}"] = float(member < total), f"g{group:02}"
    theirs = stats.bootstrap(
        (sums, sizes), lambda s, n, axis: s.sum(axis=axis) / n.sum(axis=axis), paired=True, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    ours = interval(values, clusters)
    assert ours.low == pytest.approx(theirs.low, abs=0.004)
    assert ours.high == pytest.approx(theirs.high, abs=0.004)


def test_as_good_within_a_margin() -> None:
    names, clusters = alone([0.0] * 200)
    first = {case: float(n % 10 < 8) for n, case in enumerate(names)}
    second = {case: float(n % 10 < 8 or n == 9) for n, case in enumerate(names)}  # one more of 200 is right
    told = {margin: compare_all({"a": first, "b": second}, clusters, margin=margin)[0].as_good for margin in (0.0, 0.005, 0.05)}
    assert told == {0.0: False, 0.005: False, 0.05: True}
    few = [case for case in names if case < "0020"]
    assert not compare_all({name: {case: own[case] for case in few} for name, own in (("a", first), ("b", second))}, clusters, margin=0.05)[
        0
    ].as_good
    assert compare_all({"b": second, "a": first}, clusters, margin=0.05)[0].as_good  # better is as good, too


def test_a_rung_worse_by_the_margin_is_seldom_called_as_good() -> None:
    random = np.random.default_rng(9)
    ids = [f"{n:03}" for n in range(150)]
    clusters = {one: one for one in ids}
    false = []
    for _ in range(120):
        second = random.random(150) < 0.8
        first = second & (random.random(150) < 0.75 / 0.8)  # worse by 5 points
        columns = {name: dict(zip(ids, own.astype(float), strict=True)) for name, own in (("a", first), ("b", second))}
        false.append(compare_all(columns, clusters, margin=0.05)[0].as_good)
    assert np.mean(false) < 0.11  # 5 % and three standard errors
