"""What answers is made for one state of the knowledge: of an earlier one nothing is held once nobody answers by it."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest
from serving_project import write_project

from rung.approach.approach import answer_stream
from rung.serve.desk import NOBODY
from rung.serve.offers import Offers
from rung.types import Answer
from rung.workspace.workspace import open_workspace, sync_knowledge


def said(offers: Offers) -> Answer:
    *_, answer = answer_stream(offers.approach("rag", NOBODY), "What does the gear cost?")
    assert isinstance(answer, Answer)
    return answer


@pytest.mark.parametrize("index", ["exact", "lance"])
def test_nothing_of_earlier_states_is_held(tmp_path: Path, index: str) -> None:
    folder = write_project(tmp_path)
    (folder / "rung.toml").write_text((folder / "rung.toml").read_text().replace('"exact"', f'"{index}"'))
    offers = Offers(folder)
    before = []
    for price in range(40, 45):
        (folder / "docs" / "gear.md").write_text(f"# The gear\n\nThe gear costs {price} euros.\n")
        sync_knowledge(open_workspace(folder))
        assert f"{price} euros" in said(offers).text
        assert offers.opened
        [knowledge] = offers.opened.knowledge
        before += [[weakref.ref(one) for one in (knowledge, knowledge.index, knowledge.state)]]
        del knowledge
    gc.collect()
    assert all(one() is None for held in before[:-1] for one in held)
    assert all(one() is not None for one in before[-1])
    assert len(offers.ready) == 1
