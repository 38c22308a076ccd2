from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.measure.abstention import abstains, house_wordings
from rung.measure.metrics import (
    abstention_rates,
    accuracy,
    canonical,
    contains,
    exact,
    facts_contained,
    has_form,
    macro_f1,
    normalise,
    token_f1,
    without_markers,
)
from rung.types import Case


@pytest.mark.parametrize(
    ("text", "normal"),
    [("The  Eiffel Tower!", "eiffel tower"), ("an apple, a day", "apple day"), ("EUR 1,240.00", "eur 1240"), ("Anna", "anna")],
)
def test_normal_form(text: str, normal: str) -> None:
    assert normalise(text) == normal


def test_token_f1_of_a_worked_example() -> None:
    # said: cat sat on mat (4), gold: cat is on mat (4), shared: cat on mat (3) -> P = R = 3/4
    assert token_f1("The cat sat on the mat", ["a cat is on the mat"]) == pytest.approx(0.75)
    # said: red (1), gold: big red boat (3), shared 1 -> P = 1, R = 1/3, F1 = 1/2
    assert token_f1("red", ["green", "big red boat"]) == pytest.approx(0.5)
    assert token_f1("", [""]) == 1.0
    assert token_f1("", ["x"]) == 0.0
    assert token_f1("x", []) == 0.0


@given(st.text(), st.text())
def test_f1_and_exact_are_shares_and_agree(said: str, gold: str) -> None:
    f1 = token_f1(said, [gold])
    assert 0 <= f1 <= 1
    assert f1 == pytest.approx(token_f1(gold, [said]))
    assert exact(said, [said]) == token_f1(said, [said]) == 1.0
    if exact(said, [gold]):
        assert f1 == 1.0


@pytest.mark.parametrize(
    ("spelling", "text"),
    [
        ("1,240", "It costs EUR 1240."),
        ("1240", "It costs EUR 1,240."),
        ("EUR 1,240", "eur 1,240.00 per year"),
        ("$12", "US$12 a piece"),
        ("30", "a 30-day refund"),
        ("27 days", "27\u00a0days, not more"),
        ("1,234,567", "1234567"),
        ("1.240,50", "1.240,50 €"),
        ("Kestrel", "the Kestrel-based one"),
        ("don't know", "I don\u2019t know."),
        ("PL-7", "(PL-7)"),
        ("12", "12, 13 or 14"),
        ("1990-1995", "in 1990\u20131995"),
        ("75%", "75%."),
        ("C++", "in C++, mostly"),
        ("Straße", "STRASSE"),
    ],
)
def test_contained(spelling: str, text: str) -> None:
    assert contains(text, spelling)


@pytest.mark.parametrize(
    ("spelling", "text"),
    [
        ("12", "112"),
        ("12", "12.5 kg"),
        ("12", "2,312"),
        ("12", "0.12"),
        ("12", "12-14 days"),
        ("12", "from 10-12 days"),
        ("12", "12:30"),
        ("12", "05/12/2024"),
        ("240", "1,240"),
        ("HX-20", "HX-200"),
        ("HX-20", "HX-20-S"),
        ("HX-20", "AHX-20"),
        ("X20", "B-X20"),
        ("crane", "cranes"),
        ("27 days", "127 days"),
        ("", "anything"),
        (" ", "anything"),
    ],
)
def test_not_contained(spelling: str, text: str) -> None:
    assert not contains(text, spelling)


@given(st.text(min_size=1))
def test_a_text_contains_itself_and_canonical_form_is_stable(text: str) -> None:
    assert contains(text, text) is bool(canonical(text))
    assert contains(f"so: {text} , yes", text) is bool(canonical(text))


@given(st.integers(0, 10**9))
def test_thousands_separators_do_not_count(number: int) -> None:
    assert contains(f"It is {number:,} units", str(number))
    assert contains(f"It is {number} units", f"{number:,}")


def test_shares_of_fact_groups() -> None:
    assert facts_contained("12 EUR a crate", [["12 EUR", "twelve euros"], ["per crate"]]) == 0.5
    assert facts_contained("x", []) == 1.0


def test_citation_markers_are_not_facts() -> None:
    assert without_markers("It is 12 [2][3]. And so [1]") == "It is 12. And so"
    assert without_markers("[2]") == "[2]"
    assert not contains(without_markers("It is twelve [2]"), "2")


def test_form_must_match_wholly() -> None:
    assert has_form(" Desk | 12 \n", r"Desk \| \d+")
    assert not has_form("Desk | 12 or so", r"Desk \| \d+")


def test_macro_f1_of_a_worked_example() -> None:
    gold = ["a", "a", "a", "b", "b", "c"]
    said = ["a", "a", "b", "b", "c", ""]
    # a: P 2/2 R 2/3 F .8; b: P 1/2 R 1/2 F .5; c: P 0 R 0 F 0
    assert macro_f1(gold, said) == pytest.approx((0.8 + 0.5 + 0) / 3)
    assert accuracy(gold, said) == 0.5
    assert macro_f1([], []) == accuracy([], []) == 0.0


labelled = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1)


@given(labelled)
def test_macro_f1_does_not_depend_on_order(rows: list[tuple[str, str]]) -> None:
    def value(pairs: list[tuple[str, str]]) -> float:
        return macro_f1([gold for gold, _ in pairs], [said for _, said in pairs])

    assert value(rows) == pytest.approx(value(rows[::-1]))
    assert value([(gold, gold) for gold, _ in rows]) == 1.0


def test_abstention_rates_of_a_worked_example() -> None:
    # abstained on 3, of which 2 had no answer; 4 had no answer
    assert abstention_rates([True, True, True, False, False], [True, True, False, True, True]) == (pytest.approx(2 / 3), 0.5)
    assert abstention_rates([False], [False]) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "I don't know.",
        "I do not know [1]",
        "Sorry, I don\u2019t really know that.",
        "That is not stated in the passages.",
        "The documents do not mention the fee.",
        "This information is not available.",
        "N/A",
        "unknown.",
        "There is no information about that.",
        "I couldn't find this in the handbook.",
        "It isn't mentioned.",
        "The answer cannot be determined from the context.",
        "Nursery fees are not covered in the handbook.",
        "not found",
    ],
)
def test_saying_that_one_does_not_know(text: str) -> None:
    assert abstains(text)


@pytest.mark.parametrize(
    "text",
    [
        "12 EUR",
        "Delivery is not available on Sundays.",
        "Damage is not covered.",
        "The charger is not included.",
        "The app does not include a charger.",
        "Known as the unknown soldier",
        "No.",
        "Nobody knows Ada better than Bo.",
        "",
    ],
)
def test_answers_that_hold_a_not(text: str) -> None:
    assert not abstains(text)


def test_house_wordings_count() -> None:
    cases = [
        Case("u", "q", ["Desk | not on file", "nix"], facts=(("no entry here",),), unanswerable=True),
        Case("a", "q", "12", facts=(("12",),)),
    ]
    house = house_wordings(cases)
    assert house == ("Desk | not on file", "nix", "no entry here")
    assert abstains("Desk | no entry here | People", house)
    assert abstains("Nix!", house)
    assert not abstains("Desk | phoenix | People", house)
