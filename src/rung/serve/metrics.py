"""Figures for Prometheus at /metrics: counts and times by model id, path and kind. No label holds anything that a client wrote.

Several workers of one server write into files of a folder, which each of them reads whole when it is asked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rung.errors import MissingExtra
from rung.types import Answer
from rung.workspace.traffic import Traffic

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # where workers meet; prometheus-client reads it when it is imported
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)
SEARCH = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
COUNTERS = {
    "questions": ("Questions, by how they ended.", ["model", "ended"]),
    "tokens": ("Tokens; cached ones are among those of prompts.", ["model", "kind"]),
    "cost": ("Cost by [prices].", ["model"]),
    "abstained": ("Answers that say they don't know.", ["model"]),
    "sentences": ("Checked sentences.", ["model", "support"]),
    "feedback": ("Feedback.", ["model", "kind"]),
    "requests": ("Requests, by path and status.", ["path", "status"]),
}


@dataclass(frozen=True)
class Meter:
    """What is counted, and `shown`, all of it in Prometheus's own text."""

    answered: Callable[[Traffic, Answer, str], None]
    rated: Callable[[str, str], None]  # by model: up, down or corrected
    requested: Callable[[str, int], None]  # path of a route, status
    queued: Callable[[int, int], None]  # running, waiting
    shown: Callable[[], bytes]


def meter() -> Meter:
    """Counters of this process, or of all workers where they share a folder. MissingExtra without prometheus-client."""
    try:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector
    except ModuleNotFoundError as error:
        raise MissingExtra(f"metrics ({error.name})", "metrics") from None
    own = CollectorRegistry()
    made: dict[str, Any] = {name: Counter(f"rung_{name}", told, labels, registry=own) for name, (told, labels) in COUNTERS.items()}
    model: dict[str, Any] = {"labelnames": ["model"], "registry": own}
    made["seconds"] = Histogram("rung_answer_seconds", "Seconds of an answer.", buckets=SECONDS, **model)
    made["retrieval"] = Histogram("rung_retrieval_seconds", "Seconds of the search within.", buckets=SEARCH, **model)
    made["score"] = Summary("rung_retrieval_score", "Score of the best passage.", **model)
    running = Gauge("rung_running", "Questions being answered.", registry=own, multiprocess_mode="livesum")
    waiting = Gauge("rung_waiting", "Questions that wait.", registry=own, multiprocess_mode="livesum")

    def queued(now: int, later: int) -> None:
        running.set(now)
        waiting.set(later)

    def shown() -> bytes:
        if not os.environ.get(FOLDER):
            return bytes(generate_latest(own))
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return bytes(generate_latest(together))

    return Meter(
        lambda row, answer, trace: _count(made, row),
        lambda name, kind: made["feedback"].labels(name, kind).inc(),
        lambda path, status: made["requests"].labels(path, str(status)).inc(),
        queued,
        shown,
    )


def _count(made: Mapping[str, Any], row: Traffic) -> None:
    name = row.model
    made["questions"].labels(name, row.ended).inc()
    made["seconds"].labels(name).observe(row.seconds)
    for kind in ("prompt", "completion", "cached"):
        made["tokens"].labels(name, kind).inc(getattr(row, kind))
    made["cost"].labels(name).inc(row.money)
    made["abstained"].labels(name).inc(row.abstained)
    if row.score is not None:
        made["retrieval"].labels(name).observe(row.retrieval)
        made["score"].labels(name).observe(row.score)
    if row.sentences:
        made["sentences"].labels(name, "supported").inc(row.sentences - row.unsupported)
        made["sentences"].labels(name, "unsupported").inc(row.unsupported)


def ended(process: int, meeting: str) -> None:
    """A worker is no more: what it last said of its own queue counts no longer."""
    if meeting:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(process, meeting)  # type: ignore[no-untyped-call]
