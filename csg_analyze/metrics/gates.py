"""Sparsity of a class-specific gate, and the sizes of a fixed one (Sec. 3.2, 4.1, 4.3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from csg_analyze.metrics.arrays import Arguments


def l1_density(gate: ArrayLike) -> float:
    """||G||_1 / (K C) of a gate (C, K): 1/C for one class per filter, 1 for a gate that is open everywhere.

    >>> l1_density([[1, 1, 0, 0], [0, 0, 1, 1]])
    0.5
    """
    gate = Arguments().numbers("gate", gate, "C K", finite=True)
    return float(abs(gate).sum() / gate.size)


def density_interval(n_classes: int, n_filters: int, bound: float) -> tuple[float, float]:
    """[1/C, g/(C K)], between which the L1-density converges (Table 1); g bounds the L1 norm in Eq. 2.

    >>> density_interval(n_classes=10, n_filters=64, bound=128)
    (0.1, 0.2)
    """
    return 1 / n_classes, bound / (n_classes * n_filters)


def fixed_sizes(gate: ArrayLike) -> tuple[int, int] | None:
    """(m1, m2) of a gate (C, K) as Sec. 4.3 fixes them: binary, m1 filters per class, m2 of all classes; else None.

    >>> fixed_sizes([[1, 1, 0, 0, 1], [0, 0, 1, 1, 1]])
    (2, 1)
    >>> fixed_sizes([[0.9, 0.1], [0.2, 0.8]]) is None
    True
    """
    gate = Arguments().numbers("gate", gate, "C K", finite=True)
    if not np.isin(gate, (0, 1)).all():
        return None
    n_classes = len(gate)
    classes_of_filter = gate.sum(axis=0)
    own = gate[:, classes_of_filter == 1].sum(axis=1)
    shared = int((classes_of_filter == n_classes).sum())
    sizes = int(own[0]), shared
    # true only for equal counts of at least one, and without filters of some but not all classes
    return sizes if n_classes > 1 and (own == own[0]).all() and _fill(sizes, gate.shape) else None


def recorded_sizes(value: object, n_classes: int, n_filters: int) -> tuple[int, int] | None:
    """(m1, m2) as recorded by a training, if they are two whole numbers that fill the K filters; else None."""
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(type(part) is int for part in value):
        return None
    sizes = int(value[0]), int(value[1])
    return sizes if _fill(sizes, (n_classes, n_filters)) else None


def _fill(sizes: tuple[int, int], shape: tuple[int, ...]) -> bool:
    owned, shared = sizes
    return owned >= 1 and shared >= 0 and owned * shape[0] + shared == shape[1]
