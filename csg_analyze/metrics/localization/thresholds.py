"""Where a map is cut, as the authors' scripts cut the three kinds of maps."""

from __future__ import annotations

import numpy as np

from csg_analyze.metrics.arrays import FloatArray

TOP_SHARE = 0.3
"""Of a CAM's pixels, and of all activations of a filter: those that are the object."""

CELLS = 2**24
"""Activations copied at once, 64 MB."""


def top_pixels(maps: FloatArray, share: float = TOP_SHARE) -> FloatArray:
    """The value that the highest `share` of the pixels of each map reach: (..., H, W) -> (...).

    Pixels that tie with the last of them are in the region too: of a map without differences, all are.
    """
    flat = maps.reshape(*maps.shape[:-2], -1)
    n_top = max(1, round(share * flat.shape[-1]))
    values: FloatArray = np.partition(flat, flat.shape[-1] - n_top, axis=-1)[..., flat.shape[-1] - n_top]
    return values


def activation_thresholds(maps: FloatArray, chosen: np.ndarray, share: float = TOP_SHARE) -> FloatArray:
    """Per filter the value that `share` of its activations at all positions of the chosen images exceed, (K,).

    maps: (N, K, h, w). chosen: indices (n,) of images. Interpolates linearly between activations, as `np.quantile`.
    """
    n_filters = maps.shape[1]
    at_once = max(1, CELLS // max(1, len(chosen) * maps.shape[2] * maps.shape[3]))
    found: FloatArray = np.empty(n_filters)
    for start in range(0, n_filters, at_once):
        filters = slice(start, start + at_once)
        values = np.concatenate([maps[i, filters].reshape(-1, *maps.shape[2:])[None] for i in chosen])
        by_filter = values.swapaxes(0, 1).reshape(values.shape[1], -1)
        found[filters] = np.quantile(by_filter, 1 - share, axis=1)
    return found
