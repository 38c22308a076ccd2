"""LanceDB beyond the contract: in a large table a commit touches only what changes, and the words are found all the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rung.knowledge.embedders.hashing import Hashing
from rung.knowledge.indexes import lance, open_index
from rung.knowledge.indexes.lance import Wear
from rung.types import ALL, Filter, Labels, Passage


def passage(document: str, start: int, text: str) -> Passage:
    return Passage(f"{document}-{start}", document, start, start + len(text), text)


MANY = [passage(f"{n % 500}.md", n, f"passage {n} about topic {n % 7} and {n % 11}") for n in range(lance.SMALL + 2000)]


@pytest.fixture(scope="module")
def vectors() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return Hashing(16).embed([p.text for p in MANY])


def test_a_small_commit_in_a_large_table_is_found_and_its_wear_is_noted(
    tmp_path: Path, vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]]
) -> None:
    index = open_index("lance", tmp_path, 16)
    first = index.commit([], MANY, vectors)
    assert isinstance(index, lance.Lance)
    assert index.wear == Wear()
    seen = [first]
    for turn in range(8):
        new = [passage("7.md", at, f"zebra edition {turn}, part {at}") for at in range(5)]
        of = {"7.md": Labels(("user:anna",))}
        seen.append(index.commit(["7.md"], new, Hashing(16).embed([p.text for p in new]), of))
        assert {hit.passage.id for hit in index.words("zebra", 9)} == {p.id for p in new}
        assert {hit.passage.text for hit in index.words(f"edition {turn}", 5)} == {p.text for p in new}
        assert index.words("zebra", 9, Filter(frozenset({"user:ben"}))) == []
        assert len(index.words("zebra", 9, Filter(frozenset({"user:anna"})))) == 5
        assert index.dense(Hashing(16).embed([new[0].text])[0], 1)[0].passage.document == "7.md"
    assert index.wear.churn == 5 + 7 * 10 + 5
    assert index.wear.loose == 8 * (5 + lance.COMMIT)
    again = open_index("lance", tmp_path, 16, seen[-1])
    assert isinstance(again, lance.Lance)
    assert again.wear == index.wear
    assert next(p.text for p in open_index("lance", tmp_path, 16, seen[2]).passages() if "zebra" in p.text) == "zebra edition 1, part 0"


def test_much_change_indexes_the_words_from_scratch(tmp_path: Path, vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
    walked, fresh = open_index("lance", tmp_path / "walked", 16), open_index("lance", tmp_path / "fresh", 16)
    walked.commit([], MANY[:-200], vectors[:-200])
    walked.commit([], MANY[-200:], vectors[-200:])
    fresh.commit([], MANY, vectors)
    assert isinstance(walked, lance.Lance)
    assert walked.wear == Wear()
    for query in ("topic 3", "passage 17", "topic 5 and 9"):
        both = [index.words(query, 10) for index in (walked, fresh)]  # of more equal scores than TIES any may come
        assert [hit.score for hit in both[0]] == [hit.score for hit in both[1]]


def test_a_large_table_is_searched_by_codes_and_what_a_filter_leaves_exactly(tmp_path: Path) -> None:
    rows = lance.LARGE + 500
    raw = np.random.default_rng(3).normal(size=(rows + 60, 32)).astype(np.float32)
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    many = [passage(f"{n // 10}.md", n, f"part {n % 10}") for n in range(rows)]
    team = {f"{n}.md": Labels(("everyone",) if n % 3 else ("user:anna",), (f"team={n % 20}",)) for n in range(rows // 10 + 1)}
    index = open_index("lance", tmp_path, 32)
    index.commit([], many, unit[:rows], team)
    assert isinstance(index, lance.Lance)
    assert {one.index_type for one in index.table.list_indices()} >= {"IvfRq", "LabelList", "FTS", "BTree"}

    only = Filter(frozenset({"everyone"}), (frozenset({"team=7", "team=8"}),))
    through = np.array([n // 10 % 3 > 0 and n // 10 % 20 in (7, 8) for n in range(rows)])
    scores = unit[rows : rows + 50] @ unit[:rows].T
    shares = []
    for query, row in zip(unit[rows : rows + 50], scores, strict=True):
        best = {many[at].id for at in np.argsort(-row)[:10]}
        found = index.dense(query, 10)
        shares.append(len(best & {hit.passage.id for hit in found}) / 10)
        assert [hit.score for hit in found] == pytest.approx([float(unit[hit.passage.start] @ query) for hit in found], abs=1e-5)
        filtered = np.argsort(np.where(through, -row, 2.0))[:10]
        assert [hit.passage for hit in index.dense(query, 10, only)] == [many[at] for at in filtered]
        for asked in (ALL, only):  # without a view and with one
            assert index.whole(index.dense(query, 10, asked, thin=True)) == index.dense(query, 10, asked)
            best = index.words("part 3", 10, asked)
            assert [hit.score for hit in index.words("part 3", 10, asked, thin=True)] == [hit.score for hit in best]
    assert np.mean(shares) >= 0.98
    held = index.dense(unit[70], 10, only, thin=True)  # the nearest is of 7.md

    new = [passage("7.md", at, f"zebra {at}") for at in range(3)]
    index.commit(["7.md"], new, unit[rows + 50 : rows + 53], {"7.md": Labels(("everyone",), ("team=7",))})
    assert index.whole(held) is None  # 7.md was among them
    for at in range(3):
        vector = unit[rows + 50 + at]
        assert index.whole(index.dense(vector, 9, only, thin=True)) == index.dense(vector, 9, only)
        assert index.whole(index.words(f"zebra {at}", 3, only, thin=True)) == index.words(f"zebra {at}", 3, only)
        assert index.dense(vector, 1)[0].passage == index.dense(vector, 1, only)[0].passage == new[at]
        assert index.dense(vector, 1, Filter(frozenset({"user:anna"})))[0].passage != new[at]
    assert all(hit.passage.text.startswith("zebra") or hit.passage.document != "7.md" for hit in index.dense(unit[70], 50))
    assert index.dense(unit[0], 5, Filter(frozenset({"user:eve"}))) == []
