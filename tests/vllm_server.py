"""A small server of the API that vLLM has for adapters, in front of chat completions; it says which model was asked for, and what."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Engine:
    """`pieces` are said one by one, with `pause` seconds before each; `call` is a tool that is called instead."""

    url: str = ""
    base: str = "base"
    adapters: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    pieces: list[str] | None = None
    pause: float = 0.0
    call: dict[str, str] | None = None
    key: str = ""
    reply: Callable[[str], str] | None = None  # what is said to the last message, in place of pieces
    left: threading.Event = field(default_factory=threading.Event)  # a client hung up in the middle
    spoken: int = 0


@contextmanager
def vllm_server() -> Iterator[Engine]:
    engine = Engine()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"engine": engine}))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up
    engine.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield engine
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    engine: Engine
    protocol_version = "HTTP/1.0"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        engine, body = self.engine, json.loads(self.rfile.read(int(self.headers["content-length"])))
        if engine.key and self.headers.get("authorization") != f"Bearer {engine.key}":
            return self._send(401, {"error": "no key"})
        what = self.path.rpartition("/")[2]
        if what == "completions":
            return self._speak(body)
        engine.calls.append((what, body["lora_name"]))
        if what == "load_lora_adapter":
            if body["lora_name"] in engine.adapters:
                return self._send(400, {"message": f"The lora adapter '{body['lora_name']}' has already been loaded."})
            if not (Path(body["lora_path"]) / "adapter_config.json").is_file():
                return self._send(400, {"message": "No adapter found"})
            engine.adapters[body["lora_name"]] = body["lora_path"]
        elif engine.adapters.pop(body["lora_name"], None) is None:
            return self._send(404, {"message": "cannot be found"})
        return self._send(200, "Success")

    def _send(self, status: int, value: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def _speak(self, body: dict[str, Any]) -> None:
        engine = self.engine
        engine.asked.append(body)
        if body["model"] not in (engine.base, *engine.adapters):
            return self._send(404, {"error": "no such model"})
        self.send_response(200)
        self.end_headers()
        if engine.call:
            parts = [{"index": 0, "id": "call_1", "type": "function", "function": {"name": engine.call["name"], "arguments": ""}}]
            parts += [{"index": 0, "function": {"arguments": piece}} for piece in engine.call["arguments"]]
            for part in parts:
                self._event({"choices": [{"index": 0, "delta": {"tool_calls": [part]}, "finish_reason": None}]})
            self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
        else:
            try:
                said = [engine.reply(body["messages"][-1]["content"])] if engine.reply else engine.pieces
                for piece in said if said is not None else [f"{body['model']} speaks"]:
                    time.sleep(engine.pause)
                    self._event({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
                    engine.spoken += 1
            except OSError:
                engine.left.set()
                raise
            self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        usage = {"prompt_tokens": 20, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 16}}
        self._event({"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, event: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()
