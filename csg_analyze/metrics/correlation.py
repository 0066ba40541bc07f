"""How alike the filters of a convolution are: cosine of their flattened weights (Sec. 4.3, Fig. 7 and 8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from csg_analyze.metrics.arrays import FloatArray, IntArray

COSINE_ROUNDING = 1e-9
"""Two cosines closer than this count as equal: sums in another order must not decide a comparison."""


def directions(rows: FloatArray) -> FloatArray:
    """The rows (A, D) at length 1, float64; NaN for a row of zeros."""
    rows = np.asarray(rows, dtype=np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: FloatArray = np.divide(rows, length, out=np.full_like(rows, np.nan), where=length > 0)
    return unit


@dataclass(frozen=True)
class FilterWeights:
    """The filters of one convolution.

    layer: its name. weights: float (F, D), a flattened filter a row; D is what one filter sees, so in a grouped
    convolution only its own group's input. matches: filter k makes channel k of the feature layer, so that gate and
    activations, which have a column a channel, speak of these filters.
    """

    layer: str
    weights: FloatArray
    matches: bool


def correlation_matrix(weights: FloatArray) -> FloatArray:
    """C[i, j], the cosine of the flattened filters i and j: float64 (F, F), symmetric, with a diagonal of exactly 1.

    A filter whose weights are all zero has no direction: its row and column are NaN.
    """
    unit = directions(weights)
    correlations: FloatArray = unit @ unit.T  # one array with itself: NumPy computes half of it and mirrors that
    np.clip(correlations, -1, 1, out=correlations)
    np.fill_diagonal(correlations, np.where(np.isnan(correlations.diagonal()), np.nan, 1.0))
    return correlations


def pair_values(correlations: FloatArray) -> FloatArray:
    """C[i, j] of every pair i < j of filters with a direction, one value a pair."""
    alive = ~np.isnan(correlations.diagonal())
    pairs: FloatArray = correlations[np.ix_(alive, alive)][np.triu_indices(int(alive.sum()), 1)]
    return pairs


def share_at_least(pairs: FloatArray, thresholds: FloatArray, n_diagonal: int = 0) -> FloatArray:
    """r_s of Sec. 4.3: the share of the elements of a correlation matrix that are at least s, for every s.

    pairs: the values above the diagonal (`pair_values`). n_diagonal: how many filters have a direction, to count the
    ones on the diagonal as the paper's words have it ("elements in a correlation matrix"); 0 leaves the diagonal out.
    thresholds: (S,). NaN where there is no element.
    """
    below = np.searchsorted(np.sort(pairs), thresholds - COSINE_ROUNDING)
    ones = n_diagonal * (thresholds - COSINE_ROUNDING <= 1)
    total = 2 * len(pairs) + n_diagonal
    count = 2 * (len(pairs) - below) + ones
    share: FloatArray = count / total if total else np.full(len(thresholds), np.nan)
    return share


def nearest_filters(correlations: FloatArray) -> tuple[IntArray, FloatArray]:
    """For every filter the other one whose cosine has the largest magnitude, and that cosine, each (F,).

    -1 and NaN for a filter without a direction, or where there is no other.
    """
    magnitude = np.abs(correlations)
    np.fill_diagonal(magnitude, np.nan)
    magnitude = np.where(np.isnan(magnitude), -1.0, magnitude)
    nearest = magnitude.argmax(axis=1)
    rows = np.arange(len(correlations))
    exists = magnitude[rows, nearest] >= 0
    return np.where(exists, nearest, -1), np.where(exists, correlations[rows, nearest], np.nan)
