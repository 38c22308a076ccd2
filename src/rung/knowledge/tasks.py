"""What a machine of a cluster does for a sync: it reads documents, or cuts, embeds and writes some. It refuses to commit.

What a task returns depends on its arguments alone; one that is tried again may be taken from either try.
"""

from __future__ import annotations

import inspect
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import KnowledgeError
from rung.knowledge import embedders
from rung.knowledge.chunk import VERSION as CHUNKED
from rung.knowledge.chunk import searchable
from rung.knowledge.chunkers import chunker
from rung.knowledge.indexes import LAYOUT
from rung.knowledge.read import VERSION as READ
from rung.knowledge.reading import Unreadable
from rung.types import Document, Embedder, Labels

if TYPE_CHECKING:
    from rung.knowledge.origins import Origin

VERSIONS = f"{READ}.{CHUNKED}.{LAYOUT}"  # of all that decides what a task returns
SHARED = 'keep the project where all its machines see it, or set index = "lance:s3://bucket/folder"'
Texts = Mapping[str, tuple[str, str]]  # document path → hash of its bytes, text


@dataclass(frozen=True)
class Read:
    """A document without its text, or why it could not be read."""

    document: Document | None
    characters: int = 0
    error: Unreadable | OSError | None = None


@dataclass(frozen=True)
class Job:
    """What all tasks of a sync share."""

    database: str  # where the table lies: a folder that all machines see, or a place on S3
    state: str  # of the table before the sync; "" where there is none
    dimensions: int
    embedder: str  # JSON of its spec and options
    embedder_id: str
    longest: int  # tokens of a passage
    versions: str = VERSIONS
    chunker: str = "structure"


@dataclass(frozen=True)
class Part:
    """Documents without their texts, their labels, and documents before the sync that may hold the same passages."""

    documents: Sequence[Document]
    labels: Mapping[str, Labels]
    old: Sequence[str] = ()


def read(origin: Origin, paths: Mapping[str, str], versions: str) -> tuple[list[Read], Texts]:
    """Each listed document (path within the origin → document path), its text apart. Raises RungError."""
    _check(versions)
    root = getattr(origin, "root", None) or getattr(origin, "repository", None)
    if isinstance(root, Path) and not root.exists():
        raise KnowledgeError(f"{platform.node()} of the cluster sees no {root}", "keep documents where all its machines see them, or on S3")
    done: list[Read] = []
    texts: dict[str, tuple[str, str]] = {}
    for own, path in paths.items():
        try:
            document = origin.read(own)
        except (Unreadable, OSError) as error:
            done.append(Read(None, error=error))
            continue
        texts[path] = (document.hash, document.text)
        done.append(Read(replace(document, path=path, text=""), len(document.text)))
    return done, texts


def write(job: Job, part: Part, *texts: Texts) -> list[str]:
    """Cut and embed the documents and write their passages; the fragments as `fragments.append` takes them. Raises RungError."""
    from rung.knowledge.indexes import fragments
    from rung.knowledge.indexes.lance import opened
    from rung.knowledge.indexes.table import rows

    _check(job.versions)
    if "://" not in job.database and not Path(job.database).is_dir():
        raise KnowledgeError(f"{platform.node()} of the cluster sees no {job.database}", SHARED)
    embedder = _embedder(job.embedder)
    if embedder.id != job.embedder_id:
        hint = "name runtime and precision of the embedder in rung.toml"
        raise KnowledgeError(f"{platform.node()} of the cluster has the embedder {embedder.id}, and this machine {job.embedder_id}", hint)
    found = {path: row for held in texts for path, row in held.items()}
    cut = chunker(job.chunker)
    passages = [one for document in part.documents for one in cut(_with_text(document, found), embedder.count, job.longest)]
    old, stored = opened(job.database, job.dimensions, job.state).stored(part.old)
    vectors = {searchable(passage): row for passage, row in zip(old, stored, strict=True)}
    missing = list(dict.fromkeys(text for text in map(searchable, passages) if text not in vectors))
    vectors.update(zip(missing, embedder.embed(missing), strict=True))
    if not passages:
        return []
    import numpy as np

    stacked = np.array([vectors[searchable(passage)] for passage in passages], np.float32)
    table = rows(passages, stacked, job.dimensions, part.labels)
    return fragments.write(f"{job.database}/{fragments.NAME}.lance", table)


def _with_text(document: Document, texts: Texts) -> Document:
    digest, text = texts[document.path]
    if digest != document.hash:  # read again after a machine was lost
        raise KnowledgeError(f"{document.path} changed while it was indexed", "run the same command again")
    return replace(document, text=text)


def _check(versions: str) -> None:
    if versions != VERSIONS:
        raise KnowledgeError(f"{platform.node()} of the cluster has another version of rung", "install the same on all machines")


@cache
def _embedder(told: str) -> Embedder:
    """The embedder on one core, loaded once in each worker."""
    spec, options = json.loads(told)
    module = import_module(f"rung.knowledge.embedders.{embedders.KINDS[spec.partition(':')[0]]}")
    alone = {"threads": 1} if "threads" in inspect.signature(module.open_embedder).parameters else {}
    return embedders.load(spec, **(alone | options))
