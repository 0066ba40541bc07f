"""Tables as plain text, for a terminal or a log."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from csg_analyze.report.tables import Cell, ShownTable

BETWEEN, EDGES = 3, 2
"""Blanks between two columns, and those at both ends of a line together."""


def plain_text(table: ShownTable, width: int = 80, *, turn: bool = False) -> str:
    """A table for a terminal or a log: no markup, no colour, no trailing blanks, no newline at the end.

    width: in characters. A table that is wider is printed in parts, each with its first column. turn: its columns are
    written one below the other then. Only texts that are too long by themselves are broken.
    """
    header = tuple(Cell(name) for name, _ in table.columns)
    lines: list[Sequence[Cell]] = [header, *table.rows]
    numeric = [number for _, number in table.columns]
    if turn and _total(lines) > width:
        lines = [list(line) for line in zip(*lines, strict=True)]
        numeric = [False] + [True] * len(table.rows)
    parts = (
        _printed([[line[i] for i in part] for line in lines], [numeric[i] for i in part], width)
        for part in _parts(lines, width)
    )
    return "\n\n".join(parts)


def _widths(lines: Sequence[Sequence[Cell]]) -> list[int]:
    return [max(cell_len(line[column].text) for line in lines) for column in range(len(lines[0]))]


def _total(lines: Sequence[Sequence[Cell]]) -> int:
    return EDGES + sum(_widths(lines)) + BETWEEN * (len(lines[0]) - 1)


def _parts(lines: Sequence[Sequence[Cell]], width: int) -> list[list[int]]:
    """Columns that fit side by side, with the first column in every part."""
    first, *others = (min(each, width // 2 - EDGES) for each in _widths(lines))
    parts: list[list[int]] = [[0]]
    used = EDGES + first
    for column, each in enumerate(others, 1):
        if used + BETWEEN + each > width and len(parts[-1]) > 1:
            parts.append([0])
            used = EDGES + first
        parts[-1].append(column)
        used += BETWEEN + each
    return parts


def _printed(lines: Sequence[Sequence[Cell]], numeric: Sequence[bool], width: int) -> str:
    header, *rows = lines
    printed = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for entry, number in zip(header, numeric, strict=True):
        printed.add_column(Text(entry.text), justify="right" if number else "left", overflow="fold")
    for row in rows:
        printed.add_row(*(Text(entry.text) for entry in row))
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None, force_terminal=False).print(printed)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines() if line.strip())
