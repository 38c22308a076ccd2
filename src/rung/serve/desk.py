"""What the handlers of a server share: the project, the store, who asks, and how errors are told. It holds no answer."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from rung.errors import RungError
from rung.sections import ServeConfig
from rung.serve.gate import Gate
from rung.serve.metrics import Meter
from rung.serve.offers import Offers
from rung.serve.refusals import Refusal, refusal_of, response
from rung.types import Answer
from rung.workspace.keys import Key, Role, any_key, key_of
from rung.workspace.store import Store
from rung.workspace.traffic import Traffic

Handler = Callable[[Request], Awaitable[Response]]
Listener = Callable[[Traffic, Answer, str], None]  # what is told of each answer, in the thread that gave it; the last is its trace
Sent = TypeVar("Sent", bound=BaseModel)
T = TypeVar("T")
REMEMBERED = 1.0  # seconds for which a key that was looked up is not looked up again
LARGEST = 4 << 20  # bytes of a request
NOBODY = Key("", "anonymous", role="admin")  # who asks a server that has no keys and that only this machine reaches


@dataclass
class Desk:
    """`names`, if any, are the only Host names that are answered without a key; none means that nobody is."""

    offers: Offers
    store: Store
    gate: Gate
    settings: ServeConfig
    answers: ThreadPoolExecutor
    names: frozenset[str] = frozenset()
    draining: Callable[[], bool] = lambda: False
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8, "serve"))  # for what is no answer
    seen: dict[str, tuple[float, Key | None]] = field(default_factory=dict)
    listeners: tuple[Listener, ...] = ()
    meter: Meter | None = None
    closing: Callable[[], None] = lambda: None  # when the last answer was given
    address: str = ""  # where this machine asks the server; "" where that is not known

    async def in_thread(self, work: Callable[[], T]) -> T:
        """What `work` returns; the server goes on meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)

    async def key(self, request: Request, role: Role = "reader") -> Key:
        """Who asks. Refusal with 401 without a key in force, 403 where its role is not enough."""
        text = _bearer(request)
        at, key = self.seen.get(text, (0.0, None))
        if time.monotonic() - at > REMEMBERED:
            key = await self.in_thread(lambda: self._looked_up(text))
            if len(self.seen) > 10_000:
                self.seen.clear()
            self.seen[text] = (time.monotonic(), key)
        if key is None:
            raise Refusal(401, "the API key is missing, wrong or revoked; send it as Authorization: Bearer KEY", "invalid_api_key")
        if key is NOBODY and (request.url.hostname or "") not in self.names:  # a web page that resolves its own name to this machine
            raise Refusal(403, "this name is not this machine's; ask it by the address that it listens on")
        if not key.may(role):
            raise Refusal(403, f"this needs a key with the role '{role}'", "insufficient_permissions")
        return key

    def lists_on(self) -> bool:
        """Whether access lists keep documents apart."""
        opened = self.offers.opened
        return opened is None or opened.ws.config.access.on

    def _looked_up(self, text: str) -> Key | None:
        if text and (key := key_of(self.store, text)):
            return key
        return NOBODY if self.names and not any_key(self.store) else None

    def route(self, handler: Handler) -> Handler:
        """The handler with every error that was foreseen told in OpenAI's form."""

        async def told(request: Request) -> Response:
            try:
                return await handler(request)
            except Refusal as refusal:
                return response(refusal)
            except RungError as error:
                log(error)
                return response(refusal_of(error))
            except ClientDisconnect:
                return Response(status_code=400)

        async def counted(request: Request) -> Response:
            done = await told(request)
            if self.meter:
                self.meter.requested(str(getattr(request.scope.get("route"), "path", "")), done.status_code)
            return done

        return counted


def log(error: RungError) -> None:
    """On stderr, what went wrong beyond what a client is told."""
    print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr, flush=True)


async def sent(request: Request, form: type[Sent]) -> Sent:
    """The request's body as checked values. Refusal where it is too long or of another form."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST:
            raise Refusal(413, f"the request is larger than {LARGEST >> 20} MB")
    try:
        return form.model_validate_json(bytes(body))
    except ValidationError as error:
        raise misread(error) from None
    except (RecursionError, UnicodeError):
        raise Refusal(400, "the request's JSON can't be read", "invalid_json") from None


def misread(error: ValidationError) -> Refusal:
    """What of a request is not as it must be, without what was sent."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return Refusal(400, f"{where}: {first['msg']}" if where else first["msg"], "invalid_value", where)


def _bearer(request: Request) -> str:
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if kind.lower() == "bearer" else request.headers.get("x-api-key", "")
