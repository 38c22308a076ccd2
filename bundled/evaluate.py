"""Measures the bundled model on wordings, kinds and entities it never met: `python -m bundled.evaluate MODEL`."""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from random import Random

from bundled.compose import Branch, Exercise, Level, exercise
from bundled.encode import sources
from bundled.kinds.bank import TEST_KINDS, TRAIN_KINDS

LEVELS = {
    "one passage": Level(passages=(1, 1), facts=(2, 4), forms=0.0, labels=0, no_context=0, branches=3),
    "one passage, any form": Level(passages=(1, 1), facts=(2, 4), forms=1.0, labels=0, no_context=0, branches=3),
    "five passages": Level(passages=(5, 5), facts=(2, 4), look_alike=0.3, forms=0.0, labels=0, no_context=0, branches=1),
    "five passages, any form": Level(passages=(5, 5), facts=(2, 4), look_alike=0.3, forms=1.0, labels=0, no_context=0, branches=1),
    "tables and look-alikes": Level(passages=(2, 3), facts=(2, 4), look_alike=0.5, joint=1.0, forms=0.0, labels=0, no_context=0, branches=1),
    "eight passages": Level(passages=(8, 8), facts=(2, 4), look_alike=0.3, forms=0.0, labels=0, no_context=0, branches=1),
    "no passages": Level(passages=(1, 1), forms=0.3, labels=0, no_context=1.0),
    "labels": Level(passages=(1, 1), labels=1.0, no_context=0),
}


POPULATIONS = (("known", TRAIN_KINDS), ("unseen", TEST_KINDS), ("drawn", TRAIN_KINDS))


def messages(x: Exercise, branch: Branch) -> list[dict[str, str]]:
    """The chat of one branch."""
    made = [{"role": "system", "content": x.system}] if x.system else []
    for question, answer in x.shots:
        made += [{"role": "user", "content": f"Question: {question}"}, {"role": "assistant", "content": answer}]
    context = sources(x.passages) + "\n\n" if x.passages else ""
    return [*made, {"role": "user", "content": f"{context}Question: {branch.question}"}]


def judge(branch: Branch, said: str) -> dict[str, float]:
    """The scores that apply to one reply."""
    marker, bare = re.compile(r"\s*\[(\d+)\]$"), said.strip()
    cited, wanted = marker.search(bare), marker.search(branch.answer)
    same = float(marker.sub("", bare) == marker.sub("", branch.answer))
    scores = {f"{branch.kind} exact": same}
    if branch.kind in ("fact", "natural"):
        scores[f"{branch.kind} found"] = float(branch.value.lower() in bare.lower())
        if wanted:
            scores["citation right"] = float(bool(cited) and cited.group(1) == wanted.group(1))  # type: ignore[union-attr]
    if branch.answer.startswith("{"):
        try:
            scores["json valid"] = float(isinstance(json.loads(bare), dict))
        except ValueError:
            scores["json valid"] = 0.0
    return scores


def measure(folder: Path, count: int, seed: int, show: int, only: str = "") -> dict[str, dict[str, float]]:
    """Scores by level: `count` exercises each, in wording no training exercise has.

    A third is about kinds met in training, a third about kinds held out from it, a third about kinds drawn afresh.
    """
    from rung.models import load
    from rung.types import Reply, Settings

    model, table = load(f"local:{folder}"), {}
    for name, level in LEVELS.items():
        if not name.startswith(only):
            continue
        r = Random(f"evaluate/{seed}/{name}")
        asked = []
        for i in range(count):
            about, kinds = POPULATIONS[i % 3]
            x = exercise(r, kinds, replace(level, drill=float(about == "drawn")), "test")
            asked += [(x, b, about) for b in x.branches[:3]]
        replies: dict[int, str] = {}
        for number, piece in model.stream([messages(x, b) for x, b, _ in asked], Settings(max_tokens=64)):  # type: ignore[misc]
            if isinstance(piece, Reply):
                replies[number] = piece.text
        scores = defaultdict(list)
        for number, (_, branch, about) in enumerate(asked):
            if number < show:
                print(f"  {branch.question} | want {branch.answer!r} | said {replies[number]!r}")
            for metric, value in judge(branch, replies[number]).items():
                scores[metric].append(value)
                if metric == "fact exact":
                    scores[f"{metric}, {about} kinds"].append(value)
        table[name] = {metric: round(sum(v) / len(v), 3) for metric, v in sorted(scores.items())} | {"n": len(asked)}
        print(name, json.dumps(table[name]), flush=True)
    return table


def main() -> None:
    """Print the table, and as the last line all of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=0, help="print this many replies of each level")
    parser.add_argument("--only", default="", help="only the levels whose name begins so")
    args = parser.parse_args()
    print(json.dumps(measure(args.model, args.count, args.seed, args.show, args.only)))


if __name__ == "__main__":
    main()
