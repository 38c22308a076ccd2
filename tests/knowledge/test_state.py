"""The state's file comes back as it was written, costs what changed in it, and earlier states stay whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rung.errors import KnowledgeError
from rung.knowledge.state import BASES, FILE, LONG, Held, State, clean, read_state, write_state

MANY = {f"{n}.md": Held(f"{n:064x}", f"Title {n}", {"team": n % 7}, ("everyone",)) for n in range(LONG + 500)}


def written(folder: Path, before: State, documents: dict[str, Held], index: str) -> State:
    followed = before.followed(documents)
    return write_state(folder, State(index, 3, documents, followed.base, followed.changed))


def test_a_small_change_writes_little_and_comes_back(tmp_path: Path) -> None:
    state = written(tmp_path, State(), MANY, "1")
    assert read_state(tmp_path) == state
    whole = (tmp_path / state.base).stat().st_size
    edited = {**MANY, "7.md": Held("new", "Title"), "new.md": Held("other", "New")}
    del edited["8.md"]
    after = written(tmp_path, state, edited, "2")
    assert after.changed == {"7.md", "8.md", "new.md"}
    assert (tmp_path / FILE).stat().st_size < whole / 100
    assert read_state(tmp_path) == after
    assert read_state(tmp_path).documents == edited
    again = written(tmp_path, after, MANY, "3")  # back to what stands in the file
    assert read_state(tmp_path).documents == MANY == again.documents


def test_few_documents_need_one_file(tmp_path: Path) -> None:
    first = written(tmp_path, State(), dict(list(MANY.items())[:LONG]), "1")
    assert (first.base, read_state(tmp_path)) == ("", first)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_an_earlier_state_stays_whole_until_it_is_not_kept(tmp_path: Path) -> None:
    first = written(tmp_path, State(), MANY, "1")
    os.link(tmp_path / FILE, tmp_path / "earlier.json")
    other = {path: Held(f"second {held.hash}", held.title) for path, held in MANY.items()}
    second = written(tmp_path, first, other, "2")
    assert first.base != second.base
    clean(tmp_path, [first, second])
    assert read_state(tmp_path, "earlier.json") == first
    clean(tmp_path, [second])
    assert [path.name for path in tmp_path.glob(BASES)] == [second.base]
    assert read_state(tmp_path).documents == other


@pytest.mark.parametrize("damage", [b"", b"{", b'{"7.md": ["one", "two"]}', b"[]"])
def test_a_damaged_or_missing_file_is_told(tmp_path: Path, damage: bytes) -> None:
    state = written(tmp_path, State(), MANY, "1")
    (tmp_path / state.base).write_bytes(damage)
    with pytest.raises(KnowledgeError, match="can't be read"):
        read_state(tmp_path)
    (tmp_path / state.base).unlink()
    with pytest.raises(KnowledgeError, match="can't be read"):
        read_state(tmp_path)


PATHS = st.dictionaries(st.sampled_from([f"{n}.md" for n in range(12)]), st.sampled_from(["a", "b"]), max_size=12)


@settings(max_examples=30)
@given(edits=st.lists(PATHS, max_size=4), large=st.booleans())
def test_any_history_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, edits: list[dict[str, str]], large: bool) -> None:
    folder, state = tmp_path_factory.mktemp("states"), State()
    rest = {path: held for path, held in MANY.items() if len(path) > 5} if large else {}
    for number, edit in enumerate(edits):
        documents = {**rest, **{path: Held(digest, "") for path, digest in edit.items()}}
        state = written(folder, state, documents, str(number))
        assert read_state(folder) == state
        assert state.documents == documents
