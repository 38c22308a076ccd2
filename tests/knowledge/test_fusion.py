"""Fusion ranks by agreement, keeps each leg's rank, and does not depend on the order of the legs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.errors import ConfigError
from rung.knowledge.fusion import Fusion, by_deviation, by_rank, by_score, fused, fusion
from rung.types import Hit, Passage


def hits(names: str, scores: list[float] | None = None) -> list[Hit]:
    return [Hit(Passage(name, name, 0, 1, name), (scores or [1.0] * len(names))[at]) for at, name in enumerate(names)]


def order(found: list[Hit]) -> str:
    return "".join(hit.passage.id for hit in found)


def test_what_both_legs_found_comes_first() -> None:
    fused = by_rank({"dense": hits("abc"), "words": hits("dcb")})
    assert order(fused) == "bcad"
    assert fused[0].legs == {"dense": 2, "words": 3}
    assert fused[0].score == 1 / 62 + 1 / 63


def test_scores_are_scaled_leg_by_leg() -> None:
    legs = {"dense": hits("ab", [0.9, 0.1]), "words": hits("ba", [30.0, 0.0])}
    assert order(by_score(legs, {"dense": 0.6, "words": 0.4})) == "ab"
    assert order(by_score(legs, {"dense": 0.4, "words": 0.6})) == "ba"


def test_one_hit_and_none() -> None:
    assert by_score({"dense": hits("a", [0.2]), "words": []}, {"dense": 1.0, "words": 1.0})[0].score == 1.0
    assert by_rank({"dense": [], "words": []}) == []


@given(st.permutations("abcdef"), st.permutations("cdefgh"))
def test_order_of_the_legs_does_not_matter(dense: list[str], words: list[str]) -> None:
    first, second = hits("".join(dense)), hits("".join(words))
    assert order(by_rank({"dense": first, "words": second})) == order(by_rank({"words": second, "dense": first}))
    assert sorted(order(by_rank({"dense": first, "words": second}))) == list("abcdefgh")


def test_deviations_weigh_a_leg_by_its_spread() -> None:
    legs = {"dense": hits("abc", [0.9, 0.5, 0.4]), "words": hits("cab", [9.0, 8.9, 1.0])}
    assert order(by_deviation(legs, {"dense": 1.0, "words": 0.0})) == "abc"
    assert order(by_deviation(legs, {"dense": 0.0, "words": 1.0})) == "cab"
    assert by_deviation({"dense": hits("a", [0.2]), "words": []}, {"dense": 0.5, "words": 0.5})[0].score == 0.5


def test_a_mode_names_its_fusion() -> None:
    assert fusion("hybrid") == fusion("min-max:0.5")
    assert fusion("rank:60") == Fusion("rank", 60)
    assert fusion("dense").legs == ("dense",)
    assert fusion("z-score:0.25").legs == ("dense", "words")


@pytest.mark.parametrize("mode", ["", "magic", "dense:1", "min-max", "z-score:1.5", "z-score:nan", "rank:0", "rank:x"])
def test_other_modes_are_refused(mode: str) -> None:
    with pytest.raises(ConfigError, match="no way to search"):
        fusion(mode)


@given(st.permutations("abcdef"), st.permutations("cdefgh"), st.sampled_from(["min-max:0.3", "z-score:0.7", "rank:20"]))
def test_every_fusion_keeps_every_passage_with_its_ranks(dense: list[str], words: list[str], mode: str) -> None:
    legs = {"dense": hits("".join(dense), [6.0, 5, 4, 3, 2, 1]), "words": hits("".join(words), [60.0, 50, 40, 30, 20, 10])}
    found = fused(legs, fusion(mode))
    assert sorted(order(found)) == list("abcdefgh")
    assert all(hit.legs.get("dense") in (None, dense.index(hit.passage.id) + 1) for hit in found if hit.passage.id in dense)
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)


def test_one_leg_alone_keeps_its_scores() -> None:
    found = fused({"words": hits("ab", [7.0, 3.0])}, fusion("words"))
    assert [(hit.score, dict(hit.legs)) for hit in found] == [(7.0, {"words": 1}), (3.0, {"words": 2})]
