"""The docs are current: generated pages match the code, files the README names exist, errors and extras are real."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("page", ["config.md", "cli.md"])
def test_the_generated_pages_are_current(page: str) -> None:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec
    assert spec.loader
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8") == generate.PAGES[page](), "run `make docs`"


def test_every_verb_has_an_example_in_its_help() -> None:
    from rung.cli import app

    groups = [group.typer_instance for group in app.registered_groups if group.typer_instance]
    for command in [*app.registered_commands, *(command for group in groups for command in group.registered_commands)]:
        assert command.epilog, command.callback
        assert command.epilog.startswith("Example: `rung ")


def test_what_the_documents_link_to_exists() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:", target):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_extra_named_in_an_error_is_in_pyproject() -> None:
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    for path in (ROOT / "src").rglob("*.py"):
        for named in re.findall(r"MissingExtra\([^,]+, \"([a-z,]+)\"", path.read_text(encoding="utf-8")):
            assert set(named.split(",")) <= extras, f"{path.name} names {named}"


def test_every_version_is_pinned() -> None:
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.+]+", line) for line in lines)
    assert "torch==2.13.0" in lines


def test_make_knows_the_promised_targets() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test", "test-all", "lint", "docs", "bench"):
        assert re.search(rf"^{target}:", makefile, re.M)


def test_the_python_example_of_the_readme_is_python() -> None:
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S):
        subprocess.run([sys.executable, "-c", f"import ast; ast.parse({block!r})"], check=True)


PAGES = sorted(page.name for page in (ROOT / "docs").glob("*.md") if "```python" in page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page_runs(page: str, tmp_path: Path) -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.S))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
