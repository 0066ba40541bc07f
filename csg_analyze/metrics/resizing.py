"""Bilinear resizing of maps to the size of the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from csg_analyze.metrics.arrays import Arguments, FloatArray


def upsampled(maps: ArrayLike, height: int, width: int) -> FloatArray:
    """(..., h, w) -> float32 (..., height, width), bilinear, corners not aligned.

    As torch's `interpolate(mode="bilinear", align_corners=False)`: pixel x of the new size is at (x + 1/2) old / new -
    1/2 of the old size, clipped to the first and last position. A flat part of a map stays flat to the last bit, so
    that equal pixels are on the same side of every threshold, and the values of a map do not depend on the batch.
    OpenCV's INTER_LINEAR agrees up to rounding, but pixels differed in 470 of 10,000 random flat maps (h, w up to 32;
    heights and widths up to 300; 440 of 10,000 that were only enlarged).
    """
    maps = np.asarray(Arguments().numbers("maps", maps, "... h w"), np.float32)
    return _between(_between(maps, width, axis=-1), height, axis=-2)


def _between(maps: FloatArray, new: int, axis: int) -> FloatArray:
    old = maps.shape[axis]
    place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, None)
    lower = np.minimum(place.astype(np.int64), old - 1)
    share = (place - lower).astype(np.float32)
    first: FloatArray = np.take(maps, lower, axis)
    step: FloatArray = np.take(maps, np.minimum(lower + 1, old - 1), axis)
    # in place, because copies at the image's size are large
    step -= first
    step *= share if axis == -1 else share[:, None]
    step += first
    return step
