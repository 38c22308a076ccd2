"""Rerankers by name, and the one step they take. It refuses names nobody knows, and names a missing extra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import Protocol, cast

from rung.errors import ConfigError, MissingExtra
from rung.knowledge.fusion import scaled
from rung.types import Hit

KINDS = {"hf": "crossencoder", "late": "late"}
EXTRAS = {"hf": "local", "late": "knowledge"}


class Reranker(Protocol):
    """A model that reads question and passage together, slower and better than a search."""

    @property
    def id(self) -> str:
        """Names weights and settings; two rerankers with one id give the same scores."""

    @property
    def share(self) -> float:
        """Of the last score, in (0, 1]: the rest is the search's. At 1 the model's own scores stand."""

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the question, higher is better; comparable within one call alone."""


def load(spec: str) -> Reranker:
    """`hf:<repo or folder>` of a cross-encoder, or `late`. ConfigError for an unknown kind, KnowledgeError for weights out of reach."""
    kind, _, name = spec.partition(":")
    if kind not in KINDS or (kind == "hf") != bool(name):
        raise ConfigError(f"'{spec}' names no reranker", "write late, or hf:<name or folder>, or nothing for none")
    try:
        return cast("Reranker", import_module(f"rung.knowledge.rerankers.{KINDS[kind]}").open_reranker(name))
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the reranker '{kind}' ({error.name})", EXTRAS[kind]) from None


def reranked(reranker: Reranker, question: str, hits: Sequence[Hit]) -> list[Hit]:
    """The hits in the reranker's order, under its scores; equal scores stay as they were. Their ranks before are in `legs`."""
    texts = ["\n".join((*hit.passage.headings, hit.passage.text)) for hit in hits]
    scores = reranker.scores(question, texts) if hits else []
    if reranker.share < 1:
        before = scaled([hit.score for hit in hits])
        scores = [reranker.share * ours + (1 - reranker.share) * theirs for ours, theirs in zip(scaled(scores), before, strict=True)]
    again = [
        replace(hit, score=score, legs={**hit.legs, "search": rank}) for rank, (hit, score) in enumerate(zip(hits, scores, strict=True), 1)
    ]
    return sorted(again, key=lambda hit: -hit.score)
