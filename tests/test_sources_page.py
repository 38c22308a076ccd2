"""The page on sources tells the truth: its tables are valid, its commands run and print what it says, every format is in it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rung.config import read_config
from rung.knowledge.languages import LANGUAGES
from rung.knowledge.read import READERS
from rung.sources import KINDS

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "sources.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
TABLES = [text for kind, text in BLOCKS if kind == "toml"]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.splitlines()[1])
def test_the_tables_are_valid(table: str, tmp_path: Path) -> None:
    (tmp_path / "rung.toml").write_text(table)
    assert len(read_config(tmp_path / "rung.toml").knowledge.sources) == table.count("[[knowledge.sources]]")


@pytest.mark.parametrize("page", ["knowledge.md", "search.md", "citations.md", "access.md"])
def test_the_tables_of_other_pages_are_valid(page: str, tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[1] / "docs" / page).read_text(encoding="utf-8")
    for table in re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        (tmp_path / "rung.toml").write_text(table)
        assert read_config(tmp_path / "rung.toml")


def test_every_kind_and_every_format_is_there() -> None:
    assert set(re.findall(r'^kind = "(\w+)"', "\n".join(TABLES), re.MULTILINE)) == set(KINDS)
    words = PAGE.lower()
    spelt = {".md": "markdown", ".txt": "text", ".rst": "restructuredtext", ".jsonl": "json lines", ".htm": "html"}
    for ending in READERS.keys() - LANGUAGES.keys() - {".markdown", ".mdx", ".text", ".ndjson"}:
        assert spelt.get(ending, ending[1:]) in words, ending


def test_the_commands_run_and_print_what_the_page_says(tmp_path: Path) -> None:
    (script,) = [text for kind, text in BLOCKS if kind == "bash"]
    (told,) = [text for kind, text in BLOCKS if kind == "text"]
    named = f'rung() {{ "{sys.executable}" -m rung "$@"; }}\n'
    done = subprocess.run(["bash", "-c", named + script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(told)
