from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.errors import ConfigError
from rung.measure.fields import field_f1, find_json, schema_check

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "amount": {"type": "number"}},
    "required": ["name", "amount"],
    "additionalProperties": False,
}
scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=2)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3))


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Ada", "amount": 3}',
        'Here you are:\n```json\n{"name": "Ada", "amount": 3}\n```',
        'By [1] and {this}: {"name": "Ada", "amount": 3} [2]',
        '{"name": "Bo"} {"name": "Ada", "amount": 3}',
    ],
)
def test_finds_the_valid_object(text: str) -> None:
    assert find_json(text, schema_check(SCHEMA)) == (True, {"name": "Ada", "amount": 3})


def test_what_is_not_valid_is_still_found() -> None:
    assert find_json('[1] {"name": "Ada"}', schema_check(SCHEMA)) == (False, {"name": "Ada"})
    assert find_json("no JSON", schema_check(SCHEMA)) == (False, None)
    assert find_json('{"name": "Ada", "amount": NaN}', schema_check(SCHEMA)) == (False, None)
    assert find_json("[" * 3000, schema_check(None)) == (False, None)
    assert find_json("[1, 2]", schema_check(None)) == (True, [1, 2])


def test_a_bad_schema_is_named() -> None:
    with pytest.raises(ConfigError, match="not a JSON Schema"):
        schema_check({"type": "objekt"})
    with pytest.raises(ConfigError, match="refers to"):
        schema_check({"$ref": "http://localhost:1/schema.json"})({})


def test_field_f1_of_worked_examples() -> None:
    gold = {"name": "Ada", "amount": 3, "tags": ["x", "y"]}  # 4 leaves
    assert field_f1(gold, gold) == 1.0
    assert field_f1({"name": "ada ", "amount": 3.0, "tags": ["y", "x"]}, gold) == 1.0
    assert field_f1({"name": "Ada", "amount": 4}, gold) == pytest.approx(2 * 1 / (2 + 4))
    assert field_f1(None, gold) == 0.0
    assert field_f1({"amount": True}, {"amount": 1}) == 0.0
    assert field_f1({"amount": "1"}, {"amount": 1}) == 0.0
    assert field_f1({"amount": "1,240"}, {"amount": "1240"}) == 1.0
    assert field_f1({}, {}) == 1.0


def test_items_of_lists_are_compared_as_wholes() -> None:
    gold = [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert field_f1(gold[::-1], gold) == 1.0
    assert field_f1([{"a": 1, "b": 4}, {"a": 3, "b": 2}], gold) == 0.5


@given(values, values)
def test_field_f1_is_a_symmetric_share(one: object, other: object) -> None:
    f1 = field_f1(one, other)
    assert 0 <= f1 <= 1
    assert f1 == pytest.approx(field_f1(other, one))
    assert field_f1(one, one) == 1.0
