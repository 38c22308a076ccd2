"""A span for each question, with one for its search, sent to the collector that rung.toml names; nothing is sent without one.

Names and attributes: https://opentelemetry.io/docs/specs/semconv/gen-ai/. Spans are made when an answer is done and sent by a
thread beside, so a collector that is slow or gone holds nobody up. They hold no text unless rung.toml asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from rung.config import Config
from rung.errors import ConfigError, MissingExtra
from rung.types import Answer
from rung.workspace.privacy import asked_away
from rung.workspace.traffic import Traffic

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer
    from opentelemetry.util.types import AttributeValue

NS = 1_000_000_000


@dataclass(frozen=True)
class Tracing:
    """`answered` makes the spans of an answer; `close` sends what waits, for a few seconds at most."""

    answered: Callable[[Traffic, Answer, str], None]
    close: Callable[[], None]


def tracing(config: Config) -> Tracing:
    """Spans to `traces` under [serve]. ConfigError where the project is private and the collector is elsewhere; MissingExtra."""
    url, words = config.serve.traces, config.serve.traces_text
    if config.limits.private and asked_away(url):
        sentence = f"the project is private, and traces to {url} would leave this machine"
        raise ConfigError(sentence, "name a collector on this machine, or take private out of [limits]")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise MissingExtra(f"traces ({error.name})", "otel") from None
    address = url if url.endswith("/v1/traces") else f"{url.rstrip('/')}/v1/traces"
    itself = Resource.create({"service.name": "rung", "service.version": version("rung")})
    provider = TracerProvider(resource=itself, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address, timeout=5)))
    tracer = provider.get_tracer("rung", version("rung"))

    beside = ThreadPoolExecutor(1, "traces")  # making spans takes longer than handing them over, and the answer waits

    def answered(row: Traffic, answer: Answer, trace: str) -> None:
        beside.submit(_spans, tracer, row, answer, trace, words=words)

    def close() -> None:
        beside.shutdown()
        provider.shutdown()

    return Tracing(answered, close)


def _spans(tracer: Tracer, row: Traffic, answer: Answer, trace: str, *, words: bool) -> None:
    from opentelemetry.trace import SpanKind, set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    began, ended = int(row.at * NS), int((row.at + row.seconds) * NS)
    outer = TraceContextTextMapPropagator().extract({"traceparent": trace}) if trace else None
    span = tracer.start_span(f"chat {row.model}", outer, SpanKind.SERVER, _attributes(row, answer), start_time=began)
    if words:
        _say(span, answer)
    if row.score is not None:
        told: dict[str, AttributeValue] = {"gen_ai.operation.name": "retrieval", "rung.passages": row.passages, "rung.score": row.score}
        until = min(ended, began + int(row.retrieval * NS))
        tracer.start_span("retrieval", set_span_in_context(span), SpanKind.INTERNAL, told, start_time=began).end(until)
    if row.ended != "answered":
        from opentelemetry.trace import StatusCode

        span.set_attribute("error.type", row.ended)
        span.set_status(StatusCode.ERROR)
    span.end(ended)


def _attributes(row: Traffic, answer: Answer) -> dict[str, AttributeValue]:
    made = {f"rung.made_by.{name}": value for name, value in answer.made_by.items() if " " not in name}
    return {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "rung", "gen_ai.request.model": row.model,
        "gen_ai.response.model": answer.made_by.get("model", row.model), "gen_ai.response.id": row.id,
        "gen_ai.response.finish_reasons": ["tool_calls" if answer.calls else answer.finish], "gen_ai.usage.input_tokens": row.prompt,
        "gen_ai.usage.output_tokens": row.completion, "rung.usage.cached_tokens": row.cached, "rung.cost": row.money,
        "rung.abstained": row.abstained, "rung.unsupported_sentences": row.unsupported, **made,
    }  # fmt: skip


def _say(span: Span, answer: Answer) -> None:
    """What was asked and answered, in the form of the conventions."""
    asked = [{"role": "user", "parts": [{"type": "text", "content": answer.question}]}]
    said = [{"role": "assistant", "parts": [{"type": "text", "content": answer.text}], "finish_reason": answer.finish}]
    span.set_attribute("gen_ai.input.messages", json.dumps(asked, ensure_ascii=False))
    span.set_attribute("gen_ai.output.messages", json.dumps(said, ensure_ascii=False))
