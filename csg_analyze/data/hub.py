"""Datasets of the Hugging Face hub on disk: saved by `datasets.save_to_disk`, or parquet files as on the hub."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from csg_analyze.data.columns import IMAGE_COLUMNS, LABEL_COLUMNS, chosen_column, matching_split, with_options
from csg_analyze.data.dataset import Split
from csg_analyze.data.hub_tables import HubTable, ParquetTable, saved_tables
from csg_analyze.data.listing import SPLIT_NAMES, Listing, classes_of, indices_of, split_named, whole_note
from csg_analyze.errors import UsageError
from csg_analyze.extras import optional

EXPECTED = (
    "a folder that save_to_disk wrote, a folder of parquet files such as data/train-00000-of-00001.parquet, or one"
)


class EncodedImages:
    """The images of a column; names are SPLIT-ROW, or ROW of a table without a name."""

    def __init__(self, table: HubTable, column: str, folder: Path) -> None:
        self._table, self._column, self._folder = table, column, folder

    def read(self, name: str) -> bytes:
        """See Readable."""
        value = self._table.cell(int(name.rpartition("-")[2]), self._column)
        content = value.get("bytes") if isinstance(value, dict) else value
        if isinstance(content, bytes):
            return content
        path = value.get("path") if isinstance(value, dict) else value
        if not isinstance(path, str):
            raise UsageError(f"image {name!r} is missing in column {self._column!r}.")
        try:
            return (self._folder / path).read_bytes()
        except OSError as error:
            raise UsageError(f"image {name!r} lies in {path!r}, which cannot be read: {error.strerror}.") from error

    def close(self) -> None:
        """See Readable."""


def list_hub(argument: str, split: Split) -> Listing:
    """The images of one split, in the order of the table. argument: `PATH?image=COLUMN&label=COLUMN`.

    Columns are found by their types, Image and ClassLabel, else by their usual names. Without splits all images are
    taken, with a note. Raises UsageError for anything else, and for labels that are not public (-1).
    """
    name, options = with_options(argument, ("image", "label"), "hf")
    path = Path(os.path.expandvars(name)).expanduser()
    optional("datasets", "hf:PATH")
    tables = _tables(path, name)
    chosen, notes = _chosen(tables, split, name)
    table = tables[chosen]
    features = table.features
    image = chosen_column("image", options.get("image"), _image_columns(features), features, name, usual="image")
    label = chosen_column("label", options.get("label"), _label_columns(features), features, name, usual="label")
    labels = _labels(table, label, name)
    class_names = getattr(features[label], "names", None)
    if class_names is None:
        others = [each for other, table in tables.items() if other != chosen for each in _labels(table, label, name)]
        class_names = classes_of([*labels, *others], name)
    elif labels and not 0 <= min(labels) <= max(labels) < len(class_names):
        raise UsageError(
            f"labels of the split {chosen!r} of {name!r} stand for no class (-1, not public); choose one that has them "
            "with --split."
        )
    else:
        labels = [class_names[value] for value in labels]
    prefix = f"{chosen}-" if chosen else ""
    names = [f"{prefix}{row:06d}" for row in range(len(table))]
    if not names:
        raise UsageError(f"{name!r} has no rows in its split {chosen!r}.")
    folder = path if path.is_dir() else path.parent
    names_of_all = tuple(class_names)
    return Listing(EncodedImages(table, image, folder), names, indices_of(labels, names_of_all), names_of_all, notes)


def _tables(path: Path, name: str) -> Mapping[str, HubTable]:
    if path.is_dir() and any((path / file).is_file() for file in ("dataset_dict.json", "state.json")):
        return saved_tables(path)
    files = [path] if path.suffix == ".parquet" and path.is_file() else sorted(path.rglob("*.parquet"))
    if not files:
        missing = "there is nothing at" if not path.exists() else "no data of the hub in"
        raise UsageError(f"{missing} {name!r}; expected {EXPECTED}.")
    by_split: dict[str, list[Path]] = {}
    for file in files:
        by_split.setdefault(_split_of(file, path), []).append(file)
    return {split: ParquetTable(paths) for split, paths in by_split.items()}


def _split_of(file: Path, root: Path) -> str:
    """The split that a file's name says (train-00000-of-00001), or its folder's (train/0000.parquet); else ""."""
    if file == root:
        return ""
    for text in (file.stem, file.parent.name if file.parent != root else ""):
        word = text.partition("-")[0].lower()
        if any(word in names for names in SPLIT_NAMES.values()):
            return word
    return split_named(file.stem) or ""


def _chosen(tables: Mapping[str, HubTable], split: Split, name: str) -> tuple[str, tuple[str, ...]]:
    """The name of the table for a split, and notes."""
    if list(tables) == [""]:
        return "", (whole_note(split, named=Path(name).stem),)
    return matching_split([each for each in tables if each], split, name), ()


def _image_columns(features: Mapping[str, Any]) -> list[str]:
    from datasets import Image

    images = [column for column, feature in features.items() if isinstance(feature, Image) or _is_encoded(feature)]
    return images or [
        column for column in features if column.lower() in IMAGE_COLUMNS and _is(features[column], "string")
    ]


def _is_encoded(feature: Any) -> bool:
    """Whether a column without a type of the library's holds encoded images: bytes, or {"bytes", "path"}."""
    if isinstance(feature, dict):
        return "bytes" in feature and _is(feature["bytes"], "binary")
    return _is(feature, "binary")


def _label_columns(features: Mapping[str, Any]) -> list[str]:
    from datasets import ClassLabel

    classes = [column for column, feature in features.items() if isinstance(feature, ClassLabel)]
    usual = [column for column in features if column.lower() in LABEL_COLUMNS]
    return classes or [column for column in usual if _is(features[column], "int", "uint", "string", "large_string")]


def _is(feature: Any, *kinds: str) -> bool:
    """Whether a column holds single values of one of these kinds."""
    dtype = str(getattr(feature, "dtype", ""))
    return any(dtype.rstrip("0123456789") == kind or dtype == f"large_{kind}" for kind in kinds)


def _labels(table: HubTable, column: str, name: str) -> list[Any]:
    values = table.column(column)
    wrong = next((value for value in values if isinstance(value, bool) or not isinstance(value, int | str)), "")
    if wrong != "":
        raise UsageError(f"column {column!r} of {name!r} holds {wrong!r}; labels are names or indices (?label=COLUMN).")
    return values
