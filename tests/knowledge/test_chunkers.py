"""Every chunker keeps the text, the offsets and the limit, and what it made is never taken for another's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rung.errors import ConfigError
from rung.knowledge.chunkers import chunker
from rung.knowledge.embedders import load
from rung.knowledge.knowledge import Knowledge, open_knowledge, sync
from rung.knowledge.read import read_document
from rung.types import Document

NAMES = ["structure", "recursive", "markdown"]
parts = st.sampled_from(
    ["# Title\n\n", "## Part\n\n", "words of one sentence. ", "Ünïcode — and 日本 text? ", "\n\n", "- an item\n", "   ", "x" * 30]
)


def count(text: str) -> int:
    return len(text.split())


@pytest.mark.parametrize("name", NAMES)
@given(st.lists(parts, max_size=30).map("".join))
def test_joined_the_passages_are_the_text(name: str, text: str) -> None:
    document = Document("a.md", text, "Title", "hash")
    passages = chunker(name)(document, count, 8)
    assert "".join(passage.text for passage in passages) == (text if text.strip() else "")
    for passage in passages:
        assert text[passage.start : passage.end] == passage.text
        assert passage.text.strip()
        assert count(passage.text) <= 8
        assert passage.headings[0] == "Title"
    assert len({passage.id for passage in passages}) == len(passages)


def test_headings_above_a_span_are_kept() -> None:
    text = "# Title\n\nOne two three four.\n\n## Part\n\nFive six seven.\n\nEight nine ten.\n\n## Other\n\nEleven twelve thirteen.\n"
    passages = chunker("recursive")(Document("a.md", text, "Title", "hash"), count, 5)
    assert next(one.headings for one in passages if "Eight" in one.text) == ("Title", "Part")
    assert next(one.headings for one in passages if one.text.startswith("## Part")) == ("Title",)


def held(folder: Path, name: str) -> Knowledge:
    knowledge = open_knowledge(folder, load("hashing"), "exact", 32, chunker=name)
    sync(knowledge, [read_document(("# Rates\n\n" + "The berth costs five euros. " * 30).encode(), "rates.md")])
    return knowledge


def test_each_has_its_own_index_and_version(tmp_path: Path) -> None:
    made = [held(tmp_path, name) for name in NAMES]
    assert len({knowledge.version for knowledge in made}) == len({knowledge.folder for knowledge in made}) == 3
    assert open_knowledge(tmp_path, load("hashing"), "exact", 32).version == made[0].version
    assert all(document.text.startswith("# Rates") for one in made if (document := one.recall("rates.md", one.documents()["rates.md"])))


def test_a_name_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="names no way to cut"):
        chunker("words")
