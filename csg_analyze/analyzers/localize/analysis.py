"""How well filters and class maps localize the objects of a class, compared with maps that ignore the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

import numpy as np
import pandas as pd

from csg_analyze.about import Claim, Headline, about
from csg_analyze.analyzers.localize.baselines import BASELINES
from csg_analyze.analyzers.localize.comparisons import caption, compare_localization, table_2
from csg_analyze.analyzers.localize.figures import draw_iou_curves, draw_maps
from csg_analyze.analyzers.localize.methods import (
    FilterChoice,
    attributed_maps,
    choose_filters,
    class_activation_maps,
    gradient_filters,
    gradient_maps,
    score_activation_maps,
    score_baseline,
    score_class_maps,
    score_gradient_maps,
)
from csg_analyze.analyzers.localize.notes import notes_on
from csg_analyze.analyzers.localize.options import check_counts, chosen_methods, passes_of_localize, rates_of
from csg_analyze.analyzers.localize.pages import Ranking, extremes_pages
from csg_analyze.analyzers.localize.selection import first_half
from csg_analyze.analyzers.localize.tables import (
    BOXES_AND_PIXELS,
    REGIONS,
    TOTAL,
    drawn_at_random,
    example_pictures,
    example_table,
    filter_table,
    iou_curves,
    numbers_of,
    parts_of,
    sample_table,
    wide,
)
from csg_analyze.analyzers.localize.task import LocalizationTask, Scored
from csg_analyze.analyzers.localize.text import CURVES_FIGURE, MAPS_FIGURE, MEASURES, READING
from csg_analyze.errors import NotAvailable
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.attribution import Attribution, FeatureMaps
from csg_analyze.metrics.keeping import NOTHING_KEPT, Keep
from csg_analyze.metrics.objects import Objects
from csg_analyze.result import Drawing, Number, Result, Table, or_none

Selection = Literal["heldout", "paper"]


@about(
    "Localization of objects",
    "How well filters and class maps mark the place of objects, beside maps that know nothing of the image.",
    measures=MEASURES,
    reading=READING,
    headlines=(Headline("*/avg_iou", claim=Claim("the mean IoU of {}", better="higher")),),
    passes=passes_of_localize,
)
def localize(
    objects: Objects,
    feature_maps: FeatureMaps,
    attribution: Attribution,
    activations: FloatArray,
    labels: IntArray,
    class_names: Sequence[str],
    sample_ids: Sequence[str],
    pictures: Callable[[IntArray], np.ndarray],
    cache: Keep = NOTHING_KEPT,
    *,
    methods: Annotated[
        str, "separated by commas: gradmap, activmap, cam, gradcam, captum:NAME; auto: the first three"
    ] = "auto",
    protocol: Annotated[
        Selection, "choose filters and thresholds on one half of the images and score the other, or both on all"
    ] = "heldout",
    deltas: Annotated[str, "IoU above which an image counts in the rates, separated by commas"] = "0.2,0.3",
    gradmap_filters: Annotated[int, "filters of each class whose gradients are taken"] = 30,
    levels: Annotated[int, "thresholds of MaxBoxAcc and PxAP, evenly between 0 and 1"] = 1000,
    bootstrap: Annotated[int, "resamples of the images for the intervals"] = 1000,
    seed: Annotated[int, "seed of the halves, the resamples, the noise and the examples"] = 0,
) -> Result:
    """Localization of objects by filters and class maps (Sec. 5.1, Table 2, Fig. 9).

    activations: (N, K), averaged maps. pictures: from indices (n,) to images, uint8 (n, H, W, 3). `methods` defines the
    regions, `scores` and `map_scores` the numbers; the latter lists the differences from the evaluator of Choe et al.
    A network whose head does not act on averaged maps has no CAM, and Grad-CAM replaces it.

    The protocol "paper" also follows the authors' scripts in two details: a filter that ties between classes belongs to
    the first of them, not to the one with the higher mean IoU, and GradMap's gradient is with respect to the network's
    normalised input. Two differences remain. The scripts take the whole image if the lowest value of a CAM fills 70 %
    of it, and their rounding in float32 may decide otherwise where a pixel or an IoU equals its threshold.

    Raises UsageError for options without meaning, NotAvailable for too few images.
    """
    rates = rates_of(deltas)
    check_counts(gradmap_filters=gradmap_filters, levels=levels, bootstrap=bootstrap)
    requested, notes = chosen_methods(methods, feature_maps)
    task = _task(objects, labels, len(class_names), protocol, rates, levels, seed, cache)
    choice = choose_filters(task, feature_maps) if "activmap" in requested else None
    oracle = protocol == "paper"
    scored: dict[str, Scored] = {}
    numbers = []
    for name in (*requested, *BASELINES):
        of_method = _run(name, task, feature_maps, attribution, activations, choice, gradmap_filters, seed)
        numbers.append(
            numbers_of(name, of_method.scores, task, class_names, oracle=oracle, bootstrap=bootstrap, seed=seed)
        )
        # only one method's scores at every threshold are in memory at a time
        scored[name] = replace(of_method, scores=of_method.scores.without_thresholds())
    per_class = pd.concat(numbers, ignore_index=True)
    settings = caption(task, protocol, class_names, requested, gradmap_filters)
    examples = drawn_at_random(task, len(class_names), seed)
    tables = {
        **{
            title: Table(
                wide(per_class, class_names, metrics),
                settings,
                tidy=per_class[per_class["metric"].isin(metrics)].reset_index(drop=True),
            )
            for title, metrics in parts_of(rates).items()
        },
        "per_class": Table(per_class),
        "iou_by_threshold": Table(iou_curves(task, scored)),
        "examples": Table(example_table(task, examples, scored, requested, class_names, sample_ids)),
    }
    if choice is not None:
        tables["filters"] = Table(filter_table(task, choice, class_names))
    if "gradmap" in requested:
        notes.append(attribution.gradient_origin)
    notes += notes_on(task, {name: scored[name] for name in requested}, choice, feature_maps, class_names, per_class)
    ranking = Ranking(task, {name: scored[name] for name in requested}, class_names, sample_ids, pictures)
    return Result(
        summary=_summary(per_class, list(scored), task, protocol),
        tables=tables,
        pictures={"examples": example_pictures(task, examples, scored, requested, pictures)},
        comparisons={
            "table_2": partial(table_2, title=REGIONS),
            "table_2_boxes_and_pixels": partial(table_2, title=BOXES_AND_PIXELS),
        },
        paired={"differences": partial(compare_localization, n=bootstrap, seed=seed)},
        figures={
            "maps": Drawing(draw_maps, MAPS_FIGURE, photographs=True),
            "iou_curves": Drawing(draw_iou_curves, CURVES_FIGURE),
        },
        samples=sample_table(task, scored, requested, class_names, sample_ids),
        notes=tuple(notes),
        pages=partial(extremes_pages, ranking),
    )


def _run(
    name: str,
    task: LocalizationTask,
    features: FeatureMaps,
    attribution: Attribution,
    activations: FloatArray,
    choice: FilterChoice | None,
    n_filters: int,
    seed: int,
) -> Scored:
    if name in BASELINES:
        return score_baseline(task, name, seed)
    if name == "cam":
        return score_class_maps(task, class_activation_maps(task, features))
    if name == "activmap" and choice is not None:
        return score_activation_maps(task, features, choice)
    if name == "gradmap":
        filters = gradient_filters(task, activations, n_filters)
        return score_gradient_maps(task, gradient_maps(task, attribution, filters))
    method = "LayerGradCam" if name == "gradcam" else name.removeprefix("captum:")
    return score_class_maps(task, attributed_maps(task, attribution, method))


def _task(
    objects: Objects,
    labels: IntArray,
    n_classes: int,
    protocol: Selection,
    deltas: tuple[float, ...],
    levels: int,
    seed: int,
    cache: Keep,
) -> LocalizationTask:
    usable = np.flatnonzero(objects.usable)
    chosen = scored = usable
    if protocol == "heldout":
        first = first_half(labels[usable], objects.groups[usable], seed)
        chosen, scored = usable[first], usable[~first]
        if not len(scored):
            raise NotAvailable(
                "too few images for two halves; give more, or choose and score on the same images with --protocol paper"
            )
    return LocalizationTask(objects, labels, n_classes, chosen, scored, deltas, levels, protocol == "paper", cache)


def _summary(
    per_class: pd.DataFrame, methods: Sequence[str], task: LocalizationTask, protocol: str
) -> dict[str, Number]:
    """The totals as <method>/<metric>, the protocol, and the number of images."""
    totals = per_class[per_class["class"] == TOTAL].set_index(["method", "metric"])["value"]
    metrics = [*parts_of(task.deltas)[REGIONS], "max_box_acc_v2", "pxap"]
    summary: dict[str, Number] = {
        f"{method}/{metric}": or_none(float(totals[method, metric])) for method in methods for metric in metrics
    }
    return summary | {
        "protocol": protocol,
        "truth": task.objects.kind,
        "n_images": len(task.scored),
        "n_chosen_on": len(task.chosen),
        "n_left_out": int((~task.objects.usable).sum()),
    }
