"""MiniLM with a question encoder tuned by `rung train --embedder`; passages are embedded by the base, so its index stays valid.

It refuses a folder whose weights are not the ones that were trained, or that was trained on another base.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import KnowledgeError
from rung.knowledge.embedders import minilm

if TYPE_CHECKING:
    from rung.types import Vectors

BLOCKED = "blocked.json"  # as in rung.models.folder, which this wing does not know


@dataclass(frozen=True)
class Tuned:
    """Two encoders of one space, on the same runtime."""

    questions: minilm.MiniLM
    passages: minilm.MiniLM
    learned: frozenset[str]  # ids of the examples it was trained on: nothing may be measured on them

    @property
    def id(self) -> str:
        """The weights of both sides, runtime and precision."""
        return f"tuned-{self.questions.sha256[:16]}-{self.passages.id}"

    @property
    def stored_as(self) -> str:
        """What decides the passages' vectors: an index made with the base serves this embedder, too."""
        return self.passages.id

    @property
    def limit(self) -> int:
        """Tokens after which a text is cut."""
        return self.passages.limit

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """float32, shape (len(texts), 384), rows of length 1."""
        return (self.questions if query else self.passages).embed(texts, query=query)

    def count(self, text: str) -> int:
        """The tokens of one text, special tokens not counted."""
        return self.passages.count(text)


def open_embedder(name: str, runtime: str = "", precision: str = "", threads: int = 0) -> Tuned:
    """`tuned:<folder>`, with MiniLM's options. KnowledgeError where the folder holds no tuned embedder of this MiniLM."""
    passages = minilm.open_embedder("", runtime, precision, threads)
    folder = Path(name).expanduser()
    if (folder / BLOCKED).exists():
        why = json.loads((folder / BLOCKED).read_text(encoding="utf-8")).get("why", "")
        hint = 'set embedder = "minilm" under [knowledge]; `rung train --embedder` makes another'
        raise KnowledgeError(f"the embedder {folder.name} is blocked: {why}", hint)
    try:
        told = json.loads((folder / "tuned.json").read_text(encoding="utf-8"))
        base, sha256 = str(told["base"]), str(told["sha256"])
        learned = frozenset(json.loads((folder / "rows.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        raise KnowledgeError(f"there is no tuned embedder in {folder}", "train one with `rung train --embedder`") from None
    if base != minilm.SHA256:
        raise KnowledgeError(f"the embedder in {folder} was tuned from other weights", "train it again with `rung train --embedder`")
    return Tuned(replace(passages, folder=folder, sha256=sha256), passages, learned)
