"""How well filters and class maps localize the objects of a class, beside maps that know nothing of the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

import numpy as np
import pandas as pd

from csg_analyze.about import about
from csg_analyze.analyzers.localize.baselines import BASELINES
from csg_analyze.analyzers.localize.comparisons import caption, differences, table_2
from csg_analyze.analyzers.localize.figures import draw_iou_curves, draw_maps
from csg_analyze.analyzers.localize.methods import (
    FilterChoice,
    Scored,
    Setting,
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
from csg_analyze.analyzers.localize.options import check_counts, chosen_methods, rates_of
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
from csg_analyze.analyzers.localize.text import CURVES_FIGURE, MAPS_FIGURE, MEASURES, READING
from csg_analyze.errors import NotAvailable
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.attribution import Attribution, FeatureMaps
from csg_analyze.metrics.objects import Objects
from csg_analyze.result import Drawing, Number, Result, Table, or_none

Protocol = Literal["heldout", "paper"]


@about(
    "Localization of objects",
    "How well filters and class maps mark the place of objects, beside maps that know nothing of the image.",
    measures=MEASURES,
    reading=READING,
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
    *,
    methods: Annotated[
        str, "with commas between: gradmap, activmap, cam, gradcam, captum:NAME; auto: the first three"
    ] = "auto",
    protocol: Annotated[
        Protocol, "choose filters and thresholds on one half of the images and score the other, or both on all"
    ] = "heldout",
    deltas: Annotated[str, "IoU that the rates ask for, with commas between"] = "0.2,0.3",
    gradmap_filters: Annotated[int, "filters of each class whose gradients are taken"] = 30,
    levels: Annotated[int, "thresholds of MaxBoxAcc and PxAP, evenly between 0 and 1"] = 1000,
    bootstrap: Annotated[int, "resamples of the images for the intervals"] = 1000,
    seed: Annotated[int, "of the halves, the resamples, the noise and the examples"] = 0,
) -> Result:
    """Localization of objects by filters and class maps (Sec. 5.1, Table 2, Fig. 9).

    activations: (N, K), averaged maps. pictures: from indices (n,) to images, uint8 (n, H, W, 3). The regions are those
    of `methods`, the numbers those of `scores` and `map_scores`, which says in what they differ from the evaluator that
    Choe et al. published. Where a network's head does not act on averaged maps there is no CAM; Grad-CAM stands in.

    With "paper" two more things are as in the authors' scripts: filters that tie between classes go to the first of
    them instead of the one with the higher mean IoU, and GradMap's gradient is with respect to the network's normalised
    input. Two differences are left: of a CAM whose lowest value fills 70 % of the image the scripts take the whole
    image; and where a pixel's value, or an IoU of exactly 0.3, lies on its threshold, their rounding in float32 may
    decide otherwise.

    Raises UsageError for options without meaning, NotAvailable for too few images.
    """
    rates = rates_of(deltas)
    check_counts(gradmap_filters=gradmap_filters, levels=levels, bootstrap=bootstrap)
    wanted, notes = chosen_methods(methods, feature_maps)
    setting = _setting(objects, labels, len(class_names), protocol, rates, levels, seed)
    choice = choose_filters(setting, feature_maps) if "activmap" in wanted else None
    oracle = protocol == "paper"
    scored: dict[str, Scored] = {}
    numbers = []
    for name in (*wanted, *BASELINES):
        found = _run(name, setting, feature_maps, attribution, activations, choice, gradmap_filters, seed)
        numbers.append(
            numbers_of(name, found.scores, setting, class_names, oracle=oracle, bootstrap=bootstrap, seed=seed)
        )
        # one method's scores at every threshold in memory at a time
        scored[name] = replace(found, scores=found.scores.without_thresholds())
    per_class = pd.concat(numbers, ignore_index=True)
    said = caption(setting, protocol, class_names, wanted, gradmap_filters)
    examples = drawn_at_random(setting, len(class_names), seed)
    tables = {
        **{title: Table(wide(per_class, class_names, metrics), said) for title, metrics in parts_of(rates).items()},
        "per_class": Table(per_class),
        "iou_by_threshold": Table(iou_curves(setting, scored)),
        "examples": Table(example_table(setting, examples, scored, wanted, class_names, sample_ids)),
    }
    if choice is not None:
        tables["filters"] = Table(filter_table(setting, choice, class_names))
    if "gradmap" in wanted:
        notes.append(attribution.gradient_origin)
    notes += notes_on(setting, {name: scored[name] for name in wanted}, choice, feature_maps, class_names, per_class)
    ranking = Ranking(setting, {name: scored[name] for name in wanted}, class_names, sample_ids, pictures)
    return Result(
        summary=_summary(per_class, list(scored), setting, protocol),
        tables=tables,
        pictures={"examples": example_pictures(setting, examples, scored, wanted, pictures)},
        comparisons={
            "table_2": partial(table_2, title=REGIONS),
            "table_2_boxes_and_pixels": partial(table_2, title=BOXES_AND_PIXELS),
        },
        paired={"differences": partial(differences, n=bootstrap, seed=seed)},
        figures={"maps": Drawing(draw_maps, MAPS_FIGURE), "iou_curves": Drawing(draw_iou_curves, CURVES_FIGURE)},
        samples=sample_table(setting, scored, wanted, class_names, sample_ids),
        notes=tuple(notes),
        pages=partial(extremes_pages, ranking),
    )


def _run(
    name: str,
    setting: Setting,
    features: FeatureMaps,
    attribution: Attribution,
    activations: FloatArray,
    choice: FilterChoice | None,
    n_filters: int,
    seed: int,
) -> Scored:
    if name in BASELINES:
        return score_baseline(setting, name, seed)
    if name == "cam":
        return score_class_maps(setting, class_activation_maps(setting, features))
    if name == "activmap" and choice is not None:
        return score_activation_maps(setting, features, choice)
    if name == "gradmap":
        filters = gradient_filters(setting, activations, n_filters)
        return score_gradient_maps(setting, gradient_maps(setting, attribution, filters))
    method = "LayerGradCam" if name == "gradcam" else name.removeprefix("captum:")
    images = setting.images
    found = attribution.of_class(method, images, setting.labels[images])
    return score_class_maps(setting, ((images[places], maps) for places, maps in found))


def _setting(
    objects: Objects,
    labels: IntArray,
    n_classes: int,
    protocol: Protocol,
    deltas: tuple[float, ...],
    levels: int,
    seed: int,
) -> Setting:
    usable = np.flatnonzero(objects.usable)
    chosen = scored = usable
    if protocol == "heldout":
        first = first_half(labels[usable], objects.groups[usable], seed)
        chosen, scored = usable[first], usable[~first]
        if not len(scored):
            raise NotAvailable(
                "too few images for two halves; give more, or choose and score on the same ones with --protocol paper"
            )
    return Setting(objects, labels, n_classes, chosen, scored, deltas, levels, as_authors=protocol == "paper")


def _summary(per_class: pd.DataFrame, methods: Sequence[str], setting: Setting, protocol: str) -> dict[str, Number]:
    """The totals under <method>/<metric>, the protocol, and what they were measured on."""
    totals = per_class[per_class["class"] == TOTAL].set_index(["method", "metric"])["value"]
    metrics = [*parts_of(setting.deltas)[REGIONS], "max_box_acc_v2", "pxap"]
    found: dict[str, Number] = {
        f"{method}/{metric}": or_none(float(totals[method, metric])) for method in methods for metric in metrics
    }
    return found | {
        "protocol": protocol,
        "truth": setting.objects.kind,
        "n_images": len(setting.scored),
        "n_chosen_on": len(setting.chosen),
        "n_left_out": int((~setting.objects.usable).sum()),
    }
