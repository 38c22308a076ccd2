"""Adapters as immutable folders named by the hash of what made them; a folder whose files changed is refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import DataError
from rung.tuning.rows import Row

if TYPE_CHECKING:
    from rung.tuning.recipe import Recipe


def adapter_name(recipe: Recipe, base: str, training: Sequence[Row], validation: Sequence[Row]) -> str:
    """The hash of recipe, base model and rows; the same makings give the same name before anything is trained."""
    told = [asdict(recipe), base, [[row.id, row.hash] for row in training], [[row.id, row.hash] for row in validation]]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def find(adapters: Path, name: str) -> Path | None:
    """The adapter's folder if it is finished and untouched, else None. DataError where its files were changed."""
    folder = adapters / name
    if not (folder / "sums.json").exists():
        return None
    verify(folder)
    return folder


def verify(folder: Path) -> None:
    """DataError where a file differs from the sum taken when the adapter was made."""
    sums = json.loads((folder / "sums.json").read_text(encoding="utf-8"))
    for name, expected in sums.items():
        path = folder / name
        if not path.exists() or _sum(path) != expected:
            raise DataError(f"the adapter {folder.name} was changed: {name}", f"delete {folder} and train it again")


def store(temporary: Path, adapters: Path, name: str, told: Mapping[str, Any]) -> Path:
    """Finish an adapter: write `told` as JSON files beside its weights, their sums, and move it to its name at once."""
    for file, value in told.items():
        (temporary / file).write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
    sums = {path.relative_to(temporary).as_posix(): _sum(path) for path in sorted(temporary.rglob("*")) if path.is_file()}
    (temporary / "sums.json").write_text(json.dumps(sums, indent=1), encoding="utf-8")
    target = adapters / name
    if target.exists():
        shutil.rmtree(target)
    os.replace(temporary, target)
    return target


def lineage(training: Sequence[Row], validation: Sequence[Row], documents: Mapping[str, str]) -> dict[str, Any]:
    """Ids and hashes of the rows, and of the documents behind them."""
    behind = sorted({path for row in (*training, *validation) for path in row.documents})
    return {
        "training": {row.id: row.hash for row in training},
        "validation": {row.id: row.hash for row in validation},
        "documents": {path: documents.get(path, "") for path in behind},
    }


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
