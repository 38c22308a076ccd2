"""S3-compatible storage as a source, against moto's server on loopback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from rung.errors import KnowledgeError
from rung.knowledge.gather import Place, gather
from rung.knowledge.origins import Origin, open_origin
from rung.sources import S3Source

pytest.importorskip("obstore")
moto = pytest.importorskip("moto.server", exc_type=ImportError)
boto3 = pytest.importorskip("boto3", exc_type=ImportError)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    yield "http://{}:{}".format(*running.get_host_and_port())
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    made = boto3.resource("s3", endpoint_url=server, region_name="us-east-1").create_bucket(Bucket="harbor")
    for key, text in {"docs/a.md": "# Ay\n\none", "docs/b/c.txt": "two", "docs/.x.md": "no", "docs/p.png": "no", "other.md": "no"}.items():
        made.put_object(Key=key, Body=text.encode())
    yield made
    made.objects.delete()
    made.delete()


def opened(server: str, **options: object) -> Origin:
    told = {"kind": "s3", "name": "store", "bucket": "harbor", "prefix": "docs", "endpoint": server}
    return open_origin(S3Source.model_validate(told | options), Path(), Path())


def test_objects_below_the_prefix_are_documents(server: str, bucket: object) -> None:
    gathered = gather([Place("store", opened(server), "made")])
    assert [(d.path, d.text) for d in gathered.documents] == [("store/a.md", "# Ay\n\none"), ("store/b/c.txt", "two")]
    assert [(s.path, s.reason) for s in gathered.skipped] == [("store/p.png", "has no reader for '.png'")]
    assert gathered.documents[0].meta["modified"][:2] == "20"


def test_a_changed_object_has_another_stamp(server: str, bucket: object) -> None:
    before = {entry.path: entry.stamp for entry in opened(server).entries()}
    bucket.put_object(Key="docs/a.md", Body=b"# Ay\n\nnew")  # type: ignore[attr-defined]
    after = {entry.path: entry.stamp for entry in opened(server).entries()}
    assert before["b/c.txt"] == after["b/c.txt"]
    assert before["a.md"] != after["a.md"]


def test_patterns_and_sizes(server: str, bucket: object) -> None:
    assert [entry.path for entry in opened(server, include=["*.txt"]).entries()] == ["b/c.txt"]
    assert [entry.path for entry in opened(server, exclude=["b/*", "*.png"]).entries()] == ["a.md"]


@pytest.mark.parametrize("options", [{"bucket": "nowhere"}, {"endpoint": "http://127.0.0.1:1"}])
def test_a_storage_that_cannot_be_read_is_an_error(server: str, bucket: object, options: dict[str, str]) -> None:
    with pytest.raises(KnowledgeError, match="can't be read") as refused:
        list(opened(server, **options).entries())
    assert "AWS_ACCESS_KEY_ID" in refused.value.hint
    assert "secret" not in refused.value.message
