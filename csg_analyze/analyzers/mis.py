"""Mutual information between filters and classes, and the score drawn from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.mutual_information import mutual_information
from csg_analyze.metrics.specificity import mutual_information_score, overlap_with_gate
from csg_analyze.report.figures import gate_and_information
from csg_analyze.result import Result, Tables


def mis(
    activations: FloatArray,
    labels: IntArray,
    class_names: Sequence[str],
    gate: FloatArray | None,
    *,
    estimator: Annotated[Literal["exact", "sklearn"], "the fast exact estimator, or scikit-learn's own"] = "exact",
    n_neighbors: Annotated[int, "neighbours k of the estimator (Ross 2014)"] = 3,
    seed: Annotated[int, "seed of the noise that breaks ties, as in scikit-learn"] = 0,
) -> Result:
    """Mutual information of every filter with every class, and its score MIS (Sec. 4.1, Fig. 4).

    activations: (N, K), averaged maps. M[k, c] = MI(a_k, 1[y = c]) in nats; MIS = mean_k max_c M[k, c].
    gate: (C, K) for Fig. 4c, the overlap of both matrices; None draws it without.
    """
    estimate = mutual_information if estimator == "exact" else _by_scikit_learn
    matrix = estimate(activations, labels, n_classes=len(class_names), n_neighbors=n_neighbors, seed=seed)
    n_filters, n_classes = matrix.shape
    best = matrix.argmax(axis=1)
    present = np.bincount(labels, minlength=n_classes)
    tidy = pd.DataFrame(
        {
            "filter": np.repeat(np.arange(n_filters), n_classes),
            "class": list(class_names) * n_filters,
            "mi": matrix.ravel(),
        }
    )
    if gate is not None:
        tidy["gate"] = gate.T.ravel()
    filters = pd.DataFrame(
        {"filter": np.arange(n_filters), "class": [class_names[c] for c in best], "mi": matrix.max(axis=1)}
    )
    per_class = pd.DataFrame(
        {
            "class": list(class_names),
            "n": present,
            "mean_mi": matrix.mean(axis=0),
            "max_mi": matrix.max(axis=0),
            "n_filters": np.bincount(best, minlength=n_classes),
        }
    )
    summary = {"mis": mutual_information_score(matrix), "n": len(labels), "n_filters": n_filters}
    if gate is not None:
        summary["gate_overlap"] = overlap_with_gate(matrix, gate)
    absent = [name for name, n in zip(class_names, present, strict=True) if n == 0]
    return Result(
        summary=summary,
        tables={"per_class": per_class, "filters": filters, "matrix": tidy},
        figures={"matrices": draw_matrices},
        notes=(f"no image of: {', '.join(absent)}; their mutual information is 0.",) if absent else (),
    )


def _by_scikit_learn(
    activations: FloatArray, labels: IntArray, *, n_classes: int, n_neighbors: int, seed: int
) -> FloatArray:
    """The reference: one call a class, (K, C)."""
    from sklearn.feature_selection import mutual_info_classif

    columns = [
        mutual_info_classif(activations, labels == c, n_neighbors=n_neighbors, random_state=seed)
        for c in range(n_classes)
    ]
    return np.stack(columns, axis=1)


def draw_matrices(models: Mapping[str, Tables]) -> Figure:
    """Fig. 4: the gate, the mutual information of every model on one scale, and the overlap of both."""
    names = next(iter(models.values()))["per_class"]["class"].tolist()
    information: dict[str, FloatArray] = {}
    gates: dict[str, FloatArray] = {}
    for model, tables in models.items():
        wide = tables["matrix"].pivot(index="class", columns="filter")
        information[model] = wide["mi"].loc[names].to_numpy()
        if "gate" in tables["matrix"]:
            gates[model] = wide["gate"].loc[names].to_numpy()
    return gate_and_information(information, gates, class_names=names)
