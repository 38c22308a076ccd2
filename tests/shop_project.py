"""A small project and the real command on it, for the tests of the command line."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

TOML = """\
[project]
name = "shop"
cases = "cases.jsonl"
examples = "examples.jsonl"
bar = 0.5

[model]
name = "local:model"
max_tokens = 6
{model}
[knowledge]
embedder = "hashing"
index = "exact"
k = 2

[tuning]
rank = 2
epochs = 2

{more}
"""


def rung(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the real command."""
    return subprocess.run([sys.executable, "-m", "rung", *words], capture_output=True, text=True, timeout=180, cwd=folder, check=False)


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2, one sentence and one hint, no traceback, and these words."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert [line for line in lines if line.startswith("error: ")], done.stderr
    assert [line for line in lines if line.startswith("hint: ")], done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def write_toml(folder: Path, model: str = "", more: str = "") -> None:
    (folder / "rung.toml").write_text(TOML.format(model=model, more=more))


def small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # a write beyond fails as one to a full disk does
