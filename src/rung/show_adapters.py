"""What the verbs about adapters print: results on stdout, as text or as one JSON object; progress on stderr."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rung.errors import ConfigError
from rung.report.terminal import counted
from rung.show import one_of, print_json, progress
from rung.workspace.workspace import open_workspace

if TYPE_CHECKING:
    from rung.workspace.catalogue import Move
    from rung.workspace.lineage import Known
    from rung.workspace.model_export import Format, Quantised
    from rung.workspace.promoting import Gate


def show_all(folder: Path, as_json: bool) -> None:
    """A line for each adapter."""
    from rung.workspace.lineage import all_known

    found = all_known(open_workspace(folder))
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        print(_line(one))
    if not found:
        print("no adapters yet: `rung train` makes one")


def _line(one: Known) -> str:
    loss = one.scores.get("validation_loss", {})
    losses = f", validation loss {loss['base']:.3f} → {loss['tuned']:.3f}" if loss else ""
    named = f"  {', '.join(one.labels)}" if one.labels else ""
    stop = f"  BLOCKED: {one.blocked}" if one.blocked else ""
    return f"{one.name}  {one.rung}, {counted(one.training, 'row')}, {counted(one.documents, 'document')}{losses}{named}{stop}"


def show_one(folder: Path, name: str, as_json: bool) -> None:
    """An adapter's settings and scores, and the moves of its label."""
    from rung.workspace.labels import folder_of
    from rung.workspace.lineage import history, known

    ws = open_workspace(folder)
    one, moves = known(ws, folder_of(ws, name)), history(ws, name)
    if as_json:
        print_json({**asdict(one), "moves": [asdict(move) for move in moves]})
        return
    print(_line(one))
    print(f"  in {one.folder}, on base {one.base[:16] or 'unknown'}")
    print("  " + ", ".join(f"{key} {value}" for key, value in one.recipe.items()))
    for move in moves:
        print(f"  {_told(move)}")


def _told(move: Move) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(move.at))
    why = f": {move.why}" if move.why else ""
    return f"{when}  {move.label} → {move.adapter}  {move.kind} by {move.who}{why}"


def label_and_show(folder: Path, name: str, label: str, as_json: bool) -> None:
    """Give a label and say so."""
    from rung.workspace.labels import give

    _show_move(give(open_workspace(folder), name, label), as_json)


def roll_back_and_show(folder: Path, label: str, why: str, as_json: bool) -> None:
    """Roll back and say to what."""
    from rung.workspace.labels import roll_back

    _show_move(roll_back(open_workspace(folder), label, why), as_json)


def _show_move(move: Move, as_json: bool) -> None:
    print_json(move) if as_json else print(_told(move))


def promote_and_show(folder: Path, name: str, label: str, rung: str, force: str, as_json: bool) -> int:
    """Measure, promote or refuse, and show the numbers; the exit code."""
    from rung.workspace.promoting import promote

    with progress(quiet=as_json) as bar:
        gate, move = promote(open_workspace(folder), name, label, rung, bar, force)
    if as_json:
        print_json({"gate": asdict(gate), "move": asdict(move) if move else None})
    else:
        _show_gate(gate)
        print(_told(move) if move else f"refused: {label} stays where it is (--force WHY promotes it all the same)")
    return 0 if move else 1


def _show_gate(gate: Gate) -> None:
    gained, before = gate.held_out.difference, gate.before or "the base model"
    print(f"held-out cases ({gate.rung}, {gained.n}): {before} {gate.scores[0]:.3f}, {gate.candidate} {gate.scores[1]:.3f}")
    print(f"  {gained.estimate:+.3f}, 95 % interval {gained.low:+.3f} to {gained.high:+.3f}, p = {gate.held_out.p:.3g}")
    first, second = gate.general_loss
    print(
        f"general set ({gate.general.difference.n}): loss {first:.3f} before, {second:.3f} after; score {gate.general_scores[0]:.3f}",
        end="",
    )
    print(f" before, {gate.general_scores[1]:.3f} after")
    for reason in gate.refused:
        print(f"  against it: {reason}")


