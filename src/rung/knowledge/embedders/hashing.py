"""Words hashed into a few hundred dimensions: no weights, no dependency but numpy. It refuses to know synonyms."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rung.types import Vectors

_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Hashing:
    """Signed feature hashing (Weinberger et al. 2009) of lower-case words, each weighing 1 + log of its count."""

    dimensions: int = 256
    limit: int = 100_000

    @property
    def id(self) -> str:
        """The dimensions are all there is to it."""
        return f"hashing-{self.dimensions}"

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """float32, shape (len(texts), dimensions), rows of length 1; a text without words is the first axis."""
        import numpy as np

        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            for word, count in Counter(re.findall(r"\w+", text.lower())).items():
                digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
                slot = int.from_bytes(digest[:4], "big") % self.dimensions
                vectors[row, slot] += (1 if digest[4] & 1 else -1) * (1 + np.log(count))
            if not vectors[row].any():
                vectors[row, 0] = 1
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    def count(self, text: str) -> int:
        """Words and punctuation marks."""
        return len(_TOKEN.findall(text))


def open_embedder(name: str = "", dimensions: int = 256) -> Hashing:
    """`hashing` or `hashing:<dimensions>`."""
    return Hashing(int(name) if name.isdigit() else dimensions)
