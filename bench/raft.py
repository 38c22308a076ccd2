"""RAFT against plain tuning and rag on examples/harbor: paired differences at the served k, and k from 1 to 50 at answer time.

It refuses to let adapters differ between values of k: the adapter is trained once, with a fixed number of distractors.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from rung.climb import Measured, climb
from rung.measure.bootstrap import clusters_of
from rung.measure.stats import compare_all
from rung.workspace import workspace as w
from rung.workspace.workspace import Workspace

HARBOR = Path(__file__).resolve().parents[1] / "examples" / "harbor"
SERVED = 5
MANY, FEW = (1, 2, 3, 5, 8, 12, 20, 35, 50), (1, 3, 5, 12, 50)


def run(small: bool) -> dict[str, object]:
    """Print both tables; the share of right answers of each rung and k, and differences with their intervals."""
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "harbor"
        shutil.copytree(HARBOR, folder, ignore=shutil.ignore_patterns(".rung"))
        found = _measured(folder, SERVED, ("rag", "tuned", "hybrid", "raft"))
        figures |= _paired(folder, found)
        columns = [f"{name} {part}" for name in ("rag", "raft") for part in ("right", "facts")]
        print(f"\n{'k':>3}" + "".join(f"{column:>16}" for column in columns) + f"{'dropped':>10}")
        for k in FEW if small else MANY:
            figures |= _at(folder, k)
    return figures


def _measured(folder: Path, k: int, rungs: tuple[str, ...]) -> dict[str, Measured]:
    ws = w.open_workspace(folder)
    knowledge, tuning = ws.config.knowledge.model_copy(update={"k": k}), ws.config.tuning.model_copy(update={"distractors": SERVED - 1})
    there: Workspace = replace(ws, config=ws.config.model_copy(update={"knowledge": knowledge, "tuning": tuning}))
    return {one.summary.name: one for one in climb(there, rungs=rungs).rungs}


def _paired(folder: Path, found: dict[str, Measured]) -> dict[str, object]:
    figures: dict[str, object] = {}
    clusters = clusters_of(w.cases(w.open_workspace(folder)))
    print(f"{'k = ' + str(SERVED):<10}{'right':>8}   raft minus it, 95 % interval")
    scores = {name: {score.case: score.primary for score in one.scores} for name, one in found.items()}
    for name in ("rag", "tuned", "hybrid"):
        made = compare_all({name: scores[name], "raft": scores["raft"]}, clusters)[0]
        gap = made.difference
        right = found[name].summary.primary.estimate
        print(f"{name:<10}{right:>8.3f}   {gap.estimate:+.3f} ({gap.low:+.3f} to {gap.high:+.3f}), p {made.p:.2g}")
        figures |= {f"{name}_right": round(right, 4), f"raft_minus_{name}": round(gap.estimate, 4)}
        figures |= {f"raft_minus_{name}_low": round(gap.low, 4), f"raft_minus_{name}_high": round(gap.high, 4)}
    print(f"{'raft':<10}{found['raft'].summary.primary.estimate:>8.3f}", flush=True)
    return figures | {"raft_right": round(found["raft"].summary.primary.estimate, 4)}


def _at(folder: Path, k: int) -> dict[str, object]:
    """`dropped` is the mean number of passages a prompt that the window was too small for."""
    found, figures, line = _measured(folder, k, ("rag", "raft")), dict[str, object](), f"{k:>3}"
    for name, one in found.items():
        facts = [score.parts["facts"] for score in one.scores if "facts" in score.parts]
        figures |= {f"{name}_right_k{k}": round(one.summary.primary.estimate, 4), f"{name}_facts_k{k}": round(sum(facts) / len(facts), 4)}
        line += f"{one.summary.primary.estimate:>16.3f}{figures[f'{name}_facts_k{k}']:>16.3f}"
    dropped = sum(answer.dropped for answer in found["raft"].answers) / len(found["raft"].answers)
    print(f"{line}{dropped:>10.1f}", flush=True)
    return figures | {f"dropped_k{k}": round(dropped, 2)}
