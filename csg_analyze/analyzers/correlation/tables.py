"""Tables of the groups and of the filters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from csg_analyze.analyzers.correlation.groups import FilterGroups
from csg_analyze.analyzers.correlation.scores import between_groups, within_groups
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.correlation import nearest_filters


def group_table(correlations: FloatArray, groups: FilterGroups, names: Sequence[str]) -> pd.DataFrame:
    """One row per class, in the order of Fig. 7, then rows for shared and unassigned filters if there are any."""
    n_classes, n_groups = len(groups.own), len(names)
    table = pd.DataFrame(
        {
            "group": list(names),
            "n_filters": np.bincount(groups.owner, minlength=n_groups),
            "within": _padded(within_groups(correlations, groups.own)[1], n_groups),
            "between": _padded(between_groups(correlations, groups.own)[1], n_groups),
            "between_absolute": _padded(between_groups(np.abs(correlations), groups.own)[1], n_groups),
            "c_ic": _padded(between_groups(correlations, groups.most_active)[1], n_groups),
            "c_ic_off_diagonal": _padded(between_groups(correlations, groups.most_active, diagonal=False)[1], n_groups),
            "most_activated": [" ".join(map(str, np.flatnonzero(row))) for row in groups.most_active]
            + [""] * (n_groups - n_classes),
        }
    )
    return table[(table["n_filters"] > 0) | (np.arange(n_groups) < n_classes)].reset_index(drop=True)


def _padded(values: FloatArray, length: int) -> FloatArray:
    return np.pad(values, (0, length - len(values)), constant_values=np.nan)


def filter_table(
    weights: FloatArray, correlations: FloatArray, groups: FilterGroups, names: Sequence[str], order: IntArray
) -> pd.DataFrame:
    """One row per filter: its group, its place in Fig. 7, its norm, its nearest filter."""
    nearest, cosine = nearest_filters(correlations)
    return pd.DataFrame(
        {
            "filter": np.arange(len(weights)),
            "group": [names[owner] for owner in groups.owner],
            "place": np.argsort(order),
            "norm": np.linalg.norm(weights, axis=1),
            "nearest_filter": pd.Series(nearest, dtype="Int64").where(nearest >= 0),
            "cosine": cosine,
        }
    )
