"""What a network confuses without the filters of a class: are they indispensable for this class only?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from csg_analyze.about import Claim, Headline, about
from csg_analyze.analyzers.confusion.choice import chosen_classes, filters_of_classes
from csg_analyze.analyzers.confusion.figures import NOTHING, draw_confusion, draw_removals
from csg_analyze.analyzers.confusion.removals import mean_recall, recall, shares
from csg_analyze.analyzers.confusion.text import CONFUSION_FIGURE, MEASURES, READING, REMOVALS_FIGURE
from csg_analyze.metrics.ablation import Ablation
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.result import Drawing, Matrix, Number, Result, Table, or_none
from csg_analyze.wording import listed

EVERY_CELL = 100
"""Largest number of classes for which the table of matrices has every cell; otherwise it has cells with images."""


@about(
    "Confusion without the filters of a class",
    "What the network confuses once the filters of a class are removed.",
    measures=MEASURES,
    reading=READING,
    headlines=(
        Headline(
            "mean_single_recall",
            claim=Claim(
                "the recall of a class whose own filters are removed",
                better="lower",
                percent=True,
                label="recall without own filters",
            ),
        ),
    ),
)
def confusion(
    ablation: Ablation,
    activations: FloatArray,
    predictions: IntArray,
    labels: IntArray,
    class_names: Sequence[str],
    sample_ids: Sequence[str],
    gate: FloatArray | None,
    *,
    classes: Annotated[
        str | None, "classes to remove: names or indices, e.g. cat,dog; default: the 1st and the 6th"
    ] = None,
    select: Annotated[
        Literal["auto", "gate", "activation", "mi"],
        "how the filters of a class are chosen; auto: by the gate if there is one",
    ] = "auto",
    gate_threshold: Annotated[float, "with the gate: filters with G[c, k] above this"] = 0.5,
    fraction: Annotated[float, "with activation or mi: this share of all filters"] = 0.1,
) -> Result:
    """Confusion without filters: those of every class in turn, and those of a set of classes (Sec. 4.2, Fig. 5).

    activations: (N, K). gate: (C, K) or None. The filters of a set are the filters of all its classes. Without a gate
    they are the share `fraction` of all filters with the highest mean activation on the set's images, or the highest
    mutual information with any of its classes. `own_filters_accuracy` keeps the filters of the predicted class. A class
    without images is blank and in no mean.

    Raises UsageError for an unknown class and an unusable threshold or fraction, NotAvailable for --select gate without
    a gate.
    """
    n_classes = len(class_names)
    chosen = chosen_classes(classes, class_names)
    groups: BoolArray = np.vstack([np.eye(n_classes, dtype=bool), np.isin(np.arange(n_classes), chosen)])
    select = select if select != "auto" else "activation" if gate is None else "gate"
    filters = filters_of_classes(select, gate, activations, labels, groups, gate_threshold, fraction)
    removed = ablation.predictions(~filters)
    correct = pd.DataFrame(
        {
            "correct": predictions == labels,
            "correct_removed": removed[-1] == labels,
            "correct_own_filters": ablation.predictions_each(filters[:-1], predictions) == labels,
            "correct_complement": ablation.predictions_each(~filters[:-1], predictions) == labels,
        }
    )
    names = [f"class {name}" if name == NOTHING else name for name in class_names]
    together = "+".join(names[c] for c in chosen)
    effects = _effects(
        [*names, together],
        recall(labels, predictions, n_classes),
        recall(labels, removed, n_classes),
        groups,
        filters.sum(axis=1),
    )
    effects.insert(1, "n", groups @ np.bincount(labels, minlength=n_classes))
    removals = [*chosen, n_classes] if len(chosen) > 1 else chosen
    matrices = {NOTHING: predictions, **{str(effects["removal"][row]): removed[row] for row in removals}}
    return Result(
        summary=_summary(effects, correct),
        tables={
            "chosen": Table(effects.iloc[removals].reset_index(drop=True)),
            "removals": Table(effects.iloc[:-1].rename(columns={"removal": "class"})),
        },
        matrices={"matrix": _matrices(matrices, labels, names)},
        figures={
            "confusion": Drawing(draw_confusion, CONFUSION_FIGURE),
            "indispensability": Drawing(draw_removals, REMOVALS_FIGURE),
        },
        samples=pd.concat([pd.DataFrame({"sample_id": list(sample_ids)}), correct], axis=1),
        notes=(*_notes(select, gate_threshold, fraction, effects, n_classes), ablation.origin),
    )


def _effects(
    names: Sequence[str], before: FloatArray, after: FloatArray, groups: BoolArray, n_filters: IntArray
) -> pd.DataFrame:
    """One row per removal. before: recall (C,). after: (M, C). groups: removed classes, (M, C). n_filters: (M,)."""
    before = np.broadcast_to(before, after.shape)
    frame = pd.DataFrame(
        {
            "removal": list(names),
            "n_filters": n_filters,
            "recall_before": mean_recall(before, groups),
            "recall_after": mean_recall(after, groups),
            "others_before": mean_recall(before, ~groups),
            "others_after": mean_recall(after, ~groups),
        }
    )
    frame["kept"] = shares(frame["recall_after"].to_numpy(), frame["recall_before"].to_numpy())
    frame["others_kept"] = shares(frame["others_after"].to_numpy(), frame["others_before"].to_numpy())
    frame["drop"] = frame["recall_before"] - frame["recall_after"]
    frame["others_drop"] = frame["others_before"] - frame["others_after"]
    frame["drop_difference"] = frame["drop"] - frame["others_drop"]
    return frame


def _summary(effects: pd.DataFrame, correct: pd.DataFrame) -> dict[str, Number]:
    """The numbers that `text.READING` explains. effects: a row per class, then one for the set."""
    of_set, singles = effects.iloc[-1], effects.iloc[:-1]
    singles = singles[singles["n"] > 0]
    return {
        "recall_removed": or_none(float(of_set["recall_after"])),
        "recall_others": or_none(float(of_set["others_after"])),
        "recall_kept": or_none(float(of_set["others_kept"])),
        "indispensability": or_none(float(singles["drop_difference"].mean())),
        "mean_single_recall": or_none(float(singles["recall_after"].mean())),
        "worst_single_recall": or_none(float(singles["recall_after"].max())),
        "mean_single_kept": or_none(float(singles["others_kept"].mean())),
        "worst_single_kept": or_none(float(singles["others_kept"].min())),
        "own_filters_accuracy": float(correct["correct_own_filters"].mean()),
        "complement_accuracy": float(correct["correct_complement"].mean()),
        "accuracy": float(correct["correct"].mean()),
        "removed_classes": str(of_set["removal"]),
        "removed_filters": int(of_set["n_filters"]),
        "classes_without_filters": int((singles["n_filters"] == 0).sum()),
    }


def _matrices(predictions: Mapping[str, IntArray], labels: IntArray, class_names: Sequence[str]) -> Matrix:
    """A confusion matrix per removal; `share` is of the true class's images, NaN where it has none."""
    n_classes = len(class_names)
    counts = np.stack(
        [confusion_matrix(labels, predicted, labels=range(n_classes)) for predicted in predictions.values()]
    )
    return Matrix(
        {"removal": list(predictions), "true": class_names, "predicted": class_names},
        {"count": counts, "share": shares(counts, counts.sum(axis=2, keepdims=True))},
        listed=counts > 0 if n_classes > EVERY_CELL else None,
    )


