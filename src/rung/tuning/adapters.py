"""Adapters as immutable folders named by the hash of what they hold; a folder whose files changed is refused.

What made an adapter (recipe, base, rows) has a hash of its own, by which a training finds that it was done before.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import DataError
from rung.models.folder import BLOCKED, adapter_hash
from rung.tuning.rows import Row

if TYPE_CHECKING:
    from rung.tuning.recipe import Recipe


def adapter_name(recipe: Recipe, base: str, training: Sequence[Row], validation: Sequence[Row]) -> str:
    """The hash of recipe, base model and rows; the same makings give the same name before anything is trained."""
    told = [asdict(recipe), base, [[row.id, row.hash] for row in training], [[row.id, row.hash] for row in validation]]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def find(adapters: Path, name: str) -> Path | None:
    """The finished adapter of that name, or the one that these makings made. DataError where its files were changed."""
    for folder in finished(adapters):
        if name == folder.name or name in makings(folder):
            verify(folder)
            return folder
    return None


def makings(folder: Path) -> list[str]:
    """The hashes of all that led to this adapter."""
    return list(told(folder, "made.json").get("makings", []))


def finished(adapters: Path) -> Iterator[Path]:
    """The folders of all adapters that are whole, by name."""
    for path in sorted(adapters.glob("*/sums.json")):
        if not path.parent.name.endswith((".tmp", ".partial")):
            yield path.parent


def told(folder: Path, file: str) -> dict[str, Any]:
    """What one of the adapter's own files says; nothing where it has none. DataError where it is damaged."""
    try:
        value = json.loads((folder / file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DataError(f"{folder / file} is damaged: {error}", f"delete {folder} and train it again") from None
    return value if isinstance(value, dict) else {}


def block(folder: Path, why: str) -> None:
    """Nothing serves the adapter from now on: whoever opens it is told why."""
    part = folder / f"{BLOCKED}.part"
    part.write_text(json.dumps({"why": why}, ensure_ascii=False), encoding="utf-8")
    os.replace(part, folder / BLOCKED)


def verify(folder: Path) -> None:
    """DataError where a file differs from the sum taken when the adapter was made."""
    taken = json.loads((folder / "sums.json").read_text(encoding="utf-8"))
    for name, expected in taken.items():
        path = folder / name
        if not path.exists() or _sum(path) != expected:
            raise DataError(f"the adapter {folder.name} was changed: {name}", f"delete {folder} and train it again")


def store(temporary: Path, adapters: Path, made: str, files: Mapping[str, Any]) -> Path:
    """Finish an adapter: write `files` as JSON beside its weights, their sums, and move it to its name at once.

    Where other makings led to the same weights, one folder tells of both. What is no adapter is named by its makings.
    """
    is_adapter = (temporary / "adapter_config.json").exists()
    target = adapters / (adapter_hash(temporary)[:16] if is_adapter else made)
    files = {**files, "made.json": {"makings": [made]}} if is_adapter else files
    if (target / "sums.json").exists():
        files = {file: _joined(told(target, file), value) for file, value in files.items()}
    for file, value in files.items():
        (temporary / file).write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
    (temporary / "sums.json").write_text(json.dumps(sums(temporary), indent=1), encoding="utf-8")
    if target.exists():
        shutil.rmtree(target)
    os.replace(temporary, target)
    return target


def _joined(before: Any, now: Any) -> Any:
    """Two accounts of one adapter: tables and lists hold what either says, of anything else the newer stands."""
    if isinstance(before, dict) and isinstance(now, dict):
        return {**before, **{key: _joined(before[key], value) if key in before else value for key, value in now.items()}}
    return [*before, *(one for one in now if one not in before)] if isinstance(before, list) and isinstance(now, list) else now


def lineage(training: Sequence[Row], validation: Sequence[Row], documents: Mapping[str, str], base: str = "") -> dict[str, Any]:
    """Ids and hashes of the rows, what of which documents is behind each of them, and the base model's id."""
    rows = (*training, *validation)
    behind = sorted({path for row in rows for path in row.documents})
    return {
        "base": base,
        "training": {row.id: row.hash for row in training},
        "validation": {row.id: row.hash for row in validation},
        "documents": {path: documents.get(path, "") for path in behind},
        "behind": {row.id: {"documents": row.documents, "passages": row.passages} for row in rows},
    }


def sums(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder, by its path there."""
    return {path.relative_to(folder).as_posix(): _sum(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
