"""Finds tables in the drawn lines of a PDF page and reads their cells. It refuses to guess tables that have no lines."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

NEAR = 3.0  # points: lines this near are one
SHORT = 6.0  # points: shorter lines are dots of an ornament
MOST_LINES = 1000  # a page with more is a drawing
MOST_SEGMENTS = 20_000  # so is a page with more of these


@dataclass(frozen=True)
class Ruled:
    """A table: its lower and upper edge in points from the bottom of the page, and its rows of cells."""

    bottom: float
    top: float
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class _Line:
    """A horizontal line at y = `at` from x = `low` to `high`, or a vertical one with x and y exchanged."""

    at: float
    low: float
    high: float


def ruled_tables(page: Any) -> list[Ruled]:
    """The tables of a pypdfium2 page that have lines between rows and columns, topmost first."""
    segments = list(islice(_segments(page), MOST_SEGMENTS))
    if len(segments) == MOST_SEGMENTS:
        return []
    level = _joined(_Line((y1 + y2) / 2, min(x1, x2), max(x1, x2)) for x1, y1, x2, y2 in segments if abs(y1 - y2) < 1)
    upright = _joined(_Line((x1 + x2) / 2, min(y1, y2), max(y1, y2)) for x1, y1, x2, y2 in segments if abs(x1 - x2) < 1)
    if not 2 < len(level) + len(upright) < MOST_LINES:
        return []
    text = page.get_textpage()
    found = [_table(text, rows, columns) for rows, columns in _grids(level, upright)]
    return sorted((table for table in found if table), key=lambda table: -table.top)


def _table(text: Any, level: Sequence[_Line], upright: Sequence[_Line]) -> Ruled | None:
    """The cells between the lines of one grid; None where it has no two columns and rows, or hardly holds text."""
    ys, xs = sorted(_places(level), reverse=True), sorted(_places(upright))
    if len(ys) < 3 or len(xs) < 3:
        return None
    cells = [[""] * (len(xs) - 1) for _ in ys[1:]]
    taken: set[tuple[int, int]] = set()
    for row in range(len(ys) - 1):
        for column in range(len(xs) - 1):
            if (row, column) in taken:
                continue
            right, below = column + 1, row + 1
            while right < len(xs) - 1 and not _crossed(upright, xs[right], (ys[row] + ys[row + 1]) / 2):
                right += 1
            while below < len(ys) - 1 and not _crossed(level, ys[below], (xs[column] + xs[column + 1]) / 2):
                below += 1
            taken |= {(r, c) for r in range(row, below) for c in range(column, right)}
            said = text.get_text_bounded(left=xs[column], bottom=ys[below], right=xs[right], top=ys[row])
            cells[row][column] = " ".join(said.replace("\ufffe", "").split())
    rows = tuple(tuple(row) for row in cells if any(row))
    told = sum(1 for row in rows for cell in row if cell)
    return Ruled(ys[-1], ys[0], rows) if len(rows) > 1 and 2 * told >= len(rows) * (len(xs) - 1) else None


def _crossed(lines: Iterable[_Line], at: float, where: float) -> bool:
    return any(abs(line.at - at) <= NEAR and line.low <= where <= line.high for line in lines)


def _places(lines: Iterable[_Line]) -> list[float]:
    """The distinct places of lines, those near each other as one."""
    places: list[float] = []
    for at in sorted(line.at for line in lines):
        if not places or at - places[-1] > NEAR:
            places.append(at)
    return places


def _joined(lines: Iterable[_Line]) -> list[_Line]:
    """Lines that continue or repeat each other as one; short ones are left out after that."""
    done: list[_Line] = []
    for line in sorted(lines, key=lambda line: (round(line.at), line.low)):
        last = done[-1] if done else None
        if last and abs(last.at - line.at) <= 1 and line.low <= last.high + NEAR:
            done[-1] = replace(last, high=max(last.high, line.high))
        else:
            done.append(line)
    return [line for line in done if line.high - line.low >= SHORT]


def _grids(level: Sequence[_Line], upright: Sequence[_Line]) -> Iterator[tuple[list[_Line], list[_Line]]]:
    """Lines that touch each other, group by group."""
    left = set(range(len(level) + len(upright)))
    while left:
        group, open_lines = set[int](), [left.pop()]
        while open_lines:
            one = open_lines.pop()
            group.add(one)
            if one < len(level):
                touched = {n + len(level) for n, line in enumerate(upright) if _touch(level[one], line)} & left
            else:
                touched = {n for n, line in enumerate(level) if _touch(line, upright[one - len(level)])} & left
            left -= touched
            open_lines += touched
        yield [level[n] for n in sorted(group) if n < len(level)], [upright[n - len(level)] for n in sorted(group) if n >= len(level)]


def _touch(level: _Line, upright: _Line) -> bool:
    return level.low - NEAR <= upright.at <= level.high + NEAR and upright.low - NEAR <= level.at <= upright.high + NEAR


def _segments(page: Any) -> Iterator[tuple[float, float, float, float]]:
    """Ends of the straight lines that the page draws: x1, y1, x2, y2."""
    from pypdfium2 import raw

    for shape in page.get_objects([raw.FPDF_PAGEOBJ_PATH], max_depth=1):
        matrix = shape.get_matrix()
        first = last = (0.0, 0.0)
        for number in range(max(0, raw.FPDFPath_CountSegments(shape))):
            segment = raw.FPDFPath_GetPathSegment(shape, number)
            x, y = ctypes.c_float(), ctypes.c_float()
            raw.FPDFPathSegment_GetPoint(segment, x, y)
            here = matrix.on_point(x.value, y.value)
            kind = raw.FPDFPathSegment_GetType(segment)
            if kind == raw.FPDF_SEGMENT_LINETO:
                yield (*last, *here)
            elif kind == raw.FPDF_SEGMENT_MOVETO:
                first = here
            if raw.FPDFPathSegment_GetClose(segment):
                yield (*here, *first)
            last = here
