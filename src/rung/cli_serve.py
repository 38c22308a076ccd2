"""The verbs about serving: `rung serve`, `rung keys …` and `rung audit …`; each hands on to what does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

keys = typer.Typer(no_args_is_help=True, help="Add, list and revoke API keys.")
audit = typer.Typer(no_args_is_help=True, help="Verify, export and prune the audit log.")
Folder = Annotated[Path, typer.Argument(help="The project's folder, which holds rung.toml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def serve(
    folder: Annotated[
        list[Path] | None, typer.Argument(help="The project's folder; several, or a folder of projects, stand at /p/NAME.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on; others than this machine's need a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes any that is free.")] = 8321,
    workers: Annotated[int, typer.Option(min=1, help="Processes; each loads the model, so more than one is for endpoints.")] = 1,
) -> None:
    """Answer over HTTP as OpenAI's API does: every rung and every labelled adapter is a model."""
    from rung.serve.serving import serve as answer

    answer(folder or [Path()], host, port, workers)


def mcp(
    folder: Folder = Path(),
    user: Annotated[str, typer.Option("--as", help="With access lists: the user on whose behalf documents are read.", metavar="USER")] = "",
    group: Annotated[list[str] | None, typer.Option(help="A group that the user is in; repeatable.")] = None,
    model: Annotated[str, typer.Option(help="What answers where an agent names nothing: a rung, or the label of an adapter.")] = "rag",
) -> None:
    """Offer ask, search and sources as tools to an agent, over the Model Context Protocol on stdin and stdout."""
    from rung.serve.agents import serve_agents

    serve_agents(folder, user, tuple(group or ()), model)


def watch(
    folder: Folder = Path(),
    since: Annotated[str, typer.Option(help="How far back, such as 7d or 12h.", metavar="AGE")] = "7d",
    take: Annotated[str, typer.Option(help="Make a row of this corrected or well-rated answer.", metavar="ID")] = "",
    to: Annotated[str, typer.Option("--as", help="With --take: case (to measure on) or example (to train on).")] = "",
    canary: Annotated[bool, typer.Option("--canary", help="Ask the server some cases again; exit with 1 where it became worse.")] = False,
    url: Annotated[
        str, typer.Option(help="With --canary: the server; RUNG_KEY holds its key, or one is made for the time.")
    ] = "http://127.0.0.1:8321",
    model: Annotated[str, typer.Option(help="With --canary: what is asked; by default what the last climb chose.")] = "",
    cases: Annotated[int, typer.Option(min=1, help="With --canary: how many cases.")] = 20,
    as_json: AsJson = False,
) -> None:
    """What became of the served project: traffic, times, cost, gaps, drift, feedback, and what to do about them."""
    from rung import show_monitoring as shown

    if take:
        shown.take_and_show(folder, take, to, as_json)
    elif canary:
        shown.canary_and_show(folder, url, model, cases, as_json)
    else:
        shown.watch_and_show(folder, since, as_json)


@keys.command("add", epilog="Example: `rung keys add intranet shop --user anna --group desk --model rag --per-minute 60`")
def keys_add(
    name: Annotated[str, typer.Argument(help="Who or what the key is for.")],
    folder: Folder = Path(),
    user: Annotated[str, typer.Option(help="With access lists: on whose behalf documents are read.")] = "",
    group: Annotated[list[str] | None, typer.Option(help="A group that the key is in; repeatable.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="Only these models, such as rag or 'support/*'; repeatable.")] = None,
    role: Annotated[str, typer.Option(help="reader, editor or admin.")] = "reader",
    per_minute: Annotated[int, typer.Option(min=0, help="Requests a minute; 0 for no limit.")] = 0,
    tokens: Annotated[int, typer.Option(min=0, help="Tokens a month; 0 for no limit.")] = 0,
    money: Annotated[float, typer.Option(min=0, help="Money a month, by [prices]; 0 for no limit.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Add a key and show it once."""
    from rung.show_serving import add_and_show

    limits = {"per_minute": per_minute, "tokens_a_month": tokens, "money_a_month": money}
    add_and_show(folder, name, as_json, user=user, groups=tuple(group or ()), models=tuple(model or ()), role=role, **limits)


@keys.command("list", epilog="Example: `rung keys list shop`")
def keys_list(folder: Folder = Path(), as_json: AsJson = False) -> None:
    """All keys without their secrets, and what each used this month."""
    from rung.show_serving import list_and_show

    list_and_show(folder, as_json)


@keys.command("revoke", epilog="Example: `rung keys revoke intranet shop`")
def keys_revoke(
    name: Annotated[str, typer.Argument(help="The key's name or id.")], folder: Folder = Path(), as_json: AsJson = False
) -> None:
    """Revoke a key; servers refuse it a second later."""
    from rung.show_serving import revoke_and_show

    revoke_and_show(folder, name, as_json)


@audit.command("verify", epilog="Example: `rung audit verify shop --head 412:9f2c…`")
def audit_verify(
    folder: Folder = Path(),
    head: Annotated[str, typer.Option(help="The head that was printed earlier: NUMBER:HASH.", metavar="HEAD")] = "",
    as_json: AsJson = False,
) -> None:
    """Walk the chain of the audit log and print its head, to be kept elsewhere."""
    from rung.show_serving import verify_and_show

    verify_and_show(folder, head, as_json)


@audit.command("export", epilog="Example: `rung audit export audit.jsonl shop`")
def audit_export(out: Annotated[Path, typer.Argument(help="The file to write, JSON Lines.")], folder: Folder = Path()) -> None:
    """Write all entries, a JSON object a line."""
    from rung.show_serving import export_and_show

    export_and_show(folder, out)


@audit.command("prune", epilog="Example: `rung audit prune shop --older-than 365d`")
def audit_prune(
    folder: Folder = Path(),
    older_than: Annotated[str, typer.Option(help="Age, such as 90d or 12h.", metavar="AGE")] = "365d",
    as_json: AsJson = False,
) -> None:
    """Delete old entries; the log says that they went, and the chain still holds."""
    from rung.show_serving import prune_and_show

    prune_and_show(folder, older_than, as_json)
