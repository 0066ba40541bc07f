"""Notes on the localization numbers for the reader of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from csg_analyze.analyzers.localize.baselines import BASELINES
from csg_analyze.analyzers.localize.figures import short
from csg_analyze.analyzers.localize.methods import FEW, FLAT, NOT_FINITE, TIED, FilterChoice
from csg_analyze.analyzers.localize.tables import TOTAL
from csg_analyze.analyzers.localize.task import LocalizationTask, Scored
from csg_analyze.metrics.attribution import FeatureMaps
from csg_analyze.wording import listed

ODDITIES = {
    NOT_FINITE: "have values that are not finite and show no place: their region is empty, IoU 0.",
    FLAT: "are the same everywhere and show no place: their region is empty, IoU 0.",
    FEW: "are above their lowest value (for Grad-CAM: positive) at fewer than 30 % of pixels: these are the region.",
    TIED: "have so many values equal to the lowest of the highest 30 % that the region, which includes them all, is "
    "more than a third of the image.",
}
NO_GRADIENT = "are zero everywhere, or not finite: they mark nothing, IoU 0."

EVALUATOR_THRESHOLDS = 1000
"""Number of thresholds of the evaluator of Choe et al."""


def notes_on(
    task: LocalizationTask,
    scored: Mapping[str, Scored],
    choice: FilterChoice | None,
    features: FeatureMaps,
    class_names: Sequence[str],
    per_class: pd.DataFrame,
) -> list[str]:
    """Classes without images or filters, odd maps, definitions, and the methods that beat no baseline."""
    notes = []
    present = np.bincount(task.labels[task.scored], minlength=len(class_names)) > 0
    absent = [name for name, scored_class in zip(class_names, present, strict=True) if not scored_class]
    if absent:
        notes.append(f"no scored image of: {listed(absent)}; their columns are blank.")
    if choice is not None:
        notes += _on_filters(choice, class_names)
    if "cam" in scored and features.weight is not None:
        unweighted = np.flatnonzero(present & ~features.weight.any(axis=1))
        if len(unweighted):
            names = listed([class_names[c] for c in unweighted.tolist()])
            notes.append(f"CAM: all weights of the head are zero for {names}; maps of it are the same everywhere.")
    notes += _on_maps(task, scored)
    notes += _on_definitions(task, scored)
    totals = per_class[(per_class["class"] == TOTAL) & (per_class["metric"] == "avg_iou")].set_index("method")["value"]
    best = max(BASELINES, key=lambda name: totals[name])
    below = [name for name in scored if totals[name] <= totals[best]]
    if below:
        notes.append(
            f"by Avg-IoU no better than the best baseline ({best}, {totals[best]:.4f}): {listed(below)}. Objects cover "
            f"{100 * totals['all-ones']:.0f} % of an image on average, which is the IoU of the whole image. If an "
            "object covers a larger share than 0.3, a region of 30 % of the pixels reaches at most 0.3 divided by it."
        )
    return notes


def _on_filters(choice: FilterChoice, class_names: Sequence[str]) -> list[str]:
    notes = []
    counts = np.bincount(choice.classes, minlength=len(class_names))
    without = [name for name, count in zip(class_names, counts, strict=True) if not count]
    if without:
        notes.append(f"ActivMap: no filter's best class is {listed(without)}; that column is blank.")
    if choice.everywhere.any():
        notes.append(
            f"ActivMap: {choice.everywhere.sum()} of {len(choice.everywhere)} filters are silent at 70 % of all "
            "positions or more: silence reaches their threshold, and their region is the whole image, as in the "
            "baseline."
        )
    return notes


def _on_maps(task: LocalizationTask, scored: Mapping[str, Scored]) -> list[str]:
    notes = []
    for method, of_method in scored.items():
        n = int(of_method.n_maps[task.scored].sum())
        for oddity, by_image in of_method.odd.items():
            count = int(by_image[task.scored].sum())
            if count and method == "gradmap":
                notes.append(f"{short(method)}: {count} of {n} gradients {NO_GRADIENT}")
            elif count:
                notes.append(f"{short(method)}: {count} of {n} maps {ODDITIES[oddity]}")
    return notes


def _on_definitions(task: LocalizationTask, scored: Mapping[str, Scored]) -> list[str]:
    notes = []
    if "gradmap" in scored:
        notes.append(
            "GradMap differentiates with respect to the network's normalised input, as the authors' scripts do."
            if task.as_authors
            else "GradMap differentiates with respect to pixels in [0, 1]; the authors' scripts, and --protocol paper, "
            "use the network's normalised input, which weights the colours slightly differently."
        )
    if "activmap" in scored:
        preferred = (
            "the first of them, as in the authors' scripts" if task.as_authors else "that of the higher mean IoU"
        )
        notes.append(f"ActivMap: a filter that hits several classes equally often belongs to {preferred}.")
    compared = "as in" if task.n_levels == EVALUATOR_THRESHOLDS else f"where {EVALUATOR_THRESHOLDS:,} are asked for by"
    notes.append(
        f"MaxBoxAcc, MaxBoxAccV2 and PxAP try {task.n_levels:,} thresholds, {compared} the evaluator published "
        "by Choe et al. (2020). Its boxes reach one pixel further to the right and below than their region; the boxes "
        "here do not."
    )
    return notes
