"""A project that is served by the real command, for the tests of `rung serve`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

TOML = """\
[model]
name = "{model}"
max_tokens = 24
[knowledge]
embedder = "hashing"
index = "exact"
k = 2
{more}
"""
PARTS = {"gear": "40 euros", "valve": "55 euros", "pump": "310 euros"}


@dataclass
class Served:
    process: subprocess.Popen[str]
    url: str
    client: httpx.Client


def write_project(folder: Path, model: str = "bundled:reader", more: str = "", documents: dict[str, str] | None = None) -> Path:
    """Three documents, a case and a configuration."""
    told = {f"{part}.md": f"# The {part}\n\nThe {part} costs {price}.\n" for part, price in PARTS.items()}
    for name, text in (documents or told).items():
        (folder / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "docs" / name).write_text(text)
    (folder / "cases.jsonl").write_text(json.dumps({"id": "c1", "question": "What does the crane cost?", "answer": "900 euros"}) + "\n")
    (folder / "rung.toml").write_text(TOML.format(model=model, more=more))
    return folder


@contextmanager
def served(folder: Path, key: str = "", *words: str) -> Iterator[Served]:
    """The command in a process of its own, at a port that was free, until the block ends."""
    command = [sys.executable, "-m", "rung", "serve", str(folder), "--port", "0", *words]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("serving on "), process.stderr.read() if process.stderr else ""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        with httpx.Client(base_url=line.split()[-1], headers=headers, timeout=60) as client:
            yield Served(process, line.split()[-1], client)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
        assert "Traceback" not in said, said


def asked(text: str, model: str = "rag", **more: object) -> dict[str, object]:
    """The body of a chat completion."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}
