"""What leaves this machine, told from the spec: every way to name a host of PostgreSQL, of S3 storage and of a model."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rung.workspace.privacy import kept_away, remote


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:1", "[::1]:1"])
def test_an_endpoint_on_this_machine_is_here(host: str) -> None:
    assert not remote(f"endpoint:m@http://{host}/v1")


@pytest.mark.parametrize("host", ["api.example", "10.0.0.2", "localhost.example"])
def test_an_endpoint_elsewhere_is_remote(host: str) -> None:
    assert remote(f"endpoint:m@http://{host}/v1")


def test_a_folder_is_here() -> None:
    assert not remote("local:model")


@pytest.mark.parametrize(
    "where",
    [
        "postgresql://db.example/x",
        "postgresql://me:word@10.0.0.2:5432/x",
        "postgresql://localhost,db.example/x",
        "postgresql:///x?host=db.example",
        "postgresql://localhost/x?hostaddr=192.0.2.1",
        "postgresql://[2001:db8::1]:5432/x",
        "host=db.example dbname=x",
        "dbname=x hostaddr='192.0.2.1'",
    ],
)
def test_a_postgres_server_elsewhere_keeps_the_index_away(where: str) -> None:
    assert kept_away(f"postgres:{where}")


@pytest.mark.parametrize(
    "where", ["postgresql://localhost/x", "postgresql:///x", "postgresql:///x?host=/run/pg", "postgresql://[::1]:5432/x", "host=127.0.0.1"]
)
def test_a_postgres_server_here_does_not(where: str) -> None:
    assert not kept_away(f"postgres:{where}")


def asked(spec: str, **variables: str) -> bool:
    """What a process with these variables says of an index."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "AWS_"))}
    code = f"from rung.workspace.privacy import kept_away; print(kept_away({spec!r}))"
    said = subprocess.run([sys.executable, "-c", code], env={**kept, **variables}, capture_output=True, text=True, check=True)
    return said.stdout.strip() == "True"


def test_the_environment_names_the_server_where_the_spec_does_not() -> None:
    assert asked("postgres", PGHOST="db.example")
    assert not asked("postgres", PGHOST="/run/postgresql")
    assert asked("lance:s3://bucket/folder")
    assert asked("lance:s3://bucket/folder", AWS_ENDPOINT_URL="https://s3.example")
    assert not asked("lance:s3://bucket/folder", AWS_ENDPOINT_URL="http://127.0.0.1:9000")
    assert not asked("lance")
