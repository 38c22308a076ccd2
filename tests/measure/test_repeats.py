from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.errors import DataError
from rung.measure.repeats import averaged, split, spread, told
from rung.types import Answer, Score


def run(*scores: float, **parts: float) -> list[tuple[Answer, Score]]:
    return [(Answer("q", f"a{score}"), Score(f"c{n}", score, {"facts": score} | parts)) for n, score in enumerate(scores)]


def test_the_split_of_a_worked_table() -> None:
    # three cases, two seeds: means 1, 0.5, 0 with variance 0.25; within: 0, 0.5, 0 with mean 1/6; cases 0.25 - (1/6) / 2 = 1/6
    found = split([[[1.0], [1.0]], [[1.0], [0.0]], [[0.0], [0.0]]])
    assert found == {"cases": pytest.approx(1 / 6), "seeds": pytest.approx(1 / 6)}
    assert told(found) == "cases 50%, seeds 50%"


def test_the_split_finds_what_was_put_in() -> None:
    random = np.random.default_rng(1)
    case, seed, judge = random.normal(0, 2, (4000, 1, 1)), random.normal(0, 1, (4000, 4, 1)), random.normal(0, 0.5, (4000, 4, 3))
    found = split((case + seed + judge).tolist())
    assert found == {"cases": pytest.approx(4, rel=0.1), "seeds": pytest.approx(1, rel=0.1), "judge": pytest.approx(0.25, rel=0.1)}
    mean = found["cases"] / 4000 + found["seeds"] / 16000 + found["judge"] / 48000
    whole = (case + seed + judge).mean(axis=(1, 2))
    assert mean == pytest.approx(whole.var(ddof=1) / 4000, rel=1e-6)  # the parts add up to the variance of the mean


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=2, max_size=8))
def test_components_are_never_negative_and_seeds_that_change_nothing_have_none(table: list[list[float]]) -> None:
    assert all(value >= 0 for value in split([[[one] for one in row] for row in table]).values())
    same = split([[[row[0]]] * 3 for row in table])
    assert same["seeds"] == pytest.approx(0, abs=1e-9)


def test_runs_are_averaged() -> None:
    found = averaged([run(1.0, 0.0, form=1.0), run(0.5, 0.0)])
    assert [score.primary for _, score in found] == [0.75, 0.0]
    assert [score.parts for _, score in found] == [{"facts": 0.75}, {"facts": 0.0}]  # a part that one run has not is left out
    assert found[0][0].text == "a1.0"
    once = run(1.0, 0.0)
    assert averaged([once]) == once
    assert spread([once]) == {"cases": pytest.approx(0.5)}


def test_what_is_said() -> None:
    assert told(spread([run(1.0, 0.0), run(1.0, 0.0)])) == "seeds have no effect"
    assert told({"cases": 0.0}) == "no answer differs in score"


def test_unequal_repetitions_are_refused() -> None:
    with pytest.raises(DataError, match="unequal cases"):
        averaged([run(1.0, 0.0), run(1.0)])
    with pytest.raises(DataError, match="two cases or more"):
        split([[[1.0], [0.0]]])
