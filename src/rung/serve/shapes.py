"""What the server answers, as JSON Schemas for its OpenAPI document. It describes and checks nothing itself: the tests do."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
ANYTHING: Schema = {}


def maybe(one: Schema) -> Schema:
    """The same, or null."""
    return {**one, "type": [one["type"], "null"]} if isinstance(one.get("type"), str) else {"anyOf": [one, {"type": "null"}]}


def many(one: Schema, **more: Any) -> Schema:
    """A list of it."""
    return {"type": "array", "items": one, **more}


def made(_optional: tuple[str, ...] = (), /, **fields: Schema) -> Schema:
    """An object with these fields, all of them there but the optional ones, and no others."""
    needed = [name for name in fields if name not in _optional]
    return {"type": "object", "required": needed, "properties": fields, "additionalProperties": False}


def named(name: str) -> Schema:
    """A shape of this page by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def exactly(value: str) -> Schema:
    """This text alone."""
    return {"type": "string", "const": value}


TOKENS = {"prompt_tokens_details": made(cached_tokens=COUNT), "completion_tokens_details": made(reasoning_tokens=COUNT)}
PLACE = {"title": TEXT, "start_index": COUNT, "end_index": COUNT}
FILE = {"file_id": TEXT, "filename": TEXT, **PLACE, "span": many(COUNT, minItems=2, maxItems=2), "quote": maybe(TEXT)}
CALL = made(id=TEXT, type=exactly("function"), function=made(name=TEXT, arguments=TEXT))
PASSAGE = made(
    marker=COUNT, id=TEXT, document=TEXT, start=COUNT, end=COUNT, headings=many(TEXT), text=TEXT, score=NUMBER, cited={"type": "boolean"},
    quote=maybe(made(start=COUNT, end=COUNT, text=TEXT)),
)  # fmt: skip
RUNG = made(
    made_by={"type": "object", "additionalProperties": TEXT}, adapter=maybe(TEXT), passages=many(PASSAGE),
    unsupported=many(made(text=TEXT, missing=many(TEXT))), nowhere=many(COUNT), searched_for=maybe(TEXT), left_out=COUNT,
    confidence=maybe(NUMBER), retrieval_seconds=NUMBER, generation_seconds=NUMBER,
)  # fmt: skip
ANNOTATION: Schema = {
    "oneOf": [
        made(type=exactly("file_citation"), file_citation=made(**FILE)),
        made(type=exactly("url_citation"), url_citation=made(url=TEXT, **PLACE)),
    ]
}
FLAT: Schema = {
    "oneOf": [
        made(type=exactly("file_citation"), index=COUNT, **FILE),
        made(type=exactly("url_citation"), index=COUNT, url=TEXT, **PLACE),
    ]
}
MESSAGE = made(
    ("tool_calls",), role=exactly("assistant"), content=maybe(TEXT), refusal={"type": "null"}, annotations=many(named("Annotation")),
    tool_calls=many(CALL),
)  # fmt: skip
CHAT = made(
    id=TEXT, created=COUNT, model=TEXT, object=exactly("chat.completion"), system_fingerprint=maybe(TEXT),
    choices=many(made(index=COUNT, message=MESSAGE, logprobs={"type": "null"}, finish_reason=TEXT), minItems=1, maxItems=1),
    usage=made(prompt_tokens=COUNT, completion_tokens=COUNT, total_tokens=COUNT, **TOKENS), rung=named("Rung"),
)  # fmt: skip
PART = made(type=exactly("output_text"), text=TEXT, annotations=many(FLAT), logprobs=many(ANYTHING))
OUTPUT: Schema = {
    "oneOf": [
        made(id=TEXT, type=exactly("message"), role=exactly("assistant"), status=TEXT, content=many(PART)),
        made(id=TEXT, type=exactly("function_call"), status=TEXT, call_id=TEXT, name=TEXT, arguments=TEXT),
    ]
}
RESPONSE: Schema = {
    "type": "object",
    "required": ["id", "object", "created_at", "status", "model", "output", "usage", "rung"],
    "properties": {
        "id": TEXT, "object": exactly("response"), "created_at": NUMBER, "status": {"enum": ["completed", "incomplete"]}, "model": TEXT,
        "output": many(OUTPUT), "rung": named("Rung"),
        "usage": made(
            input_tokens=COUNT, input_tokens_details=made(cached_tokens=COUNT), output_tokens=COUNT,
            output_tokens_details=made(reasoning_tokens=COUNT), total_tokens=COUNT,
        ),
    },
}  # fmt: skip
EMBEDDED = made(
    object=exactly("list"), model=TEXT, usage=made(prompt_tokens=COUNT, total_tokens=COUNT),
    data=many(made(object=exactly("embedding"), index=COUNT, embedding={"anyOf": [TEXT, many(NUMBER)]})),
)  # fmt: skip
RANKED = made(model=TEXT, results=many(made(("document",), index=COUNT, relevance_score=NUMBER, document=made(text=TEXT))))
FOUND = made(
    object=exactly("vector_store.search_results.page"), search_query=many(TEXT), has_more={"type": "boolean"}, next_page={"type": "null"},
    data=many(
        made(
            file_id=TEXT, filename=TEXT, score=NUMBER, attributes=made(start=COUNT, end=COUNT, headings=TEXT),
            content=many(made(type=exactly("text"), text=TEXT)),
        )
    ),
)  # fmt: skip
MODELS = made(
    object=exactly("list"),
    data=many(made(id=TEXT, object=exactly("model"), created=COUNT, owned_by=exactly("rung"), rung=maybe(TEXT), adapter=maybe(TEXT))),
)
RATED = made(object=exactly("feedback"), id=COUNT, answer=TEXT, created=COUNT)
_RATING: Schema = {"type": "object", "required": ["entry", "model", "question", "said", "taken"]}
RATINGS = made(object=exactly("list"), data=many(_RATING), has_more={"type": "boolean"})
TAKEN: Schema = {"type": "object", "required": ["object", "id", "question"], "properties": {"object": {"enum": ["case", "example"]}}}
HEALTH = made(status=exactly("ok"))
READY = made(status=exactly("ready"), running=COUNT, waiting=COUNT)
ACCEPTED = made(document=TEXT, version=TEXT, status={"enum": ["accepted", "unchanged"]})
DELETED = made(document=TEXT, status=exactly("deleted"))
DOCUMENT = made(
    ("reason",), document=TEXT, version=TEXT, title=TEXT, metadata={"type": "object"}, bytes=COUNT,
    status={"enum": ["pending", "unreadable", "indexed"]}, reason=TEXT,
)  # fmt: skip
SYNC = made(
    state={"enum": ["idle", "running", "stopped"]}, pending=COUNT, last=maybe({"type": "object"}), error=maybe(made(error=TEXT, hint=TEXT))
)
PUSHED = made(("title", "metadata", "readers"), text=TEXT, title=TEXT, metadata={"type": "object"}, readers=maybe(many(TEXT)))
REFUSED = made(error=TEXT, hint=TEXT)
ERROR = made(error=made(("param", "code"), message=TEXT, type=TEXT, param=maybe(TEXT), code=maybe(TEXT)))
SHARED = {"Rung": RUNG, "Annotation": ANNOTATION, "Error": ERROR, "Refused": REFUSED}
