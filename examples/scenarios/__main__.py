"""Makes a project out of a public data set: `python -m examples.scenarios NAME DATA FOLDER`.

DATA is the folder that holds the set as published. Nothing is downloaded, and a folder that holds a project is refused.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from examples.scenarios.parts import Sizes, write
from rung.cli import refuse
from rung.errors import RungError

NAMES = ("banking77", "clinc150", "cuad", "fastapi", "handbook", "medquad", "tatqa", "torchhub")


def main(arguments: list[str] | None = None) -> None:
    """Read, split, write; one line says what was made."""
    parser = argparse.ArgumentParser(prog="python -m examples.scenarios", description="A project out of a public data set.")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("data", type=Path, help="the folder of the set, as published")
    parser.add_argument("folder", type=Path, help="where the project is written")
    parser.add_argument("--held", type=int, help="held-out cases; each scenario has a number of its own")
    parser.add_argument("--train", type=int, help="examples at most")
    parser.add_argument("--model", help="the model in rung.toml, instead of a bundled one")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    scenario = import_module(f"examples.scenarios.{asked.name}")
    sizes = Sizes(asked.held or scenario.SIZES[0], asked.train or scenario.SIZES[1], asked.seed)
    try:
        made = scenario.make(asked.data, sizes)
        write(asked.folder, made, asked.model)
    except RungError as error:
        refuse(error.message, error.hint)
    groups = len({case.group or case.id for case in made.cases})
    parts = f"{len(made.cases)} held-out cases in {groups} groups, {len(made.examples)} examples, {len(made.documents)} documents"
    print(f"{asked.folder}: {parts}; licence of the data: {made.licence}")


if __name__ == "__main__":
    main()
