"""Answers in a form: JSON by a schema, or calls of tools. An endpoint is asked for them in its own API; for a model on this
machine the form is told, the reply is held to it, and mended once. It refuses schemas that would fetch or could hang.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from rung.approach.approach import Approach, answer_stream
from rung.approach.policy import Policy
from rung.approach.source import Context
from rung.models.endpoint import EndpointModel
from rung.serve.refusals import Refusal
from rung.types import Answer, ChatModel, Hit, Json, Message, Messages, Reply, Settings

NAMED = ("properties", "$defs", "definitions", "dependentSchemas")  # whose keys are names, no keywords
UNSAFE = ("pattern", "patternProperties")  # a pattern may take for ever to match


@dataclass(frozen=True)
class Form:
    """What is wanted beside text. `schema` is None where no JSON is; `extra` is what an endpoint is sent, in OpenAI's names."""

    schema: Json = None
    tools: tuple[Mapping[str, Json], ...] = ()
    choice: str = "auto"  # auto, required, or a tool's name
    extra: Mapping[str, Json] = field(default_factory=dict)
    tail: tuple[Mapping[str, Json], ...] = ()  # messages after the question: calls of tools and what they gave

    @property
    def plain(self) -> bool:
        """Whether a model on this machine has nothing to keep to."""
        return self.schema is None and not self.tools and not self.tail


PLAIN = Form()


@dataclass(frozen=True)
class Told:
    """A source that brings what was brought already."""

    hits: tuple[Hit, ...]
    id: str
    whole: bool = False

    def find(self, question: str) -> Context:
        """The same hits, whatever is asked."""
        return Context(self.hits)


@dataclass(frozen=True)
class Followed:
    """An endpoint's model with messages that follow every prompt."""

    model: EndpointModel
    tail: tuple[Mapping[str, Json], ...]
    adapter: str = ""

    @property
    def id(self) -> str:
        return self.model.id

    @property
    def window(self) -> int:
        return self.model.window

    def count(self, messages: Messages) -> int:
        return self.model.count(messages) + len(json.dumps(self.tail)) // 4

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        return self.model.stream([[*prompt, *cast("Messages", self.tail)] for prompt in prompts], settings)


def formed(
    ready: Approach, form: Form, question: str, history: Messages, wrapped: Callable[[ChatModel], ChatModel]
) -> Iterator[str | Answer]:
    """The answer in its form: streamed where an endpoint gives it, whole where it was held to it here. Refusal where it fails twice."""
    policy = ready.policy if form.schema is None else Policy()
    style = ready.style if form.schema is None else replace(ready.style, cite=False)
    ready = replace(ready, policy=policy, style=style, rewrite=ready.rewrite and form.plain)
    if isinstance(ready.model, EndpointModel):
        options = replace(ready.model.options, extra={**ready.model.options.extra, **form.extra})
        model = replace(ready.model, options=options)
        spoken = wrapped(Followed(model, form.tail, model.adapter) if form.tail else model)
        yield from answer_stream(replace(ready, model=spoken), question, history)
        return
    for schema in (form.schema, *(tool["function"].get("parameters") for tool in form.tools)):
        checked_schema(schema if schema is not None else {})
    ready = replace(ready, model=wrapped(ready.model))
    if form.plain:
        yield from answer_stream(ready, question, history)
        return
    yield from _held(replace(ready, policy=Policy() if form.tools else policy), form, question + _results(form), history)


def _held(ready: Approach, form: Form, question: str, history: Messages) -> Iterator[str | Answer]:
    """Told the form, held to it, mended once."""
    told = replace(ready, style=replace(ready.style, system=f"{ready.style.system}\n{_instructions(form)}".strip()))
    answer = _whole(told, question, history)
    done, wrong = _read(answer, form)
    if wrong:
        turns: list[Message] = [{"role": "user", "content": question}, {"role": "assistant", "content": answer.text}]
        again = replace(told, source=Told(answer.hits, ready.source.id), rewrite=False)
        second = _whole(again, f"That was not valid: {wrong} Reply again, with valid JSON alone.", [*history, *turns])
        done, wrong = _read(replace(second, question=question, usage=answer.usage + second.usage), form)
    if wrong:
        raise Refusal(422, f"the model did not keep to the form, twice: {wrong}", "form_not_kept")
    if done.text:
        yield done.text
    yield done


