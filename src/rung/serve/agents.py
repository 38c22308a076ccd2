"""`rung mcp`: the project as tools for agents, over the Model Context Protocol on stdin and stdout.

Every call sees what its user may see and nothing else: user and groups are given when it starts, and no call can change them.
It refuses to change anything.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from rung.errors import ConfigError, DataError, MissingExtra, RungError
from rung.measure.cost import cost, seconds
from rung.serve.offers import Offers
from rung.serve.refusals import Refusal
from rung.workspace import workspace as w
from rung.workspace.keys import Key
from rung.workspace.store import Run, Store, open_store
from rung.workspace.traffic import figures, keep
from rung.workspace.trail import append, note
from rung.workspace.workspace import open_workspace

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from rung.approach.approach import Approach
    from rung.types import Answer, Hit, Passage

P = ParamSpec("P")
T = TypeVar("T")
MOST = 50  # passages, or documents on a page
SAYS = """Answers questions from a company's documents, with the passages they stand on. `ask` answers; `search` brings passages
to read for yourself; `sources` lists the documents. What you don't find may exist and not be for you to see."""


@dataclass(frozen=True)
class Place:
    """Where something stands: a document, its characters [start, end), and the words there."""

    document: str
    start: int
    end: int
    text: str
    title: str = ""


@dataclass(frozen=True)
class Said:
    """An answer. Its markers [1], [2] … point into `passages`; `unsupported` are sentences that no passage bears out."""

    answer: str
    passages: list[Place]
    cited: list[int]  # numbers of the passages, from 1
    unsupported: list[str]
    model: str


@dataclass(frozen=True)
class Source:
    """A document that may be read."""

    document: str
    title: str


@dataclass(frozen=True)
class Listed:
    """A page of documents; `more` says that there are others after the last one."""

    sources: list[Source]
    total: int
    more: bool


def serve_agents(folder: Path, user: str, groups: Sequence[str], rung: str) -> None:
    """Answer an agent on stdin and stdout until it leaves. MissingExtra; ConfigError for what is wrong with the project."""
    try:
        import mcp  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra(f"tools for agents ({error.name})", "mcp") from None
    ws = open_workspace(folder, user)
    store = open_store(ws)
    offers, key = Offers(folder), Key("mcp", "mcp", user, tuple(groups))
    offers.open()
    try:
        _answering(offers, key, rung)  # what is wrong with it is said now, not to each agent that asks
        server(offers, key, rung, store).run("stdio")
    finally:
        store.close()


def server(offers: Offers, key: Key, rung: str, store: Store) -> MCPServer[None]:
    """The tools, for one caller."""
    from mcp.server.mcpserver import MCPServer

    made: MCPServer[None] = MCPServer("rung", instructions=SAYS, version=_version(), log_level="WARNING")
    who = f"mcp {key.user}".strip()

    def ask(question: str, model: str = rung) -> Said:
        """Answer a question from the documents. `model` is a rung such as rag, or the label of an adapter."""
        from rung.approach.approach import answer_all

        started = time.time()
        (answer,) = (answer for _, answer in answer_all(_answering(offers, key, model), [_asked(question)]))
        _noted(offers, store, who, model, answer, started)
        return _said(answer, model)

    def search(query: str, k: int = 5) -> list[Place]:
        """The k passages that match best, best first."""
        from rung.knowledge.knowledge import search as find
        from rung.workspace.searching import mode

        knowledge = offers.knowledge(key)
        if knowledge is None:
            return []
        hits = find(knowledge, _asked(query), min(max(k, 1), MOST), mode(offers.open().ws, knowledge))
        note(store, "search", who, {"passages": [hit.passage.id for hit in hits]}, _kept(offers, {"query": query}, hits))
        return [_place(hit.passage) for hit in hits]

    def sources(under: str = "", after: str = "") -> Listed:
        """The documents in order, those in the folder `under` alone, a page at a time: `after` is the last one of the page before."""
        knowledge = offers.knowledge(key)
        shown = sorted(path for path in knowledge.documents() if path.startswith(under)) if knowledge else []
        page = [path for path in shown if path > after][:MOST]
        held = knowledge.state.documents if knowledge else {}
        return Listed([Source(path, held[path].title) for path in page], len(shown), bool(page) and page[-1] != shown[-1])

    for tool in (ask, search, sources):
        made.tool()(_told(tool))
    return made


def _told(tool: Callable[P, T]) -> Callable[P, T]:
    """The tool; what a user can mend is said to the agent and is no crash."""
    from mcp.server.mcpserver.exceptions import ToolError

    @wraps(tool)
    def run(*args: P.args, **named: P.kwargs) -> T:
        try:
            return tool(*args, **named)
        except RungError as error:
            print(f"error: {error.message}", file=sys.stderr, flush=True)
            raise ToolError(f"{error.message}; {error.hint}" if error.hint else error.message) from None
        except Refusal as error:
            raise ToolError(error.message) from None

    return run


def _answering(offers: Offers, key: Key, model: str) -> Approach:
    """What answers under this name. ConfigError, with the names there are, where nothing does."""
    try:
        return offers.approach(model, key)
    except Refusal:
        known = ", ".join(offer.id for offer in offers.models(key))
        raise ConfigError(f"there is no model '{model[:100]}' that can answer here", f"there are: {known or 'none'}") from None


def _asked(text: str) -> str:
    if not text.strip():
        raise DataError("the question is empty", "say what you want to know")
    return text


def _noted(offers: Offers, store: Store, who: str, model: str, answer: Answer, started: float) -> None:
    """The entry in the audit log and the row of figures, as `rung serve` writes them."""
    ws, name = offers.open().ws, f"mcp-{uuid.uuid4().hex}"
    told = {"model": model, "made_by": dict(answer.made_by), "passages": [hit.passage.id for hit in answer.hits], "id": name}
    content = _kept(offers, {"question": answer.question, "answer": answer.text}, answer.hits)
    money = cost(answer.usage, seconds(answer), w.prices(ws))
    row = figures(
        answer, id=name, entry=0, at=started, who=who, model=model, ended="answered", seconds=time.time() - started, money=money,
        refusal=ws.config.answer.refusal,
    )  # fmt: skip

    def work(run: Run) -> None:
        keep(run, replace(row, entry=append(run, "question", who, told, content).number))

    store.write(work)


def _kept(offers: Offers, text: dict[str, str], hits: Sequence[Hit]) -> dict[str, Any] | None:
    """What the audit log keeps of people's words, with the documents behind them, by which they can be forgotten."""
    documents = list(dict.fromkeys(hit.passage.document for hit in hits))
    return {**text, "documents": documents} if offers.open().ws.config.serve.audit == "text" else None


def _said(answer: Answer, model: str) -> Said:
    return Said(
        answer.text,
        [_place(hit.passage) for hit in answer.hits],
        sorted({citation.marker for citation in answer.citations if citation.passage}),
        [sentence.text.strip() for sentence in answer.sentences if not sentence.support],
        model,
    )


def _place(passage: Passage) -> Place:
    return Place(passage.document, passage.start, passage.end, passage.text, " > ".join(passage.headings))


def _version() -> str:
    from rung import __version__

    return __version__
