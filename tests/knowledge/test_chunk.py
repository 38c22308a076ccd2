"""Passages joined are the text, none is over the limit, and cuts fall where the structure allows them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from rung.knowledge.blocks import FENCE, HEADING, ITEM, PARAGRAPH, TABLE, blocks, heading_text
from rung.knowledge.chunk import chunk, searchable
from rung.types import Document, Passage

LINES = st.sampled_from(
    [
        "# Top",
        "## Second part",
        "### Third *level*",
        "Under\n=====",
        "A sentence of some words. Another one follows! And a third?",
        "word " * 40,
        "x" * 90,
        "| a | b |\n|---|---|\n" + "| one cell | another cell |\n" * 8,
        "```py\n# not a heading\n\nx = 1\n" + "y = 2  # a line of code\n" * 6 + "```",
        "~~~\nnever closed",
        "- item one\n  more of it\n- item two",
        "1. first\n2. second",
        "   ",
        "",
        "\t",
        "naïve 日本語 text — with “marks”\u00a0and 🙂",
        "---",
        "> quoted",
    ]
)
TEXTS = st.lists(LINES, max_size=14).map("\n".join) | st.text(max_size=200)


def words(text: str) -> int:
    return len(text.split())


def pieces(text: str) -> int:
    """Counts as a tokenizer of subwords does: a token for every four characters of a word."""
    return sum(-(-len(word) // 4) for word in text.split())


def cut(text: str, limit: int = 20) -> list[Passage]:
    return chunk(Document("a/b.md", text, "Title", "00"), words, limit)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.integers(1, 60))
def test_joined_the_passages_are_the_text(text: str, limit: int) -> None:
    document = Document("a.md", text, "Title", "00")
    passages = chunk(document, pieces, limit)
    assert "".join(passage.text for passage in passages) == (text if text.strip() else "")
    assert all(passage.text == text[passage.start : passage.end] for passage in passages)
    assert all(passage.text.strip() for passage in passages)
    assert len({passage.id for passage in passages}) == len(passages)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.integers(1, 60))
def test_no_passage_is_over_the_limit(text: str, limit: int) -> None:
    for passage in chunk(Document("a.md", text, "Title", "00"), pieces, limit):
        assert pieces(passage.text) <= limit or len(passage.text.strip()) == 1


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_white_space_belongs_to_what_stands_before_it(text: str) -> None:
    for passage in cut(text)[1:]:
        assert not passage.text[0].isspace() or not passage.text.split("\n")[0].strip() or passage.text[0] in " \t\u00a0"


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_blocks_joined_are_the_text(text: str) -> None:
    found = blocks(text)
    assert "".join(text[block.start : block.end] for block in found) == text
    assert all(first.end == second.start for first, second in pairwise(found))


def test_sections_are_the_passages_and_carry_the_headings_above_them() -> None:
    body = "one two three four five six seven eight."
    text = f"# Title\n\n{body}\n\n## Leave\n\n{body}\n\n### Sick\n\n{body}\n\n## Pay\n\n{body}\n"
    passages = cut(text, 12)
    assert [passage.text.split("\n")[0] for passage in passages] == ["# Title", "## Leave", "### Sick", "## Pay"]
    assert [passage.headings for passage in passages] == [("Title",), ("Title",), ("Title", "Leave"), ("Title",)]
    assert searchable(passages[2]).startswith("Title\nLeave\n### Sick\n")


def test_the_document_title_comes_first_even_where_no_heading_says_it() -> None:
    passages = chunk(Document("a.md", "# Other\n\ntext\n", "From front matter", "00"), words, 50)
    assert passages[0].headings == ("From front matter",)


def test_later_parts_of_a_long_section_carry_its_own_heading() -> None:
    text = "# Title\n\n## Leave\n\n" + "Ten words stand in this sentence about our paid leave. " * 6
    passages = cut(text, 25)
    assert len(passages) > 1
    assert passages[0].headings == ("Title",)
    assert all(passage.headings == ("Title", "Leave") for passage in passages[1:])
    assert all(passage.text.strip().endswith(".") for passage in passages)


def test_tiny_sections_are_merged_with_their_siblings() -> None:
    text = "# T\n\n" + "\n\n".join(f"## S{n}\n\nshort" for n in range(6)) + "\n"
    passages = cut(text, 20)
    assert len(passages) < 4
    assert all(words(passage.text) >= 5 for passage in passages)


def test_a_heading_is_never_left_alone() -> None:
    text = "# Title\n\n## Part\n\n" + "word " * 60 + "\n\n# Next\n\n## Sub\n\nbody text here\n"
    for passage in cut(text, 20):
        assert [line for line in passage.text.splitlines() if line.strip() and not line.startswith("#")]


def test_tables_and_code_are_cut_between_their_lines() -> None:
    rows = "".join(f"| name {n} | some value {n} |\n" for n in range(30))
    table = cut("| a | b |\n|---|---|\n" + rows, 30)
    code = cut("```\n" + "".join(f"call_{n}(one, two) # note\n" for n in range(30)) + "```\n", 30)
    assert len(table) > 3
    assert len(code) > 3
    assert all(passage.text.startswith("|") and passage.text.rstrip().endswith("|") for passage in table)
    assert all(passage.text.rstrip().endswith(("note", "```")) for passage in code)


def test_parts_are_of_about_equal_size() -> None:
    sizes = [words(passage.text) for passage in cut("A sentence of five words. " * 21, 100)]
    assert min(sizes) > 40


def test_the_id_names_the_span_of_one_version_of_one_document() -> None:
    def ids(path: str, digest: str) -> list[str]:
        return [passage.id for passage in chunk(Document(path, "some text", "T", digest), words, 9)]

    assert ids("a", "1") == ids("a", "1")
    assert len({*ids("a", "1"), *ids("b", "1"), *ids("a", "2")}) == 3


def test_block_kinds() -> None:
    text = "# A\npara\nmore\n\n- x\n- y\n\n| a |\n|---|\n| b |\n```\n# c\n```\nB\n-\n## \n"
    kinds = [block.kind for block in blocks(text)]
    assert kinds == [HEADING, PARAGRAPH, ITEM, ITEM, TABLE, FENCE, HEADING, HEADING]
    assert [block.level for block in blocks(text) if block.kind == HEADING] == [1, 2, 2]


def test_heading_text_drops_marks() -> None:
    assert heading_text("## The [plan](x) `now` ##\n") == "The plan now"
    assert heading_text("Two lines\nof it\n=====\n") == "Two lines of it"
