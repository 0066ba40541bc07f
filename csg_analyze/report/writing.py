"""Tables as files: CSV and Parquet in full precision."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from csg_analyze.result import Matrix

FORMULA = "=+\\-@\t\n＝＋－＠"
"""What a cell begins with that Excel, LibreOffice or Google Sheets run as a formula; the last four in East Asia."""

NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"


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
    """Write all rows in full precision. Texts that a spreadsheet would run as formulas are `defused`."""
    texts = [place for place, column in enumerate(table.dtypes) if not pd.api.types.is_numeric_dtype(column)]
    safe = table.copy(deep=False)
    for place in texts:
        values = [defused(value) for value in table.iloc[:, place]]
        column: Any = pd.Series(values, index=table.index, dtype=object)  # an array would become pandas' own text
        safe.isetitem(place, column)
    safe.columns = pd.Index([defused(name) for name in table.columns], dtype=object)
    safe.to_csv(path, index=False, lineterminator="\n", errors="backslashreplace")


def defused(value: object) -> object:
    """A text that a spreadsheet would run as a formula, with an apostrophe in front; all else as it is.

    Such a text begins with one of `FORMULA`, and is no number. One that begins with apostrophes before that gets
    another, so that nothing is lost: `original` takes one away from exactly these texts. Every line break becomes a
    newline, because readers end a row at any other.
    """
    if isinstance(value, str):
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    if isinstance(value, str) and re.match(f"'*[{FORMULA}]", value) and not re.fullmatch(NUMBER, value):
        return f"'{value}"
    return value


def original(text: str) -> str:
    """The text that `defused` made safe."""
    return text[1:] if re.match(f"'+[{FORMULA}]", text) else text


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write all rows with their types; the same table gives the same bytes."""
    import fastparquet

    texts = [name for name in table.columns if pd.api.types.is_string_dtype(table[name])]
    # file names may contain bytes that are no text, which Parquet refuses
    clean = {name: table[name].map(_as_text, na_action="ignore") for name in texts}
    fastparquet.write(str(path), table.assign(**clean), compression="ZSTD", write_index=False)


def _as_text(value: object) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def is_number(column: pd.Series) -> bool:
    """Whether a column has numbers, which are set flush right."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
