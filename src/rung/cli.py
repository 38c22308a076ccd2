"""The command line: one function per verb; errors are a sentence and a hint, and exit with 2."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from rung import cli_adapters, cli_judge, cli_serve
from rung.errors import ConfigError, RungError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
Folder = Annotated[Path, typer.Argument(help="The project's folder, which holds rung.toml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
User = Annotated[str, typer.Option("--as", help="With access lists: the user on whose behalf documents are read.", metavar="USER")]
At = Annotated[str, typer.Option(help="The knowledge as it was at this version; the start of one will do.", metavar="VERSION")]
INTERRUPTED = 130  # what typer exits with after Ctrl-C
Workers = Annotated[int | None, typer.Option(min=1, help="Requests side by side (endpoint) or threads (local model).")]


def _version(asked: bool) -> None:
    if asked:
        from rung import __version__

        typer.echo(f"rung {__version__}")
        raise typer.Exit


def _rungs(typed: str) -> list[str]:
    from rung.show import rungs_from

    return rungs_from(typed)


def _trained(typed: str) -> list[str]:
    from rung.show import rungs_from

    return rungs_from(typed, trained=True)


@app.callback()
def start(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False) -> None:
    """Prompt, RAG, fine-tune or both? Measure it on your own documents and questions. --debug shows tracebacks."""


@app.command(epilog="Example: `rung init shop`")
def init(folder: Folder = Path()) -> None:
    """Write a rung.toml, a document and two cases to start from; files that are there already stay as they are."""
    from rung.workspace.init import init_project

    for path in init_project(folder):
        typer.echo(f"wrote {path}")


@app.command(epilog="Example: `rung check shop`")
def check(
    folder: Folder = Path(),
    row: Annotated[str, typer.Option(help="The example to show as it is trained on; the first if not given.", metavar="ID")] = "",
    as_json: AsJson = False,
) -> None:
    """Read everything, audit the training rows and report what is wrong, without asking or training a model."""
    from rung.show_data import check_and_show

    check_and_show(folder, as_json, row)


@app.command("import", epilog="Example: `rung import faq.csv shop --map question=Frage,answer=Antwort`")
def import_(
    file: Annotated[Path, typer.Argument(help="JSON Lines, a JSON list, CSV, TSV or Parquet, also .gz.")],
    folder: Folder = Path(),
    columns: Annotated[str, typer.Option("--map", help="Which columns to take: FIELD=COLUMN, with commas between.")] = "",
    to: Annotated[str, typer.Option(help="examples (to train on and to show) or cases (to measure on).")] = "examples",
    held_out: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of all rows to be cases, drawn by lot; groups stay whole.")
    ] = 0.0,
    skip: Annotated[bool, typer.Option("--skip", help="Leave out rows that can't be used, and name them.")] = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Show what would be added; write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add rows to the examples: OpenAI chats, Alpaca, ShareGPT, tables, cases, or logged answers with feedback."""
    from rung.show_data import import_and_show

    import_and_show(folder, file, to, columns, held_out, as_json, skip=skip, dry=dry)


