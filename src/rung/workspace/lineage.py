"""What is known of an adapter: its settings, scores and history, what it was made from and where it went, and how two differ.

It holds no words of rows or documents: names and hashes lead to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rung.tuning.adapters import finished, told
from rung.types import Json
from rung.workspace import labels
from rung.workspace.catalogue import Export, Move, catalogue, exports, moves
from rung.workspace.workspace import Workspace


@dataclass(frozen=True)
class Known:
    """An adapter as it is listed."""

    name: str
    labels: tuple[str, ...]  # that stand on it now
    blocked: str  # why it may not be served; "" where it may
    base: str
    rung: str
    training: int  # rows
    validation: int
    documents: int
    scores: Json
    recipe: Json
    folder: str


def known(ws: Workspace, folder: Path) -> Known:
    """What the folder and the catalogue say of an adapter."""
    rows = told(folder, "rows.json")
    stand = {one.label: one.adapter for one in moves(catalogue(ws))}  # the last move of each label counts
    return Known(
        folder.name,
        tuple(sorted(label for label, adapter in stand.items() if adapter == folder.name)),
        labels.blocked(folder),
        rows.get("base", ""),
        labels.trained_rung(folder),
        len(rows.get("training", {})),
        len(rows.get("validation", {})),
        len(rows.get("documents", {})),
        told(folder, "scores.json"),
        told(folder, "recipe.json"),
        str(folder),
    )


def all_known(ws: Workspace) -> list[Known]:
    """All adapters that are whole."""
    return [known(ws, folder) for folder in finished(labels.adapters_home(ws))]


def history(ws: Workspace, name: str) -> list[Move]:
    """The moves of a label, or those that put any label onto an adapter; oldest first."""
    return moves(catalogue(ws), name) or [one for one in moves(catalogue(ws)) if one.adapter == labels.folder_of(ws, name).name]


@dataclass(frozen=True)
class Lineage:
    """From documents to exports, each step by name."""

    adapter: str
    documents: Mapping[str, Mapping[str, tuple[str, ...]]]  # document → passage ("" where none is known) → rows
    rows: Mapping[str, str]  # row → hash
    alone: tuple[str, ...]  # rows without a document behind them
    exports: tuple[Export, ...]


def lineage(ws: Workspace, name: str) -> Lineage:
    """What the adapter was made from, and what was made from it."""
    folder = labels.folder_of(ws, name)
    rows = told(folder, "rows.json")
    tree: dict[str, dict[str, list[str]]] = {}
    for row, one in sorted(rows.get("behind", {}).items()):
        for document in one["documents"]:
            of = [passage for passage in one["passages"] if passage.startswith((f"{document}:", f"{document}#"))]
            for passage in of or [""]:
                tree.setdefault(document, {}).setdefault(passage, []).append(row)
    for document in rows.get("documents", {}):  # of an adapter that does not tell its rows apart
        tree.setdefault(document, {})
    every = {**rows.get("training", {}), **rows.get("validation", {})}
    reached = {row for passages in tree.values() for of in passages.values() for row in of}
    documents = {document: {passage: tuple(of) for passage, of in sorted(tree[document].items())} for document in sorted(tree)}
    return Lineage(folder.name, documents, every, tuple(sorted(every.keys() - reached)), tuple(exports(catalogue(ws), folder.name)))


@dataclass(frozen=True)
class Difference:
    """Two adapters side by side; of settings and scores only what differs."""

    first: str
    second: str
    settings: Mapping[str, tuple[Json, Json]]
    rows_only_first: tuple[str, ...]
    rows_only_second: tuple[str, ...]
    rows_changed: tuple[str, ...]  # same id, other words
    documents_only_first: tuple[str, ...]
    documents_only_second: tuple[str, ...]
    documents_changed: tuple[str, ...]
    scores: Mapping[str, tuple[Json, Json]]
    held_out: tuple[Json, Json]  # primary score when each was promoted last, None where it never was


def difference(ws: Workspace, first: str, second: str) -> Difference:
    """How two adapters differ in data, settings and scores."""
    folders = labels.folder_of(ws, first), labels.folder_of(ws, second)
    rows, recipes, scores = ([told(folder, file) for folder in folders] for file in ("rows.json", "recipe.json", "scores.json"))
    learned = [one.get("training", {}) for one in rows]
    documents = [one.get("documents", {}) for one in rows]
    bases = [{"base": one.get("base", "")} for one in rows]
    return Difference(
        folders[0].name,
        folders[1].name,
        _unequal(recipes[0] | bases[0], recipes[1] | bases[1]),
        tuple(sorted(learned[0].keys() - learned[1].keys())),
        tuple(sorted(learned[1].keys() - learned[0].keys())),
        tuple(sorted(_unequal(*learned).keys() & learned[0].keys() & learned[1].keys())),
        tuple(sorted(documents[0].keys() - documents[1].keys())),
        tuple(sorted(documents[1].keys() - documents[0].keys())),
        tuple(sorted(_unequal(*documents).keys() & documents[0].keys() & documents[1].keys())),
        _unequal(_flat(scores[0]), _flat(scores[1])),
        (_promoted(ws, folders[0].name), _promoted(ws, folders[1].name)),
    )


def _unequal(first: Mapping[str, Json], second: Mapping[str, Json]) -> dict[str, tuple[Json, Json]]:
    return {key: (first.get(key), second.get(key)) for key in sorted({*first, *second}) if first.get(key) != second.get(key)}


def _flat(scores: Mapping[str, Json], before: str = "") -> dict[str, Json]:
    flat: dict[str, Json] = {}
    for key, value in scores.items():
        flat |= _flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": value}
    return flat


def _promoted(ws: Workspace, name: str) -> Json:
    found = [
        one.numbers["scores"][1]
        for one in moves(catalogue(ws))
        if one.adapter == name and one.kind == "promote" and "scores" in one.numbers
    ]
    return found[-1] if found else None
