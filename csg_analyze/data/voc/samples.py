"""The samples of a dataset: whole images, or cut-out objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from csg_analyze.data.geometry import tight_boxes
from csg_analyze.data.sources import Source
from csg_analyze.data.voc.annotations import NO_BOX, AnnotatedObject, Annotation, Box, Mask
from csg_analyze.data.voc.devkit import VOC_CLASSES, VOID, Devkit, Labels, belongs_to
from csg_analyze.data.voc.instances import Window, window_around
from csg_analyze.data.voc.pictures import AnnotatedPicture, Size, picture_as_annotated
from csg_analyze.data.voc.spec import VocSpec
from csg_analyze.data.voc.tally import Account
from csg_analyze.errors import UsageError


@dataclass(frozen=True)
class Sample:
    """One image of the dataset. image: the id of the picture it is or was cut from. window: None for all of it.

    picture: None if the objects were cut out by `prepare-voc`. skipped: objects whose pixels belong neither to the
    class nor to the background.
    """

    name: str
    image: str
    class_name: str
    objects: tuple[AnnotatedObject, ...]
    picture: AnnotatedPicture | None = None
    window: Window | None = None
    skipped: tuple[AnnotatedObject, ...] = ()


GroundTruth = tuple[Tensor, tuple[Mask, Mask] | None]
"""Boxes (m, 4) of a sample's objects; and its mask and the pixels to ignore, both (H, W), or None."""


@dataclass(frozen=True)
class Listing:
    """The samples of a split before any pixel is read.

    files: one image file per sample, in `source`. ground_truth: gives a sample's boxes and mask, in its file's pixels.
    """

    source: Source
    class_names: tuple[str, ...]
    samples: tuple[Sample, ...]
    files: tuple[str, ...]
    ground_truth: Callable[[Sample], GroundTruth]
    notes: tuple[str, ...] = ()


def instance_name(class_name: str, number: int, image: str) -> str:
    """The name of one cut-out object: <class>-<n>-<image id>."""
    return f"{class_name}-{number}-{image}"


def whole_images(
    devkit: Devkit, ids: Sequence[str], classes: Sequence[str], spec: VocSpec, account: Account
) -> Iterator[Sample]:
    """The images on which exactly one of the classes is annotated, with all objects of that class.

    If one object has no box, the image has no boxes: those of the other objects alone would be incomplete.
    """
    for image, annotation, chosen in _annotated(devkit, ids, classes, spec, account):
        class_name = chosen[0].class_name
        if any(entry.class_name != class_name for entry in chosen):
            account.left_out.add("image", "with several of the classes", image)
            continue
        picture = _picture(devkit, image, annotation, account)
        if picture is None:
            continue
        _note_difficult(image, chosen, account)
        for entry in chosen:
            if entry.flaw:
                account.left_out.add(
                    "object", f"{entry.flaw}: its image counts as one without boxes", _named(image, entry)
                )
        if any(entry.flaw for entry in chosen):
            chosen = tuple(replace(entry, box=NO_BOX) for entry in chosen)
        skipped = tuple(o for o in annotation.objects if o.class_name == class_name and _is_skipped(o, spec))
        yield Sample(image, image, class_name, chosen, picture, skipped=skipped)


def cut_out_objects(
    devkit: Devkit, ids: Sequence[str], classes: Sequence[str], spec: VocSpec, account: Account
) -> Iterator[Sample]:
    """The objects of the classes, in squares around their masks, or around their boxes if there is no mask."""
    for image, annotation, chosen in _annotated(devkit, ids, classes, spec, account):
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
            _note_difficult(image, (entry,), account)
            yield Sample(name, image, entry.class_name, (entry,), picture, window_around(*box))


def clipped(box: Box, size: Size) -> Box:
    """A box cut at the edges of an image of that height and width; x1 <= x0 or y1 <= y0 if it lies outside."""
    height, width = size
    x0, y0, x1, y1 = box
    return max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)


def mask_of(devkit: Devkit, sample: Sample) -> tuple[Mask, Mask] | None:
    """The mask of the sample's objects and the pixels to ignore, both of the whole picture; None without a mask.

    Taken from the mask of objects; without one, for a whole picture, from the mask of classes.
    """
    assert sample.picture is not None
    labels, classes = _masks(devkit, sample.image, sample.picture)
    if labels is not None:
        region, skipped = (_pixels(labels, entries) for entries in (sample.objects, sample.skipped))
        return (region, (labels == VOID) | skipped) if belongs_to(sample.class_name, region, classes) else None
    if classes is None or sample.window is not None or sample.skipped or sample.class_name not in VOC_CLASSES:
        return None
    return classes == VOC_CLASSES.index(sample.class_name) + 1, classes == VOID


def _pixels(labels: Labels, objects: Sequence[AnnotatedObject]) -> Mask:
    mask: Mask = np.isin(labels, [entry.number for entry in objects if entry.number < VOID])
    return mask


def _masks(devkit: Devkit, image: str, picture: AnnotatedPicture) -> tuple[Labels | None, Labels | None]:
    labels, classes = devkit.masks(image)
    mask = classes if labels is None else labels
    if mask is not None and mask.shape != picture.size:
        (height, width), (own_height, own_width) = picture.size, mask.shape
        raise UsageError(f"the mask of {image!r} is {own_width}x{own_height}, its image {width}x{height}; replace it.")
    return labels, classes


def _annotated(
    devkit: Devkit, ids: Sequence[str], classes: Sequence[str], spec: VocSpec, account: Account
) -> Iterator[tuple[str, Annotation, tuple[AnnotatedObject, ...]]]:
    """The images that have an annotation, a file and an object of the classes, with all these objects."""
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
            if _is_skipped(entry, spec):
                account.left_out.add("object", "marked difficult", _named(image, entry))
        chosen = tuple(entry for entry in of_classes if not _is_skipped(entry, spec))
        if chosen:
            yield image, annotation, chosen
        else:
            account.left_out.add(
                "image", "with difficult objects alone" if of_classes else "with none of the classes", image
            )


def _picture(devkit: Devkit, image: str, annotation: Annotation, account: Account) -> AnnotatedPicture | None:
    def mask_size() -> Size | None:
        mask = next((mask for mask in devkit.masks(image) if mask is not None), None)
        return None if mask is None else (mask.shape[0], mask.shape[1])

    if annotation.size is None:
        account.notes.add("image", "whose annotation has no <size> to compare with its file's", image)
    return picture_as_annotated(devkit.source, devkit.images[image], image, annotation.size, mask_size, account)


def _is_skipped(entry: AnnotatedObject, spec: VocSpec) -> bool:
    return entry.difficult and spec.difficult == "skip"


def _note_difficult(image: str, objects: Sequence[AnnotatedObject], account: Account) -> None:
    for entry in objects:
        if entry.difficult:
            account.notes.add(
                "object", "marked difficult and kept (difficult=skip leaves such out)", _named(image, entry)
            )


def _named(image: str, entry: AnnotatedObject) -> str:
    return f"{image} {entry.class_name} {entry.number}"
