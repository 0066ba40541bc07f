"""Correlation of the filters of a convolution: the cosine of flattened weights (Sec. 4.3, Fig. 7 and 8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from csg_analyze.metrics.arrays import Arguments, FloatArray, IntArray

COSINE_ROUNDING = 1e-9
"""Cosines closer than this count as equal: the order of a sum must not decide a comparison."""


def directions(rows: ArrayLike) -> FloatArray:
    """The rows (A, D) scaled to length 1, float64; NaN for a row of zeros."""
    rows = np.asarray(Arguments().numbers("rows", rows, "A D"), dtype=np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: FloatArray = np.divide(rows, length, out=np.full_like(rows, np.nan), where=length > 0)
    return unit


@dataclass(frozen=True)
class FilterWeights:
    """The filters of one convolution.

    layer: its name. weights: float (F, D), one flattened filter per row; in a grouped convolution D covers only the
    filter's own group of inputs. matches: whether filter k makes channel k of the feature layer, so that gate and
    activations belong to these filters.
    """

    layer: str
    weights: FloatArray
    matches: bool


def correlation_matrix(weights: ArrayLike) -> FloatArray:
    """C[i, j], the cosine of the flattened filters i and j: float64 (F, F), symmetric, with a diagonal of exactly 1.

    A filter whose weights are all zero has no direction: its row and column are NaN.

    >>> correlation_matrix([[1.0, 0.0], [-2.0, 0.0], [0.0, 3.0]])
    array([[ 1., -1.,  0.],
           [-1.,  1.,  0.],
           [ 0.,  0.,  1.]])
    """
    unit = directions(Arguments().numbers("weights", weights, "F D"))
    correlations: FloatArray = unit @ unit.T  # of an array with its transpose, NumPy computes only half and mirrors it
    np.clip(correlations, -1, 1, out=correlations)
    np.fill_diagonal(correlations, np.where(np.isnan(correlations.diagonal()), np.nan, 1.0))
    return correlations


def pair_values(correlations: ArrayLike) -> FloatArray:
    """C[i, j] of every pair i < j of filters with a direction, one value per pair."""
    correlations = Arguments().numbers("correlations", correlations, "F F")
    alive = ~np.isnan(correlations.diagonal())
    pairs: FloatArray = correlations[np.ix_(alive, alive)][np.triu_indices(int(alive.sum()), 1)]
    return pairs


def share_at_least(pairs: ArrayLike, thresholds: ArrayLike, n_diagonal: int = 0) -> FloatArray:
    """r_s of Sec. 4.3: the share of the elements of a correlation matrix that are at least s, for every s.

    pairs: the values above the diagonal (`pair_values`). thresholds: (S,). n_diagonal: number of ones on the diagonal,
    which the paper's definition includes ("elements in a correlation matrix"); 0 leaves the diagonal out. NaN without
    elements.
    """
    given = Arguments()
    pairs, thresholds = given.numbers("pairs", pairs, "P"), given.numbers("thresholds", thresholds, "S")
    below = np.searchsorted(np.sort(pairs), thresholds - COSINE_ROUNDING)
    ones = n_diagonal * (thresholds - COSINE_ROUNDING <= 1)
    total = 2 * len(pairs) + n_diagonal
    count = 2 * (len(pairs) - below) + ones
    share: FloatArray = count / total if total else np.full(len(thresholds), np.nan)
    return share


def nearest_filters(correlations: ArrayLike) -> tuple[IntArray, FloatArray]:
    """The nearest filter of every filter, by the magnitude of the cosine, and that cosine, (F,) each.

    -1 and NaN for a filter without a direction, and if there is no other filter.
    """
    correlations = Arguments().numbers("correlations", correlations, "F F")
    magnitude = np.abs(correlations)
    np.fill_diagonal(magnitude, np.nan)
    magnitude = np.where(np.isnan(magnitude), -1.0, magnitude)
    nearest = magnitude.argmax(axis=1)
    rows = np.arange(len(correlations))
    exists = magnitude[rows, nearest] >= 0
    return np.where(exists, nearest, -1), np.where(exists, correlations[rows, nearest], np.nan)
