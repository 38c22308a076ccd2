"""Sources that are asked when a question is: nothing of them is indexed, and what they say has no version. They refuse to write."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from rung.errors import MissingExtra
from rung.knowledge.chunk import passage_id
from rung.types import Passage

if TYPE_CHECKING:
    from rung.sources import HttpBeside, SqlBeside

LONGEST = 4000  # characters of one result; the rest is cut


class Live(Protocol):
    """A place that is asked with each question."""

    def ask(self, question: str) -> list[Passage]:
        """What it says, best first. KnowledgeError where it fails or is too slow."""


def open_live(source: SqlBeside | HttpBeside, project: Path) -> Live:
    """The source that a `[[knowledge.also]]` table names; nothing is asked yet. Raises RungError."""
    try:
        return cast("Live", import_module(f"rung.knowledge.live.{source.kind}").open_live(source, project))
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the live source '{source.name}' ({error.name})", "sql") from None


def keywords(question: str) -> str:
    """The words of a question, each once, joined by OR: what SQLite's MATCH and PostgreSQL's websearch_to_tsquery take."""
    return " OR ".join(dict.fromkeys(re.findall(r"[^\W_]{2,}", question.lower())))


def passage(path: str, text: str, title: str) -> Passage:
    """One result as a passage of a document that is this text alone."""
    text = text[:LONGEST]
    digest = hashlib.sha256(f"{title}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()
    return Passage(passage_id(path, digest, 0, len(text)), path, 0, len(text), text, (title,) if title else ())


def told(passages: Sequence[Passage]) -> str:
    """16 hex digits that name what came back: the only version that it has."""
    said = "\0".join(f"{one.document}\1{one.headings}\1{one.text}" for one in passages)
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]
