"""A thousand requests while a label is promoted and rolled back: each answer is of the adapter it names, and none is stale."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from adapters_project import stored

from rung.approach.approach import answer_all
from rung.models.local import LocalModel
from rung.types import Answer
from rung.workspace import labels
from rung.workspace import workspace as w
from rung.workspace.catalogue import move, moves, standing
from rung.workspace.promoting import approach
from rung.workspace.workspace import Workspace, open_workspace

REQUESTS = 1000
QUESTIONS = [f"What is the price of part {n}?" for n in range(8)]


def spoken(ws: Workspace, folder: Path) -> dict[str, str]:
    """What one adapter says to every question, asked by itself."""
    ready = approach(ws, "tuned", w.base_model(ws, folder))
    return {QUESTIONS[number]: answer.text for number, answer in answer_all(ready, QUESTIONS)}


def test_a_thousand_requests_while_adapters_come_and_go(project: Path) -> None:
    ws = open_workspace(project)
    folders = [stored(ws, seed) for seed in (1, 2, 3)]
    expected = {folder.name: spoken(ws, folder) for folder in folders}
    assert len({tuple(said.values()) for said in expected.values()}) == 3
    move(ws.home, None, "prod", folders[0].name, "promote", "tuned", "me")
    current, ready, done = labels.following(ws, "prod"), approach(ws, "tuned", w.base_model(ws)), threading.Event()

    def ask(number: int) -> tuple[int, Answer, int]:
        before = standing(ws.home, "prod")
        model = current()
        after = standing(ws.home, "prod")
        ((_, answer),) = answer_all(replace(ready, model=model), [QUESTIONS[number % len(QUESTIONS)]])
        assert before
        assert after
        return before.number, answer, after.number

    def operate() -> None:
        random = Random("0/rollback")
        while not done.is_set():
            last, adapter = standing(ws.home, "prod"), random.choice(folders).name
            if random.random() < 0.3 and len(labels.stack(moves(ws.home, "prod"))) > 1:
                labels.roll_back(ws, "prod", "under load")
            elif last and last.adapter != adapter:
                move(ws.home, last, "prod", adapter, "promote", "tuned", "me")
            done.wait(0.02)

    operator = threading.Thread(target=operate)
    operator.start()
    try:
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(ask, range(REQUESTS)))
    finally:
        done.set()
        operator.join()
    stood = {one.number: one.adapter for one in moves(ws.home, "prod")}
    assert {one.kind for one in moves(ws.home, "prod")} == {"promote", "rollback"}
    for first, answer, last in answers:
        name = answer.made_by["adapter"]
        assert name in {adapter for number, adapter in stood.items() if first <= number <= last}, "a stale adapter answered"
        assert answer.text == expected[name][answer.question], "another adapter's words under this name"
    assert {answer.made_by["adapter"] for _, answer, _ in answers} == {folder.name for folder in folders}


def test_an_unloaded_adapter_finishes_what_it_began_and_comes_back_the_same(project: Path) -> None:
    ws = open_workspace(project)
    folder = stored(ws, 1)
    expected, model = spoken(ws, folder), w.base_model(ws, folder)
    assert isinstance(model, LocalModel)
    answers = answer_all(approach(ws, "tuned", model), QUESTIONS)
    number, first = next(answers)
    model.engine.unload_adapter(model.adapter)
    assert expected == {QUESTIONS[number]: first.text, **{QUESTIONS[n]: answer.text for n, answer in answers}}
    (folder / "adapter_model.safetensors").unlink()
    model.engine.unload_adapter(model.adapter)
    with pytest.raises(Exception, match="safetensors"):
        list(answer_all(approach(ws, "tuned", model), QUESTIONS[:1]))
    base = approach(ws, "tuned", w.base_model(ws))
    assert len(list(answer_all(base, QUESTIONS))) == len(QUESTIONS), "the engine lives on"
