"""Embedding on 1, 2 and 4 Ray workers, beside as many plain processes that do the same without Ray, in the same run.

A core that other work shares is not a whole core, and cores share caches and memory: what plain processes reach side by side
is what is really free. It refuses to call a worker slow for the load of the machine, and prints that load.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from rung.knowledge import embedders
from rung.knowledge.cluster import NOTE, SHARES, connected
from rung.knowledge.embedding import Change
from rung.knowledge.indexes.lance import Lance
from rung.knowledge.knowledge import Knowledge, open_knowledge
from rung.knowledge.read import read_document
from rung.knowledge.tasks import Job, Part
from rung.types import Document, Labels

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "scifact" / "corpus.jsonl.gz"
WORKERS = (1, 2, 4)
ROUNDS = 3
PLAIN = """
import base64, pickle, sys
from rung.knowledge.tasks import write
for line in sys.stdin:
    print(sum(len(write(*call)) for call in pickle.loads(base64.b64decode(line))), flush=True)
"""


def run(small: bool = False) -> dict[str, object]:
    """Documents a second by workers, of Ray and of plain processes; `ratio` is Ray's over the plain ones at the most workers."""
    if not DATA.is_file():
        print(f"skipped: the development data is not at {DATA}")
        return {"skipped": True}
    each = 60 if small else 400  # documents for each worker
    with gzip.open(DATA, "rt", encoding="utf-8") as file:
        rows = [f"{row['title']}\n{row['text']}" for row in map(json.loads, file)]
    documents = [read_document(text.encode(), f"{number:05}.txt") for number, text in enumerate(rows[: each * WORKERS[-1]])]
    cores = len(os.sched_getaffinity(0))
    told: dict[str, object] = {"documents_each": each, "cores": cores}
    print(f"{'workers':>7} {'Ray, documents/s':>17} {'plain processes':>16} {'Ray over plain':>15} {'free cores':>11}")
    rates: dict[int, tuple[float, float]] = {}
    for count in [count for count in WORKERS if count <= cores]:
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:  # Ray forks, which LanceDB minds once it is loaded
            ray, plain, free = fresh.submit(_raced, count, documents[: each * count]).result()
        print(f"{count:>7} {ray:>17.1f} {plain:>16.1f} {ray / plain:>15.3f} {free:>11.2f}", flush=True)
        rates[count] = (ray, plain)
        told |= {f"ray_per_second_{count}": round(ray, 2), f"plain_per_second_{count}": round(plain, 2)}
        told |= {f"share_of_free_{count}": round(ray / plain, 3), f"free_cores_{count}": round(free, 2)}
    first, last = rates[1], rates[max(rates)]
    told |= {"speedup": round(last[0] / first[0], 3), "plain_speedup": round(last[1] / first[1], 3)}
    return told | {"ratio": round(last[0] / last[1], 3)}


def _raced(count: int, documents: Sequence[Document]) -> tuple[float, float, float]:
    """Documents a second on so many Ray workers and in so many processes, in turns, the first of each not counted; free cores."""
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - by default Ray's workers yield to whatever else runs
    seconds, free = {"ray": 0.0, "plain": 0.0}, 0.0
    with tempfile.TemporaryDirectory() as folder, connected("local", "minilm", cores=count) as cluster:
        processes = [_process() for _ in range(count)]
        knowledge = open_knowledge(Path(folder), embedders.load("minilm", threads=1))
        job = Job(_begun(knowledge), "", 384, cluster.embedder, knowledge.embedder.id, knowledge.passage_tokens)
        for turn in range(ROUNDS + 1):
            started = time.perf_counter()
            cluster.make(_change(knowledge, documents))
            taken = time.perf_counter() - started
            (knowledge.folder / NOTE).unlink()
            before, started = _ticks(processes), time.perf_counter()
            _plain(processes, job, documents)
            plain = time.perf_counter() - started
            if turn:
                seconds = {"ray": seconds["ray"] + taken, "plain": seconds["plain"] + plain}
                free += (_ticks(processes) - before) / os.sysconf("SC_CLK_TCK")
        for process in processes:
            process.communicate()
    done = len(documents) * ROUNDS
    return done / seconds["ray"], done / seconds["plain"], free / seconds["plain"]


def _begun(knowledge: Knowledge) -> str:
    assert isinstance(knowledge.index, Lance)
    return knowledge.index.begin()


def _change(knowledge: Knowledge, documents: Sequence[Document]) -> Change:
    labels = {document.path: Labels() for document in documents}
    return Change(knowledge.folder, knowledge.index, knowledge.state, knowledge.embedder, knowledge.passage_tokens, [], documents, labels)


def _process() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PLAIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _plain(processes: Sequence[subprocess.Popen[bytes]], job: Job, documents: Sequence[Document]) -> None:
    """The same tasks without Ray, an equal share of documents for each process."""
    for number, process in enumerate(processes):
        own = documents[number :: len(processes)]
        parts = [own[at::SHARES] for at in range(SHARES)]
        calls = [
            (job, Part(part, {one.path: Labels() for one in part}), {one.path: (one.hash, one.text) for one in part}) for part in parts
        ]
        assert process.stdin is not None
        process.stdin.write(base64.b64encode(pickle.dumps(calls)) + b"\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()


def _ticks(processes: Sequence[subprocess.Popen[bytes]]) -> int:
    """Clock ticks that these processes had or could have had: their own, and those in which a core of ours was idle."""
    cores = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    rows = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
    own = [Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split() for process in processes]
    return sum(int(row[4]) + int(row[5]) for row in rows if row[0] in cores) + sum(int(row[11]) + int(row[12]) for row in own)
