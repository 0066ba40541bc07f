"""How alike filters are within a class and between classes (Sec. 4.3)."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from csg_analyze.metrics.arrays import BoolArray, FloatArray
from csg_analyze.metrics.correlation import COSINE_ROUNDING


def near_duplicates(pairs: FloatArray, threshold: float) -> float:
    """Share of the pairs of filters with nearly the same or the opposite direction: |C[i, j]| >= threshold."""
    return float((np.abs(pairs) >= threshold - COSINE_ROUNDING).mean()) if len(pairs) else float("nan")


def between_groups(correlations: FloatArray, members: BoolArray, *, diagonal: bool = True) -> tuple[float, FloatArray]:
    """Mean of C[k, k'] over k in one group and k' in another: over all groups, and of each with the others, (C,).

    members: (C, F), the groups; they may overlap, and an empty one does not count. For groups A_c of equal size m this
    is C_IC of Sec. 4.3, 1 / (C (C-1) m^2) times the sum over c != c'. It pairs a filter of two groups with itself,
    which gives C[k, k] = 1; `diagonal` False leaves these pairs out. Blank filters are left out. NaN if nothing is
    left.
    """
    sums, pairs = _sums_and_pairs(correlations, members, diagonal)
    np.fill_diagonal(sums, 0)
    np.fill_diagonal(pairs, 0)
    return _overall(sums, pairs), _ratio(sums.sum(axis=1), pairs.sum(axis=1))


def within_groups(correlations: FloatArray, members: BoolArray) -> tuple[float, FloatArray]:
    """Mean of C[k, k'] over pairs of different filters of one group: over all such pairs, and for each group, (C,).

    Blank filters are left out. NaN if no group has two filters.
    """
    sums, pairs = _sums_and_pairs(correlations, members, diagonal=False)
    return _overall(sums.diagonal(), pairs.diagonal()), _ratio(sums.diagonal(), pairs.diagonal())


def self_pairs(correlations: FloatArray, members: BoolArray) -> tuple[int, int]:
    """The number of terms of `between_groups` that pair a filter with itself, and the number of all terms.

    members: (C, F). Blank filters are left out.
    """
    selected = (members & ~np.isnan(correlations.diagonal())).astype(np.int64)
    groups, sizes = selected.sum(axis=0), selected.sum(axis=1)
    return int((groups * (groups - 1)).sum()), int(sizes.sum() ** 2 - (sizes**2).sum())


def _sums_and_pairs(correlations: FloatArray, members: BoolArray, diagonal: bool) -> tuple[FloatArray, FloatArray]:
    """Sum of C[k, k'] over the pairs of every two groups, and the number of these pairs, (C, C) each."""
    alive = ~np.isnan(correlations.diagonal())
    selected = csr_array((members & alive).astype(np.float64))  # a thousand groups of two: nearly all zeros
    sums = np.asarray((selected @ np.nan_to_num(correlations)) @ selected.T, dtype=np.float64)
    sizes = np.asarray(selected.sum(axis=1), dtype=np.float64)
    pairs = np.outer(sizes, sizes)
    if not diagonal:
        common = (selected @ selected.T).toarray()  # filters paired with themselves, each giving 1
        sums, pairs = sums - common, pairs - common
    return sums, pairs


def _overall(sums: FloatArray, pairs: FloatArray) -> float:
    return float(sums.sum() / pairs.sum()) if pairs.sum() else float("nan")


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    ratio: FloatArray = np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=denominator > 0)
    return ratio
