"""Where the objects of N images are: what maps are compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray

Regions = tuple[BoolArray, BoolArray]


@dataclass(frozen=True)
class Objects:
    """The objects of the labelled class in N images of height x width pixels.

    kind: what regions are: the objects' masks, or their boxes filled. boxes: float (N, M, 4) as x0, y0, x1, y1 in
    pixels, x1 and y1 exclusive, NaN where an image has fewer than M. usable: (N,), False for images with nothing to
    compare with; left_out says why, in phrases with numbers. groups: int (N,), the same for images cut from one
    picture. masks: from indices (n,) to regions and to pixels that count, both (n, height, width); None without masks.
    """

    kind: Literal["masks", "boxes"]
    size: tuple[int, int]
    boxes: FloatArray
    usable: BoolArray
    groups: IntArray
    left_out: tuple[str, ...] = ()
    masks: Callable[[IntArray], Regions] | None = None

    def regions(self, images: IntArray) -> Regions:
        """Pixels on the objects, and pixels that count at all (not those a mask says nothing about), (n, H, W) each."""
        if self.kind == "masks" and self.masks is not None:
            return self.masks(images)
        region = filled(self.boxes[images], *self.size)
        return region, np.ones_like(region)


def filled(boxes: FloatArray, height: int, width: int) -> BoolArray:
    """The pixels whose centre lies in one of an image's boxes: (n, M, 4) -> (n, height, width)."""
    x0, y0, x1, y1 = np.moveaxis(boxes, -1, 0)[..., None]  # (n, M, 1) each; comparisons with NaN are False
    columns, rows = np.arange(width) + 0.5, np.arange(height) + 0.5
    across = (columns >= x0) & (columns < x1)  # (n, M, width)
    down = (rows >= y0) & (rows < y1)
    result: BoolArray = np.einsum("nmh,nmw->nhw", down, across)
    return result
