"""Figures for Prometheus at /metrics: counts and times by model id, path and kind. No label holds anything that a client wrote.

Several workers of one server write into files of a folder, which each of them reads whole when it is asked.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from rung.errors import MissingExtra
from rung.types import Answer
from rung.workspace.traffic import Traffic

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # where workers meet; prometheus-client reads it when it is imported
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)
SEARCH = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


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
    questions = Counter("rung_questions", "Questions, by how they ended.", ["model", "ended"], registry=own)
    seconds = Histogram("rung_answer_seconds", "Seconds of an answer.", ["model"], buckets=SECONDS, registry=own)
    retrieval = Histogram("rung_retrieval_seconds", "Seconds of the search within.", ["model"], buckets=SEARCH, registry=own)
    tokens = Counter("rung_tokens", "Tokens; cached ones are among those of prompts.", ["model", "kind"], registry=own)
    money = Counter("rung_cost", "Cost by [prices].", ["model"], registry=own)
    scores = Summary("rung_retrieval_score", "Score of the best passage.", ["model"], registry=own)
    abstained = Counter("rung_abstained", "Answers that say they don't know.", ["model"], registry=own)
    sentences = Counter("rung_sentences", "Checked sentences.", ["model", "support"], registry=own)
    feedback = Counter("rung_feedback", "Feedback.", ["model", "kind"], registry=own)
    requests = Counter("rung_requests", "Requests, by path and status.", ["path", "status"], registry=own)
    running = Gauge("rung_running", "Questions being answered.", registry=own, multiprocess_mode="livesum")
    waiting = Gauge("rung_waiting", "Questions that wait.", registry=own, multiprocess_mode="livesum")

    def answered(row: Traffic, answer: Answer, trace: str) -> None:
        questions.labels(row.model, row.ended).inc()
        seconds.labels(row.model).observe(row.seconds)
        for kind in ("prompt", "completion", "cached"):
            tokens.labels(row.model, kind).inc(getattr(row, kind))
        money.labels(row.model).inc(row.money)
        abstained.labels(row.model).inc(row.abstained)
        if row.score is not None:
            retrieval.labels(row.model).observe(row.retrieval)
            scores.labels(row.model).observe(row.score)
        if row.sentences:
            sentences.labels(row.model, "supported").inc(row.sentences - row.unsupported)
            sentences.labels(row.model, "unsupported").inc(row.unsupported)

    def rated(model: str, kind: str) -> None:
        feedback.labels(model, kind).inc()

    def requested(path: str, status: int) -> None:
        requests.labels(path, str(status)).inc()

    def queued(now: int, later: int) -> None:
        running.set(now)
        waiting.set(later)

    def shown() -> bytes:
        if not os.environ.get(FOLDER):
            return bytes(generate_latest(own))
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return bytes(generate_latest(together))

    return Meter(answered, rated, requested, queued, shown)


def ended(process: int, meeting: str) -> None:
    """A worker is no more: what it last said of its own queue counts no longer."""
    if meeting:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(process, meeting)  # type: ignore[no-untyped-call]
