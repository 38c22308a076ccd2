"""RAFT against plain tuning and rag on examples/harbor: paired differences, k from 1 to 50 at answer time, and its settings swept.

It refuses to let adapters differ between values of k: the adapter is trained once, with a fixed number of distractors. What was
trained and answered is kept in the temporary folder, so a run that was stopped goes on. `--small` takes a quarter of the
examples in small batches, a third of the cases, two epochs, and few values of k.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from rung.climb import Measured, climb
from rung.measure.bootstrap import clusters_of
from rung.measure.stats import compare_all
from rung.tuning.raft_sweep import SHARES
from rung.workspace import workspace as w
from rung.workspace.training import quiet, sweep_raft
from rung.workspace.workspace import Workspace, silent

HARBOR = Path(__file__).resolve().parents[1] / "examples" / "harbor"
SERVED = 5
MANY, FEW = (1, 2, 3, 5, 8, 12, 20, 50), (1, 5, 12)
ALL = tuple((p, others) for others in (1, SERVED - 1) for p in SHARES)  # cells of the sweep
SOME = ((0.4, SERVED - 1), (1.0, SERVED - 1))
KEPT = Path(tempfile.gettempdir()) / "rung-bench" / "raft"


def run(small: bool) -> dict[str, object]:
    """Print the tables; the share of right answers of each rung and k, differences with their intervals, and the best settings."""
    folder = _project(KEPT / ("small" if small else "full"), small)
    figures = _paired(folder, _measured(folder, SERVED, ("rag", "tuned", "hybrid", "raft")))
    columns = [f"{name} {part}" for name in ("rag", "raft") for part in ("right", "facts")]
    print(f"\n{'k':>3}" + "".join(f"{column:>16}" for column in columns) + f"{'shown':>10}")
    for k in FEW if small else MANY:
        figures |= _at(folder, k)
    return figures | _swept(folder, small)


def _project(folder: Path, small: bool) -> Path:
    shutil.copytree(HARBOR, folder, ignore=shutil.ignore_patterns(".rung", "history*"), dirs_exist_ok=True)
    if small:
        toml = (folder / "rung.toml").read_text(encoding="utf-8")
        (folder / "rung.toml").write_text(toml.replace("epochs = 4", "epochs = 2\nbatch_rows = 4"), encoding="utf-8")
        for name, every in (("examples.jsonl", 4), ("cases.jsonl", 3)):
            lines = (folder / name).read_text(encoding="utf-8").splitlines(keepends=True)
            (folder / name).write_text("".join(lines[::every]), encoding="utf-8")
    return folder


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
    """`shown` is the mean number of passages in raft's prompts: those of k that the window holds, the best first."""
    found, figures, line = _measured(folder, k, ("rag", "raft")), dict[str, object](), f"{k:>3}"
    for name, one in found.items():
        facts = [score.parts["facts"] for score in one.scores if "facts" in score.parts]
        figures |= {f"{name}_right_k{k}": round(one.summary.primary.estimate, 4), f"{name}_facts_k{k}": round(sum(facts) / len(facts), 4)}
        line += f"{one.summary.primary.estimate:>16.3f}{figures[f'{name}_facts_k{k}']:>16.3f}"
    shown = sum(len(answer.hits) for answer in found["raft"].answers) / len(found["raft"].answers)
    print(f"{line}{shown:>10.1f}", flush=True)
    return figures | {f"shown_k{k}": round(shown, 2)}


def _swept(folder: Path, small: bool) -> dict[str, object]:
    """Every cell after one epoch, by its loss on the rows set aside with the passages that are served."""
    ws = w.open_workspace(folder)
    once = replace(ws, config=ws.config.model_copy(update={"tuning": ws.config.tuning.model_copy(update={"epochs": 1})}))
    synced = w.sync_knowledge(once)
    assert synced
    cells = sweep_raft(once, synced[0], silent, quiet, SOME if small else ALL)
    print("\ngold passage  others  loss on rows set aside, as served")
    for cell in cells:
        print(f"{cell.gold_probability:>12.0%}  {cell.distractors:>6}  {cell.loss:.4f}", flush=True)
    losses: dict[str, object] = {f"loss_p{cell.gold_probability:g}_others{cell.distractors}": round(cell.loss, 4) for cell in cells}
    return losses | {"best_p": cells[0].gold_probability, "best_others": cells[0].distractors}
