"""What a network confuses once the filters of a class are gone: are they indispensable for it, and for it alone?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from csg_analyze.about import about
from csg_analyze.analyzers.confusion.figures import NOTHING, draw_confusion, draw_removals
from csg_analyze.analyzers.confusion.removals import (
    highest_information,
    mean_recall,
    owned_by_any,
    recall,
    shares,
    strongest_share,
)
from csg_analyze.analyzers.confusion.text import CONFUSION_FIGURE, MEASURES, READING, REMOVALS_FIGURE
from csg_analyze.errors import NotAvailable, UsageError, unknown
from csg_analyze.metrics.ablation import Ablation
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.filters import assigned, mean_activations
from csg_analyze.metrics.mutual_information import mutual_information
from csg_analyze.result import Drawing, Matrix, Number, Result, Table, or_none
from csg_analyze.wording import listed

EVERY_CELL = 100
"""Classes up to which the table of matrices has every cell; beyond, only those with images."""


@about("Confusion without the filters of a class", measures=MEASURES, reading=READING)
def confusion(
    ablation: Ablation,
    activations: FloatArray,
    predictions: IntArray,
    labels: IntArray,
    class_names: Sequence[str],
    sample_ids: Sequence[str],
    gate: FloatArray | None,
    *,
    classes: Annotated[str | None, "classes to remove: names or indices, e.g. cat,dog; default: 1st and 6th"] = None,
    select: Annotated[
        Literal["auto", "gate", "activation", "mi"], "which filters are a class's; auto: by the gate if there is one"
    ] = "auto",
    gate_threshold: Annotated[float, "by the gate: filters with G[c, k] above this"] = 0.5,
    fraction: Annotated[float, "by activation or mi: this share of all filters"] = 0.1,
) -> Result:
    """What is confused once filters are removed: those of every class in turn, and of a set (Sec. 4.2, Fig. 5).

    The filters of a class: those with G[c, k] > 0.5; without a gate the 10 % with the highest mean activation on the
    class's images, or mutual information with it. Of a set: all filters of its classes; without a gate again 10 %,
    highest on the images of all its classes, or with any of them. Removing is multiplying by zero.

    After the set is removed, recall_removed is the mean recall of its classes, recall_others that of the other
    classes, and recall_kept the share the latter have kept (after / before). Over all classes, each removed
    alone: indispensability is the mean of the class's drop in recall minus the mean drop of the others (1: nothing
    but the class is lost, 0: all suffer alike); mean_single_recall and worst_single_recall are the mean and the
    highest recall a class still has; mean_single_kept and worst_single_kept the mean and the lowest share of
    their recall that the others keep.

    own_filters_accuracy keeps only the filters of the predicted class, complement_accuracy removes just those, and
    an image is right if the new prediction is its label (ACC2 and ACC3 of PICNN, Guo et al., AAAI 2024). The
    prediction, never the label, says whose filters they are.

    A class without images is blank, and in no mean. Raises UsageError for a class that does not exist, and for a
    threshold or fraction without meaning; NotAvailable for --select gate without a gate.
    """
    n_classes = len(class_names)
    chosen = chosen_classes(classes, class_names)
    groups: BoolArray = np.vstack([np.eye(n_classes, dtype=bool), np.isin(np.arange(n_classes), chosen)])
    select = select if select != "auto" else "activation" if gate is None else "gate"
    filters = _select(select, gate, activations, labels, groups, gate_threshold, fraction)
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
    shown = [*chosen, n_classes] if len(chosen) > 1 else chosen
    matrices = {NOTHING: predictions, **{str(effects["removal"][row]): removed[row] for row in shown}}
    return Result(
        summary=_summary(effects, correct),
        tables={
            "chosen": Table(effects.iloc[shown].reset_index(drop=True)),
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


def chosen_classes(text: str | None, class_names: Sequence[str]) -> list[int]:
    """Indices of the classes named in `text`, names or indices with commas between; None is the paper's pair.

    The pair is the 1st and 6th class, with fewer than six the first and the last. A class whose own name holds commas
    is written as it is. Raises UsageError for what is no class.
    """
    n_classes = len(class_names)
    if text is None:
        return [0, 5 if n_classes >= 6 else n_classes - 1]
    by_name = {_words(name): index for index, name in reversed(list(enumerate(class_names)))}
    words = _words(text)
    chosen: dict[int, None] = {}
    while words:
        taken = next((size for size in range(len(words), 0, -1) if words[:size] in by_name), 0)
        if taken:
            chosen[by_name[words[:taken]]] = None
        elif words[0].isdecimal() and int(words[0]) < n_classes:
            chosen[int(words[0])] = None
        elif words[0].isdecimal():
            raise UsageError(
                f"there is no class {words[0]}: {n_classes} classes are counted from 0 to {n_classes - 1}."
            )
        else:
            raise unknown("class", words[0], class_names)
        words = words[max(1, taken) :]
    if not chosen:
        raise UsageError("--classes names no class; give names or indices with commas between, e.g. 0,5.")
    return list(chosen)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _select(
    select: str,
    gate: FloatArray | None,
    activations: FloatArray,
    labels: IntArray,
    groups: BoolArray,
    gate_threshold: float,
    fraction: float,
) -> BoolArray:
    """The filters of every group of classes, (M, C) -> (M, K)."""
    if not 0 <= gate_threshold < 1:
        raise UsageError(f"--gate-threshold must be at least 0 and below 1, not {gate_threshold}.")
    if not 0 < fraction <= 1:
        raise UsageError(f"--fraction must be above 0 and at most 1, not {fraction}.")
    n_classes, expected = groups.shape[1], (groups.shape[1], activations.shape[1])
    if select == "gate":
        if gate is None:
            raise NotAvailable("no gate in this checkpoint, and --select gate asks for one")
        if gate.shape != expected:
            raise UsageError(f"the gate has shape {gate.shape}, but classes x filters is {expected}.")
        return owned_by_any(assigned(gate, gate_threshold), groups)
    if select == "activation":
        return strongest_share(mean_activations(activations, labels, groups), fraction)
    information = mutual_information(activations, labels, n_classes=n_classes)
    information[:, np.bincount(labels, minlength=n_classes) == 0] = np.nan  # 0 there is no estimate
    return strongest_share(highest_information(information, groups), fraction)


def _effects(
    names: Sequence[str], before: FloatArray, after: FloatArray, groups: BoolArray, n_filters: IntArray
) -> pd.DataFrame:
    """One row a removal: before (C,), after (M, C), groups (M, C) of the removed classes, n_filters (M,)."""
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
    """The headline numbers, as the docstring of `confusion` defines them; effects: every class alone, then the set."""
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
    how_many = f"{fewest}" if fewest == most else f"{fewest} to {most}, {singles['n_filters'].mean():.1f} on average"
    how_many = f"{how_many} a class, {of_set['n_filters']} for {of_set['removal']}"
    notes = [f"the filters of a class are {rules[select]}: {how_many}."]
    absent = singles.loc[singles["n"] == 0, "removal"].tolist()
    if absent:
        notes.append(f"no image of: {listed(absent)}; their recall is blank, and in no mean.")
    without = singles.loc[(singles["n_filters"] == 0) & (singles["n"] > 0), "removal"].tolist()
    if without:
        notes.append(f"no filter belongs to: {listed(without)}; removing none changes nothing, which counts as such.")
    if pd.isna(of_set["others_after"]):
        notes.append("no other class than the removed ones has images; what the others keep is blank.")
    if n_classes > EVERY_CELL:
        notes.append("cells of the matrices without an image are left out of the table.")
    return tuple(notes)
