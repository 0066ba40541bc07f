"""Similarity of directions: mean features with gate rows (Sec. 4.2, Fig. 6)."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.correlation import COSINE_ROUNDING, directions

MOST_LEAVES = 300
"""Largest number of classes for which the best order of the leaves is computed; its cost is cubic."""


def cosines(first: FloatArray, second: FloatArray) -> FloatArray:
    """Cosine of every row of `first` (A, D) with every row of `second` (B, D): float64 (A, B) in [-1, 1].

    NaN if either row is zero or has a NaN: it has no direction.
    """
    cosine: FloatArray = directions(first) @ directions(second).T
    return np.clip(cosine, -1, 1)


def mean_on_and_off_diagonal(similarity: FloatArray) -> tuple[float, float]:
    """(mean of S[c, c], mean of S[y, c] with y != c) of a (C, C) matrix, blanks left out; NaN if nothing is left."""
    diagonal = np.eye(len(similarity), dtype=bool)
    return _mean(similarity[diagonal]), _mean(similarity[~diagonal])


def _mean(values: FloatArray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def share_with_maximum_on_diagonal(similarity: FloatArray) -> float:
    """Share of the rows of (C, C) whose maximum is on the diagonal, over the rows that have a value there.

    A tie counts as on the diagonal. NaN if no row has a value there.
    """
    diagonal = similarity.diagonal()
    exists = ~np.isnan(diagonal)
    if not exists.any():
        return float("nan")
    highest = np.nanmax(similarity[exists], axis=1)
    return float((diagonal[exists] >= highest - COSINE_ROUNDING).mean())


def highest_off_diagonal(similarity: FloatArray, count: int) -> IntArray:
    """The cells (y, c), y != c, with the highest values of (C, C), highest first: at most `count` rows of two.

    Blanks are left out; ties keep the order of the rows.
    """
    values = np.where(np.eye(len(similarity), dtype=bool) | np.isnan(similarity), -np.inf, similarity).ravel()
    best = np.argsort(-values, kind="stable")[:count]
    best = best[np.isfinite(values[best])]
    return np.stack(np.unravel_index(best, similarity.shape), axis=1)


def clustered_order(similarity: FloatArray) -> IntArray:
    """An order of the classes in which similar ones are neighbours, for drawing only.

    Average linkage on 1 - (S + S^T) / 2. If only one of S[y, c] and S[c, y] is defined, it replaces the mean; if
    neither is, the pair has the largest distance of all.
    """
    if len(similarity) < 3:
        return np.arange(len(similarity))
    defined = ~np.isnan(similarity)
    filled = np.where(defined, similarity, 0.0)
    count = defined + defined.T.astype(np.int64)
    both = np.divide(filled + filled.T, count, out=np.full_like(filled, np.nan), where=count > 0)
    distance = np.maximum(1 - both, 0)
    farthest = np.nanmax(distance, initial=0)
    distance = np.where(np.isnan(distance), farthest, distance)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=len(distance) <= MOST_LEAVES)
    return np.asarray(leaves_list(tree), dtype=np.int64)
