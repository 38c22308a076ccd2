"""Embeddings from any OpenAI-compatible server; retries when it is busy, and never stores or shows the key."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from rung.errors import EndpointError

if TYPE_CHECKING:
    from rung.types import Vectors

BUSY = {429, 500, 502, 503, 504}


@dataclass(frozen=True)
class EndpointEmbedder:
    """A model behind `<url>/embeddings`."""

    model: str
    url: str
    limit: int = 8192
    batch: int = 64
    key_env: str = "OPENAI_API_KEY"
    timeout: float = 60.0
    retries: int = 5

    @property
    def id(self) -> str:
        """Model and server; what the server changes behind the name can't be seen from here."""
        return f"endpoint-{self.model}@{self.url}"

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """float32, shape (len(texts), dimensions), rows of length 1. EndpointError where the server refuses."""
        import numpy as np

        rows: list[Any] = []
        for at in range(0, len(texts), self.batch):
            rows += self._ask(list(texts[at : at + self.batch]))
        vectors = np.array(rows, np.float32)
        unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
        return unit

    def _ask(self, texts: list[str]) -> list[list[float]]:
        import httpx

        key = os.environ.get(self.key_env, "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        for attempt in range(self.retries + 1):
            try:
                reply = httpx.post(f"{self.url}/embeddings", json={"model": self.model, "input": texts}, headers=headers, timeout=self.timeout)
            except httpx.HTTPError as error:
                problem = f"does not answer ({type(error).__name__})"
            else:
                if reply.status_code == 200:
                    return _vectors(reply.json(), len(texts), self.url)
                problem = f"answered {reply.status_code}"
                if reply.status_code not in BUSY:
                    break
            if attempt < self.retries:
                time.sleep(min(0.5 * 2**attempt, 20) * (0.5 + Random(f"{attempt}/{texts[0]}").random()))
        raise EndpointError(f"the embedding server {self.url} {problem}", "check the address, the model's name and the key's environment variable")

    def count(self, text: str) -> int:
        """An estimate: a token for every four characters."""
        return len(text) // 4 + 1


def _vectors(reply: Any, expected: int, url: str) -> list[list[float]]:
    rows = reply.get("data") if isinstance(reply, dict) else None
    if not isinstance(rows, list) or len(rows) != expected:
        raise EndpointError(f"the embedding server {url} sent a reply of another form", "is it an OpenAI-compatible server?")
    return [row["embedding"] for row in sorted(rows, key=lambda row: row["index"])]


def open_endpoint(name: str, **options: Any) -> EndpointEmbedder:
    """`endpoint:<model>@<url>`."""
    model, _, url = name.partition("@")
    if not url.startswith(("http://", "https://")):
        raise EndpointError(f"'endpoint:{name}' has no address", "write endpoint:<model>@<base url>")
    return EndpointEmbedder(model, url.rstrip("/"), **options)
