"""How the filters are divided among the classes (Sec. 4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.filters import owners, strongest


@dataclass(frozen=True)
class FilterGroups:
    """How K filters are divided among C classes.

    owner: (K,), the group of every filter (`owners`). own: (C, K), the filters of each class only. most_active: (C, K),
    the groups A_c of Sec. 4.3: the `size` filters with the highest mean activation on class c. by: the source of
    `owner`, "gate" or "activation". Undivided filters (by and size are None) are all in group 0, and C is 0.
    """

    owner: IntArray
    own: BoolArray
    most_active: BoolArray
    size: int | None
    by: str | None


def divided(means: FloatArray, gate: FloatArray | None, size: int) -> FilterGroups:
    """The groups by the gate (C, K), or without one by the mean activations (C, K). size: of the groups A_c."""
    owner = owners(means if gate is None else gate)
    by = "activation" if gate is None else "gate"
    return FilterGroups(owner, members_of(owner, len(means)), strongest(means, size), size, by)


def undivided(n_filters: int) -> FilterGroups:
    """All filters in one group, when neither gate nor activations belong to them."""
    none = np.zeros((0, n_filters), dtype=bool)
    return FilterGroups(np.zeros(n_filters, dtype=np.int64), none, none, None, None)


def members_of(owner: IntArray, n_classes: int) -> BoolArray:
    """(C, K), True where filter k belongs to class c only; shared and unassigned filters are in no row."""
    belongs: BoolArray = owner[None, :] == np.arange(n_classes)[:, None]
    return belongs
