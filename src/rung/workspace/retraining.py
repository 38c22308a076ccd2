"""Trains again, without what was forgotten, what had learned from it. It refuses to bring back what has no rows left to learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rung.errors import TuningError
from rung.tuning.adapters import finished
from rung.workspace import labels
from rung.workspace import workspace as w
from rung.workspace.catalogue import catalogue, moves, standing
from rung.workspace.to_forget import untuned
from rung.workspace.workspace import Progress, Workspace


def retrained(
    ws: Workspace, adapters: Sequence[str], specialists: Mapping[str, str], before: Mapping[str, str], progress: Progress
) -> dict[str, str]:
    """Successors by what was blocked, by the configuration of now. TuningError where one can't be trained."""
    left = {name: kind for name, kind in specialists.items() if name not in before}
    made = _adapters(ws, adapters, progress)
    for kind in dict.fromkeys(left.values()):
        try:
            folder = _specialist(ws, kind, progress)
        except TuningError as error:
            raise TuningError(
                f"all is forgotten and certified, but the {kind} can't be trained again: {error.message}", error.hint
            ) from None
        made |= {name: folder.relative_to(ws.home).as_posix() for name, one in left.items() if one == kind}
    return made


def _adapters(ws: Workspace, adapters: Sequence[str], progress: Progress) -> dict[str, str]:
    """Labels that stood on a blocked adapter move to its successor."""
    from rung.workspace.training import knowledge_for, train_adapter

    made: dict[str, str] = {}
    kept = {folder.name: folder for folder in finished(labels.adapters_home(ws))}
    for name in adapters:
        raft = labels.trained_rung(kept[name]) == "raft"
        folder, _ = train_adapter(ws, w.examples(ws), knowledge_for(untuned(ws), progress, raft=raft), progress, raft=raft)
        made[name] = folder.name
        for label in {one.label for one in moves(catalogue(ws))}:
            stood = standing(catalogue(ws), label)
            if stood and stood.adapter == name:
                why = "trained again without what was forgotten"
                labels.moved(ws, stood, label, folder, "retrain", stood.rung, why)
    return made


def _specialist(ws: Workspace, kind: str, progress: Progress) -> Path:
    from rung.workspace.embedding import tune_embedder
    from rung.workspace.specialists import folder_of

    if kind == "embedder":
        return Path(tune_embedder(untuned(ws), progress).folder)
    synced = w.sync_knowledge(untuned(ws), progress) if ws.config.access.on else None
    return folder_of(ws, kind, w.examples(ws), synced[0] if synced else None, progress)
