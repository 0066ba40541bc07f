"""Scores of class-specificity drawn from the mutual-information matrix M (K, C) (Sec. 4.1)."""

from __future__ import annotations

import numpy as np

from csg_analyze.metrics.arrays import FloatArray


def mutual_information_score(matrix: FloatArray) -> float:
    """MIS = mean_k max_c M[k, c], in nats: higher means filters that tell one class from the rest."""
    return float(matrix.max(axis=1).mean())


def overlap_with_gate(matrix: FloatArray, gate: FloatArray) -> float:
    """Share of the filters whose strongest class by mutual information is a class whose gate is at its maximum.

    matrix: (K, C); gate: (C, K). This puts a number on Fig. 4c; chance is the mean share of open gates a filter.
    """
    best = matrix.argmax(axis=1)
    columns = np.arange(len(matrix))
    return float((gate[best, columns] >= gate.max(axis=0)).mean())
