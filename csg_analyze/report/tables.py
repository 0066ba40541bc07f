"""Tables as shown, in one form for the page, for Markdown and for the terminal (`terminal.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from csg_analyze.report.writing import is_number, long_form
from csg_analyze.result import Matrix, Result, Table
from csg_analyze.wording import cell


@dataclass(frozen=True)
class Cell:
    """One cell: its text, and the number by which it is sorted (None: by its text)."""

    text: str
    number: float | None = None
    bold: bool = False


@dataclass(frozen=True)
class ShownTable:
    """A table as shown.

    columns: (name, whether it has numbers). caption: the text behind the title. total: number of rows in the file.
    files: linked files, as paths in the report's folder.
    """

    columns: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[Cell, ...], ...]
    number: int = 0
    title: str = ""
    caption: str = ""
    total: int = 0
    files: tuple[str, ...] = ()

    @property
    def csv(self) -> str:
        """The file with all rows; empty if the report has none."""
        return next((file for file in self.files if file.endswith(".csv")), "")


def shown_table(
    frame: pd.DataFrame, *, best: pd.DataFrame | None = None, numeric: Sequence[bool] | None = None, caption: str = ""
) -> ShownTable:
    """A frame as shown. best: cells in bold. numeric: columns with numbers, which may be texts already."""
    numeric = [is_number(frame[column]) for column in frame.columns] if numeric is None else numeric
    bold = np.zeros(frame.shape, bool) if best is None else best.loc[frame.index].to_numpy(bool)
    columns = [_cells(frame[column], bold[:, place]) for place, column in enumerate(frame.columns)]
    rows = tuple(zip(*columns, strict=True)) if columns else ()
    names = tuple(zip(map(cell, frame.columns), numeric, strict=True))
    return ShownTable(names, rows, caption=caption, total=len(frame))


def _cells(column: pd.Series, bold: np.ndarray) -> list[Cell]:
    number = is_number(column)
    return [
        Cell(cell(value), float(value) if number and pd.notna(value) else None, bool(heavy))
        for value, heavy in zip(column, bold, strict=True)
    ]


def joined(results: Mapping[str, Result], name: str) -> Table:
    """The table or matrix `name` of every model that has it, one below the other, with the model's name in front.

    A caption that all models share is kept; different captions follow the names of their models.
    """
    tables = {model: table for model, result in results.items() if (table := _rows_of(result, name)) is not None}
    captions = {model: table.caption for model, table in tables.items() if table.caption}
    alike = len(captions) == len(tables) and len(set(captions.values())) == 1
    caption = next(iter(captions.values())) if alike else " ".join(f"{m}: {text}" for m, text in captions.items())
    frame = stacked({model: table.frame for model, table in tables.items()})
    spread = any(table.tidy is not None for table in tables.values())
    return Table(frame, caption, tidy=stacked({m: table.rows for m, table in tables.items()}) if spread else None)


def _rows_of(result: Result, name: str) -> Table | None:
    matrix: Matrix | None = result.matrices.get(name)
    return Table(long_form(matrix)) if matrix is not None else result.tables.get(name)


def stacked(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Frames one below the other, with their names in a first column `model`; a named index becomes columns."""
    parts = []
    for model, frame in frames.items():
        named = any(name is not None for name in frame.index.names)
        part = frame.reset_index(drop=not named).rename(columns={"model": "model (analyzer)"})
        part.insert(0, "model", model)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def first_rows(table: pd.DataFrame, rows: int = 20) -> pd.DataFrame:
    """About `rows` rows of a joined table: the first rows of every model."""
    if len(table) <= rows:
        return table
    rows_per_model = max(5, rows // max(1, table["model"].nunique()))
    return table.groupby("model", sort=False).head(rows_per_model)
