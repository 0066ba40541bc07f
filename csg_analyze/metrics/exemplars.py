"""The images that activate a filter most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from csg_analyze.metrics.arrays import Arguments, FloatArray, IntArray

FILTERS_AT_ONCE = 64
"""Filters whose activations are copied at once, because columns are not contiguous in memory."""


@dataclass(frozen=True)
class Exemplars:
    """The n images that activate each of K filters most, with the filter's maps.

    images: int64 (K, n), indices into the data, the most activating first. activations: (K, n), the filter's averaged
    activation on them. maps: float32 (K, n, h, w), the filter's own map on them, not averaged.
    thumbnails: uint8 (U, t, s, 3), RGB, of the U distinct images, at most 64 pixels high and wide.
    thumbnail_of: int64 (K, n), rows of `thumbnails`.
    """

    images: IntArray
    activations: FloatArray
    maps: FloatArray
    thumbnails: np.ndarray
    thumbnail_of: IntArray


def most_activating(activations: ArrayLike, n: int) -> IntArray:
    """The n images with the highest activation of every filter, int64 (K, n), the highest first.

    activations: (N, K) with N >= n, finite. Of equal activations the lower index comes first. Raises ValueError for
    what is not so.

    >>> most_activating([[0.1, 2.0], [0.7, 1.0], [0.3, 3.0]], n=2)
    array([[1, 2],
           [2, 0]])
    """
    activations = Arguments().numbers("activations", activations, "N K", finite=True)
    n_images, n_filters = activations.shape
    if not 1 <= n <= n_images:
        raise ValueError(f"n must lie in 1..{n_images}, the number of images, and is {n}.")
    chosen: IntArray = np.empty((n_filters, n), np.int64)
    for start in range(0, n_filters, FILTERS_AT_ONCE):
        columns = np.ascontiguousarray(activations[:, start : start + FILTERS_AT_ONCE].T)
        lowest = np.partition(columns, n_images - n, axis=1)[:, n_images - n]
        for k, column in enumerate(columns):
            candidates = np.flatnonzero(column >= lowest[k])  # ascending, including all ties
            chosen[start + k] = candidates[np.argsort(-column[candidates], kind="stable")[:n]]
    return chosen
