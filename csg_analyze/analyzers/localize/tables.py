"""The tables of one model: metrics by class, filters, images, thresholds, examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from csg_analyze.analyzers.localize.figures import IMAGES, REGIONS_OF
from csg_analyze.analyzers.localize.gathering import curve_levels
from csg_analyze.analyzers.localize.methods import FilterChoice
from csg_analyze.analyzers.localize.scores import (
    ImageScores,
    best_levels,
    evaluate,
    metric_names,
)
from csg_analyze.analyzers.localize.task import LocalizationTask, Scored
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.keeping import Arrays
from csg_analyze.metrics.statistics import intervals, resampled_groups
from csg_analyze.result import Pictures

TOTAL = "(total)"
MOST_CLASS_COLUMNS = 30
"""Largest number of classes that have columns; with more classes a table has only the totals."""

REGIONS, BOXES_AND_PIXELS = "scores", "boxes_and_pixels"
"""The two tables of metrics: of regions, as in the paper, and those that need no choice of a region."""

EXAMPLES = 8
"""Number of images in the figure of maps."""


def numbers_of(
    method: str,
    scores: ImageScores,
    task: LocalizationTask,
    class_names: Sequence[str],
    *,
    oracle: bool,
    bootstrap: int,
    seed: int,
) -> pd.DataFrame:
    """One row per metric and class, the total last: value, 95 % interval, number of images.

    oracle: the thresholds of boxes are the best on the scored images, else the best on `task.chosen`.
    """
    n_classes, images, labels = len(class_names), task.scored, task.labels
    levels = None if oracle else best_levels(scores, labels, task.chosen, n_classes)
    groups = task.objects.groups[images]

    def numbers() -> Arrays:
        values = evaluate(scores, labels, images, n_classes, levels=levels)
        draws = resampled_groups(groups, resamples=bootstrap, seed=seed)
        low, high = intervals(evaluate(scores, labels, images, n_classes, levels=levels, multiplicities=draws))
        return {"values": values, "low": low, "high": high}

    depends = (scores.contents, labels, images, groups, n_classes, levels, bootstrap, seed)
    kept = task.keep.under("localize-numbers", depends, numbers)
    metrics = metric_names(task.deltas)
    counted = labels[images][~np.isnan(scores.iou[images])]
    counts = [*np.bincount(counted, minlength=n_classes).tolist(), len(counted)]
    return pd.DataFrame(
        {
            "method": method,
            "metric": np.repeat(metrics, n_classes + 1),
            "class": [*class_names, TOTAL] * len(metrics),
            "value": kept["values"].ravel(),
            "low": kept["low"].ravel(),
            "high": kept["high"].ravel(),
            "n": counts * len(metrics),
        }
    )


def parts_of(deltas: Sequence[float]) -> dict[str, tuple[str, ...]]:
    """The metrics of each of the two tables."""
    names = metric_names(deltas)
    return {REGIONS: names[: 1 + len(deltas)], BOXES_AND_PIXELS: names[1 + len(deltas) :]}


def wide(per_class: pd.DataFrame, class_names: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
    """One row per method and metric, one column per class (at most 30), then the total with its 95 % interval."""
    size = len(class_names) + 1
    per_class = per_class[per_class["metric"].isin(metrics)]
    heads = per_class.iloc[::size][["method", "metric"]].reset_index(drop=True)
    values = per_class["value"].to_numpy().reshape(-1, size)
    classes = range(size - 1) if size - 1 <= MOST_CLASS_COLUMNS else ()
    columns = {f"{class_names[c]}": values[:, c] for c in classes}
    totals = per_class.iloc[size - 1 :: size]
    ends = {"total": values[:, -1], "low": totals["low"].to_numpy(), "high": totals["high"].to_numpy()}
    return pd.concat([heads, pd.DataFrame({**columns, **ends})], axis=1)


def iou_curves(task: LocalizationTask, scored: Mapping[str, Scored]) -> pd.DataFrame:
    """Mean IoU of the scaled map's region by threshold, at most 100 thresholds, evenly spaced.

    The area under the curve needs no choice of a threshold.
    """
    thresholds = curve_levels(task.n_levels) / task.n_levels
    parts = []
    for name, of_method in scored.items():
        curves = of_method.scores.curve[task.scored]
        curves = curves[~np.isnan(curves[:, 0])]
        if len(curves):
            parts.append(pd.DataFrame({"method": name, "threshold": thresholds, "mean_iou": curves.mean(axis=0)}))
    return pd.concat(parts, ignore_index=True)


def filter_table(task: LocalizationTask, choice: FilterChoice, class_names: Sequence[str]) -> pd.DataFrame:
    """ActivMap's filters one by one, scored on the images of their class."""
    rows = []
    for k, (threshold, c) in enumerate(zip(choice.thresholds.tolist(), choice.classes.tolist(), strict=True)):
        ious = choice.ious[task.scored[task.labels[task.scored] == c], k]
        rates = {f"ap{round(100 * delta):02d}": _mean(ious > delta) for delta in task.deltas}
        row = {"filter": k, "class": class_names[c], "threshold": threshold, "avg_iou": _mean(ious), **rates}
        rows.append({**row, "whole_image": bool(choice.everywhere[k]), "n": len(ious)})
    return pd.DataFrame(rows)


