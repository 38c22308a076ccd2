"""A commit without pauses for garbage, whatever becomes of it."""

from __future__ import annotations

import gc

import pytest

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
