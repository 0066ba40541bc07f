"""Which images a dataset consists of: whole ones, or one for every object cut out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from csg_analyze.data.geometry import tight_boxes
from csg_analyze.data.sources import Source
from csg_analyze.data.voc.devkit import CLASSES, VOID, Devkit, LeftOut, Object, belongs_to
from csg_analyze.data.voc.instances import Window, window_around

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Sample:
    """One image of the dataset. image: the id of the picture it is or was cut from. window: None for all of it."""

    name: str
    image: str
    class_name: str
    objects: tuple[Object, ...]
    window: Window | None = None


Truth = tuple[Tensor, tuple[Mask, Mask] | None]
"""The boxes (m, 4) of a sample's objects; and, where there is one, its mask and where that says nothing, (H, W)."""


@dataclass(frozen=True)
class Listing:
    """The samples of a split before any pixel is read.

    files: the image of every sample, in `source`. truth: what is known of a sample's objects, in its file's pixels.
    """

    source: Source
    class_names: tuple[str, ...]
    samples: tuple[Sample, ...]
    files: tuple[str, ...]
    truth: Callable[[Sample], Truth]
    notes: tuple[str, ...] = ()


def instance_name(class_name: str, number: int, image: str) -> str:
    """What one cut-out object is called: <class>-<n>-<image id>."""
    return f"{class_name}-{number}-{image}"


def whole_images(devkit: Devkit, ids: Sequence[str], classes: Sequence[str], left_out: LeftOut) -> Iterator[Sample]:
    """Every image on which exactly one of the classes is annotated, with all objects of it."""
    for image, objects in _annotated(devkit, ids, left_out):
        chosen = [entry for entry in objects if entry.class_name in classes]
        present = dict.fromkeys(entry.class_name for entry in chosen)
        if len(present) == 1:
            yield Sample(image, image, next(iter(present)), tuple(chosen))
        else:
            left_out.add("image", "with several of the classes" if present else "with none of the classes", image)


def cut_out_objects(devkit: Devkit, ids: Sequence[str], classes: Sequence[str], left_out: LeftOut) -> Iterator[Sample]:
    """Every object of the classes, within a square around its mask, or around its box where there is no mask."""
    for image, objects in _annotated(devkit, ids, left_out):
        chosen = [entry for entry in objects if entry.class_name in classes]
        labels = devkit.object_mask(image) if chosen else None
        if not chosen:
            left_out.add("image", "with none of the classes", image)
        for entry in chosen:
            name = instance_name(entry.class_name, entry.number, image)
            x0, y0, x1, y1 = entry.box
            if labels is not None:
                region = labels == entry.number
                if not region.any():
                    left_out.add("object", "with an empty mask", name)
                    continue
                x0, y0, x1, y1 = tight_boxes(region[None])[0].tolist()
            if x1 <= x0 or y1 <= y0:
                left_out.add("object", "with an empty box", name)
                continue
            yield Sample(name, image, entry.class_name, (entry,), window_around(x0, y0, x1, y1))


def mask_of(devkit: Devkit, sample: Sample) -> tuple[Mask, Mask] | None:
    """The sample's objects and where nothing is said, both (H, W) of the whole picture; None where it has no mask.

    From the mask of objects; where a devkit has none, from that of classes, if all of the picture is meant.
    """
    classes = devkit.class_mask(sample.image)
    labels = devkit.object_mask(sample.image)
    if labels is not None:
        region: Mask = np.isin(labels, [entry.number for entry in sample.objects if entry.number < VOID])
        return (region, labels == VOID) if belongs_to(sample.class_name, region, classes) else None
    if classes is None or sample.window is not None or sample.class_name not in CLASSES:
        return None
    return classes == CLASSES.index(sample.class_name) + 1, classes == VOID


def _annotated(devkit: Devkit, ids: Sequence[str], left_out: LeftOut) -> Iterator[tuple[str, list[Object]]]:
    for image in ids:
        if image not in devkit.annotations:
            left_out.add("image", "without an annotation", image)
        elif image not in devkit.images:
            left_out.add("annotated image", "without a file in JPEGImages/", image)
        else:
            yield image, devkit.objects(image)
