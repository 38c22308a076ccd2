"""Passages are shown with their neighbours as true spans of their document, merged where they overlap, and never beyond it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.approach.source import Search
from rung.errors import ConfigError
from rung.knowledge.access import Lists, Rule, viewer
from rung.knowledge.embedders import load
from rung.knowledge.expand import Widener, most, sections
from rung.knowledge.knowledge import Knowledge, open_knowledge, search, seen, sync
from rung.knowledge.read import read_document
from rung.types import Hit, Passage

WORDS = "The {thing} of the {place} is looked after by the keeper of the {place} and by nobody else, as the rule of {year} says. "
THINGS = ("roof", "door", "lamp")
LONG = "# Keeping\n\nAn opening word.\n\n"
for place in ("lighthouse", "chapel", "harbour"):
    told = "".join(WORDS.format(thing=thing, place=place, year=1900 + n) for n, thing in enumerate(THINGS))
    LONG += f"## The {place}\n\n{told}\n\n### Of the {place} at night\n\n{WORDS.format(thing='bell', place=place, year=1990) * 2}\n\n"


def held(folder: Path, lists: Lists | None = None) -> Knowledge:
    knowledge = open_knowledge(folder / "knowledge", load("hashing"), "exact", passage_tokens=32)
    documents = [read_document(LONG.encode(), "keep.md"), read_document(b"# Other\n\nThe bell of the ship is rung at noon.", "other.md")]
    sync(knowledge, documents, lists=lists)
    return knowledge


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    return held(tmp_path_factory.mktemp("expand"))


def of(knowledge: Knowledge, path: str = "keep.md") -> list[Passage]:
    return [passage for passage in knowledge.passages() if passage.document == path]


@given(st.data(), st.sampled_from(["neighbours:1", "neighbours:3", "section", "document"]), st.integers(0, 40))
def test_what_is_shown_is_a_true_span_that_holds_what_won_and_overlaps_with_nothing(
    knowledge: Knowledge, data: st.DataObject, how: str, reach: int
) -> None:
    passages = [*of(knowledge), *of(knowledge, "other.md")]
    texts = {path: "".join(passage.text for passage in of(knowledge, path)) for path in ("keep.md", "other.md")}
    chosen = data.draw(st.lists(st.sampled_from(passages), min_size=1, max_size=6, unique=True))
    wide = Widener(knowledge, how).widen([Hit(passage, 1 / n, {"dense": n}) for n, passage in enumerate(chosen, 1)], reach)
    for hit in wide:
        assert hit.passage.text == texts[hit.passage.document][hit.passage.start : hit.passage.end]
    for passage in chosen:
        assert (
            sum(h.passage.document == passage.document and h.passage.start <= passage.start and passage.end <= h.passage.end for h in wide)
            == 1
        )
    spans = sorted((hit.passage.document, hit.passage.start, hit.passage.end) for hit in wide)
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in pairwise(spans))
    assert sorted(name for hit in wide for name in hit.won or (hit.passage.id,)) == sorted(passage.id for passage in chosen)
    ranks = [hit.legs["dense"] for hit in wide]
    assert ranks == sorted(ranks)
    if reach == 0:
        assert [hit.passage for hit in wide] == chosen


def test_neighbours_section_and_document(knowledge: Knowledge) -> None:
    passages = of(knowledge)
    at = next(n for n, passage in enumerate(passages) if "door of the chapel" in passage.text)
    hit = Hit(passages[at], 1.0)
    one = Widener(knowledge, "neighbours:1").widen([hit], 99)[0].passage
    assert (one.start, one.end) == (passages[at - 1].start, passages[at + 1].end)
    section = Widener(knowledge, "section").widen([hit], 99)[0].passage
    assert section.text.startswith("## The chapel")
    assert "bell of the chapel" in section.text
    assert "lighthouse" not in section.text
    assert "harbour" not in section.text
    assert Widener(knowledge, "document").widen([hit], 99)[0].passage.text == LONG
    assert section.headings == ("Keeping",)


def test_the_reach_is_where_nothing_more_would_be_shown(knowledge: Knowledge) -> None:
    hit = Hit(of(knowledge)[0], 1.0)
    assert Widener(knowledge, "neighbours:2").reach([hit]) == 2
    widener = Widener(knowledge, "document")
    assert widener.widen([hit], widener.reach([hit])) == widener.widen([hit], 10**6)
    assert widener.reach([]) == 0


def test_sections_nest() -> None:
    assert list(sections("# A\n\na\n\n## B\n\nb\n\n### C\n\nc\n\n## D\n\nd\n")) == [(0, 35), (8, 27), (17, 27), (27, 35)]


def test_nothing_is_shown_that_the_viewer_may_not_read(tmp_path: Path) -> None:
    lists = Lists((Rule("**", ("everyone",)), Rule("keep.md", ("anna",))))
    knowledge = held(tmp_path, lists)
    hits = search(seen(knowledge, viewer("anna", lists)), "bell of the chapel", 1)
    closed = seen(knowledge, viewer("", lists))
    assert Widener(closed, "document").widen(hits, 99) == hits
    shown = Search(closed, 5, expand="document").find("bell of the chapel")
    assert shown.widener
    assert {hit.passage.document for hit in shown.widener.widen(shown.hits, 99)} == {"other.md"}


def test_the_id_of_a_search_holds_how_far_it_expands(knowledge: Knowledge) -> None:
    ids = {Search(knowledge, 5, expand=how).id for how in ("", "section", "document", "neighbours:1", "neighbours:2")}
    assert len(ids) == 5
    assert Search(knowledge, 5, expand="none").id == Search(knowledge, 5).id


@pytest.mark.parametrize("how", ["page", "neighbours", "neighbours:0", "neighbours:-1", "section:2"])
def test_ways_that_are_refused(how: str) -> None:
    with pytest.raises(ConfigError, match="no way to expand"):
        most(how)
