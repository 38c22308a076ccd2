"""Asks what advice needs to know, or reads it from a file or a project, and shows the advice. It measures nothing and asks no model."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rung.advice.advise import Advice, Advised, advise
from rung.advice.situation import Situation, as_toml, read_situation, situation
from rung.circumstances import TOKEN
from rung.errors import ConfigError, DataError


def advise_and_show(folder: Path | None, answers: Path | None, save: Path | None, as_json: bool) -> None:
    """The advice for the answers in a file, or for those typed in, in which a project's own facts are the defaults."""
    if answers:
        told = read_situation(answers)
    elif sys.stdin.isatty():
        told = _interview(known(folder) if folder else {})
    elif folder:
        told = situation(known(folder), "the project")
    else:
        raise ConfigError("there is no terminal to ask in", "name a file with --answers; --save in a terminal writes one")
    if save:
        save.write_text(as_toml(told), encoding="utf-8")
    advice = advise(told)
    if as_json:
        from rung.show import print_json

        print_json({"situation": told.model_dump(), **asdict(advice)})
    else:
        _show(advice)


def known(folder: Path) -> dict[str, Any]:
    """What a project's own files tell: size of the knowledge, examples, limits, and what the prompt rung got right when last measured."""
    from rung.knowledge.gather import gather
    from rung.workspace import workspace as w
    from rung.workspace.ignoring import remembered
    from rung.workspace.places import places

    ws = w.open_workspace(folder)
    config = ws.config
    sources = config.knowledge.default_folder or config.knowledge.sources
    read = remembered(ws.folder, gather(places(ws))).documents if sources else []
    told: dict[str, Any] = {
        "facts": bool(read),
        "knowledge_tokens": sum(len(document.text) for document in read) // TOKEN,
        "examples": len(w.examples(ws)),
        "citations": config.limits.citation_recall is not None,
        "private": config.limits.private,
        "prompt_right": _prompt_right(ws),
    }
    if config.project.task != "answer" or config.project.form:
        told["behaviour"] = ("labels",) if config.project.task == "classify" else ("format",)
    if config.limits.seconds_p95:
        told["seconds_p95"] = config.limits.seconds_p95
    return told


def _prompt_right(ws: Any) -> float | None:
    from rung.runs import last_climb

    try:
        climbed = last_climb(ws)
    except DataError:
        return None
    return next((one.summary.primary.estimate for one in climbed.rungs if one.summary.name == "prompt" and one.summary.ran), None)


def _interview(defaults: dict[str, Any]) -> Situation:
    """One question after the other; an empty answer takes what stands in brackets, and a wrong one is asked again."""
    told: dict[str, Any] = {}
    start = situation(defaults, "the project")
    for name, field in Situation.model_fields.items():
        while True:
            typed = _asked(str(field.description), getattr(start, name))
            try:
                told[name] = getattr(situation({name: typed}, "your answer"), name)
                break
            except ConfigError as error:
                print(error.message.removeprefix("your answer: "), file=sys.stderr)
    return Situation(**told)


def _asked(question: str, default: Any) -> Any:
    """What was typed, as the type of the default."""
    said = {"True": "yes", "False": "no", "None": "not measured"}  # by their words, since 0 equals False
    shown = ", ".join(default) if isinstance(default, tuple) else said.get(str(default), default)
    typed = input(f"{question} [{shown}] ").strip()
    if not typed:
        return default
    if isinstance(default, tuple):
        return tuple(part for part in typed.replace(",", " ").split() if part not in ("none", "nothing"))
    if isinstance(default, bool):
        return {"y": True, "yes": True, "n": False, "no": False}.get(typed.lower(), typed)
    return typed.replace(",", "").replace("_", "") if isinstance(default, int | float) else typed


def _show(advice: Advice) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("", "rung", "points", "why"):
        table.add_column(column, justify="right" if column == "points" else "left", no_wrap=column != "why")
    for place, one in enumerate(advice.ranked, 1):
        table.add_row("-" if one.out else str(place), one.rung, "out" if one.out else f"{one.points:+d}", _because(one))
    console = Console()
    console.print(table, highlight=False)
    best = advice.ranked[0]
    print(f"\n{advice.first}")
    for reason in sorted(best.reasons, key=lambda reason: -abs(reason.points)):
        print(
            f"  {reason.points:+d} {reason.rule}: {reason.because}\n     source: {reason.source}\n     overturned by: {reason.overturned}"
        )
    print("\nadvice: measure before you build: " + " ".join(["rung climb", *(f"--rung {rung}" for rung in advice.measure)]))


def _because(one: Advised) -> str:
    deciding = sorted(one.reasons, key=lambda reason: reason.points if one.out else -abs(reason.points))
    return "; ".join(f"{reason.rule} ({'out' if reason.points < -50 else f'{reason.points:+d}'})" for reason in deciding)
