"""The filters removed for a class, and the recall without them (Sec. 4.2, Fig. 5)."""

from __future__ import annotations

import numpy as np

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.filters import strongest


def recall(labels: IntArray, predictions: IntArray, n_classes: int) -> FloatArray:
    """Share of every class's images classified correctly: predictions (..., N) -> (..., C), NaN without images."""
    images = np.bincount(labels, minlength=n_classes)
    rows = predictions.reshape(-1, len(labels))
    right = np.stack([np.bincount(labels[row == labels], minlength=n_classes) for row in rows])
    return shares(right, images).reshape(*predictions.shape[:-1], n_classes)


def shares(counts: FloatArray | IntArray, of: FloatArray | IntArray) -> FloatArray:
    """`counts` / `of`, broadcast; NaN where `of` is 0."""
    counts, of = np.broadcast_arrays(counts, of)
    share: FloatArray = np.full(counts.shape, np.nan)
    return np.divide(counts, of, out=share, where=of != 0)


def mean_recall(recalls: FloatArray, classes: BoolArray) -> FloatArray:
    """Mean over the chosen classes that have images: recalls (M, C), classes (M, C) -> (M,); NaN if none has."""
    counted = classes & ~np.isnan(recalls)
    return shares(np.where(counted, recalls, 0.0).sum(axis=1), counted.sum(axis=1))


def highest_information(information: FloatArray, groups: BoolArray) -> FloatArray:
    """Highest mutual information of every filter with any class of every group: (K, C), groups (M, C) -> (M, K)."""
    return np.stack([information[:, classes].max(axis=1) for classes in groups])


def strongest_share(scores: FloatArray, fraction: float) -> BoolArray:
    """The share `fraction` of the filters (rounded, at least one) with the highest scores in each row, (M, K).

    The earlier filter wins ties; a row of NaN has no filter.
    """
    return strongest(scores, max(1, round(fraction * scores.shape[1])))


def owned_by_any(belongs: BoolArray, groups: BoolArray) -> BoolArray:
    """The filters that belong to any class of every group: (C, K), groups (M, C) -> (M, K)."""
    return np.stack([belongs[classes].any(axis=0) for classes in groups])
