"""Where a map is cut, as the authors' scripts cut the three kinds of maps."""

from __future__ import annotations

import numpy as np

from csg_analyze.metrics.arrays import BoolArray, FloatArray

TOP_SHARE = 0.3
"""Share of a CAM's pixels, or of all activations of a filter, that make the region."""

FLATNESS = 1e-6
"""A map is flat if its values differ by no more than this share of the largest: rounding."""

ACTIVATIONS_AT_ONCE = 2**24
"""Activations copied at once, 64 MB."""


def top_pixels(maps: FloatArray, share: float = TOP_SHARE) -> FloatArray:
    """The value that the highest `share` of the pixels of each map reach: (..., H, W) -> (...).

    The share is rounded down to whole pixels, as in the authors' scripts: 1228 of 4096. Pixels that tie with the last
    of them are in the region too, which may therefore be larger; pixels at the map's lowest value never are. So the
    region of a rectified map with fewer positive pixels than the share is its positive pixels, and a flat map has no
    region: infinity. (The scripts take the whole image in both cases.)
    """
    flat = maps.reshape(*maps.shape[:-2], -1)
    place = flat.shape[-1] - n_highest(flat.shape[-1], share)
    values: FloatArray = np.partition(flat, place, axis=-1)[..., place]
    above_lowest = np.nextafter(flat.min(axis=-1), np.array(np.inf, flat.dtype))
    cut: FloatArray = np.where(without_differences(maps), np.inf, np.maximum(values, above_lowest))
    return cut.astype(flat.dtype)


def n_highest(n: int, share: float = TOP_SHARE) -> int:
    """The number of values in the highest `share` of n: rounded down, at least one."""
    return max(1, int(share * n))


def without_differences(maps: FloatArray) -> BoolArray:
    """Whether maps are flat, apart from rounding: (..., H, W) -> (...)."""
    low, high = maps.min(axis=(-2, -1)), maps.max(axis=(-2, -1))
    flat: BoolArray = np.asarray(high - low <= FLATNESS * np.maximum(np.abs(low), np.abs(high)))
    return flat


def activation_thresholds(maps: FloatArray, chosen: np.ndarray, share: float = TOP_SHARE) -> FloatArray:
    """The lowest of the highest `share` of every filter's activations, (K,).

    Over all positions of the chosen images; the share is rounded down to whole activations, as in the authors'
    scripts. maps: (N, K, h, w). chosen: indices (n,) of images.
    """
    n_filters = maps.shape[1]
    at_once = max(1, ACTIVATIONS_AT_ONCE // max(1, len(chosen) * maps.shape[2] * maps.shape[3]))
    thresholds: FloatArray = np.empty(n_filters)
    for start in range(0, n_filters, at_once):
        filters = slice(start, start + at_once)
        values = np.concatenate([maps[i, filters].reshape(-1, *maps.shape[2:])[None] for i in chosen])
        by_filter = values.swapaxes(0, 1).reshape(values.shape[1], -1)
        place = by_filter.shape[1] - n_highest(by_filter.shape[1], share)
        thresholds[filters] = np.partition(by_filter, place, axis=1)[:, place]
    return thresholds
