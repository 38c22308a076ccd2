"""One thread that carries out in this replica, all of it, what another was asked to forget. It refuses to hold up an answer.

What must go before the next answer has gone by then, see rung.workspace.catching_up.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from rung.errors import RungError
from rung.workspace.catching_up import catch_up
from rung.workspace.copies import shared
from rung.workspace.workspace import open_workspace

EVERY = 5.0  # seconds between two looks
AGAIN = 60.0  # seconds after which what failed is tried again


def follow(folder: Path) -> Callable[[], None]:
    """Look until the returned function is called. Nothing is started where the project shares no store."""
    ended = Event()

    def look() -> None:
        seconds = 0.0
        while not ended.wait(seconds):
            seconds = EVERY
            try:
                catch_up(open_workspace(folder))
            except (RungError, OSError) as error:
                said = f"{error.message}\nhint: {error.hint}" if isinstance(error, RungError) else str(error)
                print(f"error: {said}", file=sys.stderr, flush=True)
                seconds = AGAIN

    thread = Thread(target=look, name="forgotten", daemon=True)
    if shared(open_workspace(folder)):
        thread.start()

    def stop() -> None:
        ended.set()
        if thread.ident:
            thread.join()

    return stop
