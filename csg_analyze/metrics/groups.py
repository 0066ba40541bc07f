"""Which class a filter stands for, and which filters stand for a class (Sec. 4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray

SHARED, UNASSIGNED = "(shared)", "(unassigned)"
"""What the groups C and C + 1 of `owners` are called where classes go by their names."""


def owners(strength: FloatArray) -> IntArray:
    """The group of every filter, int (K,), from how strongly it stands for each class, (C, K).

    c: the filter is strongest for class c alone. C: shared, its maximum is reached for several classes (the m2
    filters of a fixed gate). C + 1: unassigned, its column is zero. Rows of NaN, of absent classes, do not count.
    """
    n_classes = len(strength)
    present = np.where(np.isnan(strength), -np.inf, strength)
    highest = present.max(axis=0)
    group = np.where((present == highest).sum(axis=0) > 1, n_classes, present.argmax(axis=0))
    return np.where(np.nan_to_num(strength).any(axis=0), group, n_classes + 1)


def members_of(owner: IntArray, n_classes: int) -> BoolArray:
    """(C, K), True where filter k belongs to class c alone; shared and unassigned filters are in no row."""
    belongs: BoolArray = owner[None, :] == np.arange(n_classes)[:, None]
    return belongs


def most_activated(means: FloatArray, size: int) -> BoolArray:
    """The groups A_c of Sec. 4.3, (C, K): the `size` filters with the highest mean activation on class c.

    means: (C, K), NaN for a class without samples, whose group is empty. Ties prefer the earlier filter.
    """
    chosen = np.argsort(-means, axis=1, kind="stable")[:, :size]
    group = np.zeros(means.shape, dtype=bool)
    np.put_along_axis(group, chosen, True, axis=1)
    return group & ~np.isnan(means)


def fixed_sizes(gate: FloatArray) -> tuple[int, int] | None:
    """(m1, m2) of a gate (C, K) as Sec. 4.3 fixes them: binary, m1 filters a class, m2 of all classes; else None."""
    if not np.isin(gate, (0, 1)).all():
        return None
    n_classes = len(gate)
    classes_of_filter = gate.sum(axis=0)
    own = gate[:, classes_of_filter == 1].sum(axis=1)
    shared = int((classes_of_filter == n_classes).sum())
    sizes = int(own[0]), shared
    # one test for all: equal counts, at least one, and no filter of some but not all classes
    return sizes if n_classes > 1 and (own == own[0]).all() and _fill(sizes, gate.shape) else None


@dataclass(frozen=True)
class FilterGroups:
    """How K filters are divided among C classes.

    owner: (K,), the group of every filter (`owners`). own: (C, K), the filters of each class alone. most_active:
    (C, K), the groups A_c of Sec. 4.3 (`most_activated`) of `size` filters each. by: what says so, "gate" or
    "activation". Where nothing does (by and size are None), all filters are in group 0, and C is 0.
    """

    owner: IntArray
    own: BoolArray
    most_active: BoolArray
    size: int | None
    by: str | None


def divided(means: FloatArray, gate: FloatArray | None, size: int) -> FilterGroups:
    """The groups by the gate (C, K); without one by the mean activations (C, K). size: of the groups A_c."""
    owner = owners(means if gate is None else gate)
    by = "activation" if gate is None else "gate"
    return FilterGroups(owner, members_of(owner, len(means)), most_activated(means, size), size, by)


def undivided(n_filters: int) -> FilterGroups:
    """All filters together, for want of anything that tells which class they stand for."""
    none = np.zeros((0, n_filters), dtype=bool)
    return FilterGroups(np.zeros(n_filters, dtype=np.int64), none, none, None, None)


def _fill(sizes: tuple[int, int], shape: tuple[int, ...]) -> bool:
    owned, shared = sizes
    return owned >= 1 and shared >= 0 and owned * shape[0] + shared == shape[1]


def recorded_sizes(value: object, n_classes: int, n_filters: int) -> tuple[int, int] | None:
    """(m1, m2) as a training wrote them down, if they are two whole numbers that fill the K filters; else None."""
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(type(part) is int for part in value):
        return None
    sizes = int(value[0]), int(value[1])
    return sizes if _fill(sizes, (n_classes, n_filters)) else None
