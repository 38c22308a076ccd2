"""64 clients stream answers while a label moves between adapters and a document changes: does each answer say what it should?

Before the storm every adapter is heard alone on every question. In it an answer is wrong if it was made by an adapter that the
label did not stand on while it was asked, says what another adapter says, or shows a passage older than what was committed
before it was asked. It refuses to count an answer that was cut off as right.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from typing import Any

from bench._clients import Client, Heard

CLIENTS = 64
LOOKS = 10  # at the server's memory
LABEL = "shop/prod"
QUESTIONS = [f"What does part {number} cost?" for number in range(16)]
TOML = """
[model]
name = "bundled:tiny"
max_tokens = 12
[model.options]
prefix_mib = 64  # kept blocks of prompts are full before memory is first looked at: what grows after that, grows for ever
[knowledge]
embedder = "hashing"
k = 2
[serve]
audit = "hashes"
"""


@dataclass
class Truth:
    """What was true from when to when, in seconds of one clock; a thread writes, clients read."""

    moved: list[tuple[float, float, str]] = field(default_factory=list)  # begun, done, the adapter from then on
    committed: list[tuple[float, int]] = field(default_factory=list)  # done, the edition from then on

    def adapters(self, begun: float, ended: float) -> set[str]:
        """Those that the label stood on at some moment between, moves under way included."""
        before = [name for _, done, name in self.moved if done <= begun]
        return {before[-1], *(name for start, done, name in self.moved if done > begun and start < ended)}

    def edition(self, begun: float) -> int:
        """The newest edition that was committed before."""
        return max((number for done, number in self.committed if done <= begun), default=0)


def storm(folder: Path, seconds: float) -> dict[str, object]:
    """Answers, wrong ones, refused ones, and the server's own memory in MB, without mapped files, from a fifth of the time on."""
    import psutil

    names = _project(folder)
    process = subprocess.Popen([sys.executable, "-m", "rung", "serve", str(folder), "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("serving on "), line
        port, truth = int(line.rsplit(":", 1)[1]), Truth()
        alone = {name: _heard_alone(folder, truth, name, port) for name in names}
        ending = threading.Event()
        todo = ((_moving, (folder, truth, names, ending)), (_editing, (folder, truth, ending)))
        workers = [threading.Thread(target=work, args=given) for work, given in todo]
        for worker in workers:
            worker.start()
        told = asyncio.run(_storm(port, seconds, truth, alone, psutil.Process(process.pid)))
        ending.set()
        for worker in workers:
            worker.join()
    finally:
        process.terminate()
        process.wait(60)
    told |= {"moves": len(truth.moved), "editions": len(truth.committed)}
    print(
        f"storm: {told['answers']} answers to {CLIENTS} clients in {seconds:.0f} s, {told['moves']} moves, {told['editions']} syncs;",
        end=" ",
    )
    print(f"{told['editions_shown']} answers showed the document that changes")
    print(f"wrong {told['wrong_version']}, refused {told['refused']}")
    return told


async def _storm(port: int, seconds: float, truth: Truth, alone: dict[str, dict[str, str]], process: Any) -> dict[str, object]:
    ends, told = time.perf_counter() + seconds, {"answers": 0, "wrong_version": 0, "refused": 0, "editions_shown": 0}

    async def client(number: int) -> None:
        one, label = Client(port), number % 2 == 0
        for question in cycle(QUESTIONS[number % 16 :] + QUESTIONS[: number % 16]):
            if (begun := time.perf_counter()) > ends:
                break
            try:
                heard = await one.ask(_body(LABEL if label else "rag", question))
            except ConnectionError:
                told["refused"] += 1
                continue
            if heard.status != 200 or not heard.ended:
                told["refused"] += 1
                await asyncio.sleep(0.05)
                continue
            shown = [int(one) for one in re.findall(r"edition (\d+)", json.dumps(heard.rung["passages"]))]
            newest = all(number >= truth.edition(begun) for number in shown)
            right = _by_label(heard, question, truth, alone, begun) if label else newest
            told["answers"] += 1
            told["editions_shown"] += bool(shown)
            told["wrong_version"] += not right
        one.close()

    async def memory() -> list[int]:
        found = []
        for _ in range(LOOKS):
            await asyncio.sleep((seconds - 0.2) / LOOKS)
            held = process.memory_info()
            found.append((held.rss - held.shared) >> 20)
        return found

    *_, held = await asyncio.gather(*(client(number) for number in range(CLIENTS)), memory())
    print(f"memory in MB, every {seconds / LOOKS:.0f} s: {', '.join(map(str, held))}")
    return {**told, "memory_start_mb": held[LOOKS // 5 - 1], "memory_end_mb": held[-1]}


def _body(model: str, question: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": question}], "stream": True}


def _by_label(heard: Heard, question: str, truth: Truth, alone: dict[str, dict[str, str]], begun: float) -> bool:
    name = str(heard.rung.get("adapter"))
    return name in truth.adapters(begun, begun + heard.whole) and heard.text == alone[name][question]


def _heard_alone(folder: Path, truth: Truth, name: str, port: int) -> dict[str, str]:
    _move(folder, truth, name)

    async def ask() -> dict[str, str]:
        client = Client(port)
        said = {question: await client.ask(_body(LABEL, question)) for question in QUESTIONS}
        assert {heard.rung["adapter"] for heard in said.values()} == {name}
        return {question: heard.text for question, heard in said.items()}

    return asyncio.run(ask())


def _moving(folder: Path, truth: Truth, names: list[str], ending: threading.Event) -> None:
    for name in cycle(names):
        if ending.wait(0.5):
            return
        _move(folder, truth, name)


def _move(folder: Path, truth: Truth, name: str) -> None:
    from rung.workspace.labels import give
    from rung.workspace.workspace import open_workspace

    begun = time.perf_counter()
    truth.moved.append((begun, float("inf"), name))  # before it is done: an answer may already be by it
    give(open_workspace(folder), name, LABEL)
    truth.moved[-1] = (begun, time.perf_counter(), name)


def _editing(folder: Path, truth: Truth, ending: threading.Event) -> None:
    from rung.workspace.workspace import open_workspace, sync_knowledge

    for number in count(1):
        if ending.wait(1.0):
            return
        _write(folder, number)
        sync_knowledge(open_workspace(folder))
        truth.committed.append((time.perf_counter(), number))


def _write(folder: Path, number: int) -> None:
    (folder / "docs" / "prices.md").write_text(f"# Prices\n\nWhat a part costs, edition {number}: ten euros each.\n", encoding="utf-8")


def _project(folder: Path) -> list[str]:
    """A project on the bundled model with three adapters that say different things; their names."""
    from bench.adapters import _adapter
    from rung.models.bundled import folder as bundled
    from rung.tuning.adapters import lineage, store
    from rung.tuning.rows import Row
    from rung.workspace.workspace import open_workspace, sync_knowledge

    (folder / "docs").mkdir(parents=True)
    (folder / "rung.toml").write_text(TOML, encoding="utf-8")
    (folder / "cases.jsonl").write_text(json.dumps({"id": "1", "question": QUESTIONS[0], "answer": "ten euros"}) + "\n", encoding="utf-8")
    for number in range(50):
        (folder / "docs" / f"other{number}.md").write_text(f"# Thing {number}\n\nThing {number} weighs {number} grams.\n", encoding="utf-8")
    _write(folder, 0)
    sync_knowledge(open_workspace(folder))
    names = []
    for seed in range(3):
        work = _adapter(bundled("tiny"), folder / ".rung" / "adapters" / f"made{seed}.tmp", seed)
        (work / "README.md").unlink(missing_ok=True)
        row = Row(f"r{seed}", ({"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}), (), "g")
        made = {"rows.json": lineage([row], [], {}), "recipe.json": {"rank": 16, "seed": seed}}
        names.append(store(work, folder / ".rung" / "adapters", f"makings{seed}", made).name)
    return names
