"""Copies are folded into the best ranked of them and named; what differs in one word or number stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rung.knowledge.fold import folded
from rung.types import Hit, Passage


def hit(document: str, text: str, heading: str = "Leave", start: int = 0) -> Hit:
    return Hit(Passage(f"{document}/{start}", document, start, start + len(text), text, (heading,)), 1.0)


def documents(hits: list[Hit]) -> list[str]:
    return [one.passage.document for one in hits]


def test_the_same_words_under_the_same_headings_are_folded_and_named() -> None:
    found = folded([hit("a.md", "Leave is 25 days."), hit("b.md", "**Leave**  is 25\ndays."), hit("c.md", "Sick pay.")], 5)
    assert documents(found) == ["a.md", "c.md"]
    assert found[0].folded == ("b.md",)
    assert found[1].folded == ()


def test_another_number_word_or_heading_is_another_fact() -> None:
    hits = [
        hit("a.md", "Leave is 25 days."),
        hit("b.md", "Leave is 26 days."),
        hit("c.md", "Leave is not 25 days."),
        hit("d.md", "Leave is 25 days.", "Leave in Ostrand"),
    ]
    assert folded(hits, 9) == hits


def test_copies_of_one_file_are_folded_whatever_their_titles() -> None:
    hits = [hit("scan 1.txt", "Opens at nine.", "scan 1"), hit("scan 2.txt", "Opens at nine.", "scan 2")]
    assert documents(folded(hits, 5)) == ["scan 1.txt", "scan 2.txt"]
    assert folded(hits, 5, lambda path: "same bytes")[0].folded == ("scan 2.txt",)


def test_a_copy_below_the_cut_is_named_and_takes_no_place() -> None:
    hits = [hit("a.md", "One."), hit("b.md", "Two."), hit("c.md", "Three."), hit("d.md", "one.")]
    found = folded(hits, 2)
    assert documents(found) == ["a.md", "b.md"]
    assert found[0].folded == ("d.md",)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "X", "y", "z "])), max_size=12), st.integers(1, 5))
def test_results_are_distinct_in_order_and_as_many_as_there_are(rows: list[tuple[str, str]], k: int) -> None:
    hits = [hit(document, text, start=at) for at, (document, text) in enumerate(rows)]
    found = folded(hits, k)
    said = [one.passage.text.strip().casefold() for one in found]
    assert len(set(said)) == len(said) == min(k, len({text.strip().casefold() for _, text in rows}))
    assert [one.passage.start for one in found] == sorted(one.passage.start for one in found)
