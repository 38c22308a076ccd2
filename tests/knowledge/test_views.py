"""Views hold what was used last within their room, never of another version, and find what a scan of all would find."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from rung.knowledge.indexes.views import PIECE, ROOM, View, Views, fits
from rung.types import Filter


def view(rows: int, seed: int = 0) -> View:
    raw = np.random.default_rng(seed).normal(size=(rows, 8)).astype(np.float32)
    ids = np.random.default_rng(seed).permutation(rows).astype(np.uint64) * 3  # a table that was compacted isn't in order
    return View(ids, raw / np.linalg.norm(raw, axis=1, keepdims=True), pa.table({"document": [f"{at}.md" for at in ids]}))


def only(name: str) -> Filter:
    return Filter(frozenset({name}))


def test_best_is_a_scan_of_all() -> None:
    held = view(3 * PIECE + 7)
    wanted = held.vectors[11]
    scores = held.vectors @ wanted
    order = np.argsort(-scores)[:5]
    found = held.best(wanted, 5)
    assert set(found) == {int(held.rows[at]) for at in order}
    assert np.allclose(sorted(found.values(), reverse=True), scores[order], atol=1e-6)
    assert len(view(3).best(wanted, 5)) == 3
    assert view(0).best(wanted, 5) == {}


def test_rows_are_told_by_their_ids_all_or_none() -> None:
    held = view(50)
    assert held.told([]) == view(0).told([]) == []
    assert held.told([9, 147, 0]) == [{"_rowid": at, "document": f"{at}.md"} for at in (9, 147, 0)]
    for missing in (10, 150, 2**40):
        assert held.told([9, missing]) is None
    assert view(0).told([3]) is None


def test_what_is_held_is_told_without_loading() -> None:
    views, held = Views(), view(4)
    assert views.held_of(1, only("ann")) is None
    views.view(1, only("ann"), lambda: held)
    assert views.held_of(1, only("ann")) is held
    assert views.held_of(2, only("ann")) is views.held_of(1, only("ben")) is None


def test_a_view_is_loaded_once_a_version() -> None:
    views, loads = Views(), []

    def load() -> View:
        loads.append(1)
        return view(4)

    first = views.view(1, only("ann"), load)
    assert views.view(1, only("ann"), load) is first
    assert views.view(1, only("ben"), load) is not first
    assert views.view(2, only("ann"), load) is not first
    assert len(loads) == 3
    assert views.view(2, only("all"), lambda: None) is None
    assert views.view(2, only("all"), load) is None
    assert len(loads) == 3


def test_the_one_used_longest_ago_makes_room() -> None:
    views = Views()
    rows = ROOM // 2 // 4 // 8
    assert fits(rows, 8)
    assert not fits(rows + 1, 8)
    large = View(np.zeros(rows, np.uint64), np.zeros((rows, 8), np.float32), None)
    for name in ("ann", "ben"):
        views.view(1, only(name), lambda: large)
    views.view(1, only("ann"), lambda: None)
    views.view(1, only("eve"), lambda: large)
    assert list(views.held) == [only("ann"), only("eve")]
