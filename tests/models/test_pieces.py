"""Tokens to pieces of text, with bytes standing for tokens."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from rung.models.pieces import Pieces


def of_bytes(ids: Sequence[int]) -> str:
    return bytes(ids).decode("utf-8", "replace")


def run(text: bytes, stop: Sequence[str] = ()) -> tuple[list[str], Pieces]:
    pieces = Pieces(of_bytes, stop)
    said = []
    for token in text:
        said.append(pieces.push(token))
        if pieces.stopped:
            break
    said.append(pieces.close())
    return said, pieces


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\ufffd")))
def test_characters_are_never_split_nor_lost(text: str) -> None:
    said, pieces = run(text.encode())
    assert "".join(said) == pieces.text == text
    assert not any("\ufffd" in piece for piece in said)


@given(st.binary(max_size=40))
def test_broken_characters_are_handed_out_in_the_end(raw: bytes) -> None:
    said, pieces = run(raw)
    assert "".join(said) == pieces.text
    assert not pieces.stopped


@given(st.text("abc", max_size=30), st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=3))
def test_a_stop_string_is_never_handed_out(text: str, stop: list[str]) -> None:
    said, pieces = run(text.encode(), stop)
    ends = [end for end in range(len(text) + 1) if any(text[:end].endswith(one) for one in stop)]
    if ends:
        start = min(text[: ends[0]].find(one) for one in stop if one in text[: ends[0]])
        assert pieces.stopped
        assert pieces.text == text[:start]
    else:
        assert not pieces.stopped
        assert pieces.text == text
    assert "".join(said) == pieces.text


def test_text_that_may_begin_a_stop_string_waits() -> None:
    pieces = Pieces(of_bytes, ["\n\nQ:"])
    assert [pieces.push(token) for token in b"a\n\nb"] == ["a", "", "", "\n\nb"]
