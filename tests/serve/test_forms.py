"""A model on this machine is held to a schema or to its tools: what fits comes back, what doesn't is mended once and then refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.approach.approach import Approach
from rung.approach.source import Nothing
from rung.serve.forms import Form, checked_schema, formed, invalid
from rung.serve.refusals import Refusal
from rung.types import Answer, ChatModel, Messages, Reply, Settings, Usage

SCHEMA = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"], "additionalProperties": False}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "required": ["city"]}}}


@dataclass
class Scripted:
    """A small model of its own: it says one text after the other, and remembers what it was asked."""

    texts: list[str]
    id: str = "scripted"
    window: int = 100_000
    asked: list[Messages] = field(default_factory=list)

    def count(self, messages: Messages) -> int:
        return sum(len(one["content"]) for one in messages)

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        self.asked.extend(prompts)
        text = self.texts.pop(0)
        yield 0, text
        yield 0, Reply(text, Usage(10, 2), 0.1)


def said(form: Form, *texts: str) -> tuple[Answer, Scripted]:
    model = Scripted(list(texts))
    same: Callable[[ChatModel], ChatModel] = lambda one: one  # noqa: E731
    *_, answer = formed(Approach("prompt", model, Nothing()), form, "What does it cost?", [], same)
    assert isinstance(answer, Answer)
    return answer, model


@pytest.mark.parametrize("text", ['{"price": 4}', ' ```json\n{"price": 4}\n``` ', '```\n{"price": 4}```'])
def test_json_that_fits_comes_back_bare(text: str) -> None:
    answer, model = said(Form(SCHEMA), text)
    assert json.loads(answer.text) == {"price": 4}
    assert json.dumps(SCHEMA) in model.asked[0][0]["content"]


def test_json_that_does_not_fit_is_mended_once_and_both_are_counted() -> None:
    answer, model = said(Form(SCHEMA), '{"price": "four"}', '{"price": 4}')
    assert json.loads(answer.text) == {"price": 4}
    assert "is not of type 'number'" in model.asked[1][-1]["content"]
    assert answer.usage == Usage(20, 4)
    assert answer.question == "What does it cost?"


def test_what_fails_twice_is_refused() -> None:
    with pytest.raises(Refusal, match="twice") as refused:
        said(Form(SCHEMA), "four", "4")
    assert (refused.value.status, refused.value.code) == (422, "form_not_kept")


def test_a_tool_is_called_or_not() -> None:
    answer, _ = said(Form(tools=(WEATHER,)), '{"name": "weather", "arguments": {"city": "Oslo"}}')
    [call] = answer.calls
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("weather", {"city": "Oslo"})
    assert (answer.text, answer.finish) == ("", "tool_calls")
    assert said(Form(tools=(WEATHER,)), "It rains.")[0].text == "It rains."
    assert said(Form(tools=(WEATHER,), choice="weather"), "It rains.", '{"name": "weather", "arguments": {"city": "x"}}')[0].calls
    with pytest.raises(Refusal, match="names none"):
        said(Form(tools=(WEATHER,), choice="required"), '{"name": "other"}', '{"name": "other"}')
    with pytest.raises(Refusal, match="'city' is a required property"):
        said(Form(tools=(WEATHER,)), *['{"name": "weather", "arguments": {}}'] * 2)


def test_what_a_tool_gave_is_told() -> None:
    tail: tuple[dict[str, Any], ...] = ({"role": "assistant", "content": ""}, {"role": "tool", "name": "weather", "content": "rain"})
    answer, model = said(Form(tools=(WEATHER,), tail=tail), "It rains.")
    assert "weather: rain" in model.asked[0][-1]["content"]
    assert answer.text == "It rains."


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"properties": {"a": {"pattern": "(a+)+$"}}},
        {"anyOf": [{"patternProperties": {"(a+)+$": {}}}]},
        {"$defs": {"pattern": {"items": {"pattern": "x"}}}},
        [],
    ],
)
def test_schemas_that_are_none_or_could_hang_are_refused(schema: Any) -> None:
    with pytest.raises(Refusal) as refused:
        checked_schema(schema)
    assert refused.value.status == 400


def test_a_property_may_be_named_like_a_keyword() -> None:
    assert checked_schema({"properties": {"pattern": {"type": "string"}}, "enum": [{"pattern": 1}]})


@pytest.mark.parametrize(
    "schema", [{"$ref": "http://127.0.0.1:1/schema"}, {"$ref": "file:///etc/passwd"}, {"$ref": "#/nowhere"}, {"$ref": "#"}]
)
def test_a_schema_fetches_nothing_and_does_not_run_for_ever(schema: Any) -> None:
    with pytest.raises(Refusal) as refused:
        invalid({"a": 1}, schema)
    assert refused.value.code == "invalid_json_schema"


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.recursive(PLAIN, lambda one: st.lists(one) | st.dictionaries(st.sampled_from(["type", "items", "a", "$ref", "enum", "not"]), one))


@given(JSON, JSON)
def test_any_schema_and_any_value_are_judged_or_refused(schema: Any, value: Any) -> None:
    with suppress(Refusal):  # and nothing else comes out
        assert isinstance(invalid(value, checked_schema(schema)), str)


def test_a_form_leaves_the_approach_itself_as_it_was() -> None:
    ready = Approach("prompt", Scripted(['{"price": 1}']), Nothing())
    list(formed(ready, Form(SCHEMA), "q", [], lambda one: one))
    assert ready == replace(ready)
