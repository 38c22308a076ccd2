"""What `rung train` prints: an adapter, an embedder, a search for the best recipe, or a curve over learning rates."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rung.errors import ConfigError
from rung.show import one_of, print_json, progress, talking
from rung.workspace.workspace import open_workspace

if TYPE_CHECKING:
    from rung.workspace.search_recipe import Found

Say = Callable[[str], None]


def train_or(
    folder: Path, rung: str, as_json: bool, allow: Sequence[str], budget: str, instead: Mapping[str, bool], *, now: bool = False
) -> None:
    """Train, or do what the one option in `instead`, or a budget, asks for. ConfigError where several are asked for.

    What trains here waits for other projects' trainings on this machine, unless it is to begin `now`.
    """
    asked = one_of({**instead, "--budget": budget})
    ways: dict[str, Callable[[], None]] = {
        "--embedder": lambda: tune_and_show(folder, as_json),
        "--specialist": lambda: specialise_and_show(folder, as_json, allow),
        "--lr-range": lambda: range_and_show(folder, rung, as_json),
        "--estimate": lambda: estimate_and_show(folder, rung, as_json),
        "--raft-sweep": lambda: sweep_and_show(folder, as_json),
        "--budget": lambda: search_and_show(folder, rung, budget, as_json),
        "--cancel": lambda: cancel_and_show(folder),
    }
    with nullcontext() if now or asked in (["--estimate"], ["--cancel"]) else _its_turn(folder):
        ways[asked[0]]() if asked else train_and_show(folder, rung, as_json, allow)


@contextmanager
def _its_turn(folder: Path) -> Iterator[None]:
    """Within the block no other project of this user trains on this machine; who waits is told for whom."""
    from rung.tuning.spread import started
    from rung.workspace.turns import AT_ONCE, turn

    said: set[str] = set()

    def wait(who: str) -> bool:
        if who not in said:
            said.add(who)
            print(f"waits for the training of {who} on this machine; --now or {AT_ONCE}=2 trains beside it", file=sys.stderr, flush=True)
        return True

    with nullcontext() if open_workspace(folder).config.tuning.remote or started().rank else turn(folder, wait):
        yield


def train_and_show(folder: Path, rung: str, as_json: bool, allow: Sequence[str] = ()) -> None:
    """Train the adapter behind a rung and say where it is, and what it learned. Under torchrun the first process speaks."""
    from rung.tuning.spread import joined
    from rung.workspace.auditing import allowing
    from rung.workspace.training import is_raft, knowledge_for, train_adapter
    from rung.workspace.workspace import examples

    ws, raft = allowing(open_workspace(folder), allow), is_raft(rung)
    with joined() as group, talking(quiet=as_json or group.rank > 0) as (bar, say):
        knowledge = group.first(lambda: knowledge_for(ws, bar, raft=raft))
        adapter, losses = train_adapter(ws, examples(ws), knowledge, bar, raft=raft, say=say)
        if group.rank:
            return
    scores = adapter / "scores.json"
    told = json.loads(scores.read_text(encoding="utf-8")) if scores.exists() else {}
    if as_json:
        print_json({"adapter": str(adapter), "losses": losses, "scores": told})
        return
    if told:
        _show_scores(told)
    if (adapter / "remote.json").exists():
        print(f"model: {json.loads((adapter / 'remote.json').read_text(encoding='utf-8'))['model']}")
    print(f"adapter: {adapter}")


def _show_scores(told: dict[str, dict[str, float]]) -> None:
    own, held = told["training_loss"], told["validation_loss"]
    aside = f"on rows set aside {held['base']:.3f}, {held['tuned']:.3f}"
    print(f"loss on its own rows {own['base']:.3f} before, {own['tuned']:.3f} after; {aside}")
    if told.get("why"):
        print(f"warning: {told['why']}")


def cancel_and_show(folder: Path) -> None:
    """End the jobs that wait on a remote tuner."""
    from rung.tuning.remote import cancel
    from rung.workspace.training import remote_of

    ws = open_workspace(folder)
    if not ws.config.tuning.remote:
        raise ConfigError("no remote tuner is configured", "set remote under [tuning]")
    if not cancel(remote_of(ws), ws.home / "adapters", print):
        print("no job waits")


def range_and_show(folder: Path, rung: str, as_json: bool) -> None:
    """The loss over rising learning rates, and which rate to take."""
    from rung.tuning.spread import joined
    from rung.workspace.training import is_raft, knowledge_for, lr_range

    ws, raft = open_workspace(folder), is_raft(rung)
    with joined() as group, talking(quiet=as_json or group.rank > 0) as (bar, _):
        knowledge = group.first(lambda: knowledge_for(ws, bar, raft=raft))
        found, path = lr_range(ws, knowledge, bar, raft=raft)
        if group.rank:
            return
    if as_json:
        print_json({"rates": found.rates, "losses": found.losses, "suggestion": found.suggestion, "file": str(path)})
        return
    top, bottom = max(found.losses), min(found.losses)
    for rate, loss in zip(found.rates, found.losses, strict=True):
        mark = "  <- suggestion" if rate == found.suggestion else ""
        print(f"{rate:9.1e}  {loss:7.3f}  {'#' * (1 + round(49 * (loss - bottom) / ((top - bottom) or 1)))}{mark}")
    print(f"curve: {path}")
    print(f"to use it, write learning_rate = {found.suggestion:g} under [tuning]")


def estimate_and_show(folder: Path, rung: str, as_json: bool) -> None:
    """What a training would take, as the training itself would say it, and nothing trained."""
    from rung.tuning.spread import joined
    from rung.workspace.training import estimated, is_raft, knowledge_for

    ws, raft = open_workspace(folder), is_raft(rung)
    with joined() as group, talking(quiet=as_json or group.rank > 0) as (bar, say):
        knowledge = group.first(lambda: knowledge_for(ws, bar, raft=raft))
        found = estimated(ws, knowledge, say, raft=raft)
        if group.rank:
            return
    if as_json:
        print_json(found)
    elif found.get("trained"):
        print(f"it is trained already: {found['trained']}")


def sweep_and_show(folder: Path, as_json: bool) -> None:
    """Raft's settings compared on the rows set aside, and how to use the best."""
    from rung.workspace.training import knowledge_for, sweep_raft

    ws = open_workspace(folder)
    with talking(quiet=as_json) as (bar, say):
        knowledge = knowledge_for(ws, bar, raft=True)
        if knowledge is None:
            raise ConfigError("the project has no documents", "set folder or add [[knowledge.sources]] in rung.toml")
        cells = sweep_raft(ws, knowledge, bar, say)
    if as_json:
        print_json([asdict(cell) for cell in cells])
        return
    print("gold passage  others  loss on rows set aside, as served")
    for cell in cells:
        print(f"{cell.gold_probability:>12.0%}  {cell.distractors:>6}  {cell.loss:.4f}")
    print(f"to use the best, write under [tuning]:\ngold_probability = {cells[0].gold_probability}\ndistractors = {cells[0].distractors}")


