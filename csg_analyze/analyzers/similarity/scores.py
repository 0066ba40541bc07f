"""Directional similarity of rows: mean features with gate rows (Sec. 4.2, Fig. 6), filters' weights with each other."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.correlation import ROUNDING, directions

MOST_LEAVES = 300
"""Beyond so many classes the leaves are not flipped into their best order, whose cost grows with the cube."""


def cosines(first: FloatArray, second: FloatArray) -> FloatArray:
    """Cosine of every row of `first` (A, D) with every row of `second` (B, D): float64 (A, B) in [-1, 1].

    NaN where either row is zero or has a NaN: it has no direction.
    """
    cosine: FloatArray = directions(first) @ directions(second).T
    return np.clip(cosine, -1, 1)


def mean_on_and_off_diagonal(similarity: FloatArray) -> tuple[float, float]:
    """(mean of S[c, c], mean of S[y, c] with y != c) of a (C, C) matrix, blanks left out; NaN where nothing is left."""
    diagonal = np.eye(len(similarity), dtype=bool)
    return _mean(similarity[diagonal]), _mean(similarity[~diagonal])


def _mean(values: FloatArray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def share_with_maximum_on_diagonal(similarity: FloatArray) -> float:
    """Share of the rows of (C, C) whose maximum is on the diagonal, over the rows that have a value there.

    A tie counts as on the diagonal. NaN where no row has a value there.
    """
    diagonal = similarity.diagonal()
    exists = ~np.isnan(diagonal)
    if not exists.any():
        return float("nan")
    highest = np.nanmax(similarity[exists], axis=1)
    return float((diagonal[exists] >= highest - ROUNDING).mean())


def highest_off_diagonal(similarity: FloatArray, count: int) -> IntArray:
    """The cells (y, c), y != c, with the highest values of (C, C), highest first: at most `count` rows of two.

    Blanks are never among them; ties keep the order of the rows.
    """
    values = np.where(np.eye(len(similarity), dtype=bool) | np.isnan(similarity), -np.inf, similarity).ravel()
    best = np.argsort(-values, kind="stable")[:count]
    best = best[np.isfinite(values[best])]
    return np.stack(np.unravel_index(best, similarity.shape), axis=1)


def clustered_order(similarity: FloatArray) -> IntArray:
    """An order of the classes in which similar ones are neighbours, for drawing only.

    Average linkage on 1 - the mean of S and its transpose; where only one of S[y, c] and S[c, y] is known it stands
    for both, and where neither is known the pair counts as unlike as the least alike.
    """
    if len(similarity) < 3:
        return np.arange(len(similarity))
    known = ~np.isnan(similarity)
    filled = np.where(known, similarity, 0.0)
    count = known + known.T.astype(np.int64)
    both = np.divide(filled + filled.T, count, out=np.full_like(filled, np.nan), where=count > 0)
    distance = np.maximum(1 - both, 0)
    farthest = np.nanmax(distance, initial=0)
    distance = np.where(np.isnan(distance), farthest, distance)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=len(distance) <= MOST_LEAVES)
    return np.asarray(leaves_list(tree), dtype=np.int64)
