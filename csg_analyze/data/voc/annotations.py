"""One annotation file: the objects on a picture, and the size of the picture that their boxes were drawn on."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csg_analyze.errors import UsageError

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels, x1 and y1 exclusive; NaN where there is no box."""

Mask = NDArray[np.bool_]
"""(H, W)."""

NO_BOX: Box = (math.nan, math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class AnnotatedObject:
    """One annotated object.

    number: its place in the annotation, from 1; its pixels have this value in `SegmentationObject`. box: in pixels
    counted from 0 (the file counts from 1, both ends included). flaw: why it has no box, "" if it has one. difficult:
    as its annotator marked it.
    """

    number: int
    class_name: str
    box: Box
    flaw: str = ""
    difficult: bool = False


@dataclass(frozen=True)
class Annotation:
    """The objects of a picture. size: height and width of the picture as its annotator saw it; None if not recorded."""

    objects: tuple[AnnotatedObject, ...]
    size: tuple[int, int] | None = None


def read_annotation(data: bytes, file: str) -> Annotation:
    """The annotation in an .xml of `Annotations`. Its `<filename>` and `<folder>` are not read.

    An object without a box (drawn as a polygon) and one with xmin > xmax have a box of NaN and a `flaw`.
    Raises UsageError, naming the file, for data that is no annotation.
    """
    try:
        tree = ET.fromstring(data)
        objects = tuple(_object(number, entry) for number, entry in enumerate(tree.iterfind("object"), 1))
    except (ET.ParseError, ValueError) as error:
        raise UsageError(f"the annotation {file!r} cannot be read ({error}); replace or remove it.") from error
    return Annotation(objects, _size(tree))


def _object(number: int, entry: ET.Element) -> AnnotatedObject:
    name = (entry.findtext("name") or "").strip()
    if not name:
        raise ValueError(f"object {number} has no name")
    difficult = (entry.findtext("difficult") or "").strip().lower() in ("1", "true")
    drawn = entry.find("bndbox")
    if drawn is None:
        return AnnotatedObject(number, name, NO_BOX, "without a box", difficult)
    x0, y0, x1, y1 = (_coordinate(number, drawn, side) for side in ("xmin", "ymin", "xmax", "ymax"))
    if x0 > x1 or y0 > y1:
        return AnnotatedObject(number, name, NO_BOX, "with xmin > xmax or ymin > ymax", difficult)
    return AnnotatedObject(number, name, (x0 - 1, y0 - 1, x1, y1), difficult=difficult)


def _coordinate(number: int, drawn: ET.Element, side: str) -> float:
    text = (drawn.findtext(side) or "").strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"the {side} of object {number} is {text!r}, no number")
    return value


def _size(tree: ET.Element) -> tuple[int, int] | None:
    try:
        height, width = (float(tree.findtext(f"size/{side}") or 0) for side in ("height", "width"))
    except ValueError:
        return None
    # some programs write 0 for an unknown size
    return (int(height), int(width)) if height.is_integer() and width.is_integer() and height * width > 0 else None
