"""Where a training stands: model, optimizer and position, on disk between runs, so that it goes on exactly where it was.

It refuses to write from any process but the first.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.tuning import shares
from rung.tuning.adapted import adapted, window
from rung.tuning.loop import Forward, padded
from rung.tuning.shard import gathering, sharding, share_of
from rung.tuning.spread import Group

if TYPE_CHECKING:
    from rung.tuning.recipe import Means, Recipe

WHOLE, PIECES = "resume.pt", "pieces.json"
PLACE = ("step", "best", "since", "stopped", "parts", "before")


class State:
    """Of one training; `parts` is into how many pieces a batch is split so that it fits the memory."""

    def __init__(self, base: Path, recipe: Recipe, means: Means, work: Path, group: Group) -> None:
        import torch

        self.recipe, self.means, self.work, self.group = recipe, means, work, group
        self.split = sharding(base, recipe, means.shard, group)
        self.tokenizer, self.model = adapted(base, recipe, means, group if self.split else None)
        self.window = window(self.model)
        self.forward: Forward = padded(self.model)._replace(within=gathering(self.model))
        self.weights = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.weights, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
        self.step, self.best, self.since, self.stopped, self.parts = 0, math.inf, 0, False, 1
        self.before: tuple[float, float] | None = None  # losses of the untrained weights, on its own rows and on those set aside
        self.kept: list[Any] = [w.detach().clone() for w in self.weights]
        self.load()

    def load(self) -> None:
        """Go on from the last checkpoint, if there is one."""
        if (self.work / shares.TOLD).exists():
            shares.load(self)
        elif (self.work / WHOLE).exists():
            self._load()
        if self.split and (self.work / PIECES).exists():
            self.parts = max(self.parts, json.loads((self.work / PIECES).read_text(encoding="utf-8")))
        self._undo()

    def _load(self) -> None:
        import torch

        held = torch.load(self.work / WHOLE, weights_only=True, map_location="cpu" if self.split else self.model.device)
        put(self.weights, held["weights"])
        put(self.kept, held["kept"])
        for n, weight in enumerate(self.weights):
            means = held["optimizer"]["state"][n]
            means |= {key: share_of(value, weight) for key, value in means.items() if key != "step"}
        self.optimizer.load_state_dict(held["optimizer"])
        torch.set_rng_state(held["rng"].cpu())
        self.placed(held)

    def _undo(self) -> None:
        """Drop the lines of steps after the checkpoint, which a kill undid, and one that a kill tore."""
        path = self.work / "loss.jsonl"
        if path.exists() and not self.group.rank:
            whole = [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
            temporary = path.with_suffix(".tmp")
            temporary.write_text("".join(line for line in whole if json.loads(line)["step"] <= self.step), encoding="utf-8")
            os.replace(temporary, path)

    def save(self) -> None:
        """A checkpoint, replaced at once."""
        import torch

        if self.split:
            shares.save(self)
            return
        if self.group.rank:
            return
        held = {
            **self.place(),
            "weights": [w.detach().cpu() for w in self.weights],
            "kept": [kept.cpu() for kept in self.kept],
            "optimizer": self.optimizer.state_dict(),
            "rng": torch.get_rng_state(),
        }
        torch.save(held, self.work / "resume.tmp")
        os.replace(self.work / "resume.tmp", self.work / WHOLE)
        (self.work / shares.TOLD).unlink(missing_ok=True)

    def place(self) -> dict[str, Any]:
        """Where it stands, apart from tensors."""
        return {name: getattr(self, name) for name in PLACE}

    def placed(self, told: Mapping[str, Any]) -> None:
        """Stand there again."""
        for name in PLACE:
            setattr(self, name, told[name])

    def best_back(self) -> None:
        """The weights with the lowest validation loss."""
        put(self.weights, self.kept)

    def begin_with(self, parts: int) -> None:
        """The next run takes batches in so many pieces. Any process may say so."""
        temporary = self.work / f"{PIECES}.{self.group.rank}"
        temporary.write_text(json.dumps(parts), encoding="utf-8")
        os.replace(temporary, self.work / PIECES)

    def log(self, line: Mapping[str, float]) -> None:
        """A line of the loss curve."""
        if self.group.rank == 0:
            with (self.work / "loss.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def curve(self) -> list[dict[str, float]]:
        """The loss curve so far."""
        path = self.work / "loss.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def put(weights: Sequence[Any], values: Sequence[Any]) -> None:
    """Give the weights these values; of a whole value, a split weight takes its share."""
    import torch

    with torch.no_grad():
        for weight, value in zip(weights, values, strict=True):
            weight.copy_(share_of(value, weight))
