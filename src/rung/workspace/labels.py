"""Which adapter a name means: a label, or the beginning of a hash. It refuses what is unknown, ambiguous, changed or blocked.

A label is looked up for every answer, and what it means then is a model of its own: an answer can't be made by two.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import ConfigError, DataError, ModelError
from rung.models.folder import BLOCKED, check_adapter
from rung.tuning.adapters import block, finished, told, verify
from rung.types import Json
from rung.workspace import adapter_store, copies
from rung.workspace import workspace as w
from rung.workspace.catalogue import Move, catalogue, move, moves, standing
from rung.workspace.jobs import WHO
from rung.workspace.store import open_store
from rung.workspace.trail import note
from rung.workspace.workspace import Workspace

if TYPE_CHECKING:
    from rung.types import ChatModel

_LABEL = re.compile(r"[a-z0-9][\w.-]*(/[\w.-]+)*", re.IGNORECASE)
_HASH = re.compile(r"[0-9a-f]{4,64}")
Load = Callable[[Workspace, Path], "ChatModel"]
_LIST = "list them with `rung adapters list`"


def adapters_home(ws: Workspace) -> Path:
    """Where the project's adapters are kept."""
    return ws.home / "adapters"


def folder_of(ws: Workspace, name: str) -> Path:
    """The folder of a label's or hash's adapter, whether or not it may be served. DataError for an unknown or ambiguous one."""
    stood = None if _HASH.fullmatch(name) else standing(catalogue(ws), name)
    wanted = stood.adapter if stood else name
    found = [folder for folder in finished(adapters_home(ws)) if folder.name.startswith(wanted)]
    if len(found) == 1 and (stood or _HASH.fullmatch(name)):
        return found[0]
    if stood and (fetched := adapter_store.fetch(ws, adapters_home(ws), stood.adapter)):
        return fetched
    if stood:
        raise DataError(f"the label '{name}' stands on {wanted}, whose folder is gone", "roll it back with `rung adapters rollback`")
    if len(found) > 1 and _HASH.fullmatch(name):
        raise DataError(f"{len(found)} adapters begin with {name}", "write more of the hash")
    raise DataError(f"there is no adapter or label '{name}'", _LIST)


def servable(ws: Workspace, name: str) -> Path:
    """The folder of an adapter that may be served. ModelError where it is blocked, DataError where it was changed."""
    folder = folder_of(ws, name)
    if not blocked(folder) and (one := next((one for one in copies.wanted(ws) if folder.name in one.adapters), None)):
        block(folder, f"it learned from what was forgotten (request {one.id})")
    check_adapter(folder)
    verify(folder)
    check_base(ws, folder)
    return folder


def check_base(ws: Workspace, folder: Path) -> None:
    """ModelError where the project's model is not the one that the adapter was trained on: it may fit and yet speak nonsense."""
    from rung.models import base_folder
    from rung.models.folder import model_hash

    base = told(folder, "rows.json").get("base", "")
    name = ws.config.model.name
    if len(base) == 64 and hashlib.sha256(f"{model_hash(base_folder(name, ws.folder))}/".encode()).hexdigest() != base:
        raise ModelError(
            f"the adapter {folder.name} was trained on another model than {name}", "name that model under [model], or train again"
        )


def following(ws: Workspace, name: str, load: Load = w.base_model) -> Callable[[], ChatModel]:
    """A function that gives the model that the name means at this moment; it is to be called for every question.

    An adapter is read, and its files held to their sums, when the label first comes to stand on it. The one before is
    unloaded then, but what is being answered with it is finished with it. `load` makes a model of an adapter's folder.
    """
    opened: dict[str, ChatModel] = {}

    def current() -> ChatModel:
        folder = folder_of(ws, name)
        check_adapter(folder)
        if (model := opened.get(folder.name)) is None:
            servable(ws, folder.name)
            model = load(ws, folder)
            for old in [*opened]:
                _unload(opened.pop(old, None))
            opened[folder.name] = model
        return model

    return current


def _unload(model: ChatModel | None) -> None:
    from rung.models.local import LocalModel

    if isinstance(model, LocalModel):
        model.engine.unload_adapter(model.adapter)


def give(ws: Workspace, name: str, label: str) -> Move:
    """Put a label that nothing is served by onto an adapter. One that was promoted is moved by promotion and rollback alone."""
    check_label(label)
    folder, before = servable(ws, name), standing(catalogue(ws), label)
    if before and any(one.kind != "label" for one in moves(catalogue(ws), label)):
        raise ConfigError(f"'{label}' was promoted to, so it moves only to what beats what it stands on", f"rung adapters promote {label}")
    return moved(ws, before, label, folder, "label", before.rung if before else "")


def moved(ws: Workspace, before: Move | None, label: str, to: Path, kind: str, rung: str, why: str = "", numbers: Json = None) -> Move:
    """Put a label onto an adapter, which every replica can have then, and note it in the audit log. RungError as `move`."""
    adapter_store.put(ws, to)
    done = move(catalogue(ws), before, label, to.name, kind, rung, who(), why, numbers)
    with closing(open_store(ws)) as store:
        note(store, done.kind, done.who, {"label": done.label, "adapter": done.adapter, "move": done.number}, {"why": done.why})
    return done


def roll_back(ws: Workspace, label: str, why: str = "") -> Move:
    """Put the label back onto the adapter it stood on before, blocked ones passed over. DataError where there is none."""
    done = moves(catalogue(ws), label)
    if not done:
        raise DataError(f"there is no label '{label}'", _LIST)
    known = {folder.name: folder for folder in finished(adapters_home(ws))}
    for earlier in reversed(stack(done)[:-1]):
        if earlier.adapter in known and not blocked(known[earlier.adapter]):
            verify(known[earlier.adapter])
            return moved(ws, done[-1], label, known[earlier.adapter], "rollback", earlier.rung, why)
    raise DataError(f"'{label}' stood on no earlier adapter that can be served", "promote another with `rung adapters promote`")


def stack(done: Sequence[Move]) -> list[Move]:
    """The moves that a rollback can lead back to, the one in force last: a rollback takes off what it left."""
    held: list[Move] = []
    for one in done:
        if one.kind == "rollback":
            while held and held[-1].adapter != one.adapter:
                held.pop()
        elif not held or held[-1].adapter != one.adapter:
            held.append(one)
    return held


def trained_rung(folder: Path) -> str:
    """The rung that an adapter was trained for: raft where passages stood in its prompts, else tuned."""
    behind = told(folder, "rows.json").get("behind", {})
    return "raft" if any(":" in passage.rpartition("/")[2] for row in behind.values() for passage in row["passages"]) else "tuned"


def blocked(folder: Path) -> str:
    """Why an adapter may not be served; "" where it may."""
    return str(told(folder, BLOCKED).get("why", "it is blocked")) if (folder / BLOCKED).exists() else ""


def check_label(label: str) -> None:
    """ConfigError for what can't be a label."""
    if not _LABEL.fullmatch(label) or _HASH.fullmatch(label):
        raise ConfigError(f"'{label}' can't be a label", "write words with slashes, such as support/prod, that don't look like a hash")


def who() -> str:
    """The user who runs this, or on whose behalf a job does, for the history."""
    if named := os.environ.get(WHO):
        return named
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may have users without names
        return "unknown"
