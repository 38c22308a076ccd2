"""Only what changed is read, what can't be read any more keeps its last good version, and an empty listing empties nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from office_files import pdf

from rung.errors import DataError, KnowledgeError
from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.gather import Place, Seen, gather, read_seen, write_seen
from rung.knowledge.knowledge import Knowledge, open_knowledge, sync
from rung.knowledge.origins import Entry, hidden, wanted
from rung.knowledge.origins.folder import Folder
from rung.knowledge.read import Skipped, read_document
from rung.knowledge.reading import Unreadable
from rung.types import Document, Passage


@dataclass
class Shelf:
    """An origin in memory: path → stamp and text; None is text that can't be read. Notes what was read."""

    books: dict[str, tuple[str, str | None]]
    asked: list[str] = field(default_factory=list)
    listings: int = 0

    def entries(self) -> Iterator[Entry]:
        self.listings += 1
        for path, (stamp, _) in self.books.items():
            yield Entry(path, stamp)

    def read(self, path: str) -> Document:
        self.asked.append(path)
        text = self.books[path][1]
        if text is None:
            raise Unreadable("is encrypted")
        return read_document(text.encode(), path)


def knowledge_in(folder: Path) -> Knowledge:
    return open_knowledge(folder, Hashing(), "exact", 60)


def synced(knowledge: Knowledge, seen: dict[str, Seen], *places: Place, fresh: bool = True) -> dict[str, Seen]:
    gathered = gather(places, seen, knowledge.state.documents, fresh=fresh)
    sync(knowledge, gathered.documents, gathered.skipped)
    return dict(gathered.seen)


def test_paths_of_sources_begin_with_their_names(tmp_path: Path) -> None:
    shelf = Shelf({"a.md": ("1", "Ay")})
    gathered = gather([Place("", shelf, "x"), Place("wiki", shelf, "y")])
    assert [document.path for document in gathered.documents] == ["a.md", "wiki/a.md"]


def test_only_changes_are_read(tmp_path: Path) -> None:
    knowledge, shelf = knowledge_in(tmp_path), Shelf({"a.md": ("1", "Ay"), "b.md": ("1", "Bee"), "c.md": ("", "Sea")})
    place = Place("s", shelf, "made")
    seen = synced(knowledge, {}, place)
    assert shelf.asked == ["a.md", "b.md", "c.md"]
    shelf.books["b.md"] = ("2", "Bumblebee")
    del shelf.books["a.md"]
    shelf.asked.clear()
    seen = synced(knowledge, seen, place)
    assert shelf.asked == ["b.md", "c.md"]
    assert sorted(p.text for p in knowledge.passages()) == ["Bumblebee", "Sea"]
    shelf.asked.clear()
    synced(knowledge, seen, Place("s", shelf, "made otherwise"))
    assert shelf.asked == ["b.md", "c.md"]


def test_another_index_reads_everything_again(tmp_path: Path) -> None:
    shelf = Shelf({"a.md": ("1", "Ay")})
    seen = synced(knowledge_in(tmp_path / "one"), {}, Place("s", shelf, "made", every=99))
    other = knowledge_in(tmp_path / "two")
    synced(other, seen, Place("s", shelf, "made", every=99), fresh=False)
    assert [p.text for p in other.passages()] == ["Ay"]


def test_what_cannot_be_read_any_more_keeps_its_last_good_version(tmp_path: Path) -> None:
    knowledge, shelf = knowledge_in(tmp_path), Shelf({"a.md": ("1", "Ay"), "b.md": ("1", "Bee")})
    place = Place("", shelf, "made")
    seen = synced(knowledge, {}, place)
    shelf.books |= {"a.md": ("2", None), "c.md": ("1", None)}
    for _ in range(2):
        gathered = gather([place], seen, knowledge.state.documents)
        sync(knowledge, gathered.documents, gathered.skipped)
        kept, never = gathered.skipped
        assert kept == Skipped("a.md", "is encrypted; its last good version is kept")
        assert never == Skipped("c.md", "is encrypted")
        assert sorted(p.text for p in knowledge.passages()) == ["Ay", "Bee"]
        seen = dict(gathered.seen)
    shelf.books["a.md"] = ("2", "Ay again")
    synced(knowledge, seen, place)
    assert sorted(p.text for p in knowledge.passages()) == ["Ay again", "Bee"]


