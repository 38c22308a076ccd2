"""POST /v1/embeddings, /v1/rerank and /v1/search: what the project's search is made of. What a key may not see is not found."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rung.serve.desk import Desk, sent
from rung.serve.gate import late
from rung.serve.offers import name_of, unknown
from rung.serve.refusals import Refusal
from rung.serve.running import deadline, left_of, over, who
from rung.serve.schemas import EmbeddingRequest, RerankRequest, SearchRequest
from rung.types import Hit
from rung.workspace import workspace as w
from rung.workspace.keys import Key, admitted, spend
from rung.workspace.searching import searching
from rung.workspace.store import Run
from rung.workspace.trail import append

if TYPE_CHECKING:
    from rung.types import Vectors

T = TypeVar("T")


async def embed(at: Desk, request: Request) -> Response:
    """Vectors by the project's embedder, of length 1."""
    key = await at.key(request)
    wanted = await sent(request, EmbeddingRequest)
    texts = [wanted.input] if isinstance(wanted.input, str) else wanted.input

    def work() -> dict[str, Any]:
        embedder = at.offers.embedder()
        name = name_of(embedder)
        if not key.may_ask(name) or wanted.model not in (None, name):
            raise unknown(wanted.model or name)
        tokens = sum(embedder.count(text) for text in texts)
        vectors = embedder.embed(texts, query=wanted.input_type == "query")
        _noted(at, key, "embedding", {"embedder": embedder.id, "texts": len(texts)}, {"texts": texts}, tokens)
        shown = partial(_vector, base64_=wanted.encoding_format == "base64")
        data = [{"object": "embedding", "index": number, "embedding": shown(vectors[number])} for number in range(len(texts))]
        return {"object": "list", "model": name, "data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}

    return JSONResponse(await _worked(at, key, request, work))


def _vector(vector: Vectors, *, base64_: bool) -> str | list[float]:
    if base64_:
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(value) for value in vector]


async def rerank(at: Desk, request: Request) -> Response:
    """The documents that were sent, best first: by the project's reranker or, where it has none, by its embedder."""
    key = await at.key(request)
    wanted = await sent(request, RerankRequest)
    texts = [one if isinstance(one, str) else one.text for one in wanted.documents]

    def work() -> dict[str, Any]:
        name, scores = _scores(at, wanted.query, texts)
        best = sorted(range(len(texts)), key=lambda number: -scores[number])[: wanted.top_n]
        _noted(at, key, "rerank", {"model": name, "texts": len(texts)}, {"query": wanted.query}, 0)
        results = [
            {
                "index": number,
                "relevance_score": scores[number],
                **({"document": {"text": texts[number]}} if wanted.return_documents else {}),
            }
            for number in best
        ]
        return {"model": name, "results": results}

    return JSONResponse(await _worked(at, key, request, work))


def _scores(at: Desk, query: str, texts: Sequence[str]) -> tuple[str, list[float]]:
    from rung.knowledge.rerankers import load

    ws = at.offers.open().ws
    if ws.config.knowledge.reranker:
        reranker = load(w.located(ws, ws.config.knowledge.reranker))
        return reranker.id, [float(score) for score in reranker.scores(query, texts)]
    embedder = at.offers.embedder()
    vectors = embedder.embed(texts)
    return name_of(embedder), [float(score) for score in vectors @ embedder.embed([query], query=True)[0]]


async def search(at: Desk, request: Request) -> Response:
    """The passages that the key may see, best first, in the form of OpenAI's search in a vector store."""
    key = await at.key(request)
    wanted = await sent(request, SearchRequest)

    def work() -> dict[str, Any]:
        hits = _found(at, key, wanted)
        _noted(at, key, "search", {"passages": [hit.passage.id for hit in hits]}, _said(wanted, hits), 0)
        data = [_hit(hit) for hit in hits]
        page = {"object": "vector_store.search_results.page", "search_query": [wanted.query]}
        return {**page, "data": data, "has_more": False, "next_page": None}

    return JSONResponse(await _worked(at, key, request, work))


def _found(at: Desk, key: Key, wanted: SearchRequest) -> Sequence[Hit]:
    from dataclasses import replace

    from rung.knowledge.knowledge import narrowed

    knowledge = at.offers.knowledge(key)
    if knowledge is None:
        raise Refusal(404, "the project has no documents", "not_found")
    view = narrowed(knowledge, *wanted.where) if wanted.where else knowledge
    found = searching(at.offers.open().ws, view)
    return replace(found, k=wanted.max_num_results or found.k).find(wanted.query).hits


def _said(wanted: SearchRequest, hits: Sequence[Hit]) -> dict[str, Any]:
    return {"query": wanted.query, "where": wanted.where, "documents": sorted({hit.passage.document for hit in hits})}


def _hit(hit: Hit) -> dict[str, Any]:
    one = hit.passage
    return {
        "file_id": one.id,
        "filename": one.document,
        "score": hit.score,
        "attributes": {"start": one.start, "end": one.end, "headings": " > ".join(one.headings)},
        "content": [{"type": "text", "text": one.text}],
    }


async def _worked(at: Desk, key: Key, request: Request, work: Callable[[], T]) -> T:
    """What `work` returns, in its turn and before the deadline. Such work is short, so who leaves does not end it."""
    seconds = deadline(at, request)
    async with left_of(request) as left:
        since = await at.gate.enter(left, seconds)

    def counted() -> T:
        if found := admitted(at.store, key):
            raise over(found)
        return work()

    job = asyncio.get_running_loop().run_in_executor(at.answers, counted)
    job.add_done_callback(lambda done: _left(at, since, done))
    try:
        return await asyncio.wait_for(asyncio.shield(job), seconds)
    except TimeoutError:
        raise late() from None


def _left(at: Desk, since: float, done: asyncio.Future[Any]) -> None:
    at.gate.leave(since)
    if not done.cancelled():
        done.exception()  # it is told by whoever waits; where nobody does any more, asyncio would complain


def _noted(at: Desk, key: Key, kind: str, told: dict[str, Any], content: dict[str, Any], tokens: int) -> None:
    started = time.time()

    def work(run: Run) -> None:
        append(run, kind, who(key), told, content if at.settings.audit == "text" else None)
        spend(run, key, tokens, 0.0, started)

    at.store.write(work)
