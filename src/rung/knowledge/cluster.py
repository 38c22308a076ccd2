"""A sync on a Ray cluster: machines read, cut, embed and write; this one plans and commits once. It refuses to count a task twice.

Ray tries a lost task again. Only the fragments that the finished try returned are committed; files of others are swept up.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rung.errors import ConfigError, KnowledgeError, MissingExtra, RungError
from rung.knowledge import tasks
from rung.knowledge.embedding import Change, Commit, Progress
from rung.knowledge.indexes.fragments import NAME, sweep, whole
from rung.knowledge.tasks import Job, Part
from rung.types import Document, Labels, Passage

if TYPE_CHECKING:
    from rung.knowledge.indexes import StoredIndex
    from rung.knowledge.indexes.lance import Lance
    from rung.knowledge.origins import Origin
    from rung.types import Vectors

FILES = 32  # read by one task
SMALLEST, LARGEST = 1 << 15, 1 << 22  # characters of the documents that one task embeds
SHARES = 8  # tasks that a core gets, where there are enough documents
SPREAD = ("folder", "git", "s3")  # origins that any machine may read; web pages and rows are asked for by one, politely
NOTE = "written.part"  # what is finished, for the next sync if this one is killed
SECONDS = 5.0  # to wait for the address to answer
AGAIN = "run the same command again: what was finished is kept"


@dataclass(frozen=True)
class Cluster:
    """A connection, and the texts that were read there, which stay there: document path → hash and Ray's reference."""

    ray: Any
    embedder: str  # JSON of spec and options, for machines to load it
    texts: dict[str, tuple[str, Any, int]] = field(default_factory=dict)

    @property
    def cores(self) -> int:
        """Cores of all machines that are up."""
        return max(1, int(self.ray.cluster_resources().get("CPU", 1)))

    def holds(self, document: Document) -> bool:
        """Whether this version of the document was read on the cluster."""
        return self.texts.get(document.path, ("",))[0] == document.hash

    def reader(self) -> Callable[[Origin, Mapping[str, str]], Callable[[str], Document]]:
        """A way for `gather` to read listed documents of an origin (path there → document path): on the cluster, where texts stay."""
        return partial(_reading, self)

    def make(self, change: Change, progress: Progress | None = None) -> tuple[Commit, int]:
        """A commit of the passages of all fresh documents, made on the cluster, and their vectors' dimensions.

        A document's vectors are taken from what it was, or was called, before. Raises ConfigError for an index that is not
        of Lance, KnowledgeError where tasks fail.
        """
        index, before = _lance(change.index), change.before.documents
        if any(not one.text and not self.holds(one) for one in change.fresh):
            raise KnowledgeError("another process changed the index while documents were read", "run the same command again")
        called = {before[path].hash: path for path in change.gone}
        old = {one.path: [path for path in (one.path, called.get(one.hash, "")) if path in before] for one in change.fresh}
        job = Job(
            index.begin(), change.before.index, index.dimensions, self.embedder, change.embedder.id, change.longest, chunker=change.chunker
        )
        made = _written(self, change.home, job, _parts(self, change.fresh, change.labels, old), progress)

        def commit(remove: Sequence[str], same: Sequence[Passage], rows: Vectors) -> str:
            return index.commit(remove, same, rows, change.labels, made)

        return commit, index.dimensions

    def end(self, change: Change) -> None:
        """Delete what tasks left behind, and the note of them. Only to be called when the new state has been noted."""
        (change.home / NOTE).unlink(missing_ok=True)
        sweep(_lance(change.index).database.open_table(NAME))


