"""Writes rows as a Markdown table. It refuses to let a cell break the row it stands in."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]]) -> str:
    """The first row as the header; shorter rows are filled up. "" without rows."""
    if not rows:
        return ""
    width = max(map(len, rows))
    lines = [_line([*map(_cell, row), *[""] * (width - len(row))]) for row in rows]
    return "\n".join([lines[0], _line(["---"] * width), *lines[1:]])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