def _notes(
    select: str, gate_threshold: float, fraction: float, effects: pd.DataFrame, n_classes: int
) -> tuple[str, ...]:
    singles, of_set = effects.iloc[:-1], effects.iloc[-1]
    rules = {
        "gate": f"those with a gate above {gate_threshold:g}",
        "activation": f"the {100 * fraction:.3g} % of all filters with the highest mean activation on its images",
        "mi": f"the {100 * fraction:.3g} % of all filters with the highest mutual information with it",
    }
    fewest, most = singles["n_filters"].min(), singles["n_filters"].max()
    sizes = f"{fewest}" if fewest == most else f"{fewest} to {most}, {singles['n_filters'].mean():.1f} on average"
    sizes = f"{sizes} per class, {of_set['n_filters']} for {of_set['removal']}"
    notes = [f"the filters of a class are {rules[select]}: {sizes}."]
    absent = singles.loc[singles["n"] == 0, "removal"].tolist()
    if absent:
        notes.append(f"no image of: {listed(absent)}; their recall is blank and in no mean.")
    without = singles.loc[(singles["n_filters"] == 0) & (singles["n"] > 0), "removal"].tolist()
    if without:
        notes.append(f"no filter belongs to: {listed(without)}; their removal changes nothing, and counts as such.")
    if pd.isna(of_set["others_after"]):
        notes.append("only the removed classes have images; the numbers of other classes are blank.")
    if n_classes > EVERY_CELL:
        notes.append("cells of the matrices without an image are left out of the table.")
    return tuple(notes)
