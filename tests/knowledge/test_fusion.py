"""Fusion ranks by agreement, keeps each leg's rank, and does not depend on the order of the legs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rung.knowledge.fusion import by_rank, by_score
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