def search_and_show(folder: Path, rung: str, budget: str, as_json: bool) -> None:
    """Search for the best recipe within a time, show all that was tried, and say how to use the best."""
    from rung.workspace.search_recipe import search_recipe, seconds_of
    from rung.workspace.training import is_raft, knowledge_for

    ws, raft = open_workspace(folder), is_raft(rung)
    with talking(quiet=as_json) as (bar, say):
        found = search_recipe(ws, knowledge_for(ws, bar, raft=raft), bar, say, seconds_of(budget), raft=raft)
    if as_json:
        print_json(found)
        return
    _table(found)
    print("to use the best, write under [tuning]" + (" and [model]" if len({one.model for one in found.tried}) > 1 else "") + ":")
    print("\n".join(found.lines))


def _table(found: Found) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "rank", "learning rate", "epochs", "loss per character", "seconds", "", box=None)
    for one in found.tried:
        mark = "best" if one == found.best else one.how
        table.add_row(one.model, str(one.rank), f"{one.learning_rate:g}", str(one.epochs), f"{one.loss:.4f}", f"{one.seconds:.0f}", mark)
    Console().print(table)


def specialise_and_show(folder: Path, as_json: bool, allow: Sequence[str] = ()) -> None:
    """Train the encoder of a `classify` project or the extractor of an `extract` project, and say how well it did on rows set aside."""
    from rung.workspace.auditing import allowing
    from rung.workspace.specialists import train_specialist

    with progress(quiet=as_json) as bar:
        made, told = train_specialist(allowing(open_workspace(folder), allow), bar)
    if as_json:
        print_json({"specialist": str(made)} | told)
        return
    scores = told["scores"]
    print(f"specialist: {made}")
    if "field_f1" in scores:
        print(f"F1 of its fields {scores['field_f1']:.3f} on {scores['rows']} examples set aside, which its thresholds were chosen on")
        if scores["never"]:
            print(f"never said, for want of right answers there: {', '.join(scores['never'])}")
        return
    print(f"{scores['accuracy']:.1%} right on {scores['rows']} examples set aside, calibration error {scores['calibration_error']:.3f}")
    if scores["others"]:
        print(
            f"below a confidence of {told['threshold']:.2f} it names no label: {scores['others_told']:.0%} of the {scores['others']} ",
            end="",
        )
        print(f"examples that fit none, {1 - scores['answered']:.1%} of the others")


def tune_and_show(folder: Path, as_json: bool) -> None:
    """Train the embedder and say what it gained and how to use it."""
    from rung.workspace.embedding import tune_embedder

    with progress(quiet=as_json) as bar:
        done = tune_embedder(open_workspace(folder), bar)
    if as_json:
        print_json(done)
        return
    gained = done.gained
    print(f"embedder: {done.folder}")
    print(f"mean reciprocal rank on {gained.n} questions set aside: {done.base:.3f} before, {done.tuned:.3f} after")
    print(f"gained {gained.estimate:+.3f}, 95 % interval {gained.low:+.3f} to {gained.high:+.3f}")
    if done.unseen and done.unseen.n < gained.n:
        new = done.unseen
        print(f"on the {new.n} about documents not trained on: {new.estimate:+.3f}, {new.low:+.3f} to {new.high:+.3f}")
    print(f'to use it, write embedder = "{done.spec}" under [knowledge]; the index stays as it is')
