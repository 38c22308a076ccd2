"""Adapters go through object storage to copies of a project that have them not, whole and as they were made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from adapters_project import stored
from serving_project import write_project
from tiny_model import save_random_model

from rung.errors import ConfigError, DataError, ModelError, RungError
from rung.tuning.adapters import block, finished, sums
from rung.workspace import adapter_store, labels
from rung.workspace.workspace import Workspace, open_workspace

pytest.importorskip("obstore")
pytest.importorskip("moto.server", exc_type=ImportError)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    from s3_server import s3

    before = dict(os.environ)
    with s3() as address:
        yield address
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def two(tmp_path: Path, bucket: str) -> tuple[Workspace, Workspace]:
    """Two copies, the first of which trained; of the second's own there is the label's move, as PostgreSQL would tell it."""
    for name in ("one", "two"):
        write_project(tmp_path / name, "local:model", f'[serve]\nadapters = "{bucket}/{tmp_path.name}"\n')
    save_random_model(tmp_path / "one" / "model", seed=0)
    shutil.copytree(tmp_path / "one" / "model", tmp_path / "two" / "model")
    one, other = (open_workspace(tmp_path / name) for name in ("one", "two"))
    labels.give(one, stored(one, 1).name, "prod")
    other.home.mkdir()
    shutil.copy(one.home / "catalogue.sqlite", other.home / "catalogue.sqlite")
    return one, other


def test_a_label_brings_its_adapter_along(two: tuple[Workspace, Workspace]) -> None:
    one, other = two
    assert not list(finished(labels.adapters_home(other)))
    there, here = labels.servable(other, "prod"), labels.servable(one, "prod")
    assert there.parent == labels.adapters_home(other)
    assert (there.name, sums(there)) == (here.name, sums(here))


def test_what_was_changed_there_is_refused(two: tuple[Workspace, Workspace], bucket: str) -> None:
    from obstore.store import from_url

    one, other = two
    name = labels.folder_of(one, "prod").name
    store = from_url(other.config.serve.adapters)
    for file, content, why in (
        ("adapter_config.json", b"{}", "was changed"),
        ("sums.json", b'{"../../rung.toml": "0"}', r"names the file '\.\./\.\./rung\.toml'"),
    ):
        store.put(f"{name}/{file}", content)
        with pytest.raises(DataError, match=why):
            labels.servable(other, "prod")
        assert not list(labels.adapters_home(other).glob("*/*.safetensors"))
    assert "[model]" in (other.folder / "rung.toml").read_text()


def test_what_is_blocked_arrives_blocked(two: tuple[Workspace, Workspace]) -> None:
    one, other = two
    folder = labels.folder_of(one, "prod")
    block(folder, "it learned from what was forgotten")
    adapter_store.put(one, folder)
    with pytest.raises(ModelError, match="forgotten"):
        labels.servable(other, "prod")


def test_what_is_nowhere_is_missing(two: tuple[Workspace, Workspace]) -> None:
    assert adapter_store.fetch(two[1], labels.adapters_home(two[1]), "0" * 16) is None


def test_a_storage_that_refuses_is_named(tmp_path: Path, bucket: str) -> None:
    write_project(tmp_path, more='[serve]\nadapters = "s3://elsewhere/x"\n')
    ws = open_workspace(tmp_path)
    folder = tmp_path / "0123456789abcdef"
    folder.mkdir()
    (folder / "sums.json").write_text("{}")
    with pytest.raises(RungError, match="'s3://elsewhere/x' can't be used"):
        adapter_store.put(ws, folder)


def test_a_private_project_keeps_its_adapters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://s3.example.org")
    write_project(tmp_path, more='[serve]\nadapters = "s3://elsewhere/x"\n[limits]\nprivate = true\n')
    with pytest.raises(ConfigError, match="private"):
        adapter_store.fetch(open_workspace(tmp_path), tmp_path, "0" * 16)
