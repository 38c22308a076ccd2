"""A server on the module's own `folder`, and its first admin, for the tests of the studio."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from studio_server import Visitor, serving, set_up


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with serving(folder) as address:
        yield address


@pytest.fixture(scope="module")
def admin(url: str, folder: Path) -> Iterator[Visitor]:
    made = set_up(url, folder)
    with closing(made.web):
        yield made
