"""The verbs of an optional judge model: `rung judge …`; each hands on to what does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Let a judge model judge recorded answers, and measure how far it agrees with people.")
Folder = Annotated[Path, typer.Argument(help="The project's folder, which holds rung.toml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Run = Annotated[str, typer.Option(help="Which climb: last, the start of its name, or its folder.", metavar="RUN")]
Criterion = Annotated[str, typer.Option(help="right (says what the ideal answer says) or faithful (to its passages).", metavar="CRITERION")]


@app.command(epilog="Example: `rung judge score shop --rung rag`")
def score(
    folder: Folder = Path(),
    rung: Annotated[list[str] | None, typer.Option(help="Only these rungs; repeat the option.")] = None,
    run: Run = "last",
    criterion: Criterion = "right",
    as_json: AsJson = False,
) -> None:
    """Judge the answers of a climb; each number comes with the judge's agreement with people. Ctrl-C keeps every verdict."""
    from rung.judging import score_and_show

    score_and_show(folder, run, tuple(rung or ()), criterion, as_json)


@app.command(epilog="Example: `rung judge agree labels.jsonl shop`")
def agree(
    file: Annotated[Path, typer.Argument(help="Labelled answers, a JSON line each: id, answer, label.")],
    folder: Folder = Path(),
    criterion: Annotated[str, typer.Option(help="right, faithful, or better (for pairs).", metavar="CRITERION")] = "right",
    as_json: AsJson = False,
) -> None:
    """How far the judge agrees with people on what they labelled: Cohen's kappa with its interval, kept for every later number."""
    from rung.judging import agree_and_show

    agree_and_show(folder, file, criterion, as_json)


@app.command(epilog="Example: `rung judge pair rag hybrid shop`")
def pair(
    first: Annotated[str, typer.Argument(help="A rung.")],
    second: Annotated[str, typer.Argument(help="Another rung.")],
    folder: Folder = Path(),
    run: Run = "last",
    as_json: AsJson = False,
) -> None:
    """Which of two rungs' answers the judge prefers, each pair in both orders, so that position decides nothing."""
    from rung.judging import pair_and_show

    pair_and_show(folder, first, second, run, as_json)
