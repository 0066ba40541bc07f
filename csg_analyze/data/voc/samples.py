"""Which images a dataset consists of: whole ones, or one for every object cut out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from csg_analyze.data.geometry import tight_boxes
from csg_analyze.data.sources import Source
from csg_analyze.data.voc.annotations import NO_BOX, Annotation, Box, Object
from csg_analyze.data.voc.devkit import CLASSES, VOID, Devkit, Labels, belongs_to
from csg_analyze.data.voc.instances import Window, window_around
from csg_analyze.data.voc.pictures import Picture, Size, picture_seen
from csg_analyze.data.voc.tally import Account
from csg_analyze.data.voc.wanted import Wanted
from csg_analyze.errors import UsageError

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Sample:
    """One image of the dataset. image: the id of the picture it is or was cut from. window: None for all of it.

    picture: None where objects were cut out already. skipped: what is as good as not there, neither of the class nor of
    another one.
    """

    name: str
    image: str
    class_name: str
    objects: tuple[Object, ...]
    picture: Picture | None = None
    window: Window | None = None
    skipped: tuple[Object, ...] = ()


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


def whole_images(
    devkit: Devkit, ids: Sequence[str], classes: Sequence[str], wanted: Wanted, account: Account
) -> Iterator[Sample]:
    """Every image on which exactly one of the classes is annotated, with all objects of it.

    Where an object has no box, the image has none: what is left of them would be half the truth.
    """
    for image, annotation, chosen in _annotated(devkit, ids, classes, wanted, account):
        class_name = chosen[0].class_name
        if any(entry.class_name != class_name for entry in chosen):
            account.left_out.add("image", "with several of the classes", image)
            continue
        picture = _picture(devkit, image, annotation, account)
        if picture is None:
            continue
        _say_difficult(image, chosen, account)
        for entry in chosen:
            if entry.flaw:
                account.left_out.add(
                    "object", f"{entry.flaw}: its image counts as one without boxes", _named(image, entry)
                )
        if any(entry.flaw for entry in chosen):
            chosen = tuple(replace(entry, box=NO_BOX) for entry in chosen)
        skipped = tuple(o for o in annotation.objects if o.class_name == class_name and _is_skipped(o, wanted))
        yield Sample(image, image, class_name, chosen, picture, skipped=skipped)


def cut_out_objects(
    devkit: Devkit, ids: Sequence[str], classes: Sequence[str], wanted: Wanted, account: Account
) -> Iterator[Sample]:
    """Every object of the classes, within a square around its mask, or around its box where there is no mask."""
    for image, annotation, chosen in _annotated(devkit, ids, classes, wanted, account):
        picture = _picture(devkit, image, annotation, account)
        if picture is None:
            continue
        labels, _ = _masks(devkit, image, picture)
        for entry in chosen:
            name = instance_name(entry.class_name, entry.number, image)
            box = clipped(entry.box, picture.size)
            if labels is not None:
                region = labels == entry.number
                if not region.any():
                    account.left_out.add("object", "with an empty mask", name)
                    continue
                x0, y0, x1, y1 = tight_boxes(region[None])[0].tolist()
                box = x0, y0, x1, y1
                if entry.flaw:
                    account.left_out.add("object", f"{entry.flaw}: cut out by its mask, its image has no box", name)
            elif entry.flaw or box[2] <= box[0] or box[3] <= box[1]:
                account.left_out.add("object", entry.flaw or "with a box outside its image", name)
                continue
            _say_difficult(image, (entry,), account)
            yield Sample(name, image, entry.class_name, (entry,), picture, window_around(*box))


def clipped(box: Box, size: Size) -> Box:
    """What an image of that height and width holds of a box; nothing, x1 <= x0 or y1 <= y0, where it lies outside."""
    height, width = size
    x0, y0, x1, y1 = box
    return max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)


def mask_of(devkit: Devkit, sample: Sample) -> tuple[Mask, Mask] | None:
    """The sample's objects and where nothing is said, both (H, W) of the whole picture; None where it has no mask.

    From the mask of objects; where a devkit has none, from that of classes, if all of the picture is meant.
    """
    assert sample.picture is not None
    labels, classes = _masks(devkit, sample.image, sample.picture)
    if labels is not None:
        region, skipped = (_pixels(labels, entries) for entries in (sample.objects, sample.skipped))
        return (region, (labels == VOID) | skipped) if belongs_to(sample.class_name, region, classes) else None
    if classes is None or sample.window is not None or sample.skipped or sample.class_name not in CLASSES:
        return None
    return classes == CLASSES.index(sample.class_name) + 1, classes == VOID


def _pixels(labels: Labels, objects: Sequence[Object]) -> Mask:
    mask: Mask = np.isin(labels, [entry.number for entry in objects if entry.number < VOID])
    return mask


def _masks(devkit: Devkit, image: str, picture: Picture) -> tuple[Labels | None, Labels | None]:
    labels, classes = devkit.masks(image)
    either = classes if labels is None else labels
    if either is not None and either.shape != picture.size:
        (height, width), (own_height, own_width) = picture.size, either.shape
        raise UsageError(f"the mask of {image!r} is {own_width}x{own_height}, its image {width}x{height}; replace it.")
    return labels, classes


def _annotated(
    devkit: Devkit, ids: Sequence[str], classes: Sequence[str], wanted: Wanted, account: Account
) -> Iterator[tuple[str, Annotation, tuple[Object, ...]]]:
    """The images that have an annotation and a file, and their objects of the classes, at least one."""
    for image in ids:
        if image not in devkit.annotations:
            account.left_out.add("image", "without an annotation", image)
            continue
        if image not in devkit.images:
            account.left_out.add("annotated image", "without a file in JPEGImages/", image)
            continue
        annotation = devkit.annotation(image)
        of_classes = [entry for entry in annotation.objects if entry.class_name in classes]
        for entry in of_classes:
            if _is_skipped(entry, wanted):
                account.left_out.add("object", "marked difficult", _named(image, entry))
        chosen = tuple(entry for entry in of_classes if not _is_skipped(entry, wanted))
        if chosen:
            yield image, annotation, chosen
        else:
            account.left_out.add(
                "image", "with difficult objects alone" if of_classes else "with none of the classes", image
            )


def _picture(devkit: Devkit, image: str, annotation: Annotation, account: Account) -> Picture | None:
    def as_masks() -> Size | None:
        either = next((mask for mask in devkit.masks(image) if mask is not None), None)
        return None if either is None else (either.shape[0], either.shape[1])

    if annotation.size is None:
        account.notes.add("image", "whose annotation has no <size> to compare with its file's", image)
    return picture_seen(devkit.source, devkit.images[image], image, annotation.size, as_masks, account)


def _is_skipped(entry: Object, wanted: Wanted) -> bool:
    return entry.difficult and wanted.difficult == "skip"


def _say_difficult(image: str, objects: Sequence[Object], account: Account) -> None:
    for entry in objects:
        if entry.difficult:
            account.notes.add(
                "object", "marked difficult and kept (difficult=skip leaves such out)", _named(image, entry)
            )


def _named(image: str, entry: Object) -> str:
    return f"{image} {entry.class_name} {entry.number}"
