"""Pascal-Part: the `.mat` files that say which pixels of VOC 2010 belong to which object and which part of it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from csg_analyze.data.voc.annotations import Mask
from csg_analyze.errors import UsageError


@dataclass(frozen=True)
class PartObject:
    """One object of a picture. number: its place in the file, from 1. parts: name -> mask.

    difficult: as VOC's annotation marks it; Pascal-Part has no such mark.
    """

    number: int
    class_name: str
    mask: Mask
    parts: Mapping[str, Mask]
    difficult: bool = False


def read_parts(data: bytes, name: str) -> list[PartObject]:
    """The objects of one file of `Annotations_Part`: `anno.objects[i].{class, mask, parts[j].{part_name, mask}}`.

    Raises UsageError, naming it, for a file of another kind.
    """
    from scipy.io import loadmat

    try:
        stream: Any = io.BytesIO(data)
        annotation = loadmat(stream, simplify_cells=True)["anno"]
        return [_object(number, entry) for number, entry in enumerate(_several(annotation["objects"]), 1)]
    except Exception as error:  # loadmat raises all kinds of errors for garbage
        raise UsageError(f"{name!r} is no annotation of Pascal-Part ({error}); replace or remove it.") from error


def _object(number: int, entry: Mapping[str, Any]) -> PartObject:
    mask = np.atleast_2d(entry["mask"]) > 0
    parts = {str(part["part_name"]): np.atleast_2d(part["mask"]) > 0 for part in _several(entry["parts"])}
    if any(part.shape != mask.shape for part in parts.values()):
        raise ValueError(f"the masks of object {number} differ in size")
    return PartObject(number, str(entry["class"]), mask, parts)


def _several(entry: Any) -> list[Any]:
    """The elements of a struct array. `loadmat` simplifies one with a single element to that element."""
    if isinstance(entry, Mapping):
        return [entry]
    return list(entry)
