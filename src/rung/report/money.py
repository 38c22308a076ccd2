"""The page of `rung cost`: cost against volume with the crossings, and against quality, in one file that asks nothing of a network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rung.report.html import HERE, inert


def write_page(told: Mapping[str, Any], path: Path) -> None:
    """Write the page, replacing an older one at once."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
    environment.filters["money"] = money
    page = environment.get_template("money.html").render(
        told=told,
        data=inert(told),
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=(HERE / "money.js").read_text(encoding="utf-8"),
        charts=(HERE / "vendor" / "echarts.common.min.js").read_text(encoding="utf-8"),
    )
    temporary = path.with_suffix(".tmp")
    temporary.write_text(page, encoding="utf-8")
    os.replace(temporary, path)


def money(value: float | None) -> str:
    """Three digits, and thousands apart; None is never."""
    if value is None:
        return "never"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
