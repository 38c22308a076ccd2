"""Spans as a collector gets them: one for each question, its search within, no text unless it is asked for, none to strangers."""

from __future__ import annotations

from pathlib import Path

import pytest
from serving_project import asked, served, write_project
from shop_project import refused, rung

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
QUESTION = "What does the gear cost?"


def test_a_question_is_a_span_with_its_search_within(tmp_path: Path) -> None:
    from otlp_collector import collector, told

    with collector() as kept, served(write_project(tmp_path, more=f'[serve]\ntraces = "{kept.url}"\n')) as server:
        said = server.client.post("/v1/chat/completions", json=asked(QUESTION), headers={"traceparent": TRACE}).json()
        spans = {span.name: span for span in kept.wait(2)[:2]}
    assert told(kept.resources[0].attributes)["service.name"] == "rung"
    outer, inner = spans["chat rag"], spans["retrieval"]
    assert outer.trace_id.hex() == inner.trace_id.hex() == TRACE.split("-")[1]
    assert outer.parent_span_id.hex() == TRACE.split("-")[2]
    assert inner.parent_span_id == outer.span_id
    assert outer.start_time_unix_nano <= inner.start_time_unix_nano <= inner.end_time_unix_nano <= outer.end_time_unix_nano
    found = told(outer.attributes)
    assert (found["gen_ai.operation.name"], found["gen_ai.request.model"], found["gen_ai.response.id"]) == ("chat", "rag", said["id"])
    assert found["gen_ai.usage.input_tokens"] == said["usage"]["prompt_tokens"]
    assert found["gen_ai.usage.output_tokens"] == said["usage"]["completion_tokens"]
    assert found["gen_ai.response.finish_reasons"] == ["stop"]
    assert told(inner.attributes)["gen_ai.operation.name"] == "retrieval"
    assert not any(word in body for body in kept.raw for word in (b"gear", b"40 euros", b"What does"))


def test_text_is_sent_where_it_is_asked_for(tmp_path: Path) -> None:
    from otlp_collector import collector, told

    with collector() as kept:
        more = f'[serve]\ntraces = "{kept.url}/v1/traces"\ntraces_text = true\n'
        with served(write_project(tmp_path, more=more)) as server:
            server.client.post("/v1/chat/completions", json=asked(QUESTION))
        found = told(next(span for span in kept.spans if span.name == "chat rag").attributes)  # a server that ends sends what it has
    assert QUESTION in found["gen_ai.input.messages"]
    assert "40 euros" in found["gen_ai.output.messages"]


def test_a_collector_that_is_gone_holds_nobody_up(tmp_path: Path) -> None:
    with served(write_project(tmp_path, more='[serve]\ntraces = "http://127.0.0.1:9"\n')) as server:
        assert server.client.post("/v1/chat/completions", json=asked(QUESTION)).status_code == 200


def test_a_private_project_sends_no_traces_away(tmp_path: Path) -> None:
    more = '[limits]\nprivate = true\n[serve]\ntraces = "http://collector.example.org:4318"\n'
    refused(rung("serve", str(write_project(tmp_path, more=more)), "--port", "0"), "private", "traces")
