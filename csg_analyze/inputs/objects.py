"""The objects of a dataset, by its masks or boxes."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from csg_analyze.data import Dataset
from csg_analyze.data.geometry import tight_boxes
from csg_analyze.errors import NotAvailable, UsageError
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.objects import Objects, Regions


def objects(
    dataset: Dataset,
    *,
    annotations: Annotated[
        Literal["auto", "masks", "boxes"], "what maps are compared with; auto: masks if every image has one"
    ] = "auto",
) -> Objects:
    """The objects of the images' classes: their masks if all images have one, else their boxes as filled areas.

    "masks" leaves out images without a mask. Raises NotAvailable if the data has neither masks nor boxes, UsageError if
    it does not have the requested ones.
    """
    if dataset.masks is None and dataset.boxes is None:
        raise NotAvailable(f"{dataset.spec} has neither masks nor boxes of objects")
    if annotations != "auto" and getattr(dataset, annotations) is None:
        raise UsageError(f"{dataset.spec} has no {annotations}; leave --annotations at auto.")
    kind = annotations if annotations != "auto" else "masks" if _all_have_masks(dataset) else "boxes"
    if dataset.boxes is None:
        assert dataset.masks is not None
        boxes: FloatArray = tight_boxes(dataset.masks.numpy())[:, None].astype(np.float64)
    else:
        boxes = dataset.boxes.double().numpy()
    usable, left_out = _usable(dataset, kind, boxes)
    if not usable.any():
        raise NotAvailable(f"no image of {dataset.spec} has an object to compare with ({'; '.join(left_out)})")
    names = dataset.sources or dataset.sample_ids
    _, groups = np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)

    def masks(images: IntArray) -> Regions:
        assert dataset.masks is not None
        chosen = torch.from_numpy(np.asarray(images))
        region: BoolArray = dataset.masks[chosen].numpy()
        counted = np.ones_like(region) if dataset.ignored is None else ~dataset.ignored[chosen].numpy()
        return region & counted, counted

    return Objects(
        kind=kind,
        size=dataset.image_size,
        boxes=boxes,
        usable=usable,
        groups=groups.astype(np.int64),
        left_out=(*dataset.left_out, *left_out),
        masks=None if dataset.masks is None else masks,
    )


def _all_have_masks(dataset: Dataset) -> bool:
    return dataset.masks is not None and (dataset.ignored is None or not bool(dataset.ignored.flatten(1).all(1).any()))


def _usable(dataset: Dataset, kind: str, boxes: FloatArray) -> tuple[BoolArray, tuple[str, ...]]:
    """Whether an image has an object, (N,); and phrases on the images without one."""
    if kind == "boxes":
        without: BoolArray = np.asarray(np.isnan(boxes).all(axis=(1, 2)))
        reasons = {"without a box inside the image": without}
    else:
        assert dataset.masks is not None
        ignored = torch.zeros_like(dataset.masks) if dataset.ignored is None else dataset.ignored
        undefined = ignored.flatten(1).all(1).numpy()
        empty = ~(dataset.masks & ~ignored).flatten(1).any(1).numpy() & ~undefined
        without = undefined | empty
        reasons = {"without a mask": undefined, "with an empty mask": empty}
    left_out = tuple(
        f"{images.sum()} image{'s' if images.sum() > 1 else ''} {reason} ({_some(dataset, images)})"
        for reason, images in reasons.items()
        if images.any()
    )
    return ~without, left_out


def _some(dataset: Dataset, images: BoolArray) -> str:
    names = [dataset.sample_ids[i] for i in np.flatnonzero(images)[:3]]
    return ", ".join(names) + (", ..." if images.sum() > 3 else "")
