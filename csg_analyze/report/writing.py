"""Tables as files: CSV and Parquet in full precision, LaTeX as shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from csg_analyze.result import Matrix
from csg_analyze.wording import DASH, cell

LATEX_ROWS, LATEX_EXCERPT = 2_000, 50
"""Of longer tables, the LaTeX file has only an excerpt; the CSV has all rows."""


def long_form(matrix: Matrix) -> pd.DataFrame:
    """One row per listed cell: one column per axis, then one per array."""
    shape = [len(labels) for labels in matrix.axes.values()]
    places = np.unravel_index(np.arange(int(np.prod(shape))), shape)
    axes = {
        name: pd.Series(list(labels)).take(place).to_numpy()
        for (name, labels), place in zip(matrix.axes.items(), places, strict=True)
    }
    frame = pd.DataFrame({**axes, **{name: values.ravel() for name, values in matrix.arrays.items()}})
    return frame if matrix.listed is None else frame[matrix.listed.ravel()].reset_index(drop=True)


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write all rows in full precision."""
    table.to_csv(path, index=False, lineterminator="\n", errors="backslashreplace")


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write all rows with their types; the same table gives the same bytes."""
    import fastparquet

    texts = [name for name in table.columns if pd.api.types.is_string_dtype(table[name])]
    # file names may contain bytes that are no text, which Parquet refuses
    clean = {name: table[name].map(_as_text, na_action="ignore") for name in texts}
    fastparquet.write(str(path), table.assign(**clean), compression="ZSTD", write_index=False)


def _as_text(value: object) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def write_latex(table: pd.DataFrame, path: Path, *, bold: pd.DataFrame | None = None, align: str = "") -> None:
    """Write a booktabs tabular to \\input into a paper, with all texts escaped; `bold` has the shape of `table`.

    align: "l" or "r" per column, by default "r" for numbers. Of more than 2,000 rows only the first 50 are written,
    with a comment.
    """
    lines = ["% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}"]
    align = align or "".join("r" if is_number(table[name]) else "l" for name in table.columns)
    if len(table) > LATEX_ROWS:
        lines.append(f"% the first {LATEX_EXCERPT} of {len(table)} rows; all of them are in {path.stem}.csv")
        table = table.head(LATEX_EXCERPT)
    cells = pd.DataFrame({name: [cell(value) for value in table[name]] for name in table.columns}, dtype=object)
    styler = cells.replace(DASH, "--").style.hide(axis="index")
    styler = styler.format(escape="latex").format_index(escape="latex", axis="columns")
    if bold is not None:
        weights = bold.loc[table.index].map(lambda is_bold: "textbf:--rwrap;" if is_bold else "")
        styler = styler.apply(lambda _: weights.set_axis(cells.index), axis=None)
    path.write_text("\n".join([*lines, styler.to_latex(hrules=True, column_format=align)]), encoding="utf-8")


def is_number(column: pd.Series) -> bool:
    """Whether a column has numbers, which are set flush right."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
