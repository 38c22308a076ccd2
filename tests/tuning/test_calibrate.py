"""Temperature, calibration error and threshold do what their definitions say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.approach.specialist import softmax
from rung.tuning.calibrate import calibration_error, temperature, threshold

SURE = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=30)


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_it_finds_the_temperature_that_the_labels_were_drawn_at(factor: float) -> None:
    r = np.random.default_rng(0)
    logits = r.normal(size=(4000, 5)) * 2
    gold = [int(r.choice(5, p=row)) for row in softmax(logits)]
    assert temperature(logits * factor, gold) == pytest.approx(factor, rel=0.1)


def test_a_few_rows_that_are_all_right_make_nothing_certain() -> None:
    logits = np.eye(4) * 3
    shares = softmax(logits / temperature(logits, [0, 1, 2, 3]))
    assert 0.8 < shares.max() < 0.95


def test_dividing_by_it_leaves_less_error() -> None:
    r = np.random.default_rng(1)
    logits = r.normal(size=(2000, 4))
    gold = np.array([r.choice(4, p=row) for row in softmax(logits)])

    def error(t: float) -> float:
        shares = softmax(5 * logits / t)
        return calibration_error(shares.max(1).tolist(), (shares.argmax(1) == gold).tolist())

    assert error(temperature(5 * logits, gold.tolist())) < 0.05 < 0.3 < error(1.0)


def test_the_calibration_error_by_hand() -> None:
    assert calibration_error([], []) == 0
    assert calibration_error([0.99, 0.95], [True, False], bins=10) == pytest.approx(0.47)
    assert calibration_error([1.0, 0.31, 0.31], [True, True, False], bins=10) == pytest.approx((0.19 * 2) / 3)


@given(SURE, st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_no_other_threshold_leaves_more_rows_right(sure: list[tuple[float, bool]], others: list[float]) -> None:
    confidences, right = [one for one, _ in sure], [hit for _, hit in sure]

    def hits(cut: float) -> int:
        return sum(hit and one >= cut for one, hit in sure) + sum(one < cut for one in others)

    best = hits(threshold(confidences, right, others))
    assert all(best >= hits(cut) for cut in [0.0, *confidences, *others, 1.1])


def test_without_texts_that_fit_no_label_everything_is_believed() -> None:
    assert threshold([0.1, 0.9], [False, True], []) == 0
    assert threshold([0.9, 0.8], [True, True], [0.2, 0.3]) == pytest.approx(0.55)
