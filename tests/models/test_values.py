"""Values are read from words as a schema wants them, and nothing is read that isn't there."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.measure.fields import schema_check
from rung.models.values import MONTHS, absent, kind, mentions
from rung.types import Json

DATE = {"type": ["string", "null"], "format": "date"}
DURATION = {"type": ["string", "null"], "format": "duration"}


def said(schema: dict[str, Json], text: str) -> list[Json]:
    return [value for _, _, value in mentions(schema, text)]


@given(st.dates(date(1951, 1, 1), date(2049, 12, 31)), st.integers(0, 5))
def test_a_date_is_read_in_any_usual_form(day: date, form: int) -> None:
    month = MONTHS[day.month - 1].title()
    written = (
        f"{month} {day.day}, {day.year}",
        f"{day.day} {month} {day.year}",
        f"the {day.day}th day of {month}, {day.year}",
        f"{month[:3]}. {day.day} {day.year}",
        f"{day.month}/{day.day}/{day.year % 100:02}",
        day.isoformat(),
    )[form]
    assert said(DATE, f"made on {written}, in Lund") == [day.isoformat()]


@pytest.mark.parametrize("text", ["31 June 2014", "2/30/14", "May 2014", "section 5/8", "14.05.2014.3"])
def test_what_is_no_day_is_no_date(text: str) -> None:
    assert said(DATE, text) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("thirty (30) days' notice", "P30D"),
        ("successive one year terms", "P1Y"),
        ("a term of 18 months", "P18M"),
        ("ninety days", "P90D"),
        ("two (2) additional years", "P2Y"),
        ("six-month renewals", "P6M"),
    ],
)
def test_durations(text: str, value: str) -> None:
    assert said(DURATION, text)[:1] == [value]


def test_a_unit_without_a_count_is_no_duration() -> None:
    assert said(DURATION, "during business days and the last year") == []


@pytest.mark.parametrize(
    ("text", "values"),
    [("pay $1,500,000.50 now", [1500000.5]), ("about 1.5 million", [1500000]), ("HX-20 and 3,4", []), ("12 of 40", [12, 40])],
)
def test_numbers(text: str, values: list[float]) -> None:
    assert said({"type": "number"}, text) == values


def test_an_integer_is_whole() -> None:
    assert said({"type": ["integer", "null"]}, "2.5 of 4") == [4]


def test_the_longer_choice_wins_and_case_does_not_matter() -> None:
    law = {"enum": ["Virginia", "West Virginia", "Ontario, Canada", None]}
    assert said(law, "the laws of WEST VIRGINIA") == ["West Virginia"]
    assert said(law, "Ontario law; Virginians") == ["Ontario, Canada"]


@given(
    st.text(max_size=80),
    st.sampled_from([DATE, DURATION, {"type": "number"}, {"enum": ["a", "b c"]}, {"type": "boolean"}, {"type": "string"}]),
)
def test_every_value_is_valid_and_lies_in_the_text(text: str, schema: dict[str, Json]) -> None:
    accepts = schema_check(schema)
    for start, end, value in mentions(schema, text):
        assert 0 <= start < end <= len(text)
        assert accepts(value)


@pytest.mark.parametrize(
    ("schema", "value", "named"),
    [
        (DATE, None, "date"),
        ({"type": "boolean"}, False, "boolean"),
        ({"enum": ["x", None]}, None, "choice"),
        ({"type": "string"}, "", "text"),
    ],
)
def test_what_is_not_said(schema: dict[str, Json], value: Json, named: str) -> None:
    assert absent(schema) == value
    assert kind(schema) == named
