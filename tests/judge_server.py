"""A small real server of OpenAI's API on loopback whose models judge by plain rules, each with a habit that its name tells."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class JudgeServer:
    """`asked` holds every request's body."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def judge_server() -> Iterator[JudgeServer]:
    """Serve the judges at `url` until the block ends."""
    held = JudgeServer()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            held.asked.append(body)
            text = said(body)
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for event in (
                {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]},
                {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            ):
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def said(body: dict[str, Any]) -> str:
    """What the judge of this name replies."""
    messages, habit = body["messages"], body["model"]
    told = json.loads(messages[1]["content"])
    if habit == "mute" or (habit == "garbled" and len(messages) == 2):
        return "I would rather not say."
    if habit == "loose":
        return f"Sure:\n```json\n{json.dumps({'verdict': ' ' + verdict(told).upper() + '. '})}\n```"
    if habit == "front":
        return json.dumps({"reason": "it stands first", "verdict": "first" if "first answer" in told else verdict(told)})
    if habit == "wavering":
        return json.dumps({"reason": "by the seed", "verdict": "right" if body["seed"] % 3 else "wrong"})
    return json.dumps({"reason": "compared", "verdict": verdict(told)})


def verdict(told: dict[str, Any]) -> str:
    """Right where the answer holds the ideal one; faithful where a passage holds the answer; the one that is right is better."""
    if "passages" in told:
        return "faithful" if any(told["answer"] in passage for passage in told["passages"]) else "unfaithful"
    ideal = told["ideal answer"].casefold()
    if "answer" in told:
        return "right" if ideal in told["answer"].casefold() else "wrong"
    right = [ideal in told[key].casefold() for key in ("first answer", "second answer")]
    return "same" if right[0] == right[1] else "first" if right[0] else "second"
