"""The OpenAPI document of the server, made of the models that its requests are checked by."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from rung.serve.schemas import ChatRequest, EmbeddingRequest, FeedbackRequest, RerankRequest, ResponseRequest, SearchRequest, TakeRequest

REF = "#/components/schemas/{model}"
POSTS: dict[str, tuple[type[BaseModel], str]] = {
    "/v1/chat/completions": (ChatRequest, "Answer the last question of a chat; streamed where `stream` is true."),
    "/v1/responses": (ResponseRequest, "The same in the form of OpenAI's responses."),
    "/v1/embeddings": (EmbeddingRequest, "Vectors by the project's embedder."),
    "/v1/rerank": (RerankRequest, "The documents sent, best first."),
    "/v1/search": (SearchRequest, "The passages that the key may see, best first."),
    "/v1/feedback": (FeedbackRequest, "Say what you think of an answer that you were given."),
    "/v1/feedback/take": (TakeRequest, "Make a corrected answer a case or an example; for the role editor."),
}
GETS = {
    "/v1/models": "What can be asked with this key.",
    "/v1/feedback": "What was said of answers; for the role editor.",
    "/metrics": "Figures for Prometheus, where they are on; for the role editor.",
    "/health": "Whether the process lives.",
    "/ready": "Whether it can answer.",
    "/openapi.json": "This document.",
}
PUBLIC = ("/health", "/ready", "/openapi.json")
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
REFUSED = {
    400: "not understood",
    401: "no key",
    403: "not for this key",
    404: "no such model",
    413: "too large",
    422: "the form was not kept",
    429: "too many questions, or a limit of the key",
    502: "the engine failed",
    503: "not now",
    504: "the deadline is over",
}


@cache
def openapi() -> dict[str, Any]:
    """The document, OpenAPI 3.1."""
    _, defined = models_json_schema([(form, "validation") for form, _ in POSTS.values()], ref_template=REF)
    paths: dict[str, Any] = {path: {"get": _get(path, what)} for path, what in GETS.items()}
    for path, (form, what) in POSTS.items():
        paths.setdefault(path, {})["post"] = _post(form, what)
    key = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "rung", "version": version("rung"), "description": "Answers of a project's rungs, in OpenAI's form. A request "
                 "may name fewer seconds than the server's deadline in the header X-Request-Timeout or the query's timeout."},
        "paths": paths,
        "components": {"schemas": {**defined["$defs"], "Error": ERROR}, "securitySchemes": {"key": key}},
        "security": [{"key": []}],
    }  # fmt: skip


def _get(path: str, what: str) -> dict[str, Any]:
    statuses = (503,) if path in PUBLIC else (401, 403, 503)
    return {"summary": what, "responses": _responses(*statuses), **({"security": []} if path in PUBLIC else {})}


def _post(form: type[BaseModel], what: str) -> dict[str, Any]:
    body = {"required": True, "content": {"application/json": {"schema": {"$ref": REF.format(model=form.__name__)}}}}
    done = _responses(*REFUSED)
    if "stream" in form.model_fields:
        done["200"]["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    return {"summary": what, "requestBody": body, "responses": done}


def _responses(*statuses: int) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": REF.format(model="Error")}}}
    done = {"200": {"description": "done", "content": {"application/json": {"schema": {"type": "object"}}}}}
    return done | {str(status): {"description": REFUSED[status], "content": error} for status in statuses}
