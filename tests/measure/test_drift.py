"""The two-sample test holds its level, finds what moved, and shares and groups are what their sources say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import average, fcluster
from scipy.spatial.distance import squareform
from scipy.stats import fisher_exact

from rung.measure.drift import FEWEST, drift
from rung.measure.groups import groups
from rung.measure.rates import rates_differ


def vectors(n: int, seed: int, towards: float = 0.0, d: int = 16) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(n, d))
    drawn[:, 0] += towards
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def test_two_samples_of_one_distribution_are_rarely_told_apart() -> None:
    ps = [found.p for seed in range(100) if (found := drift(vectors(30, 2 * seed), vectors(30, 2 * seed + 1)))]
    assert sum(p < 0.05 for p in ps) <= 11  # of a binomial of 100 at .05 seen in 99.6 % of runs
    assert 0.4 < np.mean(ps) < 0.6


def test_what_moved_is_told() -> None:
    found = drift(vectors(60, 1), vectors(60, 2, towards=2.0))
    assert found
    assert found.told
    assert found.p == pytest.approx(0.001)
    assert found.mmd > 0.05
    assert (found.before, found.now) == (60, 60)


def test_the_measure_is_the_unbiased_one_of_the_paper() -> None:
    first, second = vectors(12, 5).astype(float), vectors(15, 6, towards=1.0).astype(float)
    both = np.concatenate([first, second])
    distances = ((both[:, None] - both[None]) ** 2).sum(axis=2)
    width = np.median(distances[np.triu_indices(27, 1)])

    def mean(rows: np.ndarray, columns: np.ndarray, *, apart: bool) -> float:
        found = [np.exp(-((x - y) ** 2).sum() / width) for i, x in enumerate(rows) for j, y in enumerate(columns) if not (apart and i == j)]
        return float(np.mean(found))

    expected = mean(first, first, apart=True) + mean(second, second, apart=True) - 2 * mean(first, second, apart=False)
    found = drift(first.astype(np.float32), second.astype(np.float32))
    assert found
    assert found.mmd == pytest.approx(expected, abs=1e-6)


def test_too_few_say_nothing_and_all_the_same_differ_in_nothing() -> None:
    assert drift(vectors(FEWEST - 1, 1), vectors(50, 2)) is None
    same = np.repeat(vectors(1, 1), 20, axis=0)
    found = drift(same, same)
    assert found
    assert not found.told


def test_large_sets_are_drawn_from_the_same_way_each_time() -> None:
    first, second = vectors(700, 1), vectors(600, 2)
    assert drift(first, second) == drift(first, second)
    assert drift(first, second).before == 500  # type: ignore[union-attr]


@given(st.integers(2, 25), st.integers(0, 10_000), st.floats(0.05, 0.9))
def test_groups_are_average_linkage(n: int, seed: int, alike: float) -> None:
    rows = vectors(n, seed, d=4)
    cosines = (rows @ rows.T).astype(np.float64)
    distances = 1 - (cosines + cosines.T) / 2
    np.fill_diagonal(distances, 0.0)
    linked = average(squareform(distances, checks=False))
    if np.abs(linked[:, 2] - (1 - alike)).min() < 1e-6:
        return
    labels = fcluster(linked, 1 - alike, criterion="distance")
    expected = {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels)}
    found = groups(rows, alike)
    assert {frozenset(group) for group in found} == expected
    assert [len(group) for group in found] == sorted((len(group) for group in found), reverse=True)


def test_a_group_is_named_by_its_most_central_member() -> None:
    angles = np.array([0.0, 0.3, 0.6, 3.0])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert groups(rows, 0.7) == [[1, 0, 2], [3]]
    assert groups(rows[:0], 0.7) == []


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_shares_are_compared_by_fishers_exact_test(n: int, m: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    assert rates_differ(a, n, b, m) == pytest.approx(fisher_exact([[a, n - a], [b, m - b]]).pvalue, rel=1e-6, abs=1e-12)


def test_a_share_of_nothing_differs_from_none() -> None:
    assert rates_differ(0, 0, 3, 10) == rates_differ(3, 10, 0, 0) == 1.0
