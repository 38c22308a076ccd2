"""Sync changes only what differs, any history leads to the same knowledge, and every failure leaves the last good state."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rung.errors import ConfigError, DataError, KnowledgeError
from rung.knowledge.chunk import searchable
from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.knowledge import Knowledge, SyncReport, open_knowledge, search, seen, sync
from rung.knowledge.read import Skipped, read_document
from rung.types import Document

if TYPE_CHECKING:
    from rung.types import Vectors

KINDS = pytest.mark.parametrize("kind", ["exact", "lance"])


@dataclass(frozen=True)
class Counting:
    """The hashing embedder, with a note of what it was asked to embed."""

    seen: list[str] = field(default_factory=list)
    inner: Hashing = field(default_factory=Hashing)

    @property
    def id(self) -> str:
        return self.inner.id

    @property
    def limit(self) -> int:
        return self.inner.limit

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        self.seen.extend([] if query else texts)
        return self.inner.embed(texts)

    def count(self, text: str) -> int:
        return self.inner.count(text)


def doc(path: str, text: str) -> Document:
    return read_document(text.encode(), path)


LEAVE = doc("hr/leave.md", "# Annual leave\n\nFull-time staff at Ostrand have 27 days of paid leave a year.\n")
TRAVEL = doc("finance/travel.md", "# Travel expenses\n\nThe hotel limit in Ostrand is 140 euros a night.\n")
SUPPORT = doc("support/gold.md", "# Support Gold\n\nGold customers get a first answer within 20 minutes.\n")
LONG = doc("long.md", "# Long\n\n" + "\n\n".join(f"## Part {n}\n\n" + f"Sentence {n} of the part on topic {n}. " * 6 for n in range(8)))
DOCS = [LEAVE, TRAVEL, SUPPORT]


def opened(folder: Path, kind: str = "exact", tokens: int = 60) -> tuple[Knowledge, list[str]]:
    embedder = Counting()
    knowledge = open_knowledge(folder, embedder, kind, tokens)
    embedder.seen.clear()
    return knowledge, embedder.seen


@KINDS
def test_search_finds_by_words_by_meaning_and_by_both(tmp_path: Path, kind: str) -> None:
    knowledge, _ = opened(tmp_path, kind)
    assert search(knowledge, "anything", 3) == []
    sync(knowledge, DOCS)
    for mode in ("hybrid", "dense", "words"):
        hits = search(knowledge, "How many days of paid leave?", 2, mode)
        assert hits[0].passage.document == "hr/leave.md"
        assert hits[0].passage.text == LEAVE.text[hits[0].passage.start : hits[0].passage.end]
        assert set(hits[0].legs.values()) == {1}
    assert set(search(knowledge, "paid leave", 1)[0].legs) == {"dense", "words"}
    assert len(search(knowledge, "Ostrand", 2)) == 2


def test_other_modes_and_kinds_are_refused(tmp_path: Path) -> None:
    knowledge, _ = opened(tmp_path)
    with pytest.raises(ConfigError, match="no way to search"):
        search(knowledge, "x", 3, "magic")
    with pytest.raises(ConfigError, match="names no index"):
        open_knowledge(tmp_path, Hashing(), "faiss")


@KINDS
def test_sync_reports_and_embeds_only_what_changed(tmp_path: Path, kind: str) -> None:
    knowledge, seen = opened(tmp_path, kind)
    told: list[tuple[int, int, str]] = []
    report = sync(knowledge, DOCS, [Skipped("x.pdf", "is encrypted")], lambda *step: told.append(step))
    assert report.added == ("finance/travel.md", "hr/leave.md", "support/gold.md")
    assert report.skipped == (Skipped("x.pdf", "is encrypted"),)
    assert told[-1] == (3, 3, "embedding")
    seen.clear()
    assert sync(knowledge, DOCS) == SyncReport(unchanged=3)
    assert seen == []
    changed = doc(LEAVE.path, LEAVE.text.replace("27", "28"))
    assert sync(knowledge, [changed, TRAVEL]) == SyncReport(changed=("hr/leave.md",), removed=("support/gold.md",), unchanged=1)
    assert len(seen) == 1
    assert "28 days" in search(knowledge, "paid leave", 1, "words")[0].passage.text
    assert search(knowledge, "minutes", 5, "words") == []
    assert knowledge.documents() == {changed.path: changed.hash, TRAVEL.path: TRAVEL.hash}


@KINDS
def test_a_rename_costs_no_embedding(tmp_path: Path, kind: str) -> None:
    knowledge, seen = opened(tmp_path, kind)
    sync(knowledge, DOCS)
    seen.clear()
    moved = doc("people/it's leave.md", LEAVE.text)
    report = sync(knowledge, [moved, TRAVEL, SUPPORT])
    assert report == SyncReport(renamed=("people/it's leave.md",), unchanged=2)
    assert seen == []
    assert search(knowledge, "days of paid leave", 1)[0].passage.document == "people/it's leave.md"
    assert [p.document for p in knowledge.passages()] == ["finance/travel.md", "people/it's leave.md", "support/gold.md"]


def test_one_changed_line_embeds_one_passage(tmp_path: Path) -> None:
    knowledge, seen = opened(tmp_path)
    sync(knowledge, [LONG])
    assert len(seen) > 4
    seen.clear()
    sync(knowledge, [doc(LONG.path, LONG.text.replace("Sentence 3", "Phrase 3", 1))])
    assert len(seen) == 1


@KINDS
def test_a_new_process_finds_what_was_committed(tmp_path: Path, kind: str) -> None:
    first, _ = opened(tmp_path, kind)
    sync(first, DOCS)
    again, seen = opened(tmp_path, kind)
    assert (again.version, again.documents()) == (first.version, first.documents())
    assert list(again.passages()) == list(first.passages())
    assert search(again, "hotel limit", 3) == search(first, "hotel limit", 3)
    assert sync(again, DOCS).unchanged == 3
    assert seen == []


@KINDS
def test_a_stale_opener_syncs_from_the_newest_state(tmp_path: Path, kind: str) -> None:
    first, _ = opened(tmp_path, kind)
    stale, _ = opened(tmp_path, kind)
    sync(first, DOCS)
    assert sync(stale, DOCS[:2]) == SyncReport(removed=("support/gold.md",), unchanged=2)
    assert len(list(stale.passages())) == 2


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.permutations([0, 1, 2, 3]).flatmap(lambda p: st.integers(0, 4).map(lambda n: p[:n])), min_size=1, max_size=4))
def test_history_and_order_leave_no_trace(tmp_path_factory: pytest.TempPathFactory, history: list[list[int]]) -> None:
    every = [*DOCS, LONG]
    folder = tmp_path_factory.mktemp("history")
    walked, _ = opened(folder / "walked")
    for step in history:
        sync(walked, [every[number] for number in step])
    fresh, _ = opened(folder / "fresh")
    sync(fresh, [every[number] for number in sorted(history[-1])])
    assert walked.version == fresh.version
    assert list(walked.passages()) == list(fresh.passages())
    assert search(walked, "topic 3 leave", 5) == search(fresh, "topic 3 leave", 5)


def test_history_leaves_no_trace_in_lance(tmp_path: Path) -> None:
    walked, _ = opened(tmp_path / "walked", "lance")
    for step in ([LONG], DOCS, [LONG, *DOCS], [LONG, TRAVEL], [TRAVEL, LONG, LEAVE]):
        sync(walked, step)
    fresh, _ = opened(tmp_path / "fresh", "lance")
    sync(fresh, [LEAVE, LONG, TRAVEL])
    assert list(walked.passages()) == list(fresh.passages())
    assert search(walked, "topic 3 leave in Ostrand", 6) == search(fresh, "topic 3 leave in Ostrand", 6)


def test_the_version_names_documents_embedder_and_passage_length(tmp_path: Path) -> None:
    versions = set()
    for documents, dimensions, tokens in ((DOCS, 64, 60), (DOCS[:2], 64, 60), (DOCS, 32, 60), (DOCS, 64, 50)):
        knowledge = open_knowledge(tmp_path, Hashing(dimensions), "exact", tokens)
        sync(knowledge, documents)
        versions.add(knowledge.version)
    assert len(versions) == 4
    assert open_knowledge(tmp_path, Hashing(64), "exact", 60).version in versions  # each has its own place


@KINDS
def test_documents_are_recalled_without_parsing(tmp_path: Path, kind: str) -> None:
    knowledge, _ = opened(tmp_path, kind)
    sync(knowledge, [LONG, LEAVE])
    assert knowledge.recall(LONG.path, LONG.hash) == LONG
    assert knowledge.recall(LONG.path, LEAVE.hash) is None
    assert knowledge.recall("other.md", LONG.hash) is None


def test_a_path_given_twice_is_refused(tmp_path: Path) -> None:
    knowledge, _ = opened(tmp_path)
    with pytest.raises(DataError, match="same path"):
        sync(knowledge, [LEAVE, replace(TRAVEL, path=LEAVE.path)])


def test_nothing_new_needs_no_lock_and_writes_nothing(tmp_path: Path) -> None:
    knowledge, _ = opened(tmp_path)
    sync(knowledge, DOCS)
    with FileLock(knowledge.folder / "lock"):  # another process is syncing, or the folder can't be written
        assert sync(knowledge, DOCS).unchanged == 3
        assert search(knowledge, "hotel limit", 1)


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="needs a folder that nobody can write to")
def test_a_folder_that_cannot_be_written_is_not_called_damaged() -> None:
    with pytest.raises(KnowledgeError, match="can't be written") as caught:
        sync(opened(Path("/sys/rung"), "lance")[0], DOCS)
    assert "delete" not in caught.value.hint


def test_a_second_writer_is_turned_away(tmp_path: Path) -> None:
    knowledge, _ = opened(tmp_path)
    sync(knowledge, DOCS)
    with FileLock(knowledge.folder / "lock"), pytest.raises(KnowledgeError, match="another process"):
        sync(knowledge, [LEAVE])
    assert sync(knowledge, DOCS).unchanged == 3


@KINDS
def test_damage_is_reported_with_what_to_delete(tmp_path: Path, kind: str) -> None:
    knowledge, _ = opened(tmp_path, kind)
    sync(knowledge, DOCS)
    state = knowledge.folder / "state.json"
    told = state.read_text()
    state.write_text(told.replace(f'"{knowledge.state.index}"', '"999"'))
    with pytest.raises(KnowledgeError, match="can't be opened") as error:
        opened(tmp_path, kind)
    assert str(knowledge.folder) in error.value.hint
    state.write_text(told[:20])
    with pytest.raises(KnowledgeError, match="can't be read"):
        opened(tmp_path, kind)


@KINDS
def test_a_full_disk_leaves_the_last_good_state(tmp_path: Path, kind: str) -> None:
    knowledge, _ = opened(tmp_path, kind)
    sync(knowledge, DOCS)
    version, passages = knowledge.version, list(knowledge.passages())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(KnowledgeError, match="disk is full") as error:
            sync(knowledge, [*DOCS, LONG])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "last good state" in error.value.hint
    again, _ = opened(tmp_path, kind)
    for found in (knowledge, again):
        assert (found.version, list(found.passages())) == (version, passages)
        assert search(found, "hotel limit", 1)[0].passage.document == "finance/travel.md"
    assert sync(again, [*DOCS, LONG]).added == ("long.md",)


@KINDS
def test_an_embedder_that_fails_leaves_the_last_good_state(tmp_path: Path, kind: str) -> None:
    @dataclass(frozen=True)
    class Failing(Counting):
        def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
            if any("Part 5" in text for text in texts):
                raise KeyboardInterrupt
            return super().embed(texts, query=query)

    knowledge = open_knowledge(tmp_path, Failing(), kind, 60)
    sync(knowledge, DOCS)
    with pytest.raises(KeyboardInterrupt):
        sync(knowledge, [LONG])
    assert sync(knowledge, DOCS).unchanged == 3
    assert [searchable(p) for p in opened(tmp_path, kind)[0].passages()] == [searchable(p) for p in knowledge.passages()]


def test_the_wing_is_light_to_import() -> None:
    code = (
        "import sys, rung.knowledge.knowledge, rung.knowledge.read; print([m for m in ('numpy', 'lancedb', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@KINDS
def test_a_search_while_another_thread_syncs_brings_whole_passages(tmp_path: Path, kind: str) -> None:
    knowledge, _ = opened(tmp_path, kind)
    sync(knowledge, DOCS)

    def edit() -> None:
        for turn in range(12):
            sync(knowledge, [LEAVE, SUPPORT, doc(TRAVEL.path, f"{TRAVEL.text}\nEdition {turn}.\n")])

    with ThreadPoolExecutor(1) as beside:
        editing, turns = beside.submit(edit), 0
        while turns < 5 or not editing.done():
            hits, turns = search(seen(knowledge, knowledge.only), "paid leave in Ostrand", 3), turns + 1
            assert [hit.passage.text for hit in hits if hit.passage.document == LEAVE.path] == [LEAVE.text]
        editing.result()
