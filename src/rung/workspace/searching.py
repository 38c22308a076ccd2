"""The search that a project describes: how it ranks and which reranker reads again. One for serving and training alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rung.errors import ConfigError
from rung.workspace import workspace as w
from rung.workspace.workspace import Workspace

if TYPE_CHECKING:
    from rung.approach.source import Search, Source
    from rung.knowledge.knowledge import Knowledge


def searching(ws: Workspace, knowledge: Knowledge) -> Search:
    """The search that the configuration describes, for serving and for the rows of a training alike."""
    from rung.approach.source import Search
    from rung.knowledge.rerankers import load

    settings = ws.config.knowledge
    reranker = load(w.located(ws, settings.reranker)) if settings.reranker else None
    return Search(knowledge, settings.k, mode(ws, knowledge), reranker, settings.rerank, settings.expand)


def source(ws: Workspace, knowledge: Knowledge) -> Source:
    """What an answer's passages come from: the search, fused with what else the project asks."""
    from rung.approach.fused import Fused
    from rung.workspace.beside import besides

    own, others = searching(ws, knowledge), besides(ws)
    for one in others:
        if any(path.startswith(f"{one.name}/") for path in knowledge.state.documents):
            raise ConfigError(f"'{one.name}' is a folder of documents and a name under [[knowledge.also]]", "give it another name")
    return Fused(own, others) if others else own


def mode(ws: Workspace, knowledge: Knowledge) -> str:
    """How passages are ranked; what was chosen for this knowledge where the configuration says `auto`."""
    from rung.knowledge.choice import resolved

    return resolved(knowledge.choice, ws.config.knowledge.mode)