def _whole(ready: Approach, question: str, history: Messages) -> Answer:
    *_, answer = answer_stream(ready, question, history)
    assert isinstance(answer, Answer), "the last piece of a stream"
    return answer


def _instructions(form: Form) -> str:
    if form.schema is not None:
        return f"Reply with JSON alone, without any other word. It must be valid by this JSON Schema: {json.dumps(form.schema)}"
    tools = json.dumps([tool["function"] for tool in form.tools])
    must = {"auto": "You may call a tool.", "required": "You must call a tool."}.get(form.choice, f"You must call the tool {form.choice}.")
    return f'{must} To call one, reply with JSON alone: {{"name": ..., "arguments": {{...}}}}. The tools: {tools}'


def _results(form: Form) -> str:
    """What tools gave, for a model that has no turns for them."""
    given = [f"{one.get('name') or one.get('tool_call_id') or 'tool'}: {one.get('content')}" for one in form.tail if one["role"] == "tool"]
    return "\n\nResults of tools:\n" + "\n".join(given) if given else ""


def _read(answer: Answer, form: Form) -> tuple[Answer, str]:
    """The answer in its form, and what is wrong with it."""
    value, wrong = _json(answer.text)
    if form.schema is not None:
        wrong = wrong or invalid(value, form.schema)
        return replace(answer, text="" if wrong else json.dumps(value, ensure_ascii=False)), wrong
    if not form.tools:
        return answer, ""
    named = {tool["function"]["name"]: tool["function"] for tool in form.tools}
    if form.choice in named:
        named = {form.choice: named[form.choice]}
    if wrong or not isinstance(value, dict) or value.get("name") not in named:
        return answer, "" if form.choice == "auto" else (wrong or f"it names none of the tools {', '.join(named)}.")
    given = value.get("arguments", {})
    wrong = invalid(given, named[value["name"]].get("parameters") or {})
    function = {"name": value["name"], "arguments": json.dumps(given, ensure_ascii=False)}
    call = {"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function}
    return replace(answer, text="", calls=(call,), finish="tool_calls", citations=()), wrong


def _json(text: str) -> tuple[Json, str]:
    fenced = re.fullmatch(r"\s*```(?:json)?\s*(.*?)\s*```\s*", text, re.DOTALL)
    try:
        return json.loads(fenced[1] if fenced else text), ""
    except (ValueError, RecursionError) as error:
        return None, f"it is no JSON ({str(error)[:80]})."


def invalid(value: Json, schema: Json) -> str:
    """What of a value is not as the schema says; "" where it is. It fetches nothing."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        error = next(Draft202012Validator(schema, registry=Registry()).iter_errors(value), None)
    except (SchemaError, Unresolvable, RecursionError, TypeError, ValueError, AttributeError) as broken:
        raise Refusal(400, f"the JSON Schema can't be used: {str(broken)[:200]}", "invalid_json_schema") from None
    return f"{error.json_path}: {error.message[:200]}." if error else ""


def checked_schema(schema: Json) -> Json:
    """A client's schema. Refusal where it is none, or could hang the server."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    if not isinstance(schema, dict | bool):
        raise Refusal(400, "the JSON Schema is no object", "invalid_json_schema")
    try:
        if unsafe := _unsafe(schema):
            raise Refusal(400, f"'{unsafe}' is not supported in a JSON Schema for a model on this machine", "invalid_json_schema")
        Draft202012Validator.check_schema(schema)
    except (SchemaError, RecursionError) as error:
        raise Refusal(400, f"the JSON Schema is not valid: {str(error)[:200]}", "invalid_json_schema") from None
    return schema


def _unsafe(schema: Any) -> str:
    """The first keyword that could take for ever; names of properties are no keywords."""
    if isinstance(schema, list):
        return next((found for one in schema if (found := _unsafe(one))), "")
    if not isinstance(schema, dict):
        return ""
    for key, value in schema.items():
        inner = list(value.values()) if key in NAMED and isinstance(value, dict) else value
        if key in UNSAFE:
            return str(key)
        if key not in ("enum", "const", "default", "examples") and (found := _unsafe(inner)):
            return found
    return ""