def show_difference(folder: Path, first: str, second: str, as_json: bool) -> None:
    """Two adapters side by side."""
    from rung.workspace.lineage import difference

    found = difference(open_workspace(folder), first, second)
    if as_json:
        print_json(found)
        return
    print(f"{found.first} and {found.second}")
    for what, table in (("settings", found.settings), ("scores", found.scores)):
        for key, (one, other) in table.items():
            print(f"  {what}: {key} {one} → {other}")
    rows = found.rows_only_first, found.rows_only_second, found.rows_changed
    documents = found.documents_only_first, found.documents_only_second, found.documents_changed
    for what, kinds in (("rows", rows), ("documents", documents)):
        said = zip(("only in the first", "only in the second", "changed"), kinds, strict=True)
        if counts := [f"{len(names)} {how} ({_some(names)})" for how, names in said if names]:
            print(f"  {what}: {', '.join(counts)}")
    if found.first == found.second:
        print("  the same adapter")
    if any(one is not None for one in found.held_out):
        print(f"  held-out score at the last promotion: {found.held_out[0]} → {found.held_out[1]}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _branches(names: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Each name with the sign before it, and the one before what hangs below it."""
    for place, name in enumerate(names, 1):
        yield (name, "└─", " ") if place == len(names) else (name, "├─", "│")


def show_lineage(folder: Path, name: str, as_json: bool) -> None:
    """Documents, passages, rows, adapter and exports as a tree."""
    from rung.workspace.lineage import lineage

    found = lineage(open_workspace(folder), name)
    if as_json:
        print_json(found)
        return
    for document, passages in found.documents.items():
        print(document)
        for passage, branch, trunk in _branches(passages):
            print(f"{branch} {passage.removeprefix(document) or 'no passage known'}")
            for row, twig, _ in _branches(passages[passage]):
                print(f"{trunk}  {twig} row {row} ({found.rows.get(row, 'unknown')})")
    if found.alone:
        print(f"rows without a document: {len(found.alone)} ({_some(found.alone)})")
    print(f"→ adapter {found.adapter}")
    for one in found.exports:
        print(f"  → {one.format} in {one.folder}")


def export_and_show(folder: Path, name: str, to: Path, kind: str, quantised: str, rung: str, cases: int, as_json: bool) -> None:
    """Export and say what was measured."""
    from rung.workspace.model_export import export

    with progress(quiet=as_json) as bar:
        done = export(open_workspace(folder), name, to, cast("Format", kind), cast("Quantised", quantised), rung, cases, bar)
    if as_json:
        print_json(done)
        return
    found = done.agreement
    print(f"{done.format} of {done.adapter} in {done.folder}: {', '.join(done.files)}")
    print(f"  {found.same:.1%} of {counted(found.cases, 'answer')} the adapter's own; first tokens diverge by {found.divergence:.2g} nats")
    print(f"  score {found.scores[1]:.3f}, the adapter's {found.scores[0]:.3f}")


def forget_and_show(
    folder: Path, documents: Sequence[str], subject: str, delete: bool, ignore: bool, retrain: bool, dry_run: bool, as_json: bool
) -> None:
    """Forget, and say what went, what is blocked, and where the certificate lies."""
    from rung.workspace.forgetting import forget
    from rung.workspace.to_forget import Request, plan

    ws, asked = open_workspace(folder), Request(tuple(documents), subject, delete, ignore, retrain)
    if dry_run:
        found = plan(ws, asked)
        print_json(found) if as_json else print("\n".join(found.lines()))
        return
    with progress(quiet=as_json) as bar:
        done = forget(ws, asked, bar)
    if as_json:
        print_json(done)
        return
    print("\n".join(done.lines()))
    print(f"certificate: {done.file}")


def copies_and_show(folder: Path, gone: str, as_json: bool, *, also: bool = False) -> None:
    """The copies that share the project's store, when each last looked, and what each has still to forget; without one that is `gone`.

    ConfigError where something is `also` to be forgotten.
    """
    from rung.workspace import copies
    from rung.workspace.certifying import plain

    one_of({"--gone" if gone else "--copies": True, "naming what to forget": also})
    ws = open_workspace(folder)
    if copies.shared(ws) is None:
        raise ConfigError("the project shares no store, so it knows of no copies", 'set store = "postgres:..." under [serve]')
    left_out = copies.gone(ws, gone, plain) if gone else None
    standing = {one.id: copies.standing(ws, one.id) for one in copies.wanted(ws)}
    told = [{**vars(one), "not_clean_of": [request for request, at in standing.items() if not at[one.label]]} for one in copies.known(ws)]
    if as_json:
        print_json(told)
        return
    if left_out:
        print(f"no longer waited for: {left_out.label}")
    for one in told:
        seen = time.strftime("%Y-%m-%d %H:%M", time.localtime(float(one["seen"])))
        left = one["not_clean_of"]
        print(f"{one['id']}  {one['name']}  last seen {seen}  {'clean' if not left else 'still to forget: ' + ', '.join(left)}")
