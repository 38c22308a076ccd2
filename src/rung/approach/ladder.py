"""The seven rungs, lowest first: each a source and a model, by name."""

from __future__ import annotations

from typing import NamedTuple


class Rung(NamedTuple):
    """Which source answers, which model, and from which source the model's training rows were rendered."""

    source: str  # nothing | nearest | everything | search
    model: str  # base | tuned | raft
    trained_on: str = ""  # nothing | gold


LADDER: dict[str, Rung] = {
    "prompt": Rung("nothing", "base"),
    "few-shot": Rung("nearest", "base"),
    "long-context": Rung("everything", "base"),
    "rag": Rung("search", "base"),
    "tuned": Rung("nothing", "tuned", "nothing"),
    "hybrid": Rung("search", "tuned", "nothing"),
    "raft": Rung("search", "raft", "gold"),
}
RUNGS: tuple[str, ...] = tuple(LADDER)
