"""A commit without pauses for garbage, whatever becomes of it, that makes no more than it must."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.knowledge import open_knowledge, sync
from rung.knowledge.read import read_document
from rung.knowledge.writing import uncollected


def test_collections_begin_again_after_an_error() -> None:
    def interrupted() -> None:
        with uncollected():
            seen.append(gc.isenabled())
            raise KeyboardInterrupt

    seen: list[bool] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (seen, gc.isenabled()) == ([False], True)


def test_a_process_that_collects_nothing_is_left_so() -> None:
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_is_kept_of_an_unchanged_document_is_not_made_anew(tmp_path: Path) -> None:
    knowledge = open_knowledge(tmp_path, Hashing(), "exact", 60)
    sync(knowledge, [read_document(b"Cranes", "a.md"), read_document(b"Leave", "b.md")])
    before = knowledge.state.documents
    sync(knowledge, [read_document(b"Cranes", "a.md"), read_document(b"Leave lasts", "b.md")])
    now = knowledge.state.documents
    assert now["a.md"] is before["a.md"]
    assert now["b.md"].hash != before["b.md"].hash