@contextmanager
def connected(address: str, spec: str, options: Mapping[str, object] | None = None, cores: int = 0) -> Iterator[Cluster]:
    """The cluster at `HOST:PORT`, `auto`, or `ray://HOST:PORT`; `local` starts one on this machine with so many cores, or all.

    `spec` and `options` name the embedder. MissingExtra without Ray, KnowledgeError where nobody answers.
    """
    if not find_spec("ray") or not find_spec("lance"):
        raise MissingExtra("indexing on a cluster", "ray")
    import ray

    local = address == "local"
    if not local:
        _reach(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that we start reports to nobody
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told: dict[str, Any] = {"num_cpus": cores or own, "include_dashboard": False} if local else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **told)
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        raise _unreached(address, str(error).strip().split("\n")[0]) from error
    try:
        yield Cluster(ray, json.dumps([spec, dict(options or {})]))
    finally:
        ray.shutdown()


def _reading(cluster: Cluster, origin: Origin, paths: Mapping[str, str]) -> Callable[[str], Document]:
    if type(origin).__module__.rpartition(".")[2] not in SPREAD:
        return lambda own: replace(origin.read(own), path=paths[own])
    names, known = list(paths), cluster.ray.put(origin)
    batches = [{own: paths[own] for own in names[at : at + FILES]} for at in range(0, len(names), FILES)]
    done: dict[str, tasks.Read] = {}
    calls = [(known, batch, tasks.VERSIONS) for batch in batches]
    for number, (told, texts) in _finished(cluster, _task(cluster, tasks.read, returns=2), calls):
        for own, one in zip(batches[number], told, strict=True):
            done[own] = one
            if one.document:
                cluster.texts[one.document.path] = (one.document.hash, texts, one.characters)
    return lambda own: _document(done[own])


def _written(cluster: Cluster, home: Path, job: Job, parts: Sequence[Part], progress: Progress | None) -> list[str]:
    """The fragments of all parts, in order; what a killed sync had finished is taken from its note."""
    uri, keys = f"{job.database}/{NAME}.lance", [_key(job, part) for part in parts]
    finished = {key: told for key, told in _noted(home).items() if "://" not in uri and whole(uri, told)}
    todo = [number for number, key in enumerate(keys) if key not in finished]
    total = sum(len(part.documents) for part in parts)
    done = total - sum(len(parts[number].documents) for number in todo)
    shared = cluster.ray.put(job)
    calls = [(shared, parts[number], *_texts(cluster, parts[number])) for number in todo]
    for at, told in _finished(cluster, _task(cluster, tasks.write), calls):
        if not whole(uri, told):
            raise KnowledgeError(f"what the cluster wrote to {job.database} can't be seen from here", tasks.SHARED)
        finished[keys[todo[at]]] = told
        _note(home, keys[todo[at]], told)
        done += len(parts[todo[at]].documents)
        if progress:
            progress(done, total, "embedding")
    return [fragment for key in keys for fragment in finished[key]]


def _lance(index: StoredIndex) -> Lance:
    from rung.knowledge.indexes.lance import Lance

    if not isinstance(index, Lance):
        raise ConfigError("a cluster writes only indexes of the kind lance", 'set index = "lance" under [knowledge], or leave out --ray')
    return index


