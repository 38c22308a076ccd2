"""The floors of the house: imports point down, there are no cycles, and the front door is light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "rung"
NOUNS = {"types", "errors", "config", "sections", "sources", "asking", "leaving"}
MAY_IMPORT = {
    "types": set(),
    "errors": set(),
    "leaving": set(),
    "asking": {"leaving"},
    "config": {"errors", "sections", "sources"},
    "sections": {"errors", "sources"},
    "sources": set(),
    "knowledge": NOUNS,
    "models": NOUNS | {"knowledge"},  # the reader runs on the embedder's weights and runtime
    "approach": NOUNS | {"knowledge", "models"},
    "tuning": NOUNS | {"knowledge", "approach", "models"},
    "measure": NOUNS | {"approach"},
    "workspace": NOUNS | {"knowledge", "models", "approach", "tuning", "measure"},
    "report": NOUNS | {"approach", "costs", "measure"},
    "parts": NOUNS | {"knowledge", "models", "approach", "workspace"},
    "climb": NOUNS | {"models", "approach", "measure", "workspace", "parts"},
    "runs": NOUNS | {"measure", "workspace", "climb"},
    "reporting": NOUNS | {"costing", "costs", "measure", "workspace", "climb", "runs", "report"},
    "project": NOUNS
    | {"knowledge", "approach", "measure", "workspace", "parts", "climb", "runs", "planning", "reporting"}
    | {"freshness", "diagnosing", "costs", "costing", "advice", "advising"},
    "freshness": NOUNS | {"knowledge", "approach", "measure", "workspace", "parts"},
    "circumstances": NOUNS | {"knowledge", "approach", "measure", "workspace", "parts", "climb", "runs", "costs", "costing"},
    "diagnosing": NOUNS | {"knowledge", "models", "approach", "measure", "workspace", "parts", "circumstances", "report", "show"},
    "planning": NOUNS | {"approach", "measure", "workspace", "runs", "show"},
    "judging": NOUNS | {"models", "measure", "workspace", "climb", "runs", "report", "reporting", "show"},
    "cli_judge": NOUNS | {"judging"},
    "gating": NOUNS | {"measure", "workspace", "climb", "runs", "reporting", "show"},
    "costs": NOUNS | {"approach", "measure"},
    "costing": NOUNS | {"approach", "costs", "measure", "workspace", "climb", "report", "runs", "show"},
    "advice": NOUNS | {"approach"},
    "advising": NOUNS | {"advice", "circumstances", "knowledge", "workspace", "runs", "show"},
    "show": NOUNS
    | {"knowledge", "models", "approach", "tuning", "measure", "workspace", "report", "reporting", "climb", "runs", "freshness"},
    "claims": NOUNS | {"models", "measure", "workspace", "climb", "runs", "freshness", "costs", "costing", "show"},
    "show_training": NOUNS | {"knowledge", "approach", "tuning", "workspace", "show"},
    "answering": NOUNS | {"knowledge", "approach", "workspace", "parts", "show"},
    "doctor": NOUNS | {"knowledge", "models", "tuning", "workspace", "show"},
    "tracking": NOUNS | {"workspace", "climb", "runs", "show"},
    "monitoring": NOUNS | {"knowledge", "approach", "tuning", "measure", "workspace", "climb", "runs"},
    "show_monitoring": NOUNS | {"monitoring", "workspace", "report", "show", "show_serving"},
    "serve": NOUNS
    | {
        "knowledge",
        "models",
        "approach",
        "tuning",
        "measure",
        "workspace",
        "parts",
        "climb",
        "runs",
        "circumstances",
        "advice",
        "monitoring",
    },
    "cli": NOUNS
    | {
        "workspace",
        "climb",
        "report",
        "show",
        "show_data",
        "show_training",
        "cli_adapters",
        "cli_judge",
        "cli_serve",
        "answering",
        "serve",
        "advising",
        "costing",
        "diagnosing",
        "gating",
        "tracking",
        "planning",
        "doctor",
        "claims",
    },
    "show_data": NOUNS | {"tuning", "workspace", "report", "show"},
    "show_adapters": NOUNS | {"workspace", "report", "show"},
    "cli_adapters": NOUNS | {"show_adapters"},
    "show_serving": NOUNS | {"measure", "workspace", "show"},
    "cli_serve": NOUNS | {"show_serving", "show_monitoring", "serve"},
    "__init__": {"project", "types"},
    "__main__": {"cli"},
}
FILES = sorted(SOURCE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, *, at_import_time: bool = False) -> set[str]:
    """Names of `rung` modules imported anywhere in a file, or only those that run when it is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(_top_level(tree.body)) if at_import_time else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.split(".")[0] == "rung"}


def _top_level(body: list[ast.stmt]) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        found.append(node)
    return found


def wing(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_down(path: Path) -> None:
    own = wing(path)
    for name in imported(path):
        parts = name.split(".")
        if len(parts) > 1 and parts[1] in MAY_IMPORT and parts[1] != own:
            assert parts[1] in MAY_IMPORT[own], f"{own} may not import {name}"


def test_there_are_no_import_cycles() -> None:
    modules = {module_name(path): path for path in FILES}
    edges = {name: {i for i in imported(path, at_import_time=True) if i in modules and i != name} for name, path in modules.items()}
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join([*above, name])
        if name not in done:
            for target in edges[name] - {"rung"}:
                visit(target, (*above, name))
            done.add(name)

    for name in modules:
        visit(name, ())


@pytest.mark.parametrize(
    "code", ["import rung", "import sys; sys.argv = ['rung', '--help']\nfrom rung.cli import app\napp(standalone_mode=False)"]
)
def test_the_front_door_is_light(code: str) -> None:
    tail = "\nimport json, sys, time\nprint()\nprint(json.dumps([time.process_time(), sorted(sys.modules)]))"
    runs = [subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, check=True) for _ in range(3)]
    seconds, modules = min((json.loads(run.stdout.splitlines()[-1]) for run in runs), key=lambda pair: pair[0])
    assert not {"torch", "numpy", "transformers", "lancedb"} & set(modules)
    # The one budget on CPU time that the project promises: process time, the best of three, so a busy machine can't fail it.
    assert seconds < 0.25, f"{seconds:.3f} s of CPU"


def test_exceptions_are_not_swallowed() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"{path.name}:{node.lineno} catches everything"
                broad = isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
                reraises = any(isinstance(inner, ast.Raise) or "_put" in ast.dump(inner) for inner in ast.walk(node))
                assert not broad or reraises, f"{path.name}:{node.lineno} swallows exceptions"


def test_every_module_says_what_it_does() -> None:
    for path in FILES:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{path} has no docstring"
