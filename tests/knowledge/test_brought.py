"""Whatever two copies do and in whatever order they sync, none undoes what the other did, and each change arrives."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rung.knowledge.brought import Brought, read_brought, write_brought
from rung.knowledge.state import Held
from rung.types import Document

COPIES, PATHS = 3, ("a.md", "b.md", "all/c.md")


class Shared:
    """An index of hashes, and copies with files of their own; what lies below all/ is the same for all."""

    def __init__(self) -> None:
        self.index: dict[str, str] = {}
        self.files: list[dict[str, str]] = [{} for _ in range(COPIES)]
        self.brought: list[dict[str, str] | None] = [None] * COPIES

    def put(self, copy: int, path: str, digest: str | None) -> None:
        for files in self.files if path.startswith("all/") else [self.files[copy]]:
            files.pop(path, None)
            if digest:
                files[path] = digest

    def sync(self, copy: int) -> None:
        held = {path: Held(digest, path) for path, digest in self.index.items()}
        here = {path: Document(path, "text", path, digest) for path, digest in self.files[copy].items()}
        last = self.brought[copy]
        merged = Brought(last or {}, own, first=last is None).merged(held, here)
        self.index = {path: document.hash for path, document in merged.items()}
        self.brought[copy] = {path: digest for path, digest in self.files[copy].items() if own(path)}


def own(path: str) -> bool:
    return not path.startswith("all/")


STEPS = st.lists(
    st.tuples(st.integers(0, COPIES - 1), st.sampled_from(PATHS), st.sampled_from(("sync", None, "h1", "h2", "h3"))), max_size=30
)


@given(STEPS)
def test_who_changed_nothing_changes_nothing(steps: list[tuple[int, str, str | None]]) -> None:
    """So no two copies take turns in undoing each other."""
    shared = Shared()
    for copy, path, what in steps:
        if what == "sync":
            shared.sync(copy)
        else:
            shared.put(copy, path, what)
    for copy in range(COPIES):
        shared.sync(copy)
    settled = dict(shared.index)
    for copy in (*range(COPIES), *range(COPIES)):
        shared.sync(copy)
        assert shared.index == settled
    assert ("all/c.md" in settled) == ("all/c.md" in shared.files[0])


@given(STEPS, st.integers(0, COPIES - 1), st.sampled_from(PATHS[:2]))
def test_what_a_copy_changes_after_a_sync_arrives(steps: list[tuple[int, str, str | None]], copy: int, path: str) -> None:
    shared = Shared()
    for other, at, what in steps:
        shared.sync(other) if what == "sync" else shared.put(other, at, what)
    shared.put((copy + 1) % COPIES, "b.md", "stays")
    for one in range(COPIES):
        shared.sync(one)
    shared.put(copy, path, "new")
    shared.sync(copy)
    assert shared.index[path] == "new"
    shared.put(copy, path, None)
    before = dict(shared.index)
    shared.sync(copy)
    assert shared.index == {at: digest for at, digest in before.items() if at != path}


@given(STEPS)
def test_a_copy_without_files_removes_nothing(steps: list[tuple[int, str, str | None]]) -> None:
    shared = Shared()
    for other, at, what in steps:
        shared.sync(other % 2) if what == "sync" else shared.put(other % 2, at, what)
    before = {path: digest for path, digest in shared.index.items() if own(path)}
    shared.sync(2)
    assert {path: digest for path, digest in shared.index.items() if own(path)} == before


def test_a_damaged_note_is_no_leave_to_remove(tmp_path: Path) -> None:
    write_brought(tmp_path, {"a.md": "h1"})
    assert read_brought(tmp_path, own).documents == {"a.md": "h1"}
    for damaged in ("[1]", "{", '"x"'):
        (tmp_path / "brought.json").write_text(damaged)
        assert read_brought(tmp_path, own) == Brought({}, own, first=True)
    held = {"b.md": Held("h2", "b")}
    assert Brought({}, own).merged(held, {}).keys() == {"b.md"}
