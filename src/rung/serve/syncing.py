"""One thread that syncs a project after documents were sent, many at a time. It refuses to run two syncs at once, or to give up."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

from rung.errors import RungError
from rung.knowledge.origins.push import Push
from rung.workspace.workspace import open_workspace, sync_knowledge

GATHER = 0.2  # seconds in which more may come before a sync begins
AGAIN = 10.0  # seconds after which a sync that failed is tried again


@dataclass
class Syncing:
    """The state of the syncs, and the thread that runs them. Mutable: the thread tells what it did."""

    folder: Path
    places: Mapping[str, Push]
    asked: Event = field(default_factory=Event)
    ended: Event = field(default_factory=Event)
    state: str = "idle"
    last: dict[str, Any] = field(default_factory=dict)
    error: dict[str, str] | None = None
    synced: dict[str, str] = field(default_factory=dict)  # path → version that the last sync took
    skipped: dict[str, str] = field(default_factory=dict)  # path → why it could not be read
    thread: Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = Thread(target=self._run, name="sync", daemon=True)

    def start(self) -> None:
        """Sync at once, for what came before a kill, and then whenever something was sent."""
        self.asked.set()
        self.thread.start()

    def wake(self) -> None:
        """Something was sent or deleted."""
        self.asked.set()

    def stop(self) -> None:
        """Finish the sync that runs, and end; what waits is on disk, for the next start or `rung index`."""
        self.ended.set()
        self.asked.set()
        self.thread.join()

    def status(self) -> dict[str, Any]:
        """What `GET /v1/sync` says."""
        held, synced = self._held(), self.synced
        pending = sum(held.get(path) != synced.get(path) for path in held.keys() | synced.keys())
        return {"state": self.state, "pending": pending, "last": self.last or None, "error": self.error}

    def _held(self) -> dict[str, str]:
        return {f"{name}/{entry.path}": entry.stamp for name, place in self.places.items() for entry in place.entries() if entry.stamp}

    def _run(self) -> None:
        try:
            while True:
                self.asked.wait(AGAIN if self.error else None)
                if self.ended.wait(GATHER):
                    return
                self.asked.clear()
                self.state = "running"
                self._sync()
                self.state = "idle"
        finally:
            self.state = "stopped"  # also where a fault of ours ended the thread: whoever asks is told

    def _sync(self) -> None:
        held, started = self._held(), time.time()
        try:
            synced = sync_knowledge(open_workspace(self.folder))
        except (RungError, OSError) as error:
            message, hint = (error.message, error.hint) if isinstance(error, RungError) else (str(error), "")
            self.error = {"error": message, "hint": hint}
            print(f"error: {message}\nhint: {hint}", file=sys.stderr, flush=True)
            return
        assert synced is not None, "there is a source to push to"
        knowledge, report = synced
        counts = {name: len(value) if isinstance(value, (tuple, list)) else value for name, value in asdict(report).items()}
        self.skipped = {one.path: one.reason for one in report.skipped}
        self.synced, self.error = held, None
        self.last = {"ended": time.time(), "seconds": round(time.time() - started, 3), "knowledge": knowledge.version, **counts}
