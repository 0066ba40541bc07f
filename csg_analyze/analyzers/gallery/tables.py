"""Tables of the gallery: filters, exemplars, classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from csg_analyze.analyzers.gallery.certainty import information_margin
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.correlation import FilterWeights, correlation_matrix, nearest_filters
from csg_analyze.metrics.exemplars import Exemplars
from csg_analyze.metrics.filters import SHARED, UNASSIGNED, class_means


def filter_table(
    activations: FloatArray,
    labels: IntArray,
    class_names: Sequence[str],
    owner: IntArray,
    information: FloatArray,
    gate: FloatArray | None,
) -> pd.DataFrame:
    """One row per filter: its class, how certain it is, its activations; the analysis adds the other columns."""
    n_classes, rows = len(class_names), np.arange(len(owner))
    has_class = owner < n_classes
    column = np.where(has_class, owner, information.argmax(axis=1))  # without a class: the most informative one
    means = class_means(activations, labels, n_classes)
    mean = activations.mean(axis=0, dtype=np.float64)
    return pd.DataFrame(
        {
            "filter": rows,
            "class": [[*class_names, SHARED, UNASSIGNED][group] for group in owner],
            "exemplar_share": np.nan,
            "mi_margin": information_margin(information, owner),
            "active_on_class": pd.Series(means[column, rows] > mean, dtype="boolean").where(
                has_class & ~np.isnan(means[column, rows])
            ),
            "mi": information[rows, column],
            "best_mi": information.max(axis=1),
            "best_mi_class": [class_names[c] for c in information.argmax(axis=1)],
            "gate": np.nan if gate is None else gate[column, rows],
            "mean_activation": mean,
            "max_activation": activations.max(axis=0),
        }
    )


def nearest(filter_weights: FilterWeights | None, n_filters: int) -> tuple[pd.Series, FloatArray]:
    """Number and cosine of every filter's nearest filter; blank if the weights belong to other filters."""
    if filter_weights is None or not filter_weights.matches or len(filter_weights.weights) != n_filters:
        return pd.Series(pd.NA, index=range(n_filters), dtype="Int64"), np.full(n_filters, np.nan)
    nearest, cosine = nearest_filters(correlation_matrix(filter_weights.weights))
    return pd.Series(nearest, dtype="Int64").where(nearest >= 0), cosine


def exemplar_table(
    exemplars: Exemplars,
    labels: IntArray,
    predictions: IntArray,
    class_names: Sequence[str],
    sample_ids: Sequence[str],
) -> pd.DataFrame:
    """One row per exemplar: filter, rank, image."""
    n_filters, n = exemplars.images.shape
    images = exemplars.images.ravel()
    return pd.DataFrame(
        {
            "filter": np.repeat(np.arange(n_filters), n),
            "rank": np.tile(np.arange(1, n + 1), n_filters),
            "sample_id": [sample_ids[i] for i in images.tolist()],
            "label": [class_names[c] for c in labels[images]],
            "prediction": [class_names[c] for c in predictions[images]],
            "activation": exemplars.activations.ravel(),
        }
    )


def captions_of(table: pd.DataFrame, shape: tuple[int, ...]) -> list[list[str]]:
    """The caption of every exemplar, one list per filter. shape: (filters, exemplars)."""
    texts = [
        f"{label}{'' if label == prediction else f', taken for {prediction}'}; activation {activation:.3g}; {sample}"
        for label, prediction, activation, sample in zip(
            table["label"], table["prediction"], table["activation"], table["sample_id"], strict=True
        )
    ]
    return [texts[start : start + shape[1]] for start in range(0, len(texts), shape[1])]


def class_table(table: pd.DataFrame, owner: IntArray, class_names: Sequence[str]) -> pd.DataFrame:
    """One row per class, also without filters; then rows for shared and unassigned filters if there are any."""
    n_classes = len(class_names)
    groups = [*range(n_classes), *sorted({int(group) for group in owner if group >= n_classes})]
    averages = table.groupby(owner)[["mi", "mi_margin", "exemplar_share", "mean_activation"]].mean().reindex(groups)
    averages.insert(0, "class", [[*class_names, SHARED, UNASSIGNED][group] for group in groups])
    averages.insert(1, "n_filters", np.bincount(owner, minlength=n_classes + 2)[groups])
    return averages.reset_index(drop=True)


def purity_table(shares: pd.Series, n: int) -> pd.DataFrame:
    """The number of filters with 0, 1 ... n of their n exemplars of their class."""
    of_class = (shares.dropna() * n).round().astype(np.int64)
    return pd.DataFrame(
        {"of_class": [f"{j}" for j in range(n + 1)], "n_filters": np.bincount(of_class, minlength=n + 1)}
    )
