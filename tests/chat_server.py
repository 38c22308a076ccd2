"""A small real OpenAI-compatible chat server on loopback, in front of any chat model, which can be told to fail first."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rung.types import ChatModel, Reply, Settings


@dataclass
class Chat:
    """`trouble` is used up one by one: a status to answer with, or raw bytes to send as the body of a 200."""

    model: ChatModel
    url: str = ""
    trouble: list[int | bytes] = field(default_factory=list)
    retry_after: str = ""
    key: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def chat_server(model: ChatModel) -> Iterator[Chat]:
    """Serve the model at `chat.url` until the block ends."""
    chat = Chat(model)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"chat": chat}))
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up
    chat.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield chat
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    chat: Chat

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        chat = self.chat
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with chat.lock:
            chat.asked.append(body)
            trouble = chat.trouble.pop(0) if chat.trouble else None
            chat.at_once += 1
            chat.most_at_once = max(chat.most_at_once, chat.at_once)
        self._answer(body, trouble)

    def _answer(self, body: dict[str, Any], trouble: int | bytes | None) -> None:
        if isinstance(trouble, bytes):
            return self._send(200, trouble)
        if trouble:
            return self._send(trouble, json.dumps({"error": {"message": f"told to say {trouble}"}}).encode())
        if self.chat.key and self.headers.get("authorization") != f"Bearer {self.chat.key}":
            return self._send(401, b'{"error": {"message": "wrong key"}}')
        if body["model"] != "tiny" or not self.path.endswith("/v1/chat/completions"):
            return self._send(404, b'{"error": {"message": "no such model"}}')
        return self._speak(body)

    def _done(self) -> None:
        with self.chat.lock:
            self.chat.at_once -= 1

    def _send(self, status: int, body: bytes) -> None:
        self._done()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        if self.chat.retry_after:
            self.send_header("retry-after", self.chat.retry_after)
        self.end_headers()
        self.wfile.write(body)

    def _speak(self, body: dict[str, Any]) -> None:
        settings = Settings(body["max_tokens"], body["temperature"], body["seed"], tuple(body.get("stop", ())))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for _, item in self.chat.model.stream([body["messages"]], settings):
            if isinstance(item, Reply):
                details = {"cached_tokens": item.usage.cached}
                usage = {"prompt_tokens": item.usage.prompt, "completion_tokens": item.usage.completion, "prompt_tokens_details": details}
                self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": item.finish}]})
                self._event({"choices": [], "usage": usage})
            else:
                self._event({"choices": [{"index": 0, "delta": {"content": item}, "finish_reason": None}]})
        self._done()
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, event: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
