"""Maps of a layer, bilinear at the size of the image."""

from __future__ import annotations

import numpy as np

from csg_analyze.metrics.arrays import FloatArray


def bilinear_weights(old: int, new: int) -> FloatArray:
    """(new, old) float32: what every old position contributes to every new one, corners not aligned.

    The rule of torch's `interpolate(mode="bilinear", align_corners=False)`: pixel x of the new size lies at
    (x + 1/2) old / new - 1/2 of the old one, never outside the first and last position.
    """
    place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, None)
    lower = np.minimum(place.astype(np.int64), old - 1)
    upper = np.minimum(lower + 1, old - 1)
    share = place - lower
    weights = np.zeros((new, old))
    rows = np.arange(new)
    np.add.at(weights, (rows, lower), 1 - share)
    np.add.at(weights, (rows, upper), share)
    return weights.astype(np.float32)


def upsampled(maps: FloatArray, height: int, width: int) -> FloatArray:
    """(..., h, w) -> float32 (..., height, width), bilinear: two matrix products for all maps together."""
    rows, columns = bilinear_weights(maps.shape[-2], height), bilinear_weights(maps.shape[-1], width)
    result: FloatArray = rows @ (np.asarray(maps, np.float32) @ columns.T)
    return result
