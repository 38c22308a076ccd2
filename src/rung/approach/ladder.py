"""The rungs, lowest first: each a source and a model, by name. The first two only tell labels apart, the third only fills fields."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from rung.errors import ConfigError


class Rung(NamedTuple):
    """Which source answers, which model, and from which source the model's training rows were rendered."""

    source: str  # nothing | nearest | everything | search
    model: str  # base | tuned | raft | knn | encoder | extractor
    trained_on: str = ""  # nothing | gold


LADDER: dict[str, Rung] = {
    "knn": Rung("nothing", "knn"),
    "encoder": Rung("nothing", "encoder"),
    "extractor": Rung("nothing", "extractor"),
    "prompt": Rung("nothing", "base"),
    "few-shot": Rung("nearest", "base"),
    "long-context": Rung("everything", "base"),
    "rag": Rung("search", "base"),
    "tuned": Rung("nothing", "tuned", "nothing"),
    "hybrid": Rung("search", "tuned", "nothing"),
    "raft": Rung("search", "raft", "gold"),
}
RUNGS: tuple[str, ...] = tuple(LADDER)
SPECIALISTS = {
    "knn": "classify",
    "encoder": "classify",
    "extractor": "extract",
}  # and their task; they need no language model: they stand lowest, since nothing is cheaper to ask


def rungs_of(task: str) -> tuple[str, ...]:
    """The rungs that can do the task, in order."""
    return tuple(name for name in RUNGS if SPECIALISTS.get(name, task) == task)


def row(rung: str, model: str = "") -> str:
    """The name of a rung with one of several base models: `rag@llama`; the rung's own where there is one model."""
    return f"{rung}@{model}" if model else rung


def rung_of(name: str) -> str:
    """The rung in a row's name."""
    return name.partition("@")[0]


def model_of(name: str) -> str:
    """The short name of the model in a row's name; "" where there is one model."""
    return name.partition("@")[2]


def check_rungs(names: Iterable[str]) -> None:
    """ConfigError for a name that is not on the ladder, with the nearest that is."""
    for name in names:
        if name not in LADDER:
            near = get_close_matches(name, RUNGS, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"the rungs are {', '.join(RUNGS)}"
            raise ConfigError(f"there is no rung '{name}'", hint)
