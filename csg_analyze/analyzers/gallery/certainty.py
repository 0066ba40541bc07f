"""How certain a filter's class is: by the images that activate the filter most, and by mutual information."""

from __future__ import annotations

import numpy as np

from csg_analyze.metrics.arrays import FloatArray, IntArray


def share_of_class(labels: IntArray, owner: IntArray, n_classes: int) -> FloatArray:
    """Share of each filter's exemplars that are of the filter's class, float64 (K,); NaN for a filter without a class.

    labels: (K, n), the exemplars' classes. owner: (K,), the filter's class, or C or more if it has none.
    """
    return np.where(owner < n_classes, (labels == owner[:, None]).mean(axis=1), np.nan)


def information_margin(matrix: FloatArray, owner: IntArray) -> FloatArray:
    """How far a filter's class stands out by mutual information, (K,) in [-1, 1].

    (M[k, c] - m) / max(M[k, c], m), c the filter's class and m the highest value of another class: 1 without
    information about other classes, 0 for a tie, negative if another class has more. NaN without a class, and if both
    values are 0. matrix: (K, C), C > 1. owner: as in `share_of_class`.
    """
    n_filters, n_classes = matrix.shape
    rows = np.arange(n_filters)
    column = np.minimum(owner, n_classes - 1)
    own = matrix[rows, column]
    others = matrix.copy()
    others[rows, column] = -np.inf
    best = others.max(axis=1)
    highest = np.maximum(own, best)
    defined = (owner < n_classes) & (highest > 0)
    margin: FloatArray = np.divide(own - best, highest, out=np.full(n_filters, np.nan), where=defined)
    return margin