@app.command(epilog="Example: `rung synthesize shop --number 200 --model endpoint:llama3@http://127.0.0.1:8000/v1`")
def synthesize(
    folder: Folder = Path(),
    number: Annotated[int, typer.Option(min=2, help="Made questions to bring the project to.")] = 200,
    share: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of them to measure on; the rest is to train on.")] = 0.3,
    model: Annotated[str, typer.Option(help="Who writes them; the project's model if not given.", metavar="SPEC")] = "",
    cut: Annotated[bool, typer.Option("--cut", help="Ask no model: cut gaps into the documents' sentences.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make cases and examples from the documents; each document stands on one side. Ctrl-C keeps what was written."""
    from rung.show_data import synthesize_and_show

    synthesize_and_show(folder, number, share, model, as_json, cut=cut)


@app.command(epilog='Example: `rung index shop --explain "How long is the warranty?"`')
def index(
    folder: Folder = Path(),
    explain: Annotated[str, typer.Option(help="A question: show each passage's ranks and scores, and why it was found or not.")] = "",
    ray: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Do the work on a Ray cluster: HOST:PORT, auto, or local to start one here.")
    ] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Stay and follow every change until Ctrl-C.")] = False,
    listen: Annotated[str, typer.Option(help="Stay and take documents by HTTP at this address until Ctrl-C.", metavar="HOST:PORT")] = "",
    listed: Annotated[bool, typer.Option("--list", help="List the versions that can be opened again; change nothing.")] = False,
    at: At = "",
    purge: Annotated[bool, typer.Option("--purge", help="Delete all earlier versions, and what was deleted since with them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the index up to date with the documents, or show its history."""
    from rung.show import history_and_show, index_and_show, one_of, watch_and_show

    past = bool(listed or at or purge)
    one_of({"the history (--list, --at, --purge)": past, "--listen": listen, "--watch": watch, "--explain": explain})
    if past:
        history_and_show(folder, as_json, at, purge=purge)
    elif listen:
        from rung.serve.listening import listen as take

        take(folder, listen)
    elif watch:
        watch_and_show(folder, as_json, ray)
    else:
        index_and_show(folder, as_json, explain, ray)


@app.command(epilog='Example: `rung ask "How long is the warranty?" shop --rung rag`')
def ask(
    question: Annotated[str, typer.Argument(help="The question.")],
    folder: Folder = Path(),
    rung: Annotated[str, typer.Option(help="Which rung answers.", autocompletion=_rungs)] = "rag",
    adapter: Annotated[str, typer.Option(help="Answer with this adapter: a label, or the beginning of a hash.")] = "",
    model: Annotated[str, typer.Option(help="Answer with this base model: its short name, or as rung.toml names it.")] = "",
    user: User = "",
    where: Annotated[list[str] | None, typer.Option(help="Only documents with this metadata, such as year>=2024; repeatable.")] = None,
    at: At = "",
    chat: Annotated[bool, typer.Option("--chat", help="Stay and take more questions, until an empty line or Ctrl-D.")] = False,
    as_json: AsJson = False,
) -> None:
    """Answer one question, streamed, and show the sources; with --chat a conversation that it begins."""
    from rung.answering import ask_and_show

    ask_and_show(folder, question, rung, as_json, user, tuple(where or ()), at, adapter, model, chat=chat)


@app.command(epilog="Example: `rung train shop --rung raft`, or on two GPUs `torchrun --nproc-per-node 2 -m rung train shop`")
def train(
    folder: Folder = Path(),
    rung: Annotated[str, typer.Option(help="tuned (also serves hybrid) or raft.", autocompletion=_trained)] = "tuned",
    embedder: Annotated[bool, typer.Option("--embedder", help="Train the search's embedder instead.")] = False,
    lr_range: Annotated[bool, typer.Option("--lr-range", help="Only show the loss over learning rates, and suggest one.")] = False,
    budget: Annotated[str, typer.Option(help="Search for the best settings so long, such as 30m or 2h.", metavar="TIME")] = "",
    estimate: Annotated[bool, typer.Option("--estimate", help="Train nothing: say what it would take.")] = False,
    raft_sweep: Annotated[bool, typer.Option("--raft-sweep", help="Only compare raft's settings on the rows set aside.")] = False,
    specialist: Annotated[
        bool, typer.Option("--specialist", help="Train the rung encoder (classify) or extractor (extract) instead.")
    ] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="End the jobs that wait on a remote tuner.")] = False,
    allow: Annotated[list[str] | None, typer.Option(help="Train in spite of this finding; repeatable.", metavar="FINDING")] = None,
    as_json: AsJson = False,
) -> None:
    """Train the adapter of a rung. Ctrl-C keeps what was learned; the same command goes on."""
    from rung.show_training import train_or

    instead = {"--embedder": embedder, "--specialist": specialist, "--lr-range": lr_range, "--raft-sweep": raft_sweep, "--cancel": cancel}
    instead["--estimate"] = estimate
    train_or(folder, rung, as_json, tuple(allow or ()), budget, instead)


@app.command(epilog="Example: `rung rows trl exported shop`")
def rows(
    form: Annotated[str, typer.Argument(help="openai, trl or axolotl.", metavar="FORMAT")],
    out: Annotated[Path, typer.Argument(help="A folder of its own for the files.")],
    folder: Folder = Path(),
    rung: Annotated[str, typer.Option(help="Whose rows: tuned or raft (with passages).", autocompletion=_trained)] = "tuned",
    allow: Annotated[list[str] | None, typer.Option(help="Write in spite of this finding; repeatable.", metavar="FINDING")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the training rows for another trainer: OpenAI's files, TRL with a script, or Axolotl with a configuration."""
    from rung.show_data import rows_and_show

    rows_and_show(folder, form, out, rung, as_json, tuple(allow or ()))


@app.command(epilog="Example: `rung climb shop --rung prompt --rung rag`, and before it `rung climb shop --plan`")
def climb(
    folder: Folder = Path(),
    rung: Annotated[list[str] | None, typer.Option(help="Only these rungs; repeat the option.", autocompletion=_rungs)] = None,
    model: Annotated[list[str] | None, typer.Option(help="With these base models, the smallest first; repeat the option.")] = None,
    workers: Workers = None,
    user: User = "",
    at: At = "",
    plan: Annotated[bool, typer.Option("--plan", help="Ask nothing: say how many cases tell the rungs apart.")] = False,
    difference: Annotated[
        list[float] | None, typer.Option(min=0, max=1, help="With --plan: a difference to tell, such as 0.05; repeatable.")
    ] = None,
    stop_early: Annotated[bool | None, typer.Option("--stop-early", help="Stop when it is certain which rung is chosen.")] = None,
    repeat: Annotated[int | None, typer.Option(min=1, max=100, help="Ask so often, each time with another seed.", metavar="N")] = None,
    against: Annotated[
        str, typer.Option(help="Compare with an earlier run; exit with 1 where something became worse.", metavar="RUN")
    ] = "",
    margin: Annotated[float | None, typer.Option(min=0, max=1, help="A rung worse by less is as good; with --against: let pass.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure every rung on the held-out cases, decide, and write the report."""
    from rung.gating import gate_and_show
    from rung.planning import plan_and_show
    from rung.show import climb_and_show

    rungs, models, changes = tuple(rung or ()), tuple(model or ()), {"stop_early": stop_early, "repeat": repeat}
    if difference and not plan:
        raise ConfigError("--difference is about a plan", "add --plan, or leave it out")
    if plan:
        plan_and_show(folder, rungs, tuple(difference or ()), against, as_json, changes, models)
    elif against:
        gate_and_show(folder, against, margin or 0.0, rungs, workers, as_json, user, at, changes, models)
    else:
        climb_and_show(folder, rungs, workers, as_json, user, at, changes | {"margin": margin}, models)


@app.command(epilog="Example: `rung report shop`")
def report(
    folder: Folder = Path(),
    mlflow: Annotated[str, typer.Option(help="Put its figures and the adapters into MLflow there instead.", metavar="URI")] = "",
    as_json: AsJson = False,
) -> None:
    """Show the last climb again and write its report anew, without asking a model."""
    from rung.show import report_and_show
    from rung.tracking import export_and_show

    export_and_show(folder, mlflow, as_json) if mlflow else report_and_show(folder, as_json)


@app.command(epilog="Example: `rung freshness shop --before shop/history --cases shop/history-cases.jsonl`")
def freshness(
    folder: Folder = Path(),
    before: Annotated[Path, typer.Option(help="A folder with older versions of documents, under the same paths.")] = Path("history"),
    cases: Annotated[Path | None, typer.Option(help="The questions with their old answers; the project's own if not given.")] = None,
    rung: Annotated[list[str] | None, typer.Option(help="Only these rungs; repeat the option. By default rag and tuned.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change documents and ask what changed: how stale each rung's answers are, and for how long."""
    from rung.show import freshness_and_show

    freshness_and_show(folder, before, cases, tuple(rung or ()), as_json)


@app.command(epilog="Example: `rung diagnose shop --answers answers.jsonl`")
def diagnose(
    folder: Folder = Path(),
    rung: Annotated[str, typer.Option(help="Which rung is diagnosed.", autocompletion=_rungs)] = "rag",
    answers: Annotated[Path | None, typer.Option(help="Recorded answers of any system, a JSON line each: id, answer, passages.")] = None,
    endpoint: Annotated[str, typer.Option(help="Any OpenAI-compatible system: MODEL@URL.")] = "",
    cases: Annotated[int, typer.Option(min=1, help="At most so many cases are asked.")] = 100,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Why a system fails: each wrong answer replayed without a judge, the causes counted, and how far each rung could get."""
    from rung.diagnosing import diagnose_and_show

    diagnose_and_show(folder, rung, answers, endpoint, cases, workers, as_json)


@app.command(epilog="Example: `rung cost shop --questions 10000 --months 24`")
def cost(
    folder: Folder = Path(),
    prices: Annotated[Path | None, typer.Option(help="A tariff of your own; what it leaves out is the packaged one's.")] = None,
    questions: Annotated[float | None, typer.Option(min=0.01, help="Questions a day.")] = None,
    months: Annotated[float | None, typer.Option(min=0.01, help="How long it will be used.")] = None,
    hosted: Annotated[str, typer.Option(help="yes: tokens are paid; no: your machine's time; auto: by where the model ran.")] = "auto",
    write: Annotated[Path | None, typer.Option(help="Write the packaged tariff to this file, to start from.")] = None,
    as_json: AsJson = False,
) -> None:
    """What the rungs of the last climb cost to build, run and keep, where two of them cross, and which assumption decides."""
    from rung.costing import cost_and_show, write_tariff

    if write:
        write_tariff(write)
    else:
        cost_and_show(folder, prices, questions, months, hosted, as_json)


@app.command(epilog="Example: `rung advise --answers situation.toml`")
def advise(
    folder: Annotated[Path | None, typer.Argument(help="A project whose own files answer what they can.")] = None,
    answers: Annotated[Path | None, typer.Option(help="A TOML file with the answers, instead of the interview.")] = None,
    save: Annotated[Path | None, typer.Option(help="Write the answers to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Advise without data: a short interview, the rungs in order, which rule said so, and what measurement would overturn it."""
    from rung.advising import advise_and_show

    advise_and_show(folder, answers, save, as_json)


@app.command(epilog="Example: `rung doctor shop`")
def doctor(
    folder: Folder = Path(),
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port that `rung serve` is to take.")] = 8321,
    as_json: AsJson = False,
) -> None:
    """Check the installation and the project: what is there, what is missing, and how to get it. Exits 1 where something is wrong."""
    from rung.doctor import doctor_and_show

    if not doctor_and_show(folder, port, as_json):
        raise typer.Exit(1)


@app.command(epilog="Example: `rung claims examples/harbor`")
def claims(
    folder: Annotated[Path | None, typer.Argument(help="A project; one that was never climbed is climbed first.")] = None,
    data: Annotated[Path | None, typer.Option(help="A folder of projects, all of which are measured on.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Also what climbs or trains anew: fifty passages, full fine-tuning.")] = False,
    as_json: AsJson = False,
) -> None:
    """Headlines of the field's guides, measured again on your own runs: what held, what did not, what can't be told here."""
    from rung.claims.table import claims_and_show

    claims_and_show(folder, data, full, as_json)


app.add_typer(cli_adapters.app, name="adapters")
app.add_typer(cli_judge.app, name="judge")
app.command(epilog="Example: `rung export support/prod shop --to support-gguf --format gguf --quantise q8_0`")(cli_adapters.export)
app.command(epilog="Example: `rung forget hr/jane.md --project shop --delete-source --retrain`")(cli_adapters.forget)
app.command(epilog="Example: `rung serve shop --port 8321`")(cli_serve.serve)
app.command(epilog="Example: `rung mcp shop --as anna`")(cli_serve.mcp)
app.command(epilog="Example: `rung watch shop --since 7d`")(cli_serve.watch)
app.add_typer(cli_serve.keys, name="keys")
app.add_typer(cli_serve.audit, name="audit")


def main() -> None:
    """Run the command line; `--debug` anywhere shows the traceback of an error."""
    # Threads of OpenMP that wait spin, and keep the one they wait for from its core where others work beside us: with two other
    # threads busy on four cores a training took ten times as long and more. Read when torch loads; costs nothing on a free machine.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    debug = "--debug" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter is no reason to stop
    try:
        app(prog_name="rung")
    except RungError as error:
        if debug:
            raise
        refuse(error.message, error.hint)
    except OSError as error:
        if debug:
            raise
        refuse(*_told(error))
    except (KeyboardInterrupt, SystemExit) as stop:
        if isinstance(stop, SystemExit) and stop.code != INTERRUPTED:
            raise
        with suppress(SystemExit):
            refuse("interrupted; what was finished is kept", "run the same command again: it goes on where it stopped")
        sys.stdout.flush()
        os._exit(2)  # Python may end with a signal instead, where it was interrupted within an import


def _told(error: OSError) -> tuple[str, str]:
    what = error.filename or "a file"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{what} can't be written: {error.strerror}", "make room or mend the permissions; what was finished is kept"
    return f"{what} can't be used: {error.strerror or error}", "check the path; --debug shows where it was used"


def refuse(message: str, hint: str) -> NoReturn:
    """Say what is wrong and what to do, and exit with 2."""
    typer.echo(f"error: {message}", err=True)
    if hint:
        typer.echo(f"hint: {hint}", err=True)
    raise SystemExit(2)
