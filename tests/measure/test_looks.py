from __future__ import annotations

from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rung.measure.bootstrap import clusters_of, tabulate
from rung.measure.looks import FEWEST, WEIGHTS, Asked, capital, known, portions, settled, weight
from rung.measure.stats import ALPHA, compare_all, sign_flip_p
from rung.types import Case, Verdict


def grouped(sizes: list[int]) -> list[Case]:
    return [Case(f"c{group}-{n}", "q", "a", group=f"g{group}") for group, size in enumerate(sizes) for n in range(size)]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=40), st.integers(0, 5), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_portions_are_the_cases_with_clusters_whole_in_an_order_of_the_seed(sizes: list[int], seed: int, shuffle: Random) -> None:
    cases = grouped(sizes)
    clusters = clusters_of(cases)
    parts = portions(cases, clusters, seed)
    assert sorted(case.id for part in parts for case in part) == sorted(case.id for case in cases)
    assert len(parts) == (1 if len(sizes) < FEWEST else len(WEIGHTS))
    owners = [{clusters[case.id] for case in part} for part in parts]
    assert sum(map(len, owners)) == len(sizes)
    assert all(part == sorted(part, key=lambda case: case.id) for part in parts)
    assert portions(shuffle.sample(cases, len(cases)), clusters, seed) == parts


def test_portions_follow_the_seed_and_are_a_fair_sample() -> None:
    cases = grouped([1] * 40)
    clusters = clusters_of(cases)
    firsts = [{case.id for case in portions(cases, clusters, seed)[0]} for seed in range(300)]
    assert len(set(map(frozenset, firsts))) > 290
    drawn = [sum(case.id in first for first in firsts) / 300 for case in cases]
    assert max(abs(share - 0.25) for share in drawn) < 0.1  # four standard errors


def test_all_of_alpha_is_spent() -> None:
    assert sum(WEIGHTS) == pytest.approx(1.0)
    assert [weight([frozenset()] * n) for n in range(5)] == [1.0, *WEIGHTS]


def test_capital_is_a_fair_game_at_the_bar() -> None:
    # every outcome of three groups of 1, 2 and 3 cases that is as likely as at a share of 0.25, weighed by its chance
    cases = grouped([1, 2, 3])
    clusters = clusters_of(cases)
    mean = [0.0, 0.0]
    for outcome in product((0.0, 1.0), repeat=3):  # a group is right or wrong as a whole
        chance = 1.0
        for value in outcome:
            chance *= 0.25 if value else 0.75
        held = capital({case.id: outcome[int(case.group[1])] for case in cases}, clusters, 0.25, 3)
        mean = [old + chance * one for old, one in zip(mean, held, strict=True)]
    assert mean == pytest.approx([1.0, 1.0])


def test_capital_grows_on_the_side_the_rung_is_on() -> None:
    cases = grouped([1] * 60)
    clusters = clusters_of(cases)
    above, below = capital({case.id: 1.0 for case in cases}, clusters, 0.8, 1)
    assert above > 1e4 > 1 > below
    above, below = capital({case.id: float(n % 2) for n, case in enumerate(cases)}, clusters, 0.8, 1)
    assert below > 1e4 > 1 > above
    for bar in (0.0, 1.0):
        assert all(one >= 0 for one in capital({case.id: 1.0 for case in cases}, clusters, bar, 1))


def test_settled_takes_the_lowest_rung_and_asks_more_of_more_rungs() -> None:
    sure, unsure = 1e6, 1.0
    assert settled([(sure, 0.0), (unsure, unsure)], ALPHA)  # the lowest is above: what stands higher doesn't matter
    assert settled([(0.0, sure), (sure, 0.0)], ALPHA)
    assert settled([(0.0, sure), (0.0, sure)], ALPHA)
    assert not settled([(unsure, unsure), (sure, 0.0)], ALPHA)
    assert settled([(21.0, 0.0)], ALPHA)
    assert not settled([(21.0, 0.0), (0.0, sure)], ALPHA)


def test_a_p_value_is_the_least_of_all_looks_over_their_parts() -> None:
    random = Random(3)
    cases = grouped([random.randint(1, 4) for _ in range(48)])
    clusters = clusters_of(cases)
    scores = {name: {case.id: float(random.random() < share) for case in cases} for name, share in (("a", 0.3), ("b", 0.6))}
    looks = known(portions(cases, clusters))
    gains = {case.id: scores["b"][case.id] - scores["a"][case.id] for case in cases}
    ps = [sign_flip_p(tabulate([{one: gains[one] for one in ids}], clusters).sums[:, 0]) for ids in looks]
    (found,) = compare_all(scores, clusters, looks=looks)
    assert found.p == min(1.0, *(p / part for p, part in zip(ps, WEIGHTS, strict=True)))
    once = compare_all(scores, clusters)[0].difference
    assert found.difference.low < once.low < once.high < found.difference.high
    assert found.difference.estimate == once.estimate


def test_what_was_asked_is_told() -> None:
    shares = portions(grouped([1] * 40), clusters_of(grouped([1] * 40)))
    asked = Asked(shares, 1)
    assert len(asked.cases) == 10
    assert asked.told() == "at look 1 of 4, after 10 of 40 cases; 30 were not asked"
    assert asked.said(Verdict("rag: good", "rag", ("rag",), {})).sentence.endswith("; stopped early: 10 of 40 cases made it certain")
    assert Asked(shares, 4).told().startswith("no: 4 looks")
    assert [len(ids) for ids in Asked(shares, 3).known] == [10, 20, 30]
    assert Asked([grouped([3])], 1).known == []
    assert "too few groups" in Asked([grouped([3])], 1).told()
