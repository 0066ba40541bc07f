"""Mutual information between filters and classes, and the score drawn from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from csg_analyze.errors import UsageError
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.mutual_information import mutual_information
from csg_analyze.metrics.permutations import permutation_test
from csg_analyze.metrics.specificity import (
    class_means,
    class_selectivity,
    mutual_information_score,
    normalised_information,
    overlap_with_gate,
    rank_correlation,
)
from csg_analyze.report.figures import gate_and_information
from csg_analyze.report.wording import listed
from csg_analyze.result import Number, Result, Tables

Estimator = Literal["exact", "sklearn"]


def mis(
    activations: FloatArray,
    labels: IntArray,
    class_names: Sequence[str],
    gate: FloatArray | None,
    *,
    estimator: Annotated[Estimator, "the fast exact estimator, or scikit-learn's own"] = "exact",
    n_neighbors: Annotated[int, "neighbours k of the estimator (Ross 2014)"] = 3,
    permutations: Annotated[int, "permutations of the labels for significance levels; 0: none"] = 0,
    significance: Annotated[float, "level below which a filter's best MI is called more than chance"] = 0.05,
    seed: Annotated[int, "seed of the noise that breaks ties, as in scikit-learn, and of the permutations"] = 0,
) -> Result:
    """Mutual information of every filter with every class, and its score MIS (Sec. 4.1, Fig. 4).

    activations: (N, K), averaged maps. M[k, c] = MI(a_k, 1[y = c]) in nats; MIS = mean_k max_c M[k, c].
    gate: (C, K) for Fig. 4c, the overlap of both matrices; None draws it without.
    Beside MIS stand the class selectivity index (Morcos et al. 2018) and MI as a share of the class's entropy.
    With permutations, every entry has a significance level, and each filter's best MI one that allows for its choice.
    """
    if n_neighbors < 1 or permutations < 0 or not 0 < significance < 1:
        raise UsageError("--n-neighbors must be at least 1, --permutations at least 0, --significance between 0 and 1.")
    if permutations and estimator != "exact":
        raise UsageError("--permutations needs --estimator exact; scikit-learn's would take hours.")
    n_classes = len(class_names)
    test = None
    if permutations:
        test = permutation_test(
            activations, labels, n_permutations=permutations, n_classes=n_classes, n_neighbors=n_neighbors, seed=seed
        )
        matrix = test.matrix
    else:
        matrix = _estimate(activations, labels, estimator, n_classes, n_neighbors, seed)
    selectivity = class_selectivity(class_means(activations, labels, n_classes))
    normalised = normalised_information(matrix, labels)
    best = matrix.argmax(axis=1)
    filters = pd.DataFrame(
        {
            "filter": np.arange(len(matrix)),
            "class": [class_names[c] for c in best],
            "mi": matrix.max(axis=1),
            "normalised_mi": np.nanmax(normalised, axis=1, initial=0),
            "selectivity": selectivity,
        }
    )
    tidy = _tidy(matrix, normalised, class_names)
    if gate is not None:
        tidy["gate"] = gate.T.ravel()
    summary: dict[str, Number] = {
        "mis": mutual_information_score(matrix),
        "n": len(labels),
        "n_filters": len(matrix),
        "normalised_mis": float(filters["normalised_mi"].mean()),
        "mean_selectivity": _mean(selectivity),
        "rank_correlation_selectivity": rank_correlation(matrix.max(axis=1), selectivity),
        "rank_correlation_normalised": rank_correlation(matrix.max(axis=1), filters["normalised_mi"].to_numpy()),
    }
    if gate is not None:
        summary["gate_overlap"] = overlap_with_gate(matrix, gate)
    if test is not None:
        tidy["p_value"] = test.p_values.ravel()
        filters["best_p_value"] = test.best_p_values
        summary["significant_filters"] = float((test.best_p_values < significance).mean())
        summary["permutations"] = permutations
    per_class = pd.DataFrame(
        {
            "class": list(class_names),
            "n": np.bincount(labels, minlength=n_classes),
            "mean_mi": matrix.mean(axis=0),
            "max_mi": matrix.max(axis=0),
            "n_filters": np.bincount(best, minlength=n_classes),
        }
    )
    return Result(
        summary=summary,
        tables={"per_class": per_class, "filters": filters, "matrix": tidy},
        figures={"matrices": draw_matrices},
        notes=_notes(per_class, selectivity, permutations, significance),
    )


def _estimate(
    activations: FloatArray, labels: IntArray, estimator: Estimator, n_classes: int, n_neighbors: int, seed: int
) -> FloatArray:
    """M (K, C); scikit-learn's by one call a class, as the paper's authors do it."""
    if estimator == "exact":
        return mutual_information(activations, labels, n_classes=n_classes, n_neighbors=n_neighbors, seed=seed)
    from sklearn.feature_selection import mutual_info_classif

    columns = [
        mutual_info_classif(activations, labels == c, n_neighbors=n_neighbors, random_state=seed)
        for c in range(n_classes)
    ]
    return np.stack(columns, axis=1)


def _tidy(matrix: FloatArray, normalised: FloatArray, class_names: Sequence[str]) -> pd.DataFrame:
    n_filters, n_classes = matrix.shape
    return pd.DataFrame(
        {
            "filter": np.repeat(np.arange(n_filters), n_classes),
            "class": list(class_names) * n_filters,
            "mi": matrix.ravel(),
            "normalised_mi": normalised.ravel(),
        }
    )


def _mean(values: FloatArray) -> float | None:
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _notes(per_class: pd.DataFrame, selectivity: FloatArray, permutations: int, significance: float) -> tuple[str, ...]:
    notes = []
    absent = per_class.loc[per_class["n"] == 0, "class"].tolist()
    if absent:
        notes.append(f"no image of: {listed(absent)}; their mutual information is 0.")
    undefined = int(np.isnan(selectivity).sum())
    if undefined:
        notes.append(
            f"the class selectivity index is not defined for {undefined} of {len(selectivity)} filters "
            "(no activation, or negative ones)."
        )
    if permutations:
        notes.append(
            f"significance from {permutations} permutations of the labels, the same for all filters; a filter's best "
            f"MI counts as more than chance below {significance:g}, not corrected for the number of filters."
        )
    return tuple(notes)


def draw_matrices(models: Mapping[str, Tables]) -> Figure:
    """Fig. 4: the gate, the mutual information of every model on one scale, and the overlap of both."""
    names = next(iter(models.values()))["per_class"]["class"].tolist()
    information: dict[str, FloatArray] = {}
    gates: dict[str, FloatArray] = {}
    for model, tables in models.items():
        wide = tables["matrix"].pivot_table(index="class", columns="filter")
        information[model] = wide["mi"].loc[names].to_numpy()
        if "gate" in tables["matrix"]:
            gates[model] = wide["gate"].loc[names].to_numpy()
    return gate_and_information(information, gates, class_names=names)
