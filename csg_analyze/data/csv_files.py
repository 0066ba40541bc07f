"""A CSV of paths and labels, with a header and maybe a column for the split."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from csg_analyze.data.columns import (
    IMAGE_COLUMNS,
    LABEL_COLUMNS,
    SPLIT_COLUMNS,
    chosen_column,
    matching_split,
    number_or_text,
    with_options,
)
from csg_analyze.data.dataset import Split
from csg_analyze.data.listing import Listing, classes_of, indices_of, whole_note
from csg_analyze.data.sources import IMAGE_SUFFIXES, Folder
from csg_analyze.errors import UsageError

OPTIONS = ("path", "label", "split")


class Row(NamedTuple):
    """One line: an image's path, its label, the name of its split ("" without such a column)."""

    path: str
    label: str | int
    split: str


def list_csv(argument: str, split: Split) -> Listing:
    """The images of one split in a CSV, in its order. argument: `FILE?path=COLUMN&label=COLUMN&split=COLUMN`.

    Columns are found by their usual names. Paths are relative to the CSV's folder, or absolute. Labels are indices if
    all are whole numbers, else names. Without a column for the split all rows are taken, with a note.
    Raises UsageError for a file that is no such table.
    """
    name, options = with_options(argument, OPTIONS, "csv")
    file = Path(os.path.expandvars(name)).expanduser()
    rows = _rows(file, name, options)
    texts = any(not isinstance(row.label, int) for row in rows)
    labels = [str(row.label) if texts else row.label for row in rows]
    class_names = classes_of(labels, name)
    splits = dict.fromkeys(row.split for row in rows)
    wanted = "" if list(splits) == [""] else matching_split(splits, split, name)
    notes = [whole_note(split, named=file.stem)] if wanted == "" else []
    kept: dict[str, str | int] = {}
    repeated = 0
    for row, label in zip(rows, labels, strict=True):
        if row.split != wanted:
            continue
        repeated += row.path in kept
        if kept.setdefault(row.path, label) != label:
            raise UsageError(f"{name!r} gives {row.path!r} two labels, {kept[row.path]!r} and {label!r}.")
    return Listing(
        source=Folder(file.parent),
        names=list(kept),
        labels=indices_of(list(kept.values()), class_names),
        class_names=class_names,
        notes=tuple(notes),
        left_out=(f"{repeated} rows that repeat another one",) if repeated else (),
    )


def _rows(file: Path, name: str, options: Mapping[str, str]) -> list[Row]:
    table = _table(file, name)
    header = [column.strip() for column in table[0]]
    if any(_is_path(cell) for cell in header):
        raise UsageError(f"{name!r} has no header; its first line names the columns, e.g. path,label.")
    path = _column("path", IMAGE_COLUMNS, header, name, options)
    label = _column("label", LABEL_COLUMNS, header, name, options)
    has_splits = "split" in options or any(column.lower() in SPLIT_COLUMNS for column in header)
    split = _column("split", SPLIT_COLUMNS, header, name, options) if has_splits else None
    rows = []
    for number, cells in enumerate(table[1:], 2):
        if not any(cells):
            continue
        if len(cells) != len(header) or not (cells[path].strip() and cells[label].strip()):
            raise UsageError(f"line {number} of {name!r} lacks a cell: {','.join(cells)!r}.")
        of_split = "" if split is None else cells[split].strip()
        rows.append(Row(cells[path].strip(), number_or_text(cells[label]), of_split))
    if not rows:
        raise UsageError(f"{name!r} has no rows.")
    return rows


def _table(file: Path, name: str) -> list[list[str]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"cannot read the CSV {name!r}: {said}.") from error
    lines = text.splitlines()
    if not lines:
        raise UsageError(f"{name!r} is empty.")
    delimiter = max(",;\t", key=lines[0].count)
    return list(csv.reader(lines, delimiter=delimiter))


def _column(role: str, usual: Sequence[str], header: Sequence[str], name: str, options: Mapping[str, str]) -> int:
    candidates = [column for column in header if column.lower() in usual]
    column = chosen_column(role, options.get(role), candidates, header, name, usual=role)
    return header.index(column)


def _is_path(cell: str) -> bool:
    return Path(cell.strip()).suffix.lower() in IMAGE_SUFFIXES