def _parts(cluster: Cluster, documents: Sequence[Document], labels: Mapping[str, Labels], old: Mapping[str, Sequence[str]]) -> list[Part]:
    """The documents in order, about as many characters in each part."""
    sizes = {one.path: cluster.texts[one.path][2] if cluster.holds(one) else len(one.text) for one in documents}
    most = min(LARGEST, max(SMALLEST, sum(sizes.values()) // (SHARES * cluster.cores)))
    groups: list[list[Document]] = [[]]
    size = 0
    for one in documents:
        if size >= most:
            groups.append([])
            size = 0
        groups[-1].append(one)
        size += sizes[one.path]
    return [
        Part(group, {one.path: labels[one.path] for one in group}, sorted({path for one in group for path in old.get(one.path, ())}))
        for group in groups
        if group
    ]


def _texts(cluster: Cluster, part: Part) -> list[Any]:
    """References to what holds the texts: left on the cluster where they were read there, sent along otherwise."""
    refs = {id(cluster.texts[one.path][1]): cluster.texts[one.path][1] for one in part.documents if cluster.holds(one)}
    sent = {one.path: (one.hash, one.text) for one in part.documents if not cluster.holds(one)}
    return [*refs.values(), *([cluster.ray.put(sent)] if sent else [])]


def _task(cluster: Cluster, function: Callable[..., Any], returns: int = 1) -> Any:
    """The function as a task for one core, tried again when its worker or machine is lost."""
    return cluster.ray.remote(num_cpus=1, max_retries=10, num_returns=returns)(function)


def _finished(cluster: Cluster, task: Any, calls: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, Any]]:
    """The number of each call with what it returned, as they finish; of several values all but the first stay references.

    No more tasks are under way than keep all cores busy. KnowledgeError where one fails for good.
    """
    ray, waiting, running = cluster.ray, list(enumerate(calls)), dict[Any, tuple[int, Any]]()
    waiting.reverse()
    room = 2 * cluster.cores
    try:
        while waiting or running:
            while waiting and len(running) < room:
                number, call = waiting.pop()
                refs = task.remote(*call)
                running[refs[0] if isinstance(refs, list) else refs] = (number, refs)
            (ready,), _ = ray.wait(list(running), num_returns=1)
            number, refs = running.pop(ready)
            told = _got(ray, ready)
            yield number, (told, refs[1]) if isinstance(refs, list) else told
    finally:
        for ref in running:  # after an error, or Ctrl-C
            with suppress(ray.exceptions.RayError):
                ray.cancel(ref, force=True)
        if running:
            ray.wait(list(running), num_returns=len(running), timeout=SECONDS)


def _got(ray: Any, ref: Any) -> Any:
    try:
        return ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, RungError):
            raise error.cause from None
        raise KnowledgeError(f"a task failed on the cluster: {str(error.cause).splitlines()[0]}", AGAIN) from error
    except ray.exceptions.RayError as error:
        raise KnowledgeError(f"the cluster lost a task for good: {str(error).splitlines()[0]}", AGAIN) from error


def _document(read: tasks.Read) -> Document:
    if read.error is not None:
        raise read.error
    assert read.document is not None
    return read.document


def _key(job: Job, part: Part) -> str:
    """Names what a task returns: equal keys, equal passages with equal vectors under equal labels."""
    told = [
        job.database,
        job.embedder_id,
        job.longest,
        job.chunker,
        job.versions,
        [(one.path, one.hash, one.title) for one in part.documents],
    ]
    of = [asdict(part.labels[one.path]) for one in part.documents]
    return hashlib.sha256(json.dumps([told, of]).encode()).hexdigest()


def _note(home: Path, key: str, fragments: Sequence[str]) -> None:
    """Add to the file that a killed sync leaves to the next one. On a full disk only time is lost."""
    with suppress(OSError), (home / NOTE).open("a", encoding="utf-8") as file:
        file.write("\n" + json.dumps([key, list(fragments)]))


def _noted(home: Path) -> dict[str, list[str]]:
    path, found = home / NOTE, dict[str, list[str]]()
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else ():
        with suppress(ValueError):  # cut short by a kill
            key, fragments = json.loads(line)
            found[key] = fragments
    return found


def _reach(address: str) -> None:
    """Ray itself waits for minutes where nobody answers."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if address == "auto":
        return
    if not host or not port.isdigit():
        raise ConfigError(f"'{address}' is no address of a cluster", "write HOST:PORT, ray://HOST:PORT, auto or local")
    try:
        socket.create_connection((host, int(port)), SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _unreached(address, getattr(error, "strerror", None) or str(error)) from None


def _unreached(address: str, why: str) -> KnowledgeError:
    hint = "start one with `ray start --head`, name its address, or write local for one on this machine"
    return KnowledgeError(f"no cluster can be used at '{address}': {why}", hint)
