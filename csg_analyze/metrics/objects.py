"""The objects of N images, with which maps are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from csg_analyze.metrics.arrays import Arguments, BoolArray, FloatArray, IntArray

Regions = tuple[BoolArray, BoolArray]


@dataclass(frozen=True)
class Objects:
    """The objects of the labelled class in N images of height x width pixels.

    kind: whether regions are the objects' masks, or their boxes, filled. boxes: float (N, M, 4) as x0, y0, x1, y1 in
    pixels, x1 and y1 exclusive, NaN if an image has fewer than M. usable: (N,), False for images without objects to
    compare with; left_out gives the reasons, in phrases with numbers. groups: int (N,), the same for images cut from
    one picture. masks: from indices (n,) to regions and pixels that count, (n, height, width) each; None without masks.
    """

    kind: Literal["masks", "boxes"]
    size: tuple[int, int]
    boxes: FloatArray
    usable: BoolArray
    groups: IntArray
    left_out: tuple[str, ...] = ()
    masks: Callable[[IntArray], Regions] | None = None

    def regions(self, images: IntArray) -> Regions:
        """Pixels on the objects, and pixels that count (a mask may leave some undecided), (n, H, W) each."""
        if self.kind == "masks" and self.masks is not None:
            return self.masks(images)
        region = inside_boxes(self.boxes[images], *self.size)
        return region, np.ones_like(region)


def inside_boxes(boxes: ArrayLike, height: int, width: int) -> BoolArray:
    """The pixels whose centre lies in one of an image's boxes: (n, M, 4) -> (n, height, width)."""
    boxes = Arguments().numbers("boxes", boxes, "n M 4")
    x0, y0, x1, y1 = np.moveaxis(boxes, -1, 0)[..., None]  # (n, M, 1) each; comparisons with NaN are False
    columns, rows = np.arange(width) + 0.5, np.arange(height) + 0.5
    across = (columns >= x0) & (columns < x1)  # (n, M, width)
    down = (rows >= y0) & (rows < y1)
    result: BoolArray = np.einsum("nmh,nmw->nhw", down, across)
    return result
