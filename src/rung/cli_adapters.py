"""The verbs about trained adapters: `rung adapters …`, `rung export` and `rung forget`; each hands on to what does the work."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="List, compare, promote and roll back adapters.")
Folder = Annotated[Path, typer.Argument(help="The project's folder, which holds rung.toml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Name = Annotated[str, typer.Argument(help="A label, or the beginning of a hash.")]
Label = Annotated[str, typer.Argument(help="A name of your own, such as support/prod.")]
Rung = Annotated[str, typer.Option(help="tuned, hybrid or raft; by default that of the label, or what it was trained for.")]


class Format(StrEnum):
    """What `rung export` writes."""

    safetensors = "safetensors"
    gguf = "gguf"
    gguf_lora = "gguf-lora"
    vllm = "vllm"


class Quantised(StrEnum):
    """How GGUF's weights are kept."""

    f32 = "f32"
    f16 = "f16"
    q8_0 = "q8_0"
    q4_k_m = "q4_k_m"


@app.command("list", epilog="Example: `rung adapters list shop`")
def list_(folder: Folder = Path(), as_json: AsJson = False) -> None:
    """All adapters, with their labels, rows and losses."""
    from rung.show_adapters import show_all

    show_all(folder, as_json)


@app.command(epilog="Example: `rung adapters show support/prod shop`")
def show(name: Name, folder: Folder = Path(), as_json: AsJson = False) -> None:
    """One adapter, or a label's, with every move that led there."""
    from rung.show_adapters import show_one

    show_one(folder, name, as_json)


@app.command(epilog="Example: `rung adapters label 3fa2c1 trials/rank-8 shop`")
def label(name: Name, label: Label, folder: Folder = Path(), as_json: AsJson = False) -> None:
    """Give an adapter a label without measuring it; a label that was promoted to is moved by `promote` alone."""
    from rung.show_adapters import label_and_show

    label_and_show(folder, name, label, as_json)


@app.command(epilog="Example: `rung adapters promote 3fa2c1 support/prod shop`")
def promote(
    name: Name,
    label: Label,
    folder: Folder = Path(),
    rung: Rung = "",
    force: Annotated[str, typer.Option(help="Promote whatever was measured, for this reason, which is kept.", metavar="WHY")] = "",
    as_json: AsJson = False,
) -> None:
    """Move a label to an adapter that beats the one in place on the held-out cases and forgets nothing; else exit with 1."""
    from rung.show_adapters import promote_and_show

    raise typer.Exit(promote_and_show(folder, name, label, rung, force, as_json))


@app.command(epilog="Example: `rung adapters rollback support/prod shop`")
def rollback(
    label: Label,
    folder: Folder = Path(),
    why: Annotated[str, typer.Option(help="The reason, which is kept.")] = "",
    as_json: AsJson = False,
) -> None:
    """Put a label back onto the adapter it stood on before."""
    from rung.show_adapters import roll_back_and_show

    roll_back_and_show(folder, label, why, as_json)


@app.command(epilog="Example: `rung adapters diff support/prod 3fa2c1 shop`")
def diff(first: Name, second: Name, folder: Folder = Path(), as_json: AsJson = False) -> None:
    """How two adapters differ in data, settings and scores."""
    from rung.show_adapters import show_difference

    show_difference(folder, first, second, as_json)


@app.command(epilog="Example: `rung adapters lineage support/prod shop`")
def lineage(name: Name, folder: Folder = Path(), as_json: AsJson = False) -> None:
    """Documents, passages and rows behind an adapter, and the exports made from it, as a tree."""
    from rung.show_adapters import show_lineage

    show_lineage(folder, name, as_json)


def export(
    name: Name,
    to: Annotated[Path, typer.Option(help="A new folder for the files.", metavar="DIR")],
    folder: Folder = Path(),
    format: Annotated[Format, typer.Option(help="What to write.")] = Format.gguf,
    quantise: Annotated[Quantised | None, typer.Option(help="GGUF: how weights are kept; f16 if not given.")] = None,
    rung: Rung = "",
    cases: Annotated[int, typer.Option(min=0, help="Ask only so many held-out cases; 0 asks all.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write an adapter for other runtimes; it comes out only if it says there what it says here."""
    from rung.show_adapters import export_and_show

    export_and_show(folder, name, to, format.value, quantise.value if quantise else "", rung, cases, as_json)


def forget(
    documents: Annotated[list[str] | None, typer.Argument(help="Documents, by the paths they are cited by.")] = None,
    folder: Annotated[Path, typer.Option("--project", help="The project's folder, which holds rung.toml.")] = Path(),
    subject: Annotated[str, typer.Option(help="Words: all documents, rows and records that hold them.", metavar="TEXT")] = "",
    delete_source: Annotated[bool, typer.Option("--delete-source", help="Delete the documents' own files too.")] = False,
    ignore: Annotated[bool, typer.Option("--ignore", help="Leave the files where they are; never read them again.")] = False,
    retrain: Annotated[bool, typer.Option("--retrain", help="Train what learned from them again, without them.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    copies: Annotated[bool, typer.Option("--copies", help="List the copies of the project that share a store.")] = False,
    gone: Annotated[str, typer.Option(help="Wait no longer for a copy that is no more, by its id.", metavar="COPY")] = "",
    as_json: AsJson = False,
) -> None:
    """Take documents or a subject out of index, caches, rows, runs and logs, block what learned from them, and certify it."""
    from rung.show_adapters import copies_and_show, forget_and_show

    if copies or gone:
        return copies_and_show(folder, gone, as_json, also=bool(documents or subject))
    forget_and_show(folder, tuple(documents or ()), subject, delete_source, ignore, retrain, dry_run, as_json)
