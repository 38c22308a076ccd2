"""The servers that contracts are tested against, one of each for a test process, started when first asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from postgres_server import postgres
from s3_server import s3


@pytest.fixture(scope="session")
def spec() -> Iterator[Callable[[str], str]]:
    """From the name of an index to what opens it; for `postgres` and `s3` with the address of a server."""
    before = dict(os.environ)
    with ExitStack() as servers:
        started: dict[str, str] = {}

        def of(kind: str) -> str:
            if kind == "postgres" and kind not in started:
                started[kind] = f"postgres:{servers.enter_context(postgres())}"
            if kind == "s3" and kind not in started:
                started[kind] = f"lance:{servers.enter_context(s3())}"
            return started.get(kind, kind)

        yield of
    os.environ.clear()
    os.environ.update(before)
