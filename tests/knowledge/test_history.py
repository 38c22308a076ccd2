"""Earlier states can be opened until their time is over; failed documents keep their last good version; a killed sync goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rung.errors import KnowledgeError
from rung.knowledge.access import Lists, Rule, viewer
from rung.knowledge.embedded import FILE, forget, remember, remembered
from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.knowledge import Knowledge, history, open_knowledge, purge, reopened, search, seen, sync
from rung.knowledge.read import Skipped, read_document
from rung.types import Document

if TYPE_CHECKING:
    from rung.types import Vectors

KINDS = pytest.mark.parametrize("kind", ["exact", "lance"])


def page(path: str, text: str) -> Document:
    return read_document(text.encode(), path)


def year(number: int) -> list[Document]:
    return [page("rates.md", f"# Rates\n\nA berth costs {number} euros."), page(f"news-{number}.md", f"# News\n\nOf the year {number}.")]


def grown(folder: Path, kind: str, keep_days: float = 30) -> tuple[Knowledge, list[str]]:
    knowledge, versions = open_knowledge(folder, Hashing(), kind, 60, keep_days), []
    for number in (2021, 2022, 2023):
        sync(knowledge, year(number))
        versions.append(knowledge.version)
        time.sleep(0.1)
    return knowledge, versions


@KINDS
def test_an_earlier_state_is_named_listed_and_opened(tmp_path: Path, kind: str) -> None:
    knowledge, versions = grown(tmp_path, kind)
    moments = history(knowledge)
    assert [moment.version for moment in moments] == versions
    assert [moment.until for moment in moments[:2]] == [moment.since for moment in moments[1:]]
    assert (moments[2].until, moments[2].documents) == (None, 2)
    for number, version in zip((2021, 2022, 2023), versions, strict=True):
        then = reopened(open_knowledge(tmp_path, Hashing(), kind, 60), version[:9])
        assert then.version == version
        assert sorted(then.documents()) == sorted(document.path for document in year(number))
        for mode in ("dense", "words", "hybrid"):
            assert f"{number} euros" in search(then, "what does a berth cost", 1, mode)[0].passage.text
        assert search(then, str(number + 1), 5, "words") == []
    assert sync(reopened(knowledge, versions[0]), year(2023)).unchanged == 2  # a sync stands on the present


@KINDS
def test_a_state_that_comes_back_is_one_version(tmp_path: Path, kind: str) -> None:
    knowledge, versions = grown(tmp_path, kind)
    sync(knowledge, year(2021))
    assert knowledge.version == versions[0]
    sync(knowledge, year(2024))
    assert [moment.version for moment in history(knowledge)] == [versions[1], versions[2], versions[0], knowledge.version]
    assert "2021 euros" in search(reopened(knowledge, versions[0]), "berth", 1)[0].passage.text


def test_unknown_and_ambiguous_versions_are_refused(tmp_path: Path) -> None:
    knowledge, _ = grown(tmp_path, "exact")
    for version in ("", "xyz"):
        with pytest.raises(KnowledgeError, match="whose version begins with"):
            reopened(knowledge, version)


@KINDS
def test_what_is_over_its_time_goes_and_so_do_its_texts(tmp_path: Path, kind: str) -> None:
    knowledge, versions = grown(tmp_path, kind, keep_days=0)
    assert [moment.version for moment in history(knowledge)] == versions[2:]
    with pytest.raises(KnowledgeError):
        reopened(knowledge, versions[1])
    assert search(knowledge, "berth", 1)[0].passage.text.endswith("2023 euros.")


@KINDS
def test_purge_leaves_the_present_alone(tmp_path: Path, kind: str) -> None:
    knowledge, versions = grown(tmp_path, kind)
    purge(knowledge)
    assert [moment.version for moment in history(knowledge)] == versions[2:]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"Of the year 2021" in path.read_bytes()]
    again = open_knowledge(tmp_path, Hashing(), kind, 60)
    assert sorted(again.documents()) == ["news-2023.md", "rates.md"]
    assert sync(again, year(2023)).unchanged == 2


def test_a_view_of_an_earlier_state_keeps_its_filter(tmp_path: Path) -> None:
    lists = Lists((Rule("rates.md", ("everyone",)),))
    knowledge = open_knowledge(tmp_path, Hashing(), "exact", 60)
    for number in (2021, 2022):
        sync(knowledge, year(number), lists=lists)
    first = history(knowledge)[0].version
    then = reopened(seen(knowledge, viewer("anna", lists)), first)
    assert list(then.documents()) == ["rates.md"]
    assert {hit.passage.document for hit in search(then, "2021", 9)} == {"rates.md"}


@KINDS
def test_a_document_that_fails_keeps_its_last_good_version(tmp_path: Path, kind: str) -> None:
    knowledge = open_knowledge(tmp_path, Hashing(), kind, 60)
    sync(knowledge, year(2021), lists=Lists((Rule("**", ("everyone",)),)))
    version = knowledge.version
    bad = [Skipped("news-2021.md", "is encrypted"), Skipped("never-read.pdf", "is encrypted")]
    report = sync(knowledge, year(2021)[:1], bad, lists=Lists((Rule("**", ("everyone",)),)))
    assert (report.kept, report.unchanged, report.skipped) == (("news-2021.md",), 2, tuple(bad))
    assert knowledge.version == version
    changed = sync(knowledge, [page("rates.md", "# Rates\n\nFree.")], bad, lists=Lists((Rule("**", ("user:ben",)),)))
    assert (changed.changed, changed.relabelled, changed.kept) == (("rates.md",), ("news-2021.md",), ("news-2021.md",))
    assert search(knowledge, "of the year", 1, "words")[0].passage.document == "news-2021.md"
    assert sync(knowledge, [page("rates.md", "# Rates\n\nFree.")]).removed == ("news-2021.md",)
    assert search(knowledge, "of the year", 9, "words") == []


@dataclass(frozen=True)
class Stopping:
    """The hashing embedder, until it has embedded so many texts; then it is as if somebody pressed Ctrl-C."""

    most: Callable[[], int]
    seen: list[str] = field(default_factory=list)
    id: str = "stopping"
    limit: int = 1000

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        if len(self.seen) + len(texts) > self.most():
            raise KeyboardInterrupt
        self.seen.extend(texts)
        return Hashing().embed(texts)

    def count(self, text: str) -> int:
        return Hashing().count(text)


def test_a_stopped_sync_goes_on_where_it_stopped(tmp_path: Path) -> None:
    most = [400]
    embedder = Stopping(lambda: most[0])
    knowledge = open_knowledge(tmp_path, embedder, "exact", 60)
    documents = [page(f"{n}.md", f"# Page {n}\n\nThe text of page {n}.") for n in range(600)]
    embedder.seen.clear()
    with pytest.raises(KeyboardInterrupt):
        sync(knowledge, documents)
    done = len(embedder.seen)
    assert done == 256
    assert knowledge.documents() == {}
    most[0] = 10_000
    again = open_knowledge(tmp_path, embedder, "exact", 60)
    embedder.seen.clear()
    assert len(sync(again, documents).added) == 600
    assert len(embedder.seen) == 600 - done
    assert not list(tmp_path.rglob(FILE))
    fresh = open_knowledge(tmp_path / "fresh", Hashing(), "exact", 60)
    sync(fresh, documents)
    assert search(again, "text of page 250", 3) == search(fresh, "text of page 250", 3)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=9, unique=True), st.integers(0, 90))
def test_what_is_remembered_is_whole_however_the_file_was_cut(texts: list[str], lost: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder, vectors = Path(name), Hashing(16).embed(texts)
        remember(folder, texts, vectors)
        path = folder / FILE
        path.write_bytes(path.read_bytes()[: max(0, path.stat().st_size - lost)])
        known = remembered(folder, 16)(texts)
        assert len(known) == max(0, len(texts) - -(-lost // 80))
        remember(folder, [*texts, "new"], Hashing(16).embed([*texts, "new"]))
        found = remembered(folder, 16)([*texts, "new"])
        assert set(found) == {*texts, "new"}
        assert all(np.array_equal(found[text], row) for text, row in zip(texts, vectors, strict=True))
        forget(folder)
        assert remembered(folder, 16)(texts) == {}
