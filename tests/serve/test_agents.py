"""A real client talks to the real command over its stdin and stdout, as somebody who may see a part of the documents."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from shop_project import refused, rung

from rung.workspace.store import open_store
from rung.workspace.traffic import traffic
from rung.workspace.trail import entries, verify
from rung.workspace.workspace import open_workspace

mcp = pytest.importorskip("mcp", reason="the extra mcp is not installed")

TOML = """
[model]
name = "bundled:reader"
[knowledge]
embedder = "hashing"
index = "exact"
[access]
on = true
[access.groups]
desk = ["anna"]
[[access.rules]]
documents = "**"
readers = ["everyone"]
[[access.rules]]
documents = "staff/"
readers = ["group:desk"]
"""
SECRET = "The discount code for staff is MOONFISH."


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "docs" / "staff").mkdir(parents=True)
    (tmp_path / "docs" / "warranty.md").write_text("# Warranty\n\nThe warranty of the kettle lasts three years.\n")
    (tmp_path / "docs" / "staff" / "codes.md").write_text(f"# Codes\n\n{SECRET}\n")
    (tmp_path / "rung.toml").write_text(TOML)
    (tmp_path / "cases.jsonl").write_text(json.dumps({"id": "1", "question": "How long?", "answer": "three years"}) + "\n")
    return tmp_path


def talk(project: Path, work: Callable[[Any], Awaitable[None]], *words: str) -> None:
    """Start the command, do the work with a client of it, and let it end."""

    async def run() -> None:
        told = mcp.StdioServerParameters(command=sys.executable, args=["-m", "rung", "mcp", str(project), *words], env=dict(os.environ))
        async with mcp.Client(mcp.stdio_client(told)) as client:
            await work(client)

    asyncio.run(run())


async def call(client: Any, tool: str, **given: Any) -> Any:
    done = await client.call_tool(tool, given)
    assert not done.is_error, done.content
    held = done.structured_content
    return held["result"] if set(held) == {"result"} else held


def test_an_agent_asks_searches_and_lists(project: Path) -> None:
    async def work(client: Any) -> None:
        assert {tool.name for tool in (await client.list_tools()).tools} == {"ask", "search", "sources"}
        said = await call(client, "ask", question="How long does the warranty of the kettle last?")
        assert "three years" in said["answer"]
        assert said["passages"][said["cited"][0] - 1]["document"] == "warranty.md"
        (first, *_) = await call(client, "search", query="warranty kettle", k=1)
        assert first["document"] == "warranty.md"
        assert "three years" in first["text"]
        listed = await call(client, "sources")
        assert listed == {"sources": [{"document": "warranty.md", "title": "Warranty"}], "total": 1, "more": False}

    talk(project, work)


@pytest.mark.parametrize(("words", "sees"), [((), False), (("--as", "bob"), False), (("--as", "anna"), True), (("--group", "desk"), True)])
def test_nobody_sees_what_is_not_theirs(project: Path, words: Sequence[str], sees: bool) -> None:
    async def work(client: Any) -> None:
        told = [await call(client, "ask", question="What is the discount code for staff?")]
        told += [await call(client, "search", query="discount code staff", k=50), await call(client, "sources")]
        assert all(("codes.md" in json.dumps(one)) == sees for one in told), told
        assert ("MOONFISH" in json.dumps(told)) == sees

    talk(project, work, *words)


def test_what_can_be_mended_is_said_and_the_server_goes_on(project: Path) -> None:
    async def work(client: Any) -> None:
        wrong = [({"question": "  "}, "the question is empty"), ({"question": "Who?", "model": "nobody"}, "there are: long-context, rag")]
        for given, said in wrong:
            done = await client.call_tool("ask", given)
            assert done.is_error
            assert said in done.content[0].text
        assert await call(client, "search", query="warranty")

    talk(project, work)


def test_a_model_that_is_not_there_is_said_when_it_starts(project: Path) -> None:
    refused(rung("mcp", str(project), "--model", "nobody"), "there is no model 'nobody'", "there are: long-context, rag")


def test_every_question_is_in_the_audit_log(project: Path) -> None:
    async def work(client: Any) -> None:
        await call(client, "ask", question="How long does the warranty last?")
        await call(client, "search", query="kettle")

    talk(project, work, "--as", "anna")
    store = open_store(open_workspace(project))
    noted = list(entries(store))
    verify(store)
    assert [(one.kind, one.who) for one in noted] == [("question", "mcp anna"), ("search", "mcp anna")]
    assert noted[0].content is not None
    assert noted[0].content["question"] == "How long does the warranty last?"
    assert noted[0].told["passages"]
    assert all(one.content and one.content["documents"] for one in noted), "by which they can be forgotten"
    [row] = traffic(store)
    assert (row.id, row.entry, row.who, row.ended) == (noted[0].told["id"], 1, "mcp anna", "answered")
    store.close()


def test_a_page_of_sources_says_that_there_are_more(project: Path) -> None:
    for number in range(60):
        (project / "docs" / f"p{number:02}.md").write_text(f"# Page {number}\n\nText of page {number}.\n")

    async def work(client: Any) -> None:
        first = await call(client, "sources", under="p")
        assert (len(first["sources"]), first["total"], first["more"]) == (50, 60, True)
        rest = await call(client, "sources", under="p", after=first["sources"][-1]["document"])
        assert [one["document"] for one in rest["sources"]] == [f"p{number:02}.md" for number in range(50, 60)]
        assert not rest["more"]

    talk(project, work)


def test_a_user_without_lists_is_refused_before_it_starts(project: Path) -> None:
    (project / "rung.toml").write_text(TOML.replace("on = true", "on = false"))
    refused(rung("mcp", str(project), "--as", "anna"), "access lists are off")
