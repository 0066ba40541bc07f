"""Where a map is cut, as the authors' scripts cut the three kinds of maps."""

from __future__ import annotations

import numpy as np

from csg_analyze.metrics.arrays import BoolArray, FloatArray

TOP_SHARE = 0.3
"""Of a CAM's pixels, and of all activations of a filter: those that are the object."""

ROUNDING = 1e-6
"""A map whose values differ by less than this share of the largest of them is the same everywhere, rounding aside."""

CELLS = 2**24
"""Activations copied at once, 64 MB."""


def top_pixels(maps: FloatArray, share: float = TOP_SHARE) -> FloatArray:
    """The value that the highest `share` of the pixels of each map reach: (..., H, W) -> (...).

    That share is cut down to whole pixels, as in the authors' scripts: 1228 of 4096. Pixels that tie with the last of
    them are in the region too, so that it may be larger; those at the map's lowest value never are. So of a rectified
    map with fewer positive pixels than the share the region is what is positive, and a map that is the same everywhere
    has none: infinity. (The scripts take the whole image in both cases.)
    """
    flat = maps.reshape(*maps.shape[:-2], -1)
    place = flat.shape[-1] - n_highest(flat.shape[-1], share)
    values: FloatArray = np.partition(flat, place, axis=-1)[..., place]
    above_lowest = np.nextafter(flat.min(axis=-1), np.array(np.inf, flat.dtype))
    cut: FloatArray = np.where(without_differences(maps), np.inf, np.maximum(values, above_lowest))
    return cut.astype(flat.dtype)


def n_highest(n: int, share: float = TOP_SHARE) -> int:
    """How many of n values the highest `share` are: cut down, but at least one."""
    return max(1, int(share * n))


def without_differences(maps: FloatArray) -> BoolArray:
    """Whether a map is the same everywhere, rounding aside: (..., H, W) -> (...)."""
    low, high = maps.min(axis=(-2, -1)), maps.max(axis=(-2, -1))
    found: BoolArray = np.asarray(high - low <= ROUNDING * np.maximum(np.abs(low), np.abs(high)))
    return found


def activation_thresholds(maps: FloatArray, chosen: np.ndarray, share: float = TOP_SHARE) -> FloatArray:
    """Per filter the value that the highest `share` of its activations reach, (K,), itself one of them.

    Over all positions of the chosen images, the share cut down to a whole number of activations, as in the authors'
    scripts. maps: (N, K, h, w). chosen: indices (n,) of images.
    """
    n_filters = maps.shape[1]
    at_once = max(1, CELLS // max(1, len(chosen) * maps.shape[2] * maps.shape[3]))
    found: FloatArray = np.empty(n_filters)
    for start in range(0, n_filters, at_once):
        filters = slice(start, start + at_once)
        values = np.concatenate([maps[i, filters].reshape(-1, *maps.shape[2:])[None] for i in chosen])
        by_filter = values.swapaxes(0, 1).reshape(values.shape[1], -1)
        place = by_filter.shape[1] - n_highest(by_filter.shape[1], share)
        found[filters] = np.partition(by_filter, place, axis=1)[:, place]
    return found
