"""Several knowledge bases and live sources behind one question, fused by rank. It refuses to compare scores without a common scale."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from rung.approach.prompt import Wider
from rung.approach.source import Context, Search
from rung.errors import KnowledgeError
from rung.knowledge.fold import folded
from rung.knowledge.fusion import RRF
from rung.knowledge.live import told
from rung.knowledge.rerankers import reranked
from rung.types import Hit, Passage

OWN = "own"


@dataclass(frozen=True)
class Beside:
    """Another place to ask. Its hits' documents begin with its name; `live` ones have no version but what came back."""

    name: str
    id: str
    find: Callable[[str], Context]
    live: bool = False
    optional: bool = False  # whether an answer may be given without it


@dataclass(frozen=True)
class Fused:
    """The project's own search and what is asked beside it: reciprocal ranks decide, or the reranker where there is one."""

    own: Search
    beside: tuple[Beside, ...]
    whole: bool = False

    @property
    def id(self) -> str:
        """The own search's and all others'."""
        others = hashlib.sha256("\0".join(f"{one.name}\1{one.id}" for one in self.beside).encode()).hexdigest()[:16]
        return f"fused/{self.own.id}/{others}"

    def find(self, question: str) -> Context:
        """The k best of all, asked side by side. KnowledgeError where one fails that is not optional."""
        with ThreadPoolExecutor(len(self.beside) + 1) as pool:
            asked = [pool.submit(_asked, one, question) for one in self.beside]
            found = {OWN: self.own.find(question), **{one.name: job.result() for one, job in zip(self.beside, asked, strict=True)}}
        named = {name: [hit if name == OWN else _named(name, hit) for hit in one.hits] for name, one in found.items()}
        every = self._ranked(question, named)
        hits = folded(every, self.own.k)
        bare = {new.passage.id: (name, old.passage) for name, one in found.items() for new, old in zip(named[name], one.hits, strict=True)}
        wideners = {name: one.widener for name, one in found.items() if one.widener}
        live = {name: said for one in found.values() for name, said in one.live.items()}
        return Context(tuple(hits), widener=_Wideners(wideners, bare) if wideners else None, live=live)

    def _ranked(self, question: str, named: Mapping[str, Sequence[Hit]]) -> list[Hit]:
        """All hits, best first; those of equal rank in the order of their sources, the own ones first."""
        ranked = [
            replace(hit, score=1 / (RRF + rank), legs={**hit.legs, name: rank})
            for name, hits in named.items()
            for rank, hit in enumerate(hits, 1)
        ]
        every = sorted(ranked, key=lambda hit: -hit.score)
        return reranked(self.own.reranker, question, every) if self.own.reranker else every


@dataclass(frozen=True)
class _Wideners:
    """Widens each hit by its own source's widener. `bare` gives each passage's source, and the passage under its own name there."""

    parts: Mapping[str, Wider]
    bare: Mapping[str, tuple[str, Passage]] = field(repr=False)

    def reach(self, hits: Sequence[Hit]) -> int:
        return max((wider.reach(self._of(name, hits)) for name, wider in self.parts.items()), default=0)

    def widen(self, hits: Sequence[Hit], reach: int) -> list[Hit]:
        places = {self.bare[hit.passage.id][1].id: place for place, hit in reversed(list(enumerate(hits)))}
        grown = [(place, hit) for place, hit in enumerate(hits) if self.bare[hit.passage.id][0] not in self.parts]
        for name, wider in self.parts.items():
            for wide in wider.widen(self._of(name, hits), reach):
                place = min(places[won] for won in wide.won or (wide.passage.id,))
                grown.append((place, wide if name == OWN else _named(name, wide)))
        return [hit for _, hit in sorted(grown, key=lambda pair: pair[0])]

    def _of(self, name: str, hits: Sequence[Hit]) -> list[Hit]:
        return [replace(hit, passage=self.bare[hit.passage.id][1]) for hit in hits if self.bare[hit.passage.id][0] == name]


def _asked(one: Beside, question: str) -> Context:
    try:
        found = one.find(question)
    except KnowledgeError as error:
        if one.optional:
            return Context(live={one.name: f"failed: {error.message}"})
        raise
    return replace(found, live={one.name: told([hit.passage for hit in found.hits])}) if one.live else found


def _named(name: str, hit: Hit) -> Hit:
    """The hit under its source's name; two sources may hold the same document, and their passages must differ."""
    digest = hashlib.sha256(f"{name}\0{hit.passage.id}".encode()).hexdigest()[:16]
    folds = tuple(f"{name}/{one}" for one in hit.folded)
    return replace(hit, passage=replace(hit.passage, id=digest, document=f"{name}/{hit.passage.document}"), folded=folds)
