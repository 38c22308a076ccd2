"""Documents in S3-compatible storage. It refuses keys in rung.toml: credentials come from the environment (AWS_ACCESS_KEY_ID ...)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from rung.errors import KnowledgeError
from rung.knowledge.origins import Entry, hidden, wanted
from rung.knowledge.read import LARGEST, check_name, check_size, read_document
from rung.knowledge.reading import Unreadable
from rung.types import Document

if TYPE_CHECKING:
    from rung.sources import S3Source


@dataclass(frozen=True)
class S3:
    """The objects under a prefix of a bucket; stamps are their entity tags."""

    store: S3Store = field(repr=False)
    bucket: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    largest: int = LARGEST
    ocr: str = ""

    def entries(self) -> Iterator[Entry]:
        """The objects in order of key, hidden ones and folder marks left out. KnowledgeError where the storage refuses."""
        with self._asked():
            objects = [told for chunk in obstore.list(self.store) for told in chunk]
        for told in sorted(objects, key=lambda told: str(told["path"])):
            path, size = str(told["path"]), int(told["size"])
            if path.endswith("/") or hidden(path) or not wanted(path, self.include, self.exclude):
                continue
            try:
                check_name(path)
                check_size(size, self.largest)
            except Unreadable as error:
                yield Entry(path, refused=str(error))
                continue
            yield Entry(path, f"{told['version'] or ''} {told['e_tag'] or ''} {told['last_modified'].isoformat()} {size}")

    def read(self, path: str) -> Document:
        """The object as a document, with its date in `modified` where the format names none."""
        with self._asked():
            got = obstore.get(self.store, path)
            document = read_document(bytes(got.bytes()), path, self.ocr)
        modified = {"modified": got.meta["last_modified"].isoformat()}
        return Document(document.path, document.text, document.title, document.hash, {**modified, **document.meta})

    @contextmanager
    def _asked(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise Unreadable("was deleted while it was being read") from None
        except (BaseError, PermissionError) as error:
            said = str(error).strip().splitlines()[0][:200]
            hint = "check bucket, endpoint and region of the source, and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            raise KnowledgeError(f"the bucket '{self.bucket}' can't be read: {said}", hint) from None


def open_origin(source: S3Source, project: Path, cache: Path) -> S3:
    """The bucket and prefix that the table names; nothing is asked yet."""
    settings: dict[str, Any] = {"region": source.region}
    if source.endpoint:
        settings["endpoint"] = source.endpoint
    if source.anonymous:
        settings["skip_signature"] = True
    allow_http = source.endpoint.startswith("http://")
    retries: Any = {"max_retries": 3}
    store = S3Store(
        source.bucket, prefix=source.prefix.strip("/") or None, client_options={"allow_http": allow_http}, retry_config=retries, **settings
    )
    return S3(store, source.bucket, source.include, source.exclude, source.largest_mb << 20)
