"""The HTTP interface for documents: what it accepts is on disk, and a sync in the background brings it into the index.

It refuses to listen beyond this machine without a token, bodies over the source's size, and formats that have no reader.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from rung.errors import DataError, RungError
from rung.knowledge.origins.push import Push, Pushed
from rung.knowledge.reading import Unreadable
from rung.serve.syncing import Syncing
from rung.sources import PushSource

Handler = Callable[[Request], Awaitable[Response]]


def application(
    folder: Path, sources: Mapping[str, PushSource], syncing: Syncing, token: str, access: str, hosts: frozenset[str]
) -> Starlette:
    """The application. `access` is the key of metadata that holds readers; `hosts`, if any, are the only Host names answered."""

    def guarded(handler: Handler) -> Handler:
        async def guard(request: Request) -> Response:
            if token and not hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {token}".encode()):
                return _refused(401, "the token is missing or wrong", "send it as Authorization: Bearer TOKEN")
            if hosts and (request.url.hostname or "") not in hosts:  # a web page that resolves its own name to this machine
                return _refused(403, "this name is not this machine's", "ask it by the address that it listens on")
            return await handler(request)

        return guard

    return Starlette(routes=routes(folder, sources, syncing, access, guarded))


def routes(
    folder: Path, sources: Mapping[str, PushSource], syncing: Syncing, access: str, guarded: Callable[[Handler], Handler]
) -> list[BaseRoute]:
    """What documents are sent to; `guarded` lets nobody through to a handler who may not."""
    places = {name: Push(folder / source.path / name) for name, source in sources.items()}

    def found(request: Request) -> tuple[Push, PushSource, str]:
        name, _, path = request.path_params["path"].partition("/")
        if name not in places:
            raise DataError(f"there is no source '{name}' to send documents to", f"the sources are {', '.join(places)}")
        return places[name], sources[name], path

    async def put(request: Request) -> Response:
        place, source, path = found(request)
        body = await _body(request, source.largest_mb << 20)
        if body is None:
            return _refused(413, f"the document is larger than {source.largest_mb} MB", "raise largest_mb of the source in rung.toml")
        pushed = _pushed(path, body, request, access)
        new = await run_in_threadpool(place.put, pushed)
        if new:
            syncing.wake()
        told = {"document": request.path_params["path"], "version": pushed.version, "status": "accepted" if new else "unchanged"}
        return JSONResponse(told, 202 if new else 200)

    async def get(request: Request) -> Response:
        place, _, path = found(request)
        pushed = await run_in_threadpool(place.get, path)
        if pushed is None:
            return _refused(404, f"there is no document '{request.path_params['path']}'", "")
        return JSONResponse(_told(request.path_params["path"], pushed, syncing))

    async def delete(request: Request) -> Response:
        place, _, path = found(request)
        if not await run_in_threadpool(place.delete, path):
            return _refused(404, f"there is no document '{request.path_params['path']}'", "")
        syncing.wake()
        return JSONResponse({"document": request.path_params["path"], "status": "deleted"}, 202)

    async def sync(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(syncing.status))

    document = "/v1/documents/{path:path}"
    handlers: list[tuple[str, str, Handler]] = [
        ("PUT", document, put), ("GET", document, get), ("DELETE", document, delete), ("GET", "/v1/sync", sync)
    ]  # fmt: skip
    return [Route(path, guarded(_saying(handler)), methods=[method]) for method, path, handler in handlers]


def _saying(handler: Handler) -> Handler:
    async def said(request: Request) -> Response:
        return await _said(handler, request)

    return said


async def _said(handler: Handler, request: Request) -> Response:
    """The handler's answer; what can go wrong is said with its status."""
    try:
        return await handler(request)
    except Unreadable as error:
        return _refused(415, f"the document {error}", "send another format, or its text as JSON")
    except RungError as error:
        return _refused(400, error.message, error.hint)
    except OSError as error:
        return _refused(507, f"the document could not be kept: {error.strerror or error}", "make room; nothing was accepted")
    except ClientDisconnect:
        return Response(status_code=400)


async def _body(request: Request, largest: int) -> bytes | None:
    """The whole body; None as soon as it is over the size."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > largest:
        return None
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > largest:
            return None
    return bytes(body)


def _pushed(path: str, body: bytes, request: Request, access: str) -> Pushed:
    """The document that was sent: JSON with its text, or bytes with what headers say of them. DataError for what is neither."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        readers = [name.strip() for name in request.headers["rung-readers"].split(",")] if "rung-readers" in request.headers else None
        meta = _json(request.headers["rung-metadata"].encode("latin-1")) if "rung-metadata" in request.headers else {}
        title = request.headers.get("rung-title", "").encode("latin-1").decode("utf-8", "replace")
        return Pushed(path, body, False, title, _meta(meta, readers, access))
    told = _json(body)
    if not isinstance(told, dict) or not isinstance(told.get("text"), str) or not told["text"].strip():
        raise DataError("the JSON holds no text", 'send {"text": "...", "title": "...", "metadata": {}, "readers": []}')
    if unknown := sorted(told.keys() - {"text", "title", "metadata", "readers"}):
        raise DataError(f"nobody reads the key '{unknown[0]}'", "the keys are text, title, metadata and readers")
    if not isinstance(title := told.get("title", ""), str):
        raise DataError("the title is no text", "send a text or leave it out")
    return Pushed(
        path, told["text"].encode("utf-8", "surrogatepass"), True, title, _meta(told.get("metadata", {}), told.get("readers"), access)
    )


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8"))
    except ValueError as error:
        raise DataError(f"the JSON can't be read: {error}", "send JSON in UTF-8") from None


def _meta(meta: Any, readers: Any, access: str) -> dict[str, Any]:
    """The metadata, with the readers under the key that access lists look at. DataError where either is of another kind."""
    if not isinstance(meta, dict):
        raise DataError("the metadata is no JSON object", 'send {"department": "hr"} or leave it out')
    if readers is None:
        return meta
    if not isinstance(readers, list) or not all(isinstance(name, str) for name in readers):
        raise DataError("the readers are no list of names", 'send ["anna", "group:desk"], ["everyone"], or leave it out')
    if not access:
        raise DataError("this project takes no readers from its documents", "name a key as metadata under [access] in rung.toml")
    return {key: value for key, value in meta.items() if key.casefold() != access.casefold()} | {access: readers}


def _told(path: str, pushed: Pushed, syncing: Syncing) -> dict[str, Any]:
    trouble = syncing.skipped.get(path, "")
    indexed = syncing.synced.get(path) == pushed.version
    status = "pending" if not indexed else "unreadable" if trouble else "indexed"
    told = {"document": path, "version": pushed.version, "title": pushed.title, "metadata": dict(pushed.meta), "bytes": len(pushed.body)}
    return {**told, "status": status, **({"reason": trouble} if trouble else {})}


def _refused(status: int, message: str, hint: str) -> Response:
    return JSONResponse({"error": message, "hint": hint}, status)
