"""Embeddings from any OpenAI-compatible server. It refuses to store or show the key, and to guess a missing vector."""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rung.errors import EndpointError

if TYPE_CHECKING:
    from rung.types import Vectors

BUSY = {408, 429, 500, 502, 503, 504}
HINT = "check the address, the model's name and the environment variable that holds the key"


@dataclass(frozen=True)
class Endpoint:
    """A model behind `<url>/embeddings`; the key is read from an environment variable with each request."""

    model: str
    url: str
    limit: int = 512
    batch: int = 64
    key_env: str = "OPENAI_API_KEY"
    timeout: float = 60.0
    retries: int = 5
    wait: float = 0.5  # seconds before the first retry, doubled with each

    @property
    def id(self) -> str:
        """Model and server; what the server changes behind the name can't be seen from here."""
        return f"endpoint-{self.model}@{self.url}"

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """float32, shape (len(texts), dimensions), rows of length 1. EndpointError where the server refuses."""
        import numpy as np

        rows: list[Any] = []
        for at in range(0, len(texts), self.batch):
            rows += self._asked([text[: self.limit * 8] or " " for text in texts[at : at + self.batch]])
        vectors = np.array(rows, np.float32).reshape(len(texts), -1 if texts else 0)
        unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
        return unit

    def count(self, text: str) -> int:
        """An estimate, since the server's tokenizer is out of reach: a token for every four characters."""
        return math.ceil(len(text) / 4)

    def _asked(self, texts: list[str]) -> list[list[float]]:
        from urllib3.exceptions import HTTPError

        from rung.asking import client

        key = os.environ.get(self.key_env, "")
        headers = {"authorization": f"Bearer {key}"} if key else {}
        asked, problem = client(self.url, self.timeout), ""
        for attempt in range(self.retries + 1):
            wait = self.wait * 2**attempt * (0.5 + random.random())
            try:
                body = {"model": self.model, "input": texts}
                reply = asked.request("POST", f"{self.url}/embeddings", json=body, headers={**asked.headers, **headers})
            except HTTPError as error:
                problem = f"does not answer ({type(error).__name__})"
            else:
                if reply.status < 300:
                    return _rows(reply, len(texts), self.url)
                problem = f"answered {reply.status}: {reply.data.decode(errors='replace')[:200]}"
                if reply.status not in BUSY:
                    break
                wait = _asked_wait(reply.headers.get("retry-after", ""), wait)
            if attempt < self.retries:
                time.sleep(min(wait, 30.0))
        raise EndpointError(f"the embedding server {self.url} {problem}", HINT)


def _asked_wait(header: str, otherwise: float) -> float:
    return float(header) if header.replace(".", "", 1).isdigit() else otherwise


def _rows(reply: Any, expected: int, url: str) -> list[list[float]]:
    try:
        rows = sorted(reply.json()["data"], key=lambda row: row["index"])
        vectors = [[float(x) for x in row["embedding"]] for row in rows]
    except (ValueError, KeyError, TypeError):
        vectors = []
    if len(vectors) != expected or len({len(vector) for vector in vectors}) > 1:
        raise EndpointError(f"the embedding server {url} sent a reply of another form", "is it an OpenAI-compatible server?")
    return vectors


def open_embedder(
    name: str,
    model: str = "",
    limit: int = 512,
    batch: int = 64,
    key_env: str = "OPENAI_API_KEY",
    timeout: float = 60.0,
    retries: int = 5,
    wait: float = 0.5,
) -> Endpoint:
    """`endpoint:<model>@<base url>`, or `endpoint:<base url>` with the option `model`."""
    named, _, url = name.rpartition("@") if "@" in name else ("", "", name)
    if not url.startswith(("http://", "https://")) or not (named or model):
        raise EndpointError(f"'endpoint:{name}' does not name a model and an address", "write endpoint:<model>@<base url>")
    return Endpoint(named or model, url.rstrip("/"), limit, batch, key_env, timeout, retries, wait)
