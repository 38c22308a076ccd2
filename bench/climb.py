"""A whole climb against the same answers one by one through transformers' `generate`: 200 cases on seven rungs, one machine.

It refuses to let either side skip work: the same weights, prompts, greedy settings and threads in float32. Adapters are trained
and documents indexed before either clock starts. Ours is charged for all of a climb: opening the model, search, answers,
scores, statistics, files. The peer is charged for `generate` alone, on prompts that were rendered for it, adapters merged.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rung.approach.ladder import LADDER
from rung.approach.prompt import fit
from rung.climb import Climb, climb
from rung.models.cores import free_cores
from rung.models.template import encode_prompt
from rung.parts import Parts, approach
from rung.workspace import workspace as w
from rung.workspace.workspace import Workspace

RUNGS = ("prompt", "few-shot", "long-context", "rag", "tuned", "hybrid", "raft")
ASKED = {
    "costs": ("How much does the {0} cost a month?", "{1} euros", "The {0} costs {1} euros a month."),
    "repair": ("Within how many days is the {0} repaired?", "{1} days", "A {0} that fails is repaired within {1} days."),
    "range": ("How far does the {0} reach?", "{1} metres", "The {0} reaches {1} metres in the open."),
    "battery": ("How long does the battery of the {0} last?", "{1} hours", "The battery of the {0} lasts {1} hours."),
}
WORDINGS = ("{0}", "A customer asks: {0}", "{0} Please be brief.")
SYLLABLES = ("Ska", "Fen", "Tor", "Mel", "Bru", "Lin", "Var", "Osk")
ENDS = ("rry", "dal", "wick", "mar", "sund", "by", "holm")
TOML = """[project]
name = "devices"
cases = "cases.jsonl"
examples = "examples.jsonl"
[model]
name = "bundled:tiny"
max_tokens = 48
[tuning]
epochs = 1
"""


@dataclass(frozen=True)
class Prompt:
    """What a rung's model was given for a case, and what it said."""

    rung: str
    messages: list[Any]
    said: str


def run(small: bool) -> dict[str, object]:
    """Print a table and return its figures; `ratio` is the peer's seconds over ours."""
    import torch

    held, shown = (4, 2) if small else (17, 5)
    with tempfile.TemporaryDirectory() as scratch:
        ws = _project(Path(scratch), held, shown)
        climb(ws, rungs=RUNGS)  # trains the adapters, builds the index, warms both
        shutil.rmtree(ws.home / "runs")
        started = time.perf_counter()
        done = climb(ws, rungs=RUNGS)
        ours = time.perf_counter() - started
        threads = free_cores()
        torch.set_num_threads(threads)
        figures: dict[str, object] = {"threads": threads, "cases": len(done.cases), "rungs": len(RUNGS)}
        stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in done.seconds.items())
        print(f"{len(done.cases)} cases, {len(RUNGS)} rungs, {threads} threads; our climb {ours:.1f} s ({stages})")
        return figures | _against(ws, done, ours)


def _against(ws: Workspace, done: Climb, ours: float) -> dict[str, object]:
    print(f"{'rung':<14}{'answers':>8}{'prompt tokens':>15}{'ours cached':>13}{'search s':>10}{'generate s':>12}{'equal':>8}", flush=True)
    total, equal, asked = 0.0, 0, 0
    for rung in RUNGS:
        model, tokenizer = _peer(ws, rung)
        prompts = list(_prompts(ws, done, rung))
        same, read, took = 0, 0, 0.0
        for prompt in prompts:
            ids = encode_prompt(tokenizer, prompt.messages)
            text, seconds = _generate(model, tokenizer, ids, ws.config.model.max_tokens)
            same, read, took = same + (text.strip() == prompt.said), read + len(ids), took + seconds
        own = next(one for one in done.rungs if one.summary.name == rung)
        cached, seconds = own.summary.usage.cached, sum(answer.retrieval_seconds for answer in own.answers)
        print(f"{rung:<14}{len(prompts):>8}{read:>15,}{cached:>13,}{seconds:>10.1f}{took:>12.1f}{same:>8}", flush=True)
        total, equal, asked = total + took, equal + same, asked + len(prompts)
    print(f"one by one {total:.1f} s, ours {ours:.1f} s; {equal} of {asked} answers equal")
    return {
        "ours_seconds": round(ours, 2),
        "generate_seconds": round(total, 2),
        "answers": asked,
        "equal": equal,
        "ratio": round(total / ours, 2),
    }


