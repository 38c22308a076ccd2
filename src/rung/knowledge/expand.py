"""Shows a passage that won with its neighbours in the same document, as one true span. It refuses to cross into another document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from rung.errors import ConfigError
from rung.knowledge.blocks import HEADING, blocks
from rung.knowledge.chunk import passage_id
from rung.knowledge.knowledge import Knowledge
from rung.types import Hit, Passage

WAYS = "none, section, document, or neighbours:N for N on each side"


def most(how: str) -> int:
    """How many passages a hit may grow on each side, 0 for none. ConfigError for what names no way to expand."""
    way, _, number = how.partition(":")
    if way in ("section", "document") and not number:
        return 1 << 20
    if way == "neighbours" and number.isdecimal() and int(number) > 0:
        return int(number)
    if how in ("", "none"):
        return 0
    raise ConfigError(f"'{how}' is no way to expand passages", f"write {WAYS}")


@dataclass(frozen=True)
class Widener:
    """Widens the hits of one question; the documents they are from are read once."""

    knowledge: Knowledge
    how: str
    read: dict[str, tuple[Passage, ...]] = field(default_factory=dict, repr=False)

    def reach(self, hits: Sequence[Hit]) -> int:
        """From here on, growing further shows nothing more."""
        return max((min(most(self.how), len(self._passages(hit.passage.document))) for hit in hits), default=0)

    def widen(self, hits: Sequence[Hit], reach: int) -> list[Hit]:
        """The hits, best first, each with up to `reach` neighbours on both sides; what overlaps is one hit, in the best one's place.

        A wider hit names the passages that won in `won`. What the knowledge doesn't show (any more) stays as it is.
        """
        spans: list[tuple[int, int, Hit]] = []  # numbers of the first passage and the last within the document
        for number, hit in enumerate(hits):
            first, last = self._span(hit, reach) or (-1 - number, -1 - number)  # an unknown one overlaps with no other
            joined = [one for one in spans if _same(one[2], hit) and one[0] <= last and first <= one[1]]
            best = joined[0][2] if joined else hit
            low, high = min([first, *(one[0] for one in joined)]), max([last, *(one[1] for one in joined)])
            folds = dict.fromkeys(name for one in (*(one[2] for one in joined), hit) for name in one.folded)
            won = dict.fromkeys(name for one in (*(one[2] for one in joined), hit) for name in one.won or (one.passage.id,))
            grown = replace(best, folded=tuple(folds), won=tuple(won))
            at = spans.index(joined[0]) if joined else len(spans)
            spans = [one for one in spans if one not in joined]
            spans.insert(at, (low, high, grown))
        return [self._wide(low, high, hit) for low, high, hit in spans]

    def _span(self, hit: Hit, reach: int) -> tuple[int, int] | None:
        """The numbers of the first passage and the last to show with the hit; None where it is not known here."""
        passages = self._passages(hit.passage.document)
        number = next((n for n, one in enumerate(passages) if one.id == hit.passage.id), None)
        if number is None:
            return None
        low, high = _section(passages, number) if self.how == "section" else (0, len(passages) - 1)
        reach = min(reach, most(self.how))
        return max(low, number - reach), min(high, number + reach)

    def _wide(self, low: int, high: int, hit: Hit) -> Hit:
        if low == high:
            return replace(hit, won=())
        passages = self._passages(hit.passage.document)[low : high + 1]
        path, start, end = hit.passage.document, passages[0].start, passages[-1].end
        name = passage_id(path, self.knowledge.state.documents[path].hash, start, end)
        text = "".join(one.text for one in passages)
        return replace(hit, passage=Passage(name, path, start, end, text, _shared(passages)))

    def _passages(self, path: str) -> tuple[Passage, ...]:
        if path not in self.read:
            found = self.knowledge.index.stored([path])[0] if self.knowledge.shows(path) else []
            self.read[path] = tuple(sorted(found, key=lambda one: one.start))
        return self.read[path]


def _same(first: Hit, second: Hit) -> bool:
    return first.passage.document == second.passage.document


def _section(passages: Sequence[Passage], number: int) -> tuple[int, int]:
    """The first and the last passage of the smallest section that holds all of a passage; sections are headings' and nest."""
    text, one = "".join(passage.text for passage in passages), passages[number]
    base = passages[0].start
    start, end = one.start - base, one.start - base + len(one.text.rstrip())
    inside = [span for span in sections(text) if span[0] <= start and end <= span[1]]
    first, last = min(inside, key=lambda span: span[1] - span[0], default=(0, len(text)))
    held = [n for n, passage in enumerate(passages) if passage.start - base < last and first < passage.end - base]
    return held[0], held[-1]


def sections(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each heading with all that stands under it, up to the next heading of its level or a higher one."""
    headings = [block for block in blocks(text) if block.kind == HEADING]
    for n, heading in enumerate(headings):
        yield heading.start, next((later.start for later in headings[n + 1 :] if later.level <= heading.level), len(text))


def _shared(passages: Sequence[Passage]) -> tuple[str, ...]:
    """The headings that stand above all of them."""
    shared = passages[0].headings
    for one in passages[1:]:
        same = (n for n, pair in enumerate(zip(shared, one.headings, strict=False)) if pair[0] != pair[1])
        shared = shared[: next(same, min(len(shared), len(one.headings)))]
    return shared
