"""Small classifiers as chat models: they read the last user message and say one label and how sure they are of it.

An embedder makes a vector of unit length, a head makes probabilities of it: a linear layer that was tuned with the encoder, or
the labels of the nearest examples. It refuses to name a label it is less sure of than its threshold.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rung.types import Messages, Reply, Settings, Usage

if TYPE_CHECKING:
    from rung.types import Embedder, Vectors

UNSURE = "unknown"  # said below the threshold where the project names no label for it; scores take it for an abstention
SHARPNESS = 0.05  # of the nearest examples' votes: a cosine that is lower by as much weighs 1/e


@dataclass(frozen=True)
class Specialist:
    """Texts to labels. It sells no tokens, so its usage is zero and its cost is the machine's seconds."""

    id: str
    labels: tuple[str, ...]
    shares: Callable[[Sequence[str]], Vectors]  # probabilities, shape (texts, labels)
    threshold: float = 0.0
    other: str = UNSURE
    window: int = 1 << 20  # a text beyond the encoder's reach is cut, as in a search, and never refused

    def count(self, messages: Messages) -> int:
        """An estimate; nothing is charged by it."""
        return len(asked(messages)) // 4

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        """A label for each prompt, one after the other, so that its seconds are its own."""
        for number, messages in enumerate(prompts):
            started = time.perf_counter()
            label, confidence = self.labelled([asked(messages)])[0]
            yield number, label
            yield number, Reply(label, Usage(), time.perf_counter() - started, confidence=confidence)

    def labelled(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """The label said of each text, and the probability of the best one, which may be too low to say it."""
        best = [(int(row.argmax()), float(row.max())) for row in self.shares(texts)]
        return [(self.labels[label] if share >= self.threshold else self.other, share) for label, share in best]


def asked(messages: Messages) -> str:
    """The last user message; "" where there is none."""
    return next((message["content"] for message in reversed(messages) if message["role"] == "user"), "")


def linear(embedders: Sequence[Embedder], weights: Sequence[Vectors], temperature: float) -> Callable[..., Vectors]:
    """Probabilities softmax(mean over the members of W v / T), where each member's v is its embedder's vector."""
    import numpy as np

    def shares(texts: Sequence[str]) -> Vectors:
        logits = [embedder.embed(texts, query=True) @ weight.T for embedder, weight in zip(embedders, weights, strict=True)]
        return softmax(np.mean(logits, axis=0) / temperature)

    return shares


def nearest_labels(embedder: Embedder, vectors: Vectors, gold: Sequence[int], labels: int, k: int) -> Callable[..., Vectors]:
    """Each of the k examples with the highest cosine votes for its label with the weight exp(cosine / SHARPNESS)."""
    import numpy as np

    one_hot = np.eye(labels, dtype=np.float32)[np.asarray(gold, int)]

    def shares(texts: Sequence[str]) -> Vectors:
        cosines = embedder.embed(texts, query=True) @ vectors.T
        best = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        votes = softmax(np.take_along_axis(cosines, best, 1) / SHARPNESS)
        summed: Vectors = np.einsum("tk,tkl->tl", votes, one_hot[best])
        return summed

    return shares


def softmax(logits: Any) -> Vectors:
    """Along the last axis, safe from overflow."""
    import numpy as np

    powers = np.exp(logits - logits.max(-1, keepdims=True))
    shares: Vectors = powers / powers.sum(-1, keepdims=True)
    return shares