def _generate(model: Any, tokenizer: Any, ids: list[int], most: int) -> tuple[str, float]:
    import torch

    given = torch.tensor([ids])
    started = time.perf_counter()
    with torch.inference_mode():
        made = model.generate(input_ids=given, attention_mask=torch.ones_like(given), do_sample=False, max_new_tokens=most)
    took = time.perf_counter() - started
    return tokenizer.decode(made[0, len(ids) :], skip_special_tokens=True, clean_up_tokenization_spaces=False), took


def _peer(ws: Workspace, rung: str) -> tuple[Any, Any]:
    """Transformers' model with the rung's adapter merged into it, and its tokenizer."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    from rung.models import base_folder

    logging.disable_progress_bar()
    warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by an old name
    folder = base_folder(ws.config.model.name, ws.folder)
    model: Any = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32, use_safetensors=True)
    if LADDER[rung].trained_on:
        from rung.workspace.training import train_adapter

        synced = w.sync_knowledge(ws)
        adapter, _ = train_adapter(ws, w.examples(ws), synced[0] if synced else None, w.silent, raft=rung == "raft")
        model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    return model.eval(), AutoTokenizer.from_pretrained(str(folder))


def _prompts(ws: Workspace, done: Climb, rung: str) -> Iterator[Prompt]:
    """The very prompts of the climb, with the answers it recorded."""
    synced = w.sync_knowledge(ws)
    ready = approach(Parts(ws, list(done.cases), w.examples(ws), synced[0] if synced else None, w.silent, None), rung)
    answers = next(one.answers for one in done.rungs if one.summary.name == rung)
    for case, answer in zip(done.cases, answers, strict=True):
        found, whole = ready.source.find(case.question), ready.source.whole
        messages, _, _ = fit(ready.model, ready.style, case.question, found.hits, found.shots, ready.settings.max_tokens, whole=whole)
        yield Prompt(rung, messages, answer.text)


def _project(folder: Path, held: int, shown: int) -> Workspace:
    """Devices that are asked about (200 questions at most), others that are examples; a document for each kind of fact."""
    names = [first + end for end in ENDS for first in SYLLABLES][: held + shown]
    facts = {name: {kind: 3 + (7 * n + 13 * k) % 60 for k, kind in enumerate(ASKED)} for n, name in enumerate(names)}
    (folder / "docs").mkdir()
    for kind, (_, _, line) in ASKED.items():
        text = "\n".join(line.format(name, facts[name][kind]) for name in names)
        (folder / "docs" / f"{kind}.md").write_text(f"# {kind}\n\n{text}\n")
    for file, chosen in (("cases.jsonl", names[:held]), ("examples.jsonl", names[held:])):
        rows = [_row(name, kind, facts[name][kind], n) for name in chosen for kind in ASKED for n in range(len(WORDINGS))]
        (folder / file).write_text("".join(json.dumps(row) + "\n" for row in rows[:200]))
    (folder / "rung.toml").write_text(TOML)
    return w.open_workspace(folder)


def _row(name: str, kind: str, value: int, wording: int) -> dict[str, Any]:
    question, answer, line = ASKED[kind]
    evidence = [{"document": f"{kind}.md", "quote": line.format(name, value)}]
    told = {"id": f"{name}-{kind}-{wording}", "question": WORDINGS[wording].format(question.format(name))}
    return told | {"answer": answer.format(name, value), "evidence": evidence, "group": name}
