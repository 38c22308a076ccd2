"""Writes the reference pages from the code: `make docs`; a test checks that they are current."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, get_args

ROOT = Path(__file__).resolve().parents[1]


def config_page() -> str:
    """Every key of rung.toml."""
    from rung.config import Config
    from rung.sources import BESIDE, KINDS

    lines = ["# rung.toml", "", "Generated from `rung.config` by `make docs`. Unknown keys are refused and the nearest one is named.", ""]
    for section, field in Config.model_fields.items():
        model = field.annotation
        listed = get_args(model)  # a list of tables
        lines += table(f"## [[{section}]]" if listed else f"## [{section}]", listed[0] if listed else model)
        if section == "serve":
            lines += table("### [serve.oidc]", model.model_fields["oidc"].annotation)
        if section == "knowledge":
            for kind, source in KINDS.items():
                lines += table(f'### [[knowledge.sources]] with kind = "{kind}"', source)
            for kind, beside in BESIDE.items():
                lines += table(f'### [[knowledge.also]] with kind = "{kind}"', beside)
    return "\n".join(lines)


def table(heading: str, model: Any) -> list[str]:
    """One section with a row for each key."""
    from pydantic import BaseModel
    from pydantic_core import PydanticUndefined

    lines = [heading, "", (model.__doc__ or "").strip(), "", "| key | default | what it does |", "|---|---|---|"]
    for key, option in model.model_fields.items():
        if key != "kind":
            default = "" if option.default is PydanticUndefined or isinstance(option.default, BaseModel) else f"`{option.default!r}`"
            lines.append(f"| `{key}` | {default} | {option.description} |")
    return [*lines, ""]


def cli_page() -> str:
    """`--help` of every verb."""
    from typer.testing import CliRunner

    from rung.cli import app

    os.environ.update({"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1"})
    lines = ["# The command line", "", "Generated from `rung --help` by `make docs`.", ""]
    named = [command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands]
    groups = [(group.name, group.typer_instance) for group in app.registered_groups if group.typer_instance]
    named += [f"{name} {one.name or getattr(one.callback, '__name__', '')}" for name, inner in groups for one in inner.registered_commands]
    for verb in ("", *named):
        said = CliRunner().invoke(app, [*verb.split(), "--help"], prog_name="rung").stdout
        lines += [f"## rung {verb}".rstrip(), "", "```text", *(line.rstrip() for line in said.strip("\n").splitlines()), "```", ""]
    return "\n".join(lines)


PAGES = {"config.md": config_page, "cli.md": cli_page}


def main() -> int:
    """Write the pages."""
    for name, make in PAGES.items():
        (ROOT / "docs" / "reference" / name).write_text(make(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
