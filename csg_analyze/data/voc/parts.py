"""Pascal-Part: the `.mat` files that say which pixels of VOC 2010 belong to which object and which part of it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csg_analyze.errors import UsageError

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class PartObject:
    """One object of a picture. number: its place in the file, from 1. mask: (H, W). parts: name -> (H, W).

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
    except Exception as error:  # a reader fed with garbage raises whatever it stumbles on
        raise UsageError(f"{name!r} is no annotation of Pascal-Part ({error}); replace or remove it.") from error


def _object(number: int, entry: Mapping[str, Any]) -> PartObject:
    mask = np.atleast_2d(entry["mask"]) > 0
    parts = {str(part["part_name"]): np.atleast_2d(part["mask"]) > 0 for part in _several(entry["parts"])}
    if any(part.shape != mask.shape for part in parts.values()):
        raise ValueError(f"the masks of object {number} differ in size")
    return PartObject(number, str(entry["class"]), mask, parts)


def _several(entry: Any) -> list[Any]:
    """A struct array as `loadmat` simplifies it: of one element only the element is left, of none an empty array."""
    if isinstance(entry, Mapping):
        return [entry]
    return list(entry)
