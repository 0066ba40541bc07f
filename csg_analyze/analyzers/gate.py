"""The class-specific gate: how sparse it is, and how it divides the filters among the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from csg_analyze.about import Headline, about
from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.metrics.filters import assigned, filters_by_class
from csg_analyze.metrics.gates import density_interval, l1_density
from csg_analyze.plots.charts import counts
from csg_analyze.plots.panels import matrix_panels
from csg_analyze.result import Drawing, Matrix, Result, Table

NORMAL = 0.999
"""Training gives every filter a class with G = 1; rounding aside, only then is 1/C the least density."""


@about(
    "The class-specific gate",
    "How sparse the learned gate is, and how it shares the filters out among the classes.",
    measures="""
    The gate G has a number between 0 and 1 for every class and filter: 1 lets the filter speak for the class, 0
    silences it.
    """,
    reading="""
    The L1-density is the mean of G. It is 1/C if every filter belongs to one class only; training keeps it below
    g/(CK), where g is the bound on the sum of the gate. A filter belongs to all classes with G above 0.5, and is shared
    if these are several.
    """,
    caption="L1-density of the gate with its theoretical interval [1/C, g/(CK)]",
    headlines=(
        Headline(
            "l1_density",
            "L1-density",
            ("interval_low", "interval_high"),
            interval_column="L1-interval",
            interval_form=".4g",
        ),
    ),
)
def gate(gate: FloatArray, class_names: Sequence[str], gate_bound: float | None) -> Result:
    """Sparsity of the learned gate and the filters each class owns (Sec. 3.2 and 4.1, Fig. 4a).

    gate: (C, K) in [0, 1]. gate_bound: g of Eq. 2; None leaves the interval without an upper end.
    """
    n_classes, n_filters = gate.shape
    belongs = assigned(gate)
    classes_of_filter = belongs.sum(axis=0)
    low, high = density_interval(n_classes, n_filters, gate_bound if gate_bound is not None else float("nan"))
    normal = bool((gate.max(axis=0) > NORMAL).all())
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
    matrix = Matrix({"filter": range(n_filters), "class": class_names}, {"gate": gate.T})
    return Result(
        summary={
            "l1_density": l1_density(gate),
            "interval_low": low if normal else None,
            "interval_high": high if gate_bound is not None else None,
            "shared_filters": int((classes_of_filter > 1).sum()),
            "unassigned_filters": int((classes_of_filter == 0).sum()),
            "fewest_filters_of_a_class": int(per_class["n_filters"].min()),
            "most_filters_of_a_class": int(per_class["n_filters"].max()),
        },
        tables={"per_class": Table(per_class), "filters": Table(filters)},
        matrices={"matrix": matrix},
        figures={
            "gate": Drawing(
                draw_gate, "Fig. 4a: the gate of every model, filters ordered by the class they belong to."
            ),
            "filters_per_class": Drawing(draw_filters_per_class, "How many filters belong to each class."),
        },
        notes=_notes(gate_bound, normal),
    )


def _notes(gate_bound: float | None, normal: bool) -> tuple[str, ...]:
    if not normal:
        return ("the L1-density has no interval here: a filter has no class with G = 1, as in a part of a gate.",)
    if gate_bound is None:
        return ("no gate bound g (Eq. 2) is recorded, so the L1-interval has no upper end; a fixed gate has none.",)
    return ()


def draw_gate(models: Mapping[str, Result]) -> Figure:
    """Fig. 4a, (C, K) per model."""
    gates = {model: result.matrices["matrix"]["gate"].T for model, result in models.items()}
    orders = {model: filters_by_class(gate) for model, gate in gates.items()}
    ordered = {model: gate[:, orders[model]] for model, gate in gates.items()}
    names = next(iter(models.values())).matrices["matrix"].axes["class"]
    return matrix_panels(
        ordered,
        row_labels=names,
        column_names={model: [f"filter {k}" for k in order] for model, order in orders.items()},
        column_axis="filter (ordered by class)",
        colour_label="gate",
        vmin=0,
        vmax=1,
    )


def draw_filters_per_class(models: Mapping[str, Result]) -> Figure:
    """Filters of each class, for all models."""
    return counts(
        {model: result.frame("per_class") for model, result in models.items()},
        category="class",
        value="n_filters",
        label="filters (gate above 0.5)",
    )
