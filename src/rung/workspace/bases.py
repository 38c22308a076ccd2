"""Several base models on one ladder: which are climbed, under which short names, and the project as each of them sees it.

It refuses a name that neither the configuration knows nor is a model's own; an adapter that the configuration names stays with
the model it was trained on, the project's first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from rung.errors import ConfigError, near_or_known
from rung.sections import ModelConfig, OtherModel
from rung.workspace.workspace import Workspace


def bases(ws: Workspace, names: Sequence[str] = ()) -> dict[str, Workspace]:
    """Short name → the project with that base model, in the order named; "" where there is only one, since nothing needs telling apart.

    `names` are short names or models as rung.toml names them; all of the configuration's where there are none.
    """
    known = _known(ws)
    chosen = {label: known[label] for label in (_found(known, name) for name in names)} if names else known
    if len(chosen) == 1:
        return {"": with_model(ws, next(iter(chosen.values())))}
    return {label: with_model(ws, other) for label, other in chosen.items()}


def answering_by(ws: Workspace, name: str) -> Workspace:
    """The project with the named base model; "" changes nothing."""
    return next(iter(bases(ws, (name,)).values())) if name else ws


def with_model(ws: Workspace, other: OtherModel) -> Workspace:
    """The project with another base model, at that model's prices; unchanged where it is the project's own."""
    config = ws.config
    if other.name == config.model.name:
        return ws
    model = ModelConfig(**config.model.model_dump(exclude={"name", "options", "adapter"}), name=other.name, options=other.options)
    return replace(ws, config=config.model_copy(update={"model": model, "prices": other.prices or config.prices}))


def _known(ws: Workspace) -> dict[str, OtherModel]:
    """Short name → model: the project's own first, then `[[models]]`."""
    found: dict[str, OtherModel] = {}
    for other in (OtherModel(name=ws.config.model.name, options=ws.config.model.options), *ws.config.models):
        if other.name not in {one.name for one in found.values()}:
            found[_free(short(other.name), found)] = other
    return found


def _found(known: dict[str, OtherModel], name: str) -> str:
    """The short name of what was named; a model that the configuration lacks is added, without options."""
    for label, other in known.items():
        if name in (label, other.name):
            return label
    if ":" not in name:
        raise ConfigError(
            f"there is no model '{name}'", f"{near_or_known(name, known)}; or name one as rung.toml does, such as hf:OWNER/NAME"
        )
    label = _free(short(name), known)
    known[label] = OtherModel(name=name)
    return label


def short(spec: str) -> str:
    """What a model is called in tables: `Qwen3-0.6B` of hf:Qwen/Qwen3-0.6B, `llama3` of endpoint:llama3@URL."""
    kind, _, name = spec.partition(":")
    name = name.partition("@")[0] if kind == "endpoint" else name
    return re.sub(r"[^\w.-]+", "-", name.rstrip("/").rpartition("/")[2]).strip("-.") or "model"


def _free(label: str, taken: dict[str, OtherModel]) -> str:
    number = 2
    found = label
    while found in taken:
        found, number = f"{label}-{number}", number + 1
    return found
