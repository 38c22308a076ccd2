"""What watching costs an answer, and how well drift is told: questions of BANKING77 of which a part changes its subjects.

The peer is a classifier two-sample test (Lopez-Paz and Oquab, 2017): scikit-learn's logistic regression on half of both sets, and an
exact binomial test of how often it is right on the other half, on the same vectors. It refuses to run without the data.
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from rung.config import Config
from rung.knowledge.embedders import load
from rung.measure.drift import drift
from rung.serve.metrics import meter
from rung.serve.tracing import tracing
from rung.types import Answer, Hit, Passage, Sentence, Usage
from rung.workspace import trail
from rung.workspace.keys import Key, spend
from rung.workspace.store import Run, Store
from rung.workspace.traffic import figures, keep

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "banking77"
SHARES = (0.0, 0.1, 0.2, 0.4)  # of the questions whose subjects are new
SIZE = 100  # questions of each set
ALPHA = 0.05
SAID = "The warranty of the pump is two years from the day of delivery [1]. " * 6


def run(small: bool = False) -> dict[str, object]:
    """Milliseconds added to an answer, and shares of trials in which drift was told, at p < .05."""
    found: dict[str, object] = dict(_costs(300 if small else 1500))
    if DATA.is_dir():
        found |= _told(20 if small else 100)
    return found


def _costs(count: int) -> dict[str, float]:
    """Medians of noting an answer without and with the row, the metrics and the traces, in turns, in SQLite."""
    passages = tuple(Hit(Passage(f"p{n}", "pump.md", 0, 5, "x" * 800), 0.5) for n in range(5))
    answer = Answer("How long is the warranty?", SAID, hits=passages, sentences=(Sentence(SAID[:68], "exact"),) * 6, usage=Usage(900, 120))
    config = Config()
    config = config.model_copy(update={"serve": config.serve.model_copy(update={"traces": "http://127.0.0.1:9"})})
    counted, traced = meter(), tracing(config)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(str(Path(folder) / "serve.sqlite"), postgres=False)
        kinds: dict[str, Callable[[str], None]] = {
            "before": lambda name: _note(store, answer, name, row=False),
            "row": lambda name: _note(store, answer, name),
            "metrics": lambda name: _note(store, answer, name, counted.answered),
            "traces": lambda name: _note(store, answer, name, counted.answered, traced.answered),
        }
        times: dict[str, list[float]] = {kind: [] for kind in kinds}
        for n in range(count):
            for kind, note in kinds.items():
                started = time.perf_counter()
                note(f"{kind}{n}")
                times[kind].append(time.perf_counter() - started)
                time.sleep(0.002)  # answers are milliseconds apart: what is done beside one does not stand in the next one's way
        store.close()
    milliseconds = {kind: 1000 * median(values) for kind, values in times.items()}
    for kind, value in milliseconds.items():
        print(f"noting an answer, {kind:<8} {value:.3f} ms")
    return {f"{kind}_added_ms": round(value - milliseconds["before"], 4) for kind, value in milliseconds.items() if kind != "before"}


def _note(store: Store, answer: Answer, name: str, *listeners: Callable[..., None], row: bool = True) -> None:
    told = {"who": "key 1", "model": "rag", "ended": "answered", "refusal": "The passages don't answer this."}
    made = figures(answer, id=name, entry=0, at=time.time(), seconds=0.5, money=0.1, **told) if row else None

    def work(run: Run) -> None:
        entry = trail.append(run, "question", "key 1", {"id": name}, {"question": answer.question, "answer": answer.text})
        if made:
            keep(run, replace(made, entry=entry.number))
        spend(run, Key("1", "key"), 1020, 0.1, time.time())

    store.write(work)
    for tell in listeners:
        tell(made, answer, "")


def _told(trials: int) -> dict[str, float]:
    """How often each test tells two sets apart, by the share of the second that asks of other subjects."""
    with (DATA / "train.csv").open(encoding="utf-8", newline="") as lines:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(lines)]
    subjects = sorted({subject for _, subject in rows})
    random = np.random.default_rng(7)
    new = set(random.permutation(subjects)[:20].tolist())
    old = [text for text, subject in rows if subject not in new]
    other = [text for text, subject in rows if subject in new]
    pools = [load("minilm").embed([pool[n] for n in random.permutation(len(pool))[:1500]], query=True) for pool in (old, other)]
    found: dict[str, float] = {}
    for share in SHARES:
        hits, rivals = 0, 0
        for trial in range(trials):
            moved = round(share * SIZE)
            drawn = pools[0][random.choice(len(pools[0]), 2 * SIZE - moved, replace=False)]
            before, now = drawn[:SIZE], np.concatenate([drawn[SIZE:], pools[1][random.choice(len(pools[1]), moved, replace=False)]])
            told = drift(before, now, trial)
            hits += told is not None and told.p < ALPHA
            rivals += _classifier(before, now, trial) < ALPHA
        print(f"{share:>4.0%} new subjects: MMD told {hits / trials:.0%}, a classifier {rivals / trials:.0%} of {trials}")
        found |= {f"told_{round(100 * share)}": hits / trials, f"peer_told_{round(100 * share)}": rivals / trials}
    found["ratio"] = round(found["told_40"] / max(found["peer_told_40"], 1 / trials), 3)
    return found


def _classifier(before: Any, now: Any, seed: int) -> float:
    from scipy.stats import binomtest
    from sklearn.linear_model import LogisticRegression

    rows, labels = np.concatenate([before, now]), np.repeat([0, 1], [len(before), len(now)])
    order = np.random.default_rng(seed).permutation(len(rows))
    train, test = order[: len(order) // 2], order[len(order) // 2 :]
    right = (LogisticRegression(max_iter=500).fit(rows[train], labels[train]).predict(rows[test]) == labels[test]).sum()
    return float(binomtest(int(right), len(test), 0.5, alternative="greater").pvalue)
