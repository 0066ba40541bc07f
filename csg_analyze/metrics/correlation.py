"""How alike the filters of a convolution are: cosine of their flattened weights (Sec. 4.3, Fig. 7 and 8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray

ROUNDING = 1e-9
"""Two cosines closer than this count as equal: sums in another order must not decide a comparison."""


def cosines(first: FloatArray, second: FloatArray) -> FloatArray:
    """Cosine of every row of `first` (A, D) with every row of `second` (B, D): float64 (A, B) in [-1, 1].

    NaN where either row is zero or has a NaN: it has no direction.
    """
    cosine: FloatArray = directions(first) @ directions(second).T
    return np.clip(cosine, -1, 1)


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
    below = np.searchsorted(np.sort(pairs), thresholds - ROUNDING)
    ones = n_diagonal * (thresholds - ROUNDING <= 1)
    total = 2 * len(pairs) + n_diagonal
    count = 2 * (len(pairs) - below) + ones
    return _ratio(count, np.full(len(thresholds), total))


def near_duplicates(pairs: FloatArray, threshold: float) -> float:
    """Share of the pairs of filters that point nearly the same or the opposite way: |C[i, j]| >= threshold."""
    return float((np.abs(pairs) >= threshold - ROUNDING).mean()) if len(pairs) else float("nan")


def between_groups(correlations: FloatArray, members: BoolArray, *, diagonal: bool = True) -> tuple[float, FloatArray]:
    """Mean of C[k, k'] over k in one group and k' in another: of all groups, and of each against the others, (C,).

    members: (C, F), the groups; they may overlap, and an empty one does not count. With the groups A_c of equal size
    m this is C_IC of Sec. 4.3, 1 / (C (C-1) m^2) times the sum over c != c', where a filter of two groups meets itself
    with its C[k, k] = 1; `diagonal` False leaves those out. Blank filters are left out. NaN where nothing is left.
    """
    sums, pairs = _sums_and_pairs(correlations, members, diagonal)
    np.fill_diagonal(sums, 0)
    np.fill_diagonal(pairs, 0)
    return _overall(sums, pairs), _ratio(sums.sum(axis=1), pairs.sum(axis=1))


def within_groups(correlations: FloatArray, members: BoolArray) -> tuple[float, FloatArray]:
    """Mean of C[k, k'] over pairs of different filters of one group: over all such pairs, and for each group, (C,).

    Blank filters are left out. NaN where no group has two filters.
    """
    sums, pairs = _sums_and_pairs(correlations, members, diagonal=False)
    return _overall(sums.diagonal(), pairs.diagonal()), _ratio(sums.diagonal(), pairs.diagonal())


def self_pairs(correlations: FloatArray, members: BoolArray) -> tuple[int, int]:
    """How many of the terms of `between_groups` are a filter of two groups that meets itself, and how many there are.

    members: (C, F). Blank filters are left out.
    """
    selected = (members & ~np.isnan(correlations.diagonal())).astype(np.int64)
    groups, sizes = selected.sum(axis=0), selected.sum(axis=1)
    return int((groups * (groups - 1)).sum()), int(sizes.sum() ** 2 - (sizes**2).sum())


def _sums_and_pairs(correlations: FloatArray, members: BoolArray, diagonal: bool) -> tuple[FloatArray, FloatArray]:
    """Sum of C[k, k'] over the pairs of every two groups, and how many pairs those are, each (C, C)."""
    alive = ~np.isnan(correlations.diagonal())
    selected = csr_array((members & alive).astype(np.float64))  # a thousand groups of two: nearly all zeros
    sums = np.asarray((selected @ np.nan_to_num(correlations)) @ selected.T, dtype=np.float64)
    sizes = np.asarray(selected.sum(axis=1), dtype=np.float64)
    pairs = np.outer(sizes, sizes)
    if not diagonal:
        common = (selected @ selected.T).toarray()  # filters that meet themselves, each with a one
        sums, pairs = sums - common, pairs - common
    return sums, pairs


def _overall(sums: FloatArray, pairs: FloatArray) -> float:
    return float(sums.sum() / pairs.sum()) if pairs.sum() else float("nan")


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    ratio: FloatArray = np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=denominator > 0)
    return ratio


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
