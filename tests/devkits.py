"""A small VOC devkit, written file by file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 from 0, x1 and y1 exclusive."""

SIZE = (40, 60)
"""Height and width of the pictures."""


def write_devkit(
    root: Path,
    pictures: Mapping[str, Sequence[tuple[str, Box]]],
    splits: Mapping[str, Sequence[str]],
    *,
    masks: bool = False,
    size: tuple[int, int] = SIZE,
) -> Path:
    """A devkit of pictures with these objects; with masks, every object is the disc in its box, bordered by 255."""
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for index, (name, objects) in enumerate(pictures.items()):
        pixels = np.random.default_rng(index).integers(0, 256, (*size, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(root / "JPEGImages" / f"{name}.png")
        entries = "".join(object_entry(class_name, box) for class_name, box in objects)
        write_annotation(root, name, entries, size)
        if masks:
            (root / "SegmentationObject").mkdir(exist_ok=True)
            label_map([box for _, box in objects], size).save(root / "SegmentationObject" / f"{name}.png")
    for split, names in splits.items():
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
    return root


def write_annotation(root: Path, name: str, objects: str, size: tuple[int, int] | None = SIZE) -> None:
    """An annotation of these <object>s on a picture of that height and width; None: without a <size>."""
    sides = "" if size is None else f"<size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>"
    (root / "Annotations" / f"{name}.xml").write_text(f"<annotation>{sides}{objects}</annotation>")


def write_oriented(path: Path, seen: np.ndarray, orientation: int) -> None:
    """A lossless picture (.png) that shows `seen`, uint8 (H, W, 3), where it is turned as its EXIF says."""
    # what undoes the turn of each orientation
    back = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),  # it is seen after a quarter turn to the right
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(back[orientation](seen))).save(path, exif=exif)


def disc(box: Box, size: tuple[int, int], grown: float = 0.0) -> np.ndarray:
    """Bool (H, W), the ellipse in a box, with half axes `grown` pixels longer."""
    x0, y0, x1, y1 = box
    rows, columns = np.indices(size) + 0.5
    vertical = (rows - (y0 + y1) / 2) / ((y1 - y0) / 2 + grown)
    horizontal = (columns - (x0 + x1) / 2) / ((x1 - x0) / 2 + grown)
    return np.asarray(vertical**2 + horizontal**2 <= 1)


def label_map(boxes: Sequence[Box], size: tuple[int, int]) -> Image.Image:
    labels = np.zeros(size, np.uint8)
    for box in boxes:
        labels[disc(box, size, grown=1.5)] = 255
    for number, box in enumerate(boxes, 1):
        labels[disc(box, size)] = number
    image = Image.fromarray(labels, mode="P")
    image.putpalette([value for i in range(256) for value in (i, 255 - i, i * 7 % 256)])
    return image


def object_entry(class_name: str, box: Box, *, difficult: bool = False) -> str:
    """One <object>, as `write_annotation` takes it."""
    x0, y0, x1, y1 = box
    sides = {"xmin": x0 + 1, "ymin": y0 + 1, "xmax": x1, "ymax": y1}
    inner = "".join(f"<{side}>{value}</{side}>" for side, value in sides.items())
    return f"<object><name>{class_name}</name><difficult>{int(difficult)}</difficult><bndbox>{inner}</bndbox></object>"


PICTURES: dict[str, list[tuple[str, Box]]] = {
    "p1": [("cat", (5, 5, 25, 35)), ("cat", (30, 10, 50, 30))],
    "p2": [("dog", (0, 0, 60, 40))],
    "p3": [("dog", (40, 20, 60, 40)), ("cat", (0, 0, 20, 20))],
    "p4": [("dog", (10, 10, 20, 30)), ("person", (30, 0, 50, 40))],
    "p5": [("cat", (10, 4, 40, 24))],
}
SPLITS = {"train": ["p1", "p2"], "val": ["p3", "p4", "p5"]}
