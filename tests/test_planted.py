"""The planted failures: the system works until it is broken, breaks in the way it says, and the diagnosis names most of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench._scripted import served
from bench._worlds import HARBOUR, case, document, path, world
from bench.planted import BREAKS, KINDS, Break, diagnosed, planted, working

DEV = world(HARBOUR, "dev", things=12)


def test_a_world_says_what_its_cases_want() -> None:
    assert world(HARBOUR, "dev", things=12) == DEV
    assert world(HARBOUR, "other", things=12) != DEV
    for asked in DEV.asked:
        row = case(DEV, asked)
        for evidence in row["evidence"]:
            assert evidence["quote"] in document(DEV, next(who for who in DEV.values if path(who) == evidence["document"]))


def test_every_class_is_planted_in_more_than_one_way() -> None:
    assert {one.kind for one in BREAKS} == set(KINDS)
    assert all(sum(one.kind == kind for one in BREAKS) >= 2 for kind in KINDS)
    assert len({one.name for one in BREAKS}) == len(BREAKS)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    with served(DEV) as url:
        return working(DEV, url, tmp_path_factory.mktemp("planted"))


def test_the_unbroken_system_works(unbroken: set[str]) -> None:
    assert len(unbroken) >= 0.9 * len(DEV.asked)


QUICK = ("documents removed", "decoys, k = 1", "chatty", "context ignored")


@pytest.mark.parametrize("how", [one for one in BREAKS if one.name in QUICK], ids=lambda one: one.name)
def test_a_break_is_named(how: Break, unbroken: set[str], tmp_path: Path) -> None:
    with served(DEV) as url:
        found = planted(DEV, how, url, tmp_path / "broken", unbroken, 3)
    assert found
    assert {one.found for one in found} == {how.kind}


@pytest.mark.slow
def test_most_planted_failures_are_named_on_a_world_of_their_own() -> None:
    figures = diagnosed(small=True)
    assert float(str(figures["diagnosed"])) >= 0.9
    assert float(str(figures["working"])) >= 0.9
