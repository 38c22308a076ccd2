"""A small real server of OpenAI's fine-tuning API on loopback: files, jobs, events, cancelling; it can be told to fail first."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Tuner:
    """A job ends after `looks` looks at it, as `ends` says. `trouble` is used up one by one: (path's end, status, whether it was done)."""

    url: str = ""
    key: str = ""
    looks: int = 3
    ends: str = "succeeded"
    trouble: list[tuple[str, int, bool]] = field(default_factory=list)
    files: dict[str, list[Any]] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


@contextmanager
def tuning_server() -> Iterator[Tuner]:
    """Serve at `tuner.url` until the block ends."""
    tuner = Tuner()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"tuner": tuner}))
    tuner.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield tuner
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    tuner: Tuner

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answered(b"")

    def do_POST(self) -> None:
        self._answered(self.rfile.read(int(self.headers.get("content-length", 0))))

    def _answered(self, body: bytes) -> None:
        tuner, path = self.tuner, self.path.partition("?")[0].removeprefix("/v1")
        if tuner.key and self.headers.get("authorization") != f"Bearer {tuner.key}":
            return self._send(401, {"error": {"message": f"wrong key {self.headers.get('authorization')}"}})
        trouble = tuner.trouble.pop(0) if tuner.trouble and path.endswith(tuner.trouble[0][0]) else None
        if trouble and not trouble[2]:
            return self._send(trouble[1], {"error": {"message": f"told to say {trouble[1]}"}})
        found = self._done(path, body)
        if trouble:
            return self._send(trouble[1], {"error": {"message": "the answer is lost"}})
        return self._send(200, found) if found is not None else self._send(404, {"error": {"message": f"no {path}"}})

    def _done(self, path: str, body: bytes) -> Any:
        tuner, parts = self.tuner, path.strip("/").split("/")
        if parts == ["files"]:
            return self._file(body)
        if parts == ["fine_tuning", "jobs"]:
            return self._job(json.loads(body)) if self.command == "POST" else {"object": "list", "data": list(tuner.jobs.values())[::-1]}
        job = tuner.jobs.get(parts[2])
        if job is None:
            return None
        if parts[3:] == ["events"]:
            return {"object": "list", "data": tuner.events[job["id"]][::-1], "has_more": False}
        if parts[3:] == ["cancel"]:
            job["status"] = "cancelled"
        elif job["status"] not in ("succeeded", "failed", "cancelled"):
            self._advance(job)
        return job

    def _file(self, body: bytes) -> dict[str, Any]:
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        message = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + body)
        fields = {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in message.iter_parts()}  # type: ignore[attr-defined]
        assert fields["purpose"] == b"fine-tune"
        name = f"file-{len(self.tuner.files)}"
        self.tuner.files[name] = [json.loads(line) for line in fields["file"].decode().splitlines()]
        return {"id": name, "object": "file", "purpose": "fine-tune"}

    def _job(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = f"ftjob-{len(self.tuner.jobs)}"
        self.tuner.jobs[name] = asked | {"id": name, "object": "fine_tuning.job", "status": "queued", "fine_tuned_model": None, "looked": 0}
        self.tuner.events[name] = []
        return self.tuner.jobs[name]

    def _advance(self, job: dict[str, Any]) -> None:
        job["looked"] += 1
        job["status"] = "running" if job["looked"] < self.tuner.looks else self.tuner.ends
        event = {"id": f"event-{job['looked']}", "created_at": job["looked"], "level": "info", "message": f"step {job['looked']}"}
        self.tuner.events[job["id"]].append(event)
        if job["status"] == "succeeded":
            job["fine_tuned_model"] = f"ft:{job['model']}:{job['id']}"
        if job["status"] == "failed":
            job["error"] = {"code": "bad", "message": "the data is bad"}

    def _send(self, status: int, found: Any) -> None:
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
