"""Resizing and cropping of images, and of their boxes and masks in the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from csg_analyze.data.dataset import Dataset
from csg_analyze.data.fingerprint import fingerprint_of
from csg_analyze.data.memory import gigabytes, memory_budget
from csg_analyze.errors import UsageError

Progress = Callable[[int, int], None]
"""Called with the number of images done and the number of all images."""

BATCH = 250


@dataclass(frozen=True)
class Placement:
    """An image of `source` (height, width) is scaled to `scaled`, then cut to height x width at (top, left).

    Its `repr` is part of the fingerprint of a resized dataset.
    """

    source: tuple[int, int]
    scaled: tuple[int, int]
    top: int
    left: int
    height: int
    width: int

    @property
    def untouched(self) -> bool:
        """Whether every pixel stays as it is."""
        return self.source == self.scaled == (self.height, self.width)


def check_sizes(size: int | None, resize: int | None) -> None:
    """Raise UsageError for sizes below 1 and for a crop larger than the resized image."""
    for name, value in (("size", size), ("resize", resize)):
        if value is not None and value < 1:
            raise UsageError(f"the {name} of images must be at least 1 pixel, not {value}.")
    if size is not None and resize is not None and resize < size:
        raise UsageError(
            f"a crop of {size} pixels does not fit in images resized to {resize}; resize to {size} or more."
        )


def placement(height: int, width: int, size: int | None, resize: int | None) -> Placement:
    """The shorter side scaled to `resize` (by default to `size`), then the central size x size pixels.

    Rounds as torchvision's Resize and CenterCrop do. size None: no crop; both None: the image as it is.
    """
    shorter = size if resize is None else resize
    scaled = (height, width)
    if shorter is not None:
        longer = int(shorter * max(scaled) / min(scaled))
        scaled = (longer, shorter) if height > width else (shorter, longer)
    if size is None:
        return Placement((height, width), scaled, 0, 0, *scaled)
    top, left = (round((side - size) / 2) for side in scaled)
    return Placement((height, width), scaled, top, left, size, size)


def resized(dataset: Dataset, size: int | None, resize: int | None = None, progress: Progress | None = None) -> Dataset:
    """The dataset with images, boxes and masks scaled and cropped as `placement` says; itself if nothing changes.

    Images are interpolated bilinearly with antialiasing, masks by the nearest pixel. Boxes are clipped to the image, so
    that a box outside the crop has no area.
    Raises UsageError for impossible sizes and if the resized images do not fit in memory.
    """
    check_sizes(size, resize)
    place = placement(*dataset.image_size, size, resize)
    if place.untouched:
        return dataset
    needed = len(dataset) * 3 * place.height * place.width
    if needed > 2 * memory_budget():
        raise UsageError(
            f"{len(dataset)} images of {place.width}x{place.height} take {gigabytes(needed)}, too much for this "
            "machine's memory; use fewer (--limit) or smaller ones (--size)."
        )
    images = torch.empty((len(dataset), 3, place.height, place.width), dtype=torch.uint8)
    for start, batch in zip(range(0, len(dataset), BATCH), dataset.batches(BATCH), strict=True):
        images[start : start + len(batch)] = place_images(batch, place)
        if progress is not None:
            progress(start + len(batch), len(dataset))
    height, width = place.source
    return replace(
        dataset,
        images=images,
        fingerprint=fingerprint_of(dataset.fingerprint, repr(place)),
        boxes=None if dataset.boxes is None else place_boxes(dataset.boxes, place),
        masks=None if dataset.masks is None else place_masks(dataset.masks, place),
        ignored=None if dataset.ignored is None else place_masks(dataset.ignored, place),
        notes=(*dataset.notes, f"resized from {width}x{height} to {place.width}x{place.height} pixels"),
    )


def place_images(images: Tensor, place: Placement) -> Tensor:
    """uint8 (N, 3, H, W) -> uint8 (N, 3, height, width)."""
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.functional import resize

    scaled: Tensor = resize(images, list(place.scaled), InterpolationMode.BILINEAR, antialias=True)
    return _cut(scaled, place)


def place_masks(masks: Tensor, place: Placement) -> Tensor:
    """Bool (N, H, W) -> bool (N, height, width), by the nearest pixel."""
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.functional import resize

    scaled: Tensor = resize(masks.to(torch.uint8), list(place.scaled), InterpolationMode.NEAREST_EXACT)
    return _cut(scaled, place).bool()


def place_boxes(boxes: Tensor, place: Placement) -> Tensor:
    """Float (..., 4), x0 y0 x1 y1 with x1 and y1 exclusive -> the same in the placed image, clipped to it.

    NaN, for no box, stays NaN.
    """
    (height, width), (scaled_height, scaled_width) = place.source, place.scaled
    scale = boxes.new_tensor([scaled_width / width, scaled_height / height])
    offset = boxes.new_tensor([place.left, place.top])
    corners = boxes.reshape(*boxes.shape[:-1], 2, 2) * scale - offset
    clipped = corners.clamp(min=boxes.new_zeros(2), max=boxes.new_tensor([place.width, place.height]))
    return clipped.reshape(boxes.shape)


def tight_boxes(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The smallest boxes float32 (N, 4), x0 y0 x1 y1 with x1 and y1 exclusive, around masks (N, H, W).

    NaN for an empty mask.
    """
    columns, rows = np.any(masks, axis=1), np.any(masks, axis=2)  # (N, W), (N, H)
    x0, y0 = columns.argmax(1), rows.argmax(1)
    x1 = columns.shape[1] - columns[:, ::-1].argmax(1)
    y1 = rows.shape[1] - rows[:, ::-1].argmax(1)
    boxes = np.stack([x0, y0, x1, y1], 1).astype(np.float32)
    boxes[~columns.any(axis=1)] = np.nan
    return boxes


def _cut(images: Tensor, place: Placement) -> Tensor:
    return images[..., place.top : place.top + place.height, place.left : place.left + place.width]
