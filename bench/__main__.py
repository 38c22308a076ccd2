"""Runs one benchmark by name: `python -m bench NAME [--small]`, or all of them. It refuses names that are no file here."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path


def main() -> None:
    """Each module's `run(small)` prints a table and returns figures by plain names, which are the last line as JSON."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks against the best peers.")
    parser.add_argument("name", choices=[*names, "all"])
    parser.add_argument("--small", action="store_true", help="a small share of the work, for a quick look")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what takes long to make there, and go on with it")
    asked = parser.parse_args()
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as the command line has it, for a machine that others use too
    for name in names if asked.name == "all" else [asked.name]:
        run = importlib.import_module(f"bench.{name}").run
        keeps = asked.keep and "keep" in inspect.signature(run).parameters
        if asked.keep and not keeps and asked.name != "all":
            parser.error(f"{name} makes nothing worth keeping: leave --keep out")
        found: Mapping[str, object] = run(asked.small, **({"keep": asked.keep} if keeps else {}))
        print(json.dumps(found))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