def test_a_passage_knows_its_pages(tmp_path: Path) -> None:
    knowledge = knowledge_in(tmp_path / "k")
    (tmp_path / "leave.pdf").write_bytes(pdf([["Annual leave is 27 days."] * 12, [], ["Ask your lead first."] * 12, ["The end."]]))
    (tmp_path / "a.md").write_text("no pages")
    synced(knowledge, {}, Place("", Folder(tmp_path), "made"))
    found = [(passage.text.split()[0], knowledge.pages(passage)) for passage in knowledge.passages()]
    assert found[0] == ("no", None)
    assert found[1] == ("Annual", (1, 1))
    assert found[-1][1] in ((3, 4), (4, 4))
    whole = Passage("x", "leave.pdf", 0, 10**6, "")
    assert knowledge.pages(whole) == (1, 4)
    assert knowledge.pages(Passage("x", "gone.pdf", 0, 1, "")) is None


def test_a_listing_is_good_enough_for_a_while(tmp_path: Path) -> None:
    knowledge, shelf = knowledge_in(tmp_path), Shelf({"a.md": ("1", "Ay"), "b.md": ("1", None)})
    place = Place("s", shelf, "made", every=60)
    seen = synced(knowledge, {}, place)
    shelf.books["a.md"] = ("2", "Later")
    gathered = gather([place], seen, knowledge.state.documents, fresh=False)
    assert shelf.listings == 1
    assert gathered.skipped == [Skipped("s/b.md", "is encrypted")]
    assert [document.path for document in gathered.documents] == ["s/a.md"]
    old = {"made": Seen(time.time() - 61, seen["made"].stamps)}
    synced(knowledge, old, place, fresh=False)
    assert [p.text for p in knowledge.passages()] == ["Later"]


def test_a_source_that_shows_nothing_is_an_error(tmp_path: Path) -> None:
    knowledge, shelf = knowledge_in(tmp_path), Shelf({"a.md": ("1", "Ay")})
    place = Place("wiki", shelf, "made")
    synced(knowledge, {}, place)
    shelf.books.clear()
    with pytest.raises(DataError, match="the source 'wiki' holds no document") as empty:
        synced(knowledge, {}, place)
    assert "rung.toml" in empty.value.hint
    assert [p.text for p in knowledge.passages()] == ["Ay"]


def test_an_unchanged_document_that_is_not_there_is_an_error_and_not_an_empty_document(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="another process"):
        sync(knowledge_in(tmp_path), [Document("a.md", "", "A", "hash")])


def test_what_was_seen_is_kept_and_a_damaged_note_is_no_harm(tmp_path: Path) -> None:
    seen = {"made": Seen(12.5, {"a.md": ("1", "hash")}, (Skipped("b.md", "is encrypted"),))}
    write_seen(tmp_path / "deep" / "seen.json", seen)
    assert read_seen(tmp_path / "deep" / "seen.json") == seen
    for damaged in ("", "[]", '{"made": 3}', '{"made": {"listed": 1, "stamps": {"a": 2}, "skipped": []}}', "\0"):
        (tmp_path / "seen.json").write_text(damaged)
        assert read_seen(tmp_path / "seen.json") == {}


@settings(max_examples=25)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["a.md", "b.md", "c.md"]), st.sampled_from(["one", "two", "three"]), min_size=1),
        min_size=1,
        max_size=5,
    )
)
def test_any_history_of_a_source_leads_to_what_it_holds_now(
    tmp_path_factory: pytest.TempPathFactory, history: list[dict[str, str]]
) -> None:
    knowledge, seen = knowledge_in(tmp_path_factory.mktemp("k")), {}
    for state in history:
        seen = synced(knowledge, seen, Place("s", Shelf({path: (text, text) for path, text in state.items()}), "made"))
    assert {p.document: p.text for p in knowledge.passages()} == {f"s/{path}": text for path, text in history[-1].items()}


def test_files_are_told_apart_by_time_and_size_once_they_rest(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("one")
    origin = Folder(tmp_path)
    assert next(iter(origin.entries())).stamp == ""
    os.utime(tmp_path / "a.md", (1, 1))
    racy = next(iter(origin.entries()))
    assert racy.stamp == "", "the inode changed just now"
    assert hidden(".git/a") is hidden("b/~$a.docx") is True
    assert hidden("a/b.md") is False


def test_folders_take_patterns_and_name_what_they_refuse(tmp_path: Path) -> None:
    for name in ("a.md", "b.txt", "drafts/c.md", "photo.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text")
    entries = {entry.path: entry.refused for entry in Folder(tmp_path, exclude=("drafts/*",)).entries()}
    assert entries == {"a.md": "", "b.txt": "", "photo.png": "has no reader for '.png'"}
    assert [entry.path for entry in Folder(tmp_path, include=("*.md",)).entries()] == ["a.md", "drafts/c.md"]
    assert [entry.refused for entry in Folder(tmp_path, include=("a.md",), largest=3).entries()] == ["is larger than 0 MB"]
    assert wanted("x", (), ()) is True


def test_missing_folders_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no folder"):
        gather([Place("", Folder(tmp_path / "nowhere"), "made")])