def sample_table(
    task: LocalizationTask,
    scored: Mapping[str, Scored],
    methods: Sequence[str],
    class_names: Sequence[str],
    sample_ids: Sequence[str],
) -> pd.DataFrame:
    """One row per scored image; images with the same `picture` were cut from it, and are resampled together."""
    images = task.scored
    columns: dict[str, object] = {
        "sample_id": [sample_ids[i] for i in images.tolist()],
        "class": [class_names[c] for c in task.labels[images].tolist()],
        "picture": task.objects.groups[images],
    }
    for name in methods:
        scores = scored[name].scores
        columns[f"{name}_iou"] = scores.iou[images]
        for delta, rate in scores.rates.items():
            columns[f"{name}_ap{round(100 * delta):02d}"] = rate[images]
    return pd.DataFrame(columns)


def drawn_at_random(task: LocalizationTask, n_classes: int, seed: int) -> IntArray:
    """At most `EXAMPLES` scored images, of as many classes as possible, in the classes' order.

    The draw depends on the images only: models scored on the same images have the same examples.
    """
    rng = np.random.default_rng([seed, len(task.scored)])
    by_class = [rng.permutation(task.scored[task.labels[task.scored] == c]) for c in range(n_classes)]
    classes = np.sort(rng.permutation([c for c, members in enumerate(by_class) if len(members)])[:EXAMPLES])
    rounds = [by_class[c][turn] for turn in range(EXAMPLES) for c in classes if turn < len(by_class[c])]
    return np.array(sorted(rounds[:EXAMPLES], key=lambda i: task.labels[i]))


def example_table(
    task: LocalizationTask,
    images: IntArray,
    scored: Mapping[str, Scored],
    methods: Sequence[str],
    class_names: Sequence[str],
    sample_ids: Sequence[str],
) -> pd.DataFrame:
    """One row per example, with the IoU of every method."""
    return pd.DataFrame(
        {
            "sample_id": [sample_ids[i] for i in images.tolist()],
            "class": [class_names[c] for c in task.labels[images].tolist()],
            **{f"{name}_iou": scored[name].scores.iou[images] for name in methods},
        }
    )


def example_pictures(
    task: LocalizationTask,
    images: IntArray,
    scored: Mapping[str, Scored],
    methods: Sequence[str],
    pictures: Callable[[IntArray], np.ndarray],
) -> Pictures:
    """The examples' images, uint8 (H, W, 3), objects' regions (H, W), and maps (h, w) of every method."""
    maps = {name: scored[name].previews[images] for name in methods}
    return Pictures({IMAGES: pictures(images), REGIONS_OF: task.objects.regions(images)[0], **maps})


def _mean(values: FloatArray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
