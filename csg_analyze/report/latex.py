"""Tables as LaTeX files that a paper inputs: each compiles under pdflatex and lualatex, and fits the width of a text.

A table that is too wide stands in parts, one below the other, each with the columns that tell its rows apart; nothing
is set smaller than the rest. One that is longer than a page is a longtable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from csg_analyze.report.latex_text import PREAMBLE, latex_text, width_of
from csg_analyze.report.writing import is_number
from csg_analyze.wording import cell

LATEX_ROWS, LATEX_EXCERPT = 2_000, 50
"""Of longer tables, the LaTeX file has only an excerpt; the CSV has all rows."""

TEXT_WIDTH = 345.0
"""Points, of \\documentclass{article} and of LNCS: narrower than the page of most papers."""

BETWEEN = 8.0
"""Points between two columns."""

WIDEST = 0.35 * TEXT_WIDTH
"""Points of the widest column of a table that does not fit; longer cells become paragraphs."""

PAGE_LINES = 45
"""Lines, of all parts together, that fit a page."""


@dataclass(frozen=True)
class _Column:
    """A column: its texts, which of them are bold, its alignment, and whether it is a paragraph of limited width."""

    title: str
    texts: Sequence[str]
    bold: Sequence[bool]
    align: str
    limited: bool = False

    @property
    def width(self) -> float:
        """In points, with the space beside it."""
        cells = (width_of(text, bold=bold) for text, bold in zip(self.texts, self.bold, strict=True))
        natural = max([width_of(self.title), *cells])
        return (min(natural, WIDEST) if self.limited else natural) + BETWEEN

    @property
    def letter(self) -> str:
        """As the preamble of a table has it."""
        return rf">{{\raggedright\arraybackslash}}p{{{WIDEST:.0f}pt}}" if self.limited else self.align

    def lines(self) -> list[int]:
        """How many lines the title and each text take, rather too many than too few."""
        widths = [width_of(self.title), *(width_of(text) for text in self.texts)]
        return [1 + int(1.2 * width / WIDEST) if self.limited and width > WIDEST else 1 for width in widths]

    def cells(self) -> Iterator[str]:
        """The title and the texts as LaTeX."""
        yield latex_text(self.title, breakable=self.limited)
        for text, bold in zip(self.texts, self.bold, strict=True):
            written = latex_text(text, breakable=self.limited)
            yield rf"\textbf{{{written}}}" if bold else written


def write_latex(table: pd.DataFrame, path: Path, *, bold: pd.DataFrame | None = None, align: str = "") -> None:
    """Write a booktabs table to \\input into a paper, with all texts escaped; `bold` has the shape of `table`.

    align: "l" or "r" per column, by default "r" for numbers. Of more than 2,000 rows only the first 50 are written,
    with a comment.
    """
    align = align or "".join("r" if is_number(table[name]) else "l" for name in table.columns)
    comments = []
    if len(table) > LATEX_ROWS:
        comments.append(f"% the first {LATEX_EXCERPT} of {len(table)} rows; all of them are in {path.stem}.csv")
        table = table.head(LATEX_EXCERPT)
    texts = [[cell(value) for value in table.iloc[:, place]] for place in range(table.shape[1])]
    heavy = [[False] * len(table) if bold is None else list(bold.iloc[: len(table), k]) for k in range(table.shape[1])]
    titles = [cell(name) for name in table.columns]
    columns = [_Column(*column) for column in zip(titles, texts, heavy, align, strict=True)]
    lines = [*comments, *_body(_parts(columns or [_Column("", (), (), "l")]))]
    path.write_text("\n".join([*_comments(lines), *lines, ""]), encoding="utf-8", newline="\n")


def _parts(columns: Sequence[_Column]) -> list[list[_Column]]:
    """The columns of each part, of which the first ones are the same in all: they tell the rows apart."""
    if sum(column.width for column in columns) <= TEXT_WIDTH:
        return [list(columns)]
    columns = [replace(column, limited=column.width > WIDEST + BETWEEN) for column in columns]
    keys = columns[: _n_keys(columns)]
    others = columns[len(keys) :]
    if not keys:
        rows = [str(row) for row in range(1, len(columns[0].texts) + 1)]
        keys = [_Column("row", rows, [False] * len(rows), "r")]
    parts = [list(keys)]
    for column in others:
        if sum(each.width for each in parts[-1]) + column.width > TEXT_WIDTH:
            parts.append(list(keys))
        parts[-1].append(column)
    return parts


def _n_keys(columns: Sequence[_Column]) -> int:
    """How many of the first columns tell all rows apart and leave room for others; 0 if none do."""
    width = 0.0
    keys: list[tuple[str, ...]] = [()] * len(columns[0].texts)
    for place, column in enumerate(columns[:-1], 1):
        width += column.width
        if width > TEXT_WIDTH - WIDEST - BETWEEN:
            break
        keys = [(*key, text) for key, text in zip(keys, column.texts, strict=True)]
        if len(set(keys)) == len(keys):
            return place
    return 0


def _body(parts: Sequence[Sequence[_Column]]) -> Iterator[str]:
    heights = [sum(map(max, zip(*(column.lines() for column in columns), strict=True))) for columns in parts]
    long = sum(height + 1 for height in heights) > PAGE_LINES
    yield r"\begingroup\footnotesize\setlength{\tabcolsep}{" + f"{BETWEEN / 2:.0f}pt}}"
    for number, columns in enumerate(parts):
        if number:
            yield r"\par\medskip"
        yield from (_longtable if long else _tabular)(columns)
    yield r"\endgroup"


def _tabular(columns: Sequence[_Column]) -> Iterator[str]:
    title, *rows = _rows(columns)
    yield rf"\noindent\begin{{tabular}}{{{_letters(columns)}}}"
    yield from (r"\toprule", title, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}")


def _longtable(columns: Sequence[_Column]) -> Iterator[str]:
    title, *rows = _rows(columns)
    yield rf"\begin{{longtable}}{{{_letters(columns)}}}"
    yield from (r"\toprule", title, r"\midrule\endhead", r"\bottomrule\endfoot", *rows, r"\end{longtable}")


def _letters(columns: Sequence[_Column]) -> str:
    return "".join(column.letter for column in columns)


def _rows(columns: Sequence[_Column]) -> Iterator[str]:
    """The titles and all rows."""
    for cells in zip(*(column.cells() for column in columns), strict=True):
        row = " & ".join(cells)
        # a bracket or a star behind the end of a row would be an argument of its \\
        yield ("{}" if row.startswith(("[", "*")) else "") + row + r" \\"


def _comments(lines: Sequence[str]) -> Iterator[str]:
    """What the file needs, as comments; a definition where a name has no font."""
    text = "\n".join(lines)
    long, paragraphs, foreign = (word in text for word in ("{longtable}", r"\arraybackslash", r"\csgunicode"))
    packages = ["booktabs", *["array"] * paragraphs, *["longtable"] * long]
    yield rf"% needs \usepackage{{{','.join(packages)}}}, and with pdflatex \usepackage[T1]{{fontenc}}"
    where = "in one column and outside of floats, because it is longer than a page" if long else "in a table or table*"
    yield f"% for text at least {TEXT_WIDTH:.0f} pt wide, {where}"
    if foreign:
        yield r"% names without a font show their code points; with a font for them, \newcommand{\csgunicode}[2]{#1}"
        yield PREAMBLE
