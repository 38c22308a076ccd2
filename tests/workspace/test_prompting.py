"""Prompts are chosen on part of the solved examples, by a real server that minds its instructions; no held-out case is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from chat_server import chat_server

from rung.approach.source import Fixed
from rung.climb import climb
from rung.errors import ConfigError
from rung.parts import open_rung
from rung.runs import last_climb
from rung.types import Answer, Case, Messages, Reply, Score, Settings, Usage
from rung.workspace import workspace as w
from rung.workspace.evolving import evolved
from rung.workspace.prompting import set_aside

TOML = """[project]
name = "parts"
cases = "cases.jsonl"
examples = "examples.jsonl"
[model]
name = "endpoint:tiny@{url}"
[model.options]
window = 4096
[knowledge]
folder = ""
embedder = "hashing"
[prompt]
system = "Answer."
shots = 2
optimise = true
"""


@dataclass(frozen=True)
class Minds:
    """Knows all prices, and names one briefly only where it is told to be brief or was shown how."""

    id: str = "minds"
    window: int = 4096

    def count(self, messages: Messages) -> int:
        return sum(len(message["content"].split()) for message in messages)

    def stream(self, prompts: Sequence[Messages], settings: Settings) -> Iterator[tuple[int, str | Reply]]:
        for number, messages in enumerate(prompts):
            asked = re.findall(r"part (\d+)", messages[-1]["content"])
            told = messages[0]["content"] if messages[0]["role"] == "system" else ""
            brief = "at most" in told or len(messages) > 2
            text = f"{asked[-1]}0 euros" if brief and asked else "That is a long story which begins with the founding of the company"
            if "```" in messages[-1]["content"]:  # it is asked to reflect on an instruction
                text = "```\nAnswer in at most three words.\n```"
            yield number, text
            yield number, Reply(text, Usage(10, 3), 0.01)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "parts"
    folder.mkdir()
    rows = [{"id": f"c{n:02}", "question": f"What is the price of part {n}?", "answer": f"{n}0 euros"} for n in range(24)]
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:6]))
    (folder / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[6:]))
    with chat_server(Minds()) as chat:
        (folder / "rung.toml").write_text(TOML.format(url=chat.url))
        yield folder


def test_the_chosen_prompt_is_better_kept_and_told(parts: Path) -> None:
    ws = w.open_workspace(parts)
    done = climb(ws, rungs=("prompt", "few-shot"))
    prompt, few = done.rungs
    assert prompt.summary.primary.estimate == 1.0
    assert "development split of 9 of the 18 solved examples" in done.facts["choice of the prompt of prompt"]
    assert "0 % right there as configured, 100 % as chosen" in done.facts["choice of the prompt of prompt"]
    assert few.summary.primary.estimate == 1.0
    kept = sorted((ws.home / "prompts").glob("*.json"))
    assert len(kept) == 2
    again = climb(ws, rungs=("prompt", "few-shot"))
    assert [(path, path.read_bytes()) for path in sorted((ws.home / "prompts").glob("*.json"))] == [(p, p.read_bytes()) for p in kept]
    assert again.verdict == done.verdict
    assert last_climb(ws).facts == again.facts == done.facts
    asked = [path.read_text() for path in (ws.home / "prompts" / "asked").rglob("answers.jsonl")]
    assert asked
    assert not any(f'"case":"c{n:02}"' in text for text in asked for n in range(6))
    answering = open_rung(ws, "prompt")
    assert answering.style.system == json.loads(next(p for p in kept if '"rung": "prompt"' in p.read_text()).read_text())["system"]


def test_another_instruction_is_another_choice_and_without_it_nothing_is_chosen(parts: Path) -> None:
    ws = w.open_workspace(parts)
    open_rung(ws, "prompt")
    toml = parts / "rung.toml"
    toml.write_text(toml.read_text().replace('"Answer."', '"Reply."'))
    open_rung(w.open_workspace(parts), "prompt")
    assert len(list((ws.home / "prompts").glob("*.json"))) == 2
    toml.write_text(toml.read_text().replace("optimise = true", ""))
    assert open_rung(w.open_workspace(parts), "prompt").style.system == "Reply."
    assert len(list((ws.home / "prompts").glob("*.json"))) == 2


def test_gepa_evolves_one_more_candidate(parts: Path) -> None:
    """The server's model rewords an instruction as "at most"; without our own candidates only that one is right."""
    toml = parts / "rung.toml"
    toml.write_text(toml.read_text().replace("optimise = true", 'optimise = "gepa"'))
    ws = w.open_workspace(parts)
    pool, aside = set_aside(w.examples(ws), 0)
    ready = open_rung(ws, "prompt")
    assert [path.name for path in (ws.home / "prompts").glob("*.json")]

    def ask(system: str, cases: Sequence[Case]) -> list[tuple[Answer, Score]]:
        return [(Answer(case.question, system), Score(case.id, float("at most" in system))) for case in cases]

    found = evolved("Answer.", pool, aside, ask, ready.model, 0)
    assert "at most" in found
    assert evolved(found, pool, aside, ask, ready.model, 0) == found  # nothing is better than all right


def test_too_few_examples_choose_nothing(parts: Path) -> None:
    path = parts / "examples.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:7]))
    with pytest.raises(ConfigError, match="7 solved examples are too few"):
        open_rung(w.open_workspace(parts), "prompt")


def test_a_split_keeps_groups_whole_and_leaves_a_pool() -> None:
    rows = [Case(f"c{n}", "q", "a", group=f"g{n // 3}") for n in range(30)]
    pool, aside = set_aside(rows, 0)
    assert {case.group for case in pool}.isdisjoint(case.group for case in aside)
    assert len(aside) == 15
    assert set_aside(rows, 0) == (pool, aside) != set_aside(rows, 1)
    assert set_aside(rows[:3], 0) == (rows[:3], [])  # one group: nothing can be set aside


def test_fixed_examples_are_named_by_what_they_are() -> None:
    one, two = Fixed((("q", "a"),)), Fixed((("q", "b"),))
    assert one.id == Fixed((("q", "a"),)).id != two.id
    assert one.find("anything").shots == (("q", "a"),)
