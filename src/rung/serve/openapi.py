"""The OpenAPI document of the server, made of the models that its requests are checked by and the shapes of its answers."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from rung.serve import shapes
from rung.serve.schemas import ChatRequest, EmbeddingRequest, FeedbackRequest, RerankRequest, ResponseRequest, SearchRequest, TakeRequest

REF = "#/components/schemas/{model}"
POSTS: dict[str, tuple[type[BaseModel], shapes.Schema, str]] = {
    "/v1/chat/completions": (ChatRequest, shapes.CHAT, "Answer the last question of a chat; streamed where `stream` is true."),
    "/v1/responses": (ResponseRequest, shapes.RESPONSE, "The same in the form of OpenAI's responses."),
    "/v1/embeddings": (EmbeddingRequest, shapes.EMBEDDED, "Vectors by the project's embedder."),
    "/v1/rerank": (RerankRequest, shapes.RANKED, "The documents sent, best first."),
    "/v1/search": (SearchRequest, shapes.FOUND, "The passages that the key may see, best first."),
    "/v1/feedback": (FeedbackRequest, shapes.RATED, "Say what you think of an answer that you were given."),
    "/v1/feedback/take": (TakeRequest, shapes.TAKEN, "Make a corrected answer a case or an example; for the role editor."),
}
GETS = {
    "/v1/models": (shapes.MODELS, "What can be asked with this key."),
    "/v1/feedback": (shapes.RATINGS, "What was said of answers; for the role editor."),
    "/metrics": (shapes.TEXT, "Figures for Prometheus, where they are on; for the role editor."),
    "/health": (shapes.HEALTH, "Whether the process lives."),
    "/ready": (shapes.READY, "Whether it can answer."),
    "/openapi.json": ({"type": "object"}, "This document."),
}
PAGED = [
    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1000}},
    {"name": "after", "in": "query", "schema": {"type": "integer", "minimum": 1}, "description": "the last entry of the page before"},
]
PUBLIC = ("/health", "/ready", "/openapi.json")
REFUSED = {
    400: "not understood",
    401: "no key",
    403: "not for this key",
    404: "there is none",
    413: "too large",
    415: "no reader for it",
    422: "the form was not kept",
    429: "too many questions, or a limit of the key",
    502: "the engine failed",
    503: "not now",
    504: "the deadline is over",
    507: "no room",
}
POST = (400, 401, 403, 404, 413, 422, 429, 502, 503, 504)


@cache
def openapi(*, documents: bool = False) -> dict[str, Any]:
    """The document, OpenAPI 3.1; with the routes that take documents where the project has them."""
    _, defined = models_json_schema([(form, "validation") for form, _, _ in POSTS.values()], ref_template=REF)
    paths: dict[str, Any] = {path: {"get": _get(path, shape, what)} for path, (shape, what) in GETS.items()}
    for path, (form, shape, what) in POSTS.items():
        paths.setdefault(path, {})["post"] = _post(form, shape, what)
    paths |= _documents() if documents else {}
    key = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "rung", "version": version("rung"), "description": "Answers of a project's rungs, in OpenAI's form. A request "
                 "may name fewer seconds than the server's deadline in the header X-Request-Timeout or the query's timeout."},
        "paths": paths,
        "components": {"schemas": {**defined["$defs"], **shapes.SHARED}, "securitySchemes": {"key": key}},
        "security": [{"key": []}],
    }  # fmt: skip


def _get(path: str, shape: shapes.Schema, what: str) -> dict[str, Any]:
    statuses = (503,) if path in PUBLIC else (400, 401, 403, 404, 503) if path == "/v1/feedback" else (401, 403, 404, 503)
    done = _responses(shape, *statuses)
    if path == "/metrics":
        done["200"]["content"] = {"text/plain": {"schema": shape}}
    asked = {"parameters": PAGED} if path == "/v1/feedback" else {}
    return {"summary": what, "responses": done, **asked, **({"security": []} if path in PUBLIC else {})}


def _post(form: type[BaseModel], shape: shapes.Schema, what: str) -> dict[str, Any]:
    body = {"required": True, "content": _json({"$ref": REF.format(model=form.__name__)})}
    done = _responses(shape, *POST)
    if "stream" in form.model_fields:
        done["200"]["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    return {"summary": what, "requestBody": body, "responses": done}


def _documents() -> dict[str, Any]:
    """The routes of sources of kind `push`, for keys of editors."""
    path = {"name": "path", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    about = "the source's name, a slash, and the document's path"
    sent = {**_json(shapes.PUSHED), "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    put = {"200": _said("unchanged", shapes.ACCEPTED), "202": _said("accepted", shapes.ACCEPTED)}
    several = {"parameters": [{**path, "description": about}]}
    return {
        "/v1/documents/{path}": {
            **several,
            "put": {"summary": "Send one.", "requestBody": {"required": True, "content": sent}, "responses": _own(put, 413, 415, 507)},
            "get": {"summary": "What is known of it.", "responses": _own({"200": _said("done", shapes.DOCUMENT)}, 404, 507)},
            "delete": {"summary": "Delete it.", "responses": _own({"202": _said("deleted", shapes.DELETED)}, 404, 507)},
        },
        "/v1/sync": {"get": {"summary": "How far the index is.", "responses": _own({"200": _said("done", shapes.SYNC)}, 507)}},
    }


def _own(done: dict[str, Any], *statuses: int) -> dict[str, Any]:
    either = {"anyOf": [shapes.named("Refused"), shapes.named("Error")]}
    return done | {str(one): _said(REFUSED[one], either) for one in (400, 401, 403, 503, *statuses)}


def _responses(shape: shapes.Schema, *statuses: int) -> dict[str, Any]:
    return {"200": _said("done", shape)} | {str(status): _said(REFUSED[status], shapes.named("Error")) for status in statuses}


def _said(what: str, shape: shapes.Schema) -> dict[str, Any]:
    return {"description": what, "content": _json(shape)}


def _json(shape: shapes.Schema) -> dict[str, Any]:
    return {"application/json": {"schema": shape}}
