"""The rungs, lowest first: each a source and a model, by name. The first two only tell labels apart."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from rung.errors import ConfigError


class Rung(NamedTuple):
    """Which source answers, which model, and from which source the model's training rows were rendered."""

    source: str  # nothing | nearest | everything | search
    model: str  # base | tuned | raft | knn | encoder
    trained_on: str = ""  # nothing | gold


LADDER: dict[str, Rung] = {
    "knn": Rung("nothing", "knn"),
    "encoder": Rung("nothing", "encoder"),
    "prompt": Rung("nothing", "base"),
    "few-shot": Rung("nearest", "base"),
    "long-context": Rung("everything", "base"),
    "rag": Rung("search", "base"),
    "tuned": Rung("nothing", "tuned", "nothing"),
    "hybrid": Rung("search", "tuned", "nothing"),
    "raft": Rung("search", "raft", "gold"),
}
RUNGS: tuple[str, ...] = tuple(LADDER)
SPECIALISTS = ("knn", "encoder")  # need no language model: they stand lowest, since nothing is cheaper to ask


def rungs_of(task: str) -> tuple[str, ...]:
    """The rungs that can do the task, in order."""
    return RUNGS if task == "classify" else tuple(name for name in RUNGS if name not in SPECIALISTS)


def check_rungs(names: Iterable[str]) -> None:
    """ConfigError for a name that is not on the ladder, with the nearest that is."""
    for name in names:
        if name not in LADDER:
            near = get_close_matches(name, RUNGS, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"the rungs are {', '.join(RUNGS)}"
            raise ConfigError(f"there is no rung '{name}'", hint)
