"""Are filters of different classes orthogonal? (Sec. 4.3, Fig. 7 and 8)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
import pandas as pd

from csg_analyze.about import Claim, Headline, about
from csg_analyze.analyzers.correlation.figures import MARKED, MOST_ROWS, draw_curves, draw_matrices
from csg_analyze.analyzers.correlation.groups import FilterGroups, divided, undivided
from csg_analyze.analyzers.correlation.scores import between_groups, near_duplicates, self_pairs, within_groups
from csg_analyze.analyzers.correlation.tables import filter_table, group_table
from csg_analyze.analyzers.correlation.text import CURVES_FIGURE, MEASURES, READING
from csg_analyze.errors import UsageError
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.correlation import (
    FilterWeights,
    correlation_matrix,
    pair_values,
    share_at_least,
)
from csg_analyze.metrics.filters import SHARED, UNASSIGNED, class_means
from csg_analyze.plots.reduction import block_size, reduced
from csg_analyze.result import Drawing, Matrix, Number, Result, Table, or_none
from csg_analyze.wording import listed

THRESHOLDS = np.linspace(0, 1, 101)
REDUNDANCY = (
    "layer",
    "grouped_by",
    "n_filters",
    "r_0.1",
    "r_0.1_off_diagonal",
    "c_ic",
    "c_ic_off_diagonal",
    "c_ic_absolute_off_diagonal",
    "within_groups",
    "between_groups",
    "between_groups_absolute",
)
ALL = "(all filters)"


@about(
    "Correlation of the filters' weights",
    "Whether filters of different classes are orthogonal.",
    measures=MEASURES,
    reading=READING,
    headlines=(
        Headline(
            "between_groups_absolute",
            claim=Claim(
                "the mean absolute cosine between filters of different classes",
                better="lower",
                label="cosine between classes",
            ),
        ),
    ),
)
def correlation(
    filter_weights: FilterWeights,
    activations: FloatArray,
    labels: IntArray,
    class_names: Sequence[str],
    gate: FloatArray | None,
    fixed_gate: tuple[int, int] | None,
    *,
    group_size: Annotated[
        int | None, "filters in each class's group A_c; default: m1 of a fixed gate, else K/C"
    ] = None,
    duplicate_threshold: Annotated[float, "absolute cosine from which two filters count as near-duplicates"] = 0.95,
) -> Result:
    """Correlation between the filters' weights (Sec. 4.3, Fig. 7 and 8).

    filter_weights: F filters. activations: (N, K), for the groups A_c of C_IC. gate: (C, K) or None. fixed_gate: (m1,
    m2) of a fixed gate, whose m1 is the size of the groups.

    Raises UsageError for unusable options, and for a gate or activations that do not fit the filters.
    """
    if not 0 < duplicate_threshold <= 1:
        raise UsageError(f"--duplicate-threshold must be above 0 and at most 1, not {duplicate_threshold:g}.")
    correlations = correlation_matrix(filter_weights.weights)
    size = _group_size(group_size, fixed_gate, len(class_names), len(correlations))
    means = class_means(activations, labels, len(class_names))
    groups = _groups(filter_weights, means, gate, size)
    names = (*class_names, SHARED, UNASSIGNED) if groups.by else (ALL,)
    curve = _curve(correlations)
    marked = int(np.abs(THRESHOLDS - MARKED).argmin())
    summary: dict[str, Number] = {
        f"r_{MARKED:g}{name[1:]}": float(curve[name].iloc[marked]) for name in curve.columns[1:]
    }
    summary |= _inter_class(correlations, groups)
    summary |= {
        "near_duplicate_pairs": near_duplicates(pair_values(correlations), duplicate_threshold),
        "n_filters": len(correlations),
        "dead_filters": int(np.isnan(correlations.diagonal()).sum()),
        "group_size": groups.size,
        "grouped_by": groups.by,
        "layer": filter_weights.layer,
    }
    summary = {name: or_none(value) for name, value in summary.items()}
    order = np.argsort(groups.owner, kind="stable")
    title, matrix = _matrix(correlations, order)
    return Result(
        summary=summary,
        tables={
            "redundancy": Table(pd.DataFrame([{name: summary[name] for name in REDUNDANCY}])),
            "groups": Table(group_table(correlations, groups, names)),
            "filters": Table(filter_table(filter_weights.weights, correlations, groups, names, order)),
            "curve": Table(curve),
        },
        matrices={title: matrix},
        figures={"matrices": Drawing(draw_matrices), "curves": Drawing(draw_curves, CURVES_FIGURE)},
        notes=_notes(filter_weights, groups, summary, means, class_names, self_pairs(correlations, groups.most_active)),
    )


def _group_size(requested: int | None, fixed_gate: tuple[int, int] | None, n_classes: int, n_filters: int) -> int:
    """The size m of the groups A_c. Raises UsageError for a size that does not fit."""
    if requested is not None and not 1 <= requested <= n_filters:
        raise UsageError(f"--group-size must be between 1 and the number of filters, {n_filters}, not {requested}.")
    if requested is not None:
        return requested
    return fixed_gate[0] if fixed_gate is not None else max(1, n_filters // n_classes)


def _groups(weights: FilterWeights, means: FloatArray, gate: FloatArray | None, size: int) -> FilterGroups:
    if not weights.matches:
        return undivided(len(weights.weights))
    for name, matrix in (("activations", means), ("gate", gate)):
        if matrix is not None and matrix.shape != (len(means), len(weights.weights)):
            raise UsageError(
                f"the {name} are {matrix.shape[0]} x {matrix.shape[1]} (classes x filters), but {weights.layer!r} has "
                f"{len(weights.weights)} filters."
            )
    return divided(means, gate, size)


def _curve(correlations: FloatArray) -> pd.DataFrame:
    """r_s for s = 0, 0.01 ... 1: with and without the diagonal, of cosines and of their magnitudes."""
    pairs = pair_values(correlations)
    n_diagonal = int((~np.isnan(correlations.diagonal())).sum())
    return pd.DataFrame(
        {
            "s": THRESHOLDS,
            "r": share_at_least(pairs, THRESHOLDS, n_diagonal),
            "r_off_diagonal": share_at_least(pairs, THRESHOLDS),
            "r_absolute": share_at_least(np.abs(pairs), THRESHOLDS, n_diagonal),
            "r_absolute_off_diagonal": share_at_least(np.abs(pairs), THRESHOLDS),
        }
    )


def _inter_class(correlations: FloatArray, groups: FilterGroups) -> dict[str, Number]:
    magnitudes = np.abs(correlations)
    return {
        "c_ic": between_groups(correlations, groups.most_active)[0],
        "c_ic_off_diagonal": between_groups(correlations, groups.most_active, diagonal=False)[0],
        "c_ic_absolute": between_groups(magnitudes, groups.most_active)[0],
        "c_ic_absolute_off_diagonal": between_groups(magnitudes, groups.most_active, diagonal=False)[0],
        "within_groups": within_groups(correlations, groups.own)[0],
        "between_groups": between_groups(correlations, groups.own)[0],
        "between_groups_absolute": between_groups(magnitudes, groups.own)[0],
    }


def _matrix(correlations: FloatArray, order: IntArray) -> tuple[str, Matrix]:
    """Name and values of the matrix in Fig. 7: all elements, or means of blocks of neighbouring filters."""
    ordered = correlations[np.ix_(order, order)]
    if len(order) <= MOST_ROWS:
        filters = order.tolist()
        return "matrix", Matrix({"filter": filters, "other_filter": filters}, {"correlation": ordered})
    block = block_size(len(order), MOST_ROWS)
    np.fill_diagonal(ordered, np.nan)  # otherwise all blocks on the diagonal would seem correlated
    pixels = reduced(ordered, block, block, "mean")
    first = (np.arange(len(pixels)) * block).tolist()
    return "matrix_blocks", Matrix({"first_place": first, "other_first_place": first}, {"mean_correlation": pixels})


def _notes(
    weights: FilterWeights,
    groups: FilterGroups,
    summary: Mapping[str, Number],
    means: FloatArray,
    class_names: Sequence[str],
    selves: tuple[int, int],
) -> tuple[str, ...]:
    n_filters, length = weights.weights.shape
    notes = [f"filters: the {n_filters} of {weights.layer}, {length} weights each."]
    if groups.by is None:
        notes.append(
            f"the filters of {weights.layer} are not the {means.shape[1]} channels of the feature layer one by one. So "
            "gate and activations cannot divide them into groups, and there is no C_IC; for that, choose a convolution "
            "as the feature layer (--layer)."
        )
    else:
        reason = "largest gate entry" if groups.by == "gate" else "highest mean activation, because there is no gate"
        notes.append(
            f"a filter's class is that of its {reason}; C_IC is over groups of {groups.size} filters per class."
        )
        notes.append(
            f"in C_IC as the paper defines it, {selves[0]} of {selves[1]} terms are a filter of two groups paired with "
            "itself, which gives 1. c_ic_off_diagonal leaves them out; between_groups_absolute is the mean magnitude "
            "of the cosine between filters of different classes, in which opposite signs do not cancel."
        )
    absent = [name for name, row in zip(class_names, means, strict=True) if np.isnan(row).all()]
    if absent and groups.by is not None:
        notes.append(f"no image of: {listed(absent)}; they have no group A_c.")
    if summary["dead_filters"]:
        notes.append(f"{summary['dead_filters']} filters have zero weights; their rows are blank and do not count.")
    if n_filters > MOST_ROWS:
        block = block_size(n_filters, MOST_ROWS)
        notes.append(
            f"the table matrix_blocks has means over blocks of {block} x {block} neighbouring filters, without the "
            "diagonal of the full matrix."
        )
    return tuple(notes)
