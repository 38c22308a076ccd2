"""A project with a random model and adapters that were really trained, for the tests of what is done with adapters."""

from __future__ import annotations

import json
from pathlib import Path

from shop_project import write_toml
from tiny_model import save_random_adapter

from rung.models.bundled import folder as bundled
from rung.tuning.adapters import lineage, store
from rung.tuning.rows import Row
from rung.workspace.workspace import Workspace, open_workspace


def stored(ws: Workspace, seed: int, documents: tuple[str, ...] = (), passages: tuple[str, ...] = ()) -> Path:
    """An adapter of random weights, stored as a training stores one that learned from these documents."""
    work = ws.home / "adapters" / f"made{seed}.tmp"
    save_random_adapter(ws.folder / "model", work, seed)
    (work / "README.md").unlink(missing_ok=True)
    row = Row(f"r{seed}", ({"role": "user", "content": f"q{seed}"}, {"role": "assistant", "content": "a"}), documents, "g", passages)
    return store(
        work, ws.home / "adapters", f"makings{seed}", {"rows.json": lineage([row], [], {}), "recipe.json": {"rank": 4, "seed": seed}}
    )


def learnable(folder: Path, more: str = "") -> Workspace:
    """Turn a project into one whose every answer is "ok", which a small adapter learns and a random model never says."""
    for name, count in (("cases.jsonl", 12), ("examples.jsonl", 24)):
        rows = [{"id": f"{name[0]}{n}", "question": f"Is {name[0]} {n} done?", "answer": "ok"} for n in range(count)]
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_toml(folder, more=more)
    text = (folder / "rung.toml").read_text().replace("rank = 2\nepochs = 2", "rank = 8\nepochs = 8\nlearning_rate = 0.01\nbatch_rows = 8")
    (folder / "rung.toml").write_text(text)
    return open_workspace(folder)


def on_the_bundled_model(folder: Path) -> Workspace:
    """The same project on the model that ships, whose shapes are those of real models."""
    (folder / "model").unlink()
    (folder / "model").symlink_to(bundled("tiny"))
    return open_workspace(folder)
