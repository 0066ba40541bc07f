"""Maps of a layer, bilinear at the size of the image."""

from __future__ import annotations

import numpy as np

from csg_analyze.metrics.arrays import FloatArray


def upsampled(maps: FloatArray, height: int, width: int) -> FloatArray:
    """(..., h, w) -> float32 (..., height, width), bilinear, corners not aligned.

    The rule of torch's `interpolate(mode="bilinear", align_corners=False)`: pixel x of the new size lies at
    (x + 1/2) old / new - 1/2 of the old one, never outside the first and last position. Equal values stay equal: a
    flat part of a map is flat to the last bit, and every map the same whatever others come with it.
    """
    return _between(_between(np.asarray(maps, np.float32), width, axis=-1), height, axis=-2)


def _between(maps: FloatArray, new: int, axis: int) -> FloatArray:
    old = maps.shape[axis]
    place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, None)
    lower = np.minimum(place.astype(np.int64), old - 1)
    share = (place - lower).astype(np.float32)
    first: FloatArray = np.take(maps, lower, axis)
    step: FloatArray = np.take(maps, np.minimum(lower + 1, old - 1), axis)
    # in place: at the image's size a copy is large
    step -= first
    step *= share if axis == -1 else share[:, None]
    step += first
    return step
