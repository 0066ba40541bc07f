"""The class-specific gate itself: how sparse it is, and how it shares the filters out among the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.metrics.filters import assigned, filters_by_class
from csg_analyze.metrics.gates import density_interval, l1_density
from csg_analyze.plots.panels import counts, matrix_panels
from csg_analyze.result import Result, Tables


def gate(gate: FloatArray, class_names: Sequence[str], gate_bound: float | None) -> Result:
    """Sparsity of the learned gate and the filters each class owns (Sec. 3.2 and 4.1, Fig. 4a).

    gate: (C, K) in [0, 1]. gate_bound: g of Eq. 2; without it the interval has no upper end. A filter belongs to
    every class with G[c, k] > 0.5; it is shared where those are several.
    """
    n_classes, n_filters = gate.shape
    belongs = assigned(gate)
    classes_of_filter = belongs.sum(axis=0)
    low, high = density_interval(n_classes, n_filters, gate_bound if gate_bound is not None else float("nan"))
    filters = pd.DataFrame(
        {
            "filter": np.arange(n_filters),
            "class": [class_names[c] for c in gate.argmax(axis=0)],
            "gate": gate.max(axis=0),
            "n_classes": classes_of_filter,
        }
    )
    per_class = pd.DataFrame(
        {
            "class": list(class_names),
            "n_filters": belongs.sum(axis=1),
            "n_own": (belongs & (classes_of_filter == 1)).sum(axis=1),
            "l1_norm": gate.sum(axis=1),
        }
    )
    matrix = pd.DataFrame(
        {
            "filter": np.repeat(np.arange(n_filters), n_classes),
            "class": list(class_names) * n_filters,
            "gate": gate.T.ravel(),
        }
    )
    return Result(
        summary={
            "l1_density": l1_density(gate),
            "interval_low": low,
            "interval_high": high if gate_bound is not None else None,
            "shared_filters": int((classes_of_filter > 1).sum()),
            "unassigned_filters": int((classes_of_filter == 0).sum()),
            "fewest_filters_of_a_class": int(per_class["n_filters"].min()),
            "most_filters_of_a_class": int(per_class["n_filters"].max()),
        },
        tables={"per_class": per_class, "filters": filters, "matrix": matrix},
        figures={"gate": draw_gate, "filters_per_class": draw_filters_per_class},
        notes=()
        if gate_bound is not None
        else ("no gate bound g (Eq. 2) is recorded, so the L1-interval has no upper end; a fixed gate has none.",),
    )


def draw_gate(models: Mapping[str, Tables]) -> Figure:
    """Fig. 4a: the gate of every model, filters ordered by the class they belong to."""
    matrices = {}
    for model, tables in models.items():
        wide = tables["matrix"].pivot_table(index="class", columns="filter", values="gate")
        gate = wide.loc[tables["per_class"]["class"]].to_numpy()
        matrices[model] = gate[:, filters_by_class(gate)]
    names = next(iter(models.values()))["per_class"]["class"].tolist()
    return matrix_panels(
        matrices, row_labels=names, column_axis="filter (ordered by class)", colour_label="gate", vmin=0, vmax=1
    )


def draw_filters_per_class(models: Mapping[str, Tables]) -> Figure:
    """How many filters belong to each class."""
    return counts(
        {model: tables["per_class"] for model, tables in models.items()},
        category="class",
        value="n_filters",
        label="filters (gate above 0.5)",
    )
