"""Class-specificity of filters by mutual information (Sec. 4.1), the gate (Fig. 4c) and mean activations."""

from __future__ import annotations

import numpy as np
from scipy.special import entr
from scipy.stats import spearmanr

from csg_analyze.metrics.arrays import FloatArray, IntArray


def overlap_with_gate(matrix: FloatArray, gate: FloatArray) -> float:
    """Share of the filters whose strongest class by mutual information is a class whose gate is at its maximum.

    matrix: (K, C); gate: (C, K). This is Fig. 4c as a number; its chance level is the mean share of open gates per
    filter.
    """
    best = matrix.argmax(axis=1)
    columns = np.arange(len(matrix))
    return float((gate[best, columns] >= gate.max(axis=0)).mean())


def class_entropy(labels: IntArray, n_classes: int) -> FloatArray:
    """(C,), entropy of 1[y = c] in nats, the largest mutual information possible with class c; 0 if absent."""
    share = np.bincount(labels, minlength=n_classes) / len(labels)
    entropy: FloatArray = entr(share) + entr(1 - share)
    return entropy


def normalised_information(matrix: FloatArray, labels: IntArray) -> FloatArray:
    """M[k, c] / H(1[y = c]), (K, C): the share of the entropy of the class; NaN for a class without entropy.

    M is an estimate and can exceed the entropy: such shares are above 1.
    """
    entropy = class_entropy(labels, matrix.shape[1])
    return np.divide(matrix, entropy, out=np.full_like(matrix, np.nan), where=entropy > 0)


def class_selectivity(means: FloatArray) -> FloatArray:
    """Class selectivity index of every filter (Morcos et al. 2018), (K,).

    means: class-conditional mean activations (C, K). (max - mean of the others) / (max + mean of the others): 0 for
    a filter that is equally active on all classes, 1 for one that is active on a single class. It is meant for
    activations that are not negative; NaN if the sum is not positive (a dead filter, or a layer before its ReLU).
    """
    present = means[~np.isnan(means).any(axis=1)]
    highest = present.max(axis=0)
    # the mean of equal values may be rounded above them
    others = np.minimum(np.sort(present, axis=0)[:-1].sum(axis=0) / max(len(present) - 1, 1), highest)
    total = highest + others
    selectivity: FloatArray = np.divide(
        highest - others, total, out=np.full_like(total, np.nan), where=(total > 0) & (others >= 0)
    )
    return selectivity


def rank_correlation(first: FloatArray, second: FloatArray) -> float | None:
    """Spearman's rank correlation over the filters where both are defined; None if either does not vary."""
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < 2 or np.ptp(first[both]) == 0 or np.ptp(second[both]) == 0:
        return None
    return float(spearmanr(first[both], second[both]).statistic)
