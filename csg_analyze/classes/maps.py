"""`--class-map FILE`: which class of the model each class of the data is, where names do not tell."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from csg_analyze.errors import UsageError

RULES = ("index", "order")
"""Instead of a file: names of the data's classes are indices of outputs, or the classes are in the outputs' order."""
ClassMap: TypeAlias = Mapping[str, str | int]
"""Class of the data -> name or index of the model's class."""
FORM = "a CSV with lines DATA_CLASS,MODEL_CLASS or a JSON {data class: model class}, model classes by name or index"


def class_map_of(given: Any) -> ClassMap | str | None:
    """What a user gives as the class map: a file, one of the RULES, or the map itself; None for none.

    Raises UsageError for anything else.
    """
    if given is None:
        return None
    if isinstance(given, str) and given in RULES:
        return given
    if isinstance(given, str | PathLike):
        return read_class_map(Path(given))
    if isinstance(given, Mapping):
        return {str(ours): theirs if isinstance(theirs, int) else str(theirs) for ours, theirs in given.items()}
    raise UsageError(f"a class map is a file, a dict, {' or '.join(map(repr, RULES))}; not {type(given).__name__}.")


def read_class_map(path: Path | str) -> ClassMap:
    """The map in a CSV or JSON file; a first line of a CSV that says what the columns are is left out.

    Raises UsageError for a file that is no such map, and for a class of the data that is mapped twice.
    """
    path = Path(path).expanduser()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"cannot read the class map {str(path)!r}: {said}; give {FORM}.") from error
    pairs = _of_json(text, path) if text.lstrip().startswith(("{", "[")) else _of_csv(text, path)
    if not pairs:
        raise UsageError(f"the class map {str(path)!r} is empty; give {FORM}.")
    mapped: dict[str, str | int] = {}
    for ours, theirs in pairs:
        if mapped.setdefault(ours, theirs) != theirs:
            raise UsageError(f"the class map {str(path)!r} maps {ours!r} to {mapped[ours]!r} and to {theirs!r}.")
    return mapped


def _of_json(text: str, path: Path) -> list[tuple[str, str | int]]:
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except ValueError as error:
        raise UsageError(f"the class map {str(path)!r} is no JSON ({error}); give {FORM}.") from error
    for pair in pairs:
        whole = isinstance(pair, tuple) and isinstance(pair[1], str | int) and not isinstance(pair[1], bool)
        if not whole:
            raise UsageError(f"the class map {str(path)!r} holds {pair!r}, no pair of classes; give {FORM}.")
    return [(ours, theirs) for ours, theirs in pairs]


def _of_csv(text: str, path: Path) -> list[tuple[str, str | int]]:
    lines = text.splitlines()
    delimiter = max(",;\t", key=lambda mark: sum(mark in line for line in lines))
    pairs: list[tuple[str, str | int]] = []
    for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if len(cells) != 2 or not all(cells):
            raise UsageError(f"the class map {str(path)!r} has a line {delimiter.join(row)!r}; give {FORM}.")
        pairs.append((cells[0], int(cells[1]) if cells[1].isdecimal() else cells[1]))
    if pairs and _is_header(*pairs[0]):
        del pairs[0]
    return pairs


def _is_header(ours: str, theirs: str | int) -> bool:
    words = {"data", "dataset", "model", "class", "classes", "output", "index", "label", "name", "from", "to"}
    return all(set(str(text).lower().replace("_", " ").split()) <= words for text in (ours, theirs))
