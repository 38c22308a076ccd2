"""Which documents of a shared index a copy of the project may replace or remove: those that it brought itself.

It refuses to undo what another copy did: a document that this copy never had stays, and one that another copy changed or
removed stays as that copy left it, until it is changed here. A merge of three, as of branches: what lay here at the last
sync is the common ancestor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rung.knowledge.replace import replace_file
from rung.knowledge.state import Held
from rung.types import Document

FILE = "brought.json"  # beside the index's state, of this copy alone
OTHERS = "differs from what another copy of the project indexed, which is kept until this one is changed again"


@dataclass(frozen=True)
class Brought:
    """What lay in this copy's own places at its last sync: path → hash. `own` tells its own places from those that all copies see."""

    documents: Mapping[str, str]
    own: Callable[[str], bool]
    first: bool = False  # there was no such sync: what differs from the index may be older

    def merged(self, held: Mapping[str, Held], here: Mapping[str, Document]) -> dict[str, Document]:
        """What the index is to hold, which now holds `held`. An empty one is filled with all that is here."""
        if not held:
            return dict(here)
        whole = {path: document for path, document in here.items() if not self._undoes(held.get(path), document)}
        others = [path for path in held if path not in whole and self.own(path) and self.documents.get(path) != held[path].hash]
        return whole | {path: Document(path, "", held[path].title, held[path].hash, held[path].meta) for path in others}

    def _undoes(self, there: Held | None, here: Document) -> bool:
        """Whether the document here is what another copy changed or removed since."""
        last = self.documents.get(here.path)
        if not self.own(here.path) or (there and there.hash == here.hash):
            return False
        return last == here.hash or (self.first and there is not None)


def read_brought(folder: Path, own: Callable[[str], bool]) -> Brought:
    """As the last sync left it. Where the note is missing or damaged this copy has brought nothing: it removes nothing."""
    try:
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Brought({str(path): str(digest) for path, digest in told.items()}, own)
    except (OSError, ValueError, AttributeError):
        return Brought({}, own, first=True)


def write_brought(folder: Path, here: Mapping[str, str]) -> None:
    """Replace the note at once. OSError where the disk refuses."""
    replace_file(folder / FILE, json.dumps(dict(here), ensure_ascii=False).encode("utf-8", "surrogatepass"))
