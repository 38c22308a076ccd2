"""Near duplicates, languages and personal data, each on texts where the right answer is plain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.tuning.audit.languages import language
from rung.tuning.audit.personal import personal, redacted
from rung.tuning.audit.same import Near, near, shape

WORDS = st.lists(st.sampled_from("river bridge harbour crane night watch paper lamp engine north gate".split()), min_size=6, max_size=20)  # noqa: SIM905


@given(WORDS)
def test_a_text_is_near_itself_and_its_spellings(words: list[str]) -> None:
    text = " ".join(words)
    seen = Near()
    seen.add([shape(text)])
    assert seen.of(shape(f"  {text.upper()}! ")) == [0]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("There is a payment I don't recognise!", "There is a payment I don't recognize", True),
        ("Why haven't I received my new card yet?", "Why haven't I received my new card?", True),
        ("What is the price of order 1234 please?", "What is the price of order 9999 please?", False),
        ("Who looks after the brakes that customers bring?", "Who looks after the lights that customers bring?", False),
        ("How long is the warranty?", "Where are returns sent?", False),
    ],
)
def test_near(one: str, other: str, same: bool) -> None:
    assert near(shape(one), shape(other)) is same
    assert near(shape(other), shape(one)) is same


def test_the_index_finds_what_comparing_all_pairs_finds() -> None:
    texts = [
        f"How do I return the {a} that I bought in {b}?" for a in ("big lamp", "old gate", "new crane") for b in ("May", "the shop", "July")
    ]
    texts += [text.replace("return", "now return") for text in texts]
    shapes = [shape(text) for text in texts]
    seen = Near()
    seen.add(shapes)
    for number, one in enumerate(shapes):
        assert seen.of(one) == [n for n, other in enumerate(shapes) if near(one, other)]
        assert number in seen.of(one)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("How many days of annual leave does a full-timer in Ostrand get each year?", "en"),
        ("Wie viele Urlaubstage hat jemand in Vollzeit, und verfallen sie am Jahresende?", "de"),
        ("Combien de jours de congé un salarié à temps plein reçoit-il chaque année ?", "fr"),
        ("Yes.", ""),
        ("Harbor desk | 25 days | People", ""),
    ],
)
def test_languages(text: str, code: str) -> None:
    assert language(text) == code


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Write to anna.holm+shop@mail.example.org, please.", "Write to [e-mail], please."),
        ("Ring +49 170 1234567 after five.", "Ring [phone] after five."),
        ("Call us at (212) 555-0123.", "Call us at [phone]."),
        ("Pay to DE89 3704 0044 0532 0130 00 by May.", "Pay to [IBAN] by May."),
        ("The card 4111 1111 1111 1111 was charged.", "The card [card] was charged."),
        ("Her number is 536-90-4399.", "Her number is [social security number]."),
        ("It came from 81.2.69.142 at night.", "It came from [IP address] at night."),
        ("Both a@b.org and c@d.org wrote.", "Both [e-mail] and [e-mail] wrote."),
    ],
)
def test_personal_data_is_found_and_redacted(text: str, clean: str) -> None:
    assert redacted(text) == clean
    assert redacted(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "Order 20231234567 of 2019-01-05 costs 1,452.40 euros, 17:30 at the latest.",
        "Version 10.2.3.4 of the driver, 192.168.0.1 inside, mask 255.255.255.0.",
        "The account DE89 3704 0044 0532 0130 01 has a wrong check digit, as has 4111 1111 1111 1112.",
        "Part 123-45-67 fits the model 8801-22.",
        "Revenue was 1,234,567,890 in 2019 and 2,345,678,901 in 2020.",
    ],
)
def test_numbers_that_are_nobody_s(text: str) -> None:
    assert personal(text) == []
