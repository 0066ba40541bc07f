"""What a reader of the localization numbers has to know beside them, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from csg_analyze.analyzers.localize.baselines import BASELINES
from csg_analyze.analyzers.localize.figures import short
from csg_analyze.analyzers.localize.methods import FEW, FLAT, NOT_FINITE, TIED, FilterChoice, Scored, Setting
from csg_analyze.analyzers.localize.tables import TOTAL
from csg_analyze.metrics.attribution import FeatureMaps
from csg_analyze.wording import listed

ODDITIES = {
    NOT_FINITE: "have values that are not finite: they show no place; their region is empty, IoU 0.",
    FLAT: "are the same everywhere and show no place: their region is empty, IoU 0.",
    FEW: "are above their lowest value (for Grad-CAM: are positive) at fewer than 30 % of the pixels: those are their "
    "region.",
    TIED: "have so many equal values where the highest 30 % of the pixels end that the region, which all of them "
    "belong to, is more than a third of the image.",
}
NO_GRADIENT = "are zero everywhere, or not finite: they mark nothing, IoU 0."

EVALUATOR = 1000
"""Thresholds that the evaluator of Choe et al. asks for."""


def notes_on(
    setting: Setting,
    scored: Mapping[str, Scored],
    choice: FilterChoice | None,
    features: FeatureMaps,
    class_names: Sequence[str],
    per_class: pd.DataFrame,
) -> list[str]:
    """Classes without images or filters, maps that show no place, what is measured how, who beats no baseline."""
    notes = []
    present = np.bincount(setting.labels[setting.scored], minlength=len(class_names)) > 0
    absent = [name for name, there in zip(class_names, present, strict=True) if not there]
    if absent:
        notes.append(f"no scored image of: {listed(absent)}; their columns are blank.")
    if choice is not None:
        notes += _on_filters(choice, class_names)
    if "cam" in scored and features.weight is not None:
        unweighted = np.flatnonzero(present & ~features.weight.any(axis=1))
        if len(unweighted):
            names = listed([class_names[c] for c in unweighted.tolist()])
            notes.append(f"CAM: all weights of the head are zero for {names}; maps of it are the same everywhere.")
    notes += _on_maps(setting, scored)
    notes += _on_definitions(setting, scored)
    totals = per_class[(per_class["class"] == TOTAL) & (per_class["metric"] == "avg_iou")].set_index("method")["value"]
    best = max(BASELINES, key=lambda name: totals[name])
    below = [name for name in scored if totals[name] <= totals[best]]
    if below:
        notes.append(
            f"by Avg-IoU no better than the best baseline ({best}, {totals[best]:.4f}): {listed(below)}. Objects cover "
            f"{100 * totals['all-ones']:.0f} % of an image on average, which is what the whole image scores; a region "
            "of 30 % of the pixels can reach at most 0.3 divided by that share where it is larger."
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
            "positions or more, so that their threshold is silence itself and their region the whole image; they "
            "score what the baseline of the whole image scores."
        )
    return notes


def _on_maps(setting: Setting, scored: Mapping[str, Scored]) -> list[str]:
    notes = []
    for method, found in scored.items():
        n = int(found.n_maps[setting.scored].sum())
        for name, by_image in found.odd.items():
            count = int(by_image[setting.scored].sum())
            if count and method == "gradmap":
                notes.append(f"{short(method)}: {count} of {n} gradients {NO_GRADIENT}")
            elif count:
                notes.append(f"{short(method)}: {count} of {n} maps {ODDITIES[name]}")
    return notes


def _on_definitions(setting: Setting, scored: Mapping[str, Scored]) -> list[str]:
    notes = []
    if "gradmap" in scored:
        notes.append(
            "GradMap differentiates with respect to the network's normalised input, as the authors' scripts do."
            if setting.as_authors
            else "GradMap differentiates with respect to pixels in [0, 1]; the authors' scripts, and --protocol paper, "
            "with respect to the network's normalised input, which weighs the colours a little differently."
        )
    if "activmap" in scored:
        first = "the first of them, as in the authors' scripts" if setting.as_authors else "that of the higher mean IoU"
        notes.append(f"ActivMap: a filter that hits several classes equally often belongs to {first}.")
    asked = "as in" if setting.n_levels == EVALUATOR else f"where {EVALUATOR:,} are asked for by"
    notes.append(
        f"MaxBoxAcc, MaxBoxAccV2 and PxAP try {setting.n_levels:,} thresholds, {asked} the evaluator published by Choe "
        "et al. (2020). Its boxes reach one pixel further to the right and below than the region they enclose; here "
        "they do not."
    )
    return notes
