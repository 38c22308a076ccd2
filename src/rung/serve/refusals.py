"""What goes wrong, in OpenAI's form and with its status; it tells no more than the sentence and the hint."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rung.errors import ConfigError, DataError, EndpointError, ModelError, RungError

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    422: "invalid_response",
}


class Refusal(Exception):
    """An answer that is no answer: status, sentence, and what clients look at to know which it is."""

    def __init__(self, status: int, message: str, code: str = "", param: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param, self.retry_after = status, message, code, param, retry_after


def body(refusal: Refusal) -> dict[str, object]:
    """OpenAI's object of an error."""
    kind = "rate_limit_error" if refusal.status == 429 else TYPES.get(refusal.status, "server_error")
    return {"error": {"message": refusal.message, "type": kind, "param": refusal.param or None, "code": refusal.code or None}}


def response(refusal: Refusal) -> Response:
    """The error as an answer."""
    headers = {"Retry-After": str(max(1, round(refusal.retry_after)))} if refusal.retry_after is not None else {}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body(refusal), refusal.status, headers)


async def unrouted(request: Request, error: Exception) -> Response:
    """Paths and methods that there are not, and what the studio refuses, in OpenAI's form: clients come here that left out /v1."""
    assert isinstance(error, HTTPException)
    said, code = str(error.detail), ""
    if error.status_code == 404:
        said, code = (
            f"there is nothing at {request.url.path[:100]}; the API's paths begin with /v1, and /openapi.json lists them",
            "not_found",
        )
    refused = response(Refusal(error.status_code, said, code))
    refused.headers.update(error.headers or {})
    return refused


def refusal_of(error: RungError) -> Refusal:
    """What a user can mend as what a client is told. The engine's own address and key are not told."""
    said = f"{error.message}; {error.hint}" if error.hint else error.message
    if isinstance(error, EndpointError):
        return Refusal(502, "the model's server refused or did not answer; the server's log says more", "engine_failed")
    if isinstance(error, ModelError) and "window" in error.message:
        return Refusal(400, said, "context_length_exceeded", "messages")
    if isinstance(error, DataError | ConfigError | ModelError):
        return Refusal(400, said)
    return Refusal(503, "the server can't answer now; its log says more", "unavailable")
