"""Similarity of the classes' mean features and gate rows (Sec. 4.2, Fig. 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix

from csg_analyze.about import about
from csg_analyze.analyzers.similarity.scores import (
    clustered_order,
    cosines,
    highest_off_diagonal,
    mean_on_and_off_diagonal,
    share_with_maximum_on_diagonal,
)
from csg_analyze.errors import UsageError
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.filters import class_means
from csg_analyze.plots.panels import matrix_panels
from csg_analyze.result import Drawing, Matrix, Number, Result, Table, or_none
from csg_analyze.wording import listed

MOST_PAIRS = 10
FIGURE = (
    "Fig. 6: cosine of each class's mean feature (row) with each row of the gate (column), over true positives (TP) "
    "and false negatives (FN), on one scale. Grey: no such images, or no gate."
)
SUBSETS = {"tp": "true positives", "fn": "false negatives"}


@about(
    "Similarity of features and gate rows",
    "Whether the mean feature of a class points where the gate of that class points.",
    measures="""
    S is the cosine of every class's mean activations with every row of the gate, over the images that are classified
    correctly (S_TP) and over those that are not (S_FN).
    """,
    reading="""
    If S_TP has its maxima on the diagonal, features have the direction of their own class's gate. High values off the
    diagonal of S_FN are pairs of classes where the missed images of one show the features of the other. Rows of
    classes without such images, and columns of classes whose gate row is zero, are blank.
    """,
)
def similarity(
    activations: FloatArray,
    labels: IntArray,
    predictions: IntArray,
    class_names: Sequence[str],
    gate: FloatArray,
    *,
    order: Annotated[
        Literal["given", "clustered"],
        "order of the classes in tables and figure: as given, or similar ones as neighbours",
    ] = "given",
) -> Result:
    """Similarity of the classes' mean features and gate rows (Sec. 4.2, Fig. 6).

    activations: (N, K), averaged maps. gate: (C, K). S[y, c] is the cosine of the mean feature of class y and gate row
    G_c. Raises UsageError for a gate of another shape.
    """
    n_classes = len(class_names)
    if gate.shape != (n_classes, activations.shape[1]):
        raise UsageError(
            f"the gate has shape {gate.shape}, but classes x filters is {(n_classes, activations.shape[1])}; "
            "analyse the layer the gate was trained on."
        )
    right = predictions == labels
    chosen = {"tp": right, "fn": ~right}
    matrices = {
        kind: cosines(class_means(activations[images], labels[images], n_classes), gate)
        for kind, images in chosen.items()
    }
    counts = {kind: np.bincount(labels[images], minlength=n_classes) for kind, images in chosen.items()}
    places = np.arange(n_classes) if order == "given" else clustered_order(matrices["fn"])
    summary: dict[str, Number] = {}
    for kind, matrix in matrices.items():
        summary |= _scores(kind, matrix)
    summary |= {f"n_{kind}": int(count.sum()) for kind, count in counts.items()}
    summary |= {f"{kind}_blank_rows": int(np.isnan(matrix).all(axis=1).sum()) for kind, matrix in matrices.items()}
    confused = confusion_matrix(labels, predictions, labels=range(n_classes))
    return Result(
        summary=summary,
        tables={
            "pairs": Table(_pairs(matrices["fn"], confused, class_names)),
            "per_class": Table(_per_class(matrices, counts, class_names).iloc[places].reset_index(drop=True)),
        },
        matrices={"matrix": _ordered(matrices, places, class_names)},
        figures={"similarity": Drawing(draw_similarity, FIGURE)},
        notes=_notes(counts, gate, class_names, order),
    )


def _scores(kind: str, matrix: FloatArray) -> dict[str, Number]:
    on, off = mean_on_and_off_diagonal(matrix)
    scores = {"mean_diagonal": on, "mean_off_diagonal": off, "diagonal_share": share_with_maximum_on_diagonal(matrix)}
    return {f"{kind}_{name}": or_none(value) for name, value in scores.items()}


def _pairs(false_negatives: FloatArray, confused: IntArray, class_names: Sequence[str]) -> pd.DataFrame:
    """The pairs of classes with the highest S_FN off the diagonal, and how many images were confused so."""
    cells = highest_off_diagonal(false_negatives, MOST_PAIRS)
    missed = confused.sum(axis=1) - confused.diagonal()
    return pd.DataFrame(
        {
            "class": [class_names[y] for y, _ in cells],
            "gate_of": [class_names[c] for _, c in cells],
            "fn_similarity": [false_negatives[y, c] for y, c in cells],
            "n_fn": [int(missed[y]) for y, _ in cells],
            "n_taken_for_it": [int(confused[y, c]) for y, c in cells],
        }
    )


def _per_class(
    matrices: Mapping[str, FloatArray], counts: Mapping[str, IntArray], class_names: Sequence[str]
) -> pd.DataFrame:
    table: dict[str, object] = {"class": list(class_names), "label": np.arange(len(class_names))}
    for kind, matrix in matrices.items():
        highest = [None if np.isnan(row).all() else class_names[int(np.nanargmax(row))] for row in matrix]
        table |= {
            f"n_{kind}": counts[kind],
            f"{kind}_similarity": matrix.diagonal(),
            f"{kind}_highest": highest,
        }
    return pd.DataFrame(table)


def _ordered(matrices: Mapping[str, FloatArray], places: IntArray, class_names: Sequence[str]) -> Matrix:
    names = [class_names[c] for c in places]
    values = {f"{kind}_similarity": matrix[np.ix_(places, places)] for kind, matrix in matrices.items()}
    return Matrix({"class": names, "gate_of": names}, values)


def _notes(counts: Mapping[str, IntArray], gate: FloatArray, class_names: Sequence[str], order: str) -> tuple[str, ...]:
    notes = []
    for kind, count in counts.items():
        without = [name for name, n in zip(class_names, count, strict=True) if n == 0]
        if without:
            notes.append(f"no {SUBSETS[kind]} of: {listed(without)}; their rows of S_{kind.upper()} are blank.")
    closed = [name for name, row in zip(class_names, gate, strict=True) if not row.any()]
    if closed:
        notes.append(f"the gate row is zero for: {listed(closed)}; their columns are blank.")
    if order == "clustered":
        notes.append("classes are ordered by the similarity of their false negatives.")
    return tuple(notes)


def draw_similarity(models: Mapping[str, Result]) -> Figure:
    """Fig. 6: one panel per subset and model, all with the classes of the first model in its order."""
    keys = _classes(next(iter(models.values())))
    names = [name for name, _ in keys]
    panels = {}
    for kind in SUBSETS:
        for model, result in models.items():
            place = {key: index for index, key in enumerate(_classes(result))}
            rows = np.array(
                [place.get(key, len(place)) for key in keys]
            )  # the blank row for a class that this model lacks
            matrix = result.matrices["matrix"][f"{kind}_similarity"]
            padded = np.pad(matrix, (0, 1), constant_values=np.nan)
            panels[f"{kind.upper()}, {model}"] = padded[np.ix_(rows, rows)]
    return matrix_panels(
        panels,
        row_labels=names,
        column_labels=names,
        row_axis="mean feature of class",
        column_axis="gate row of class",
        colour_label="cosine",
        signed=any(np.nanmin(panel, initial=0) < 0 for panel in panels.values()),
    )


def _classes(result: Result) -> list[tuple[str, int]]:
    """Name and label of every class in the order of the tables; labels distinguish classes with one name."""
    per_class = result.frame("per_class")
    return list(zip(per_class["class"].tolist(), per_class["label"].tolist(), strict=True))
