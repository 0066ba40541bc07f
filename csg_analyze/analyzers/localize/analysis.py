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
from csg_analyze.errors import NotAvailable, UsageError, unknown
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.attribution import Attribution, FeatureMaps
from csg_analyze.metrics.objects import Objects
from csg_analyze.result import Drawing, Number, Result, Table, or_none

Protocol = Literal["heldout", "paper"]
METHODS = ("gradmap", "activmap", "cam", "gradcam")


@about("Localization of objects", measures=MEASURES, reading=READING)
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

    GradMap: for every class the 30 filters with the highest mean activation on its images; the gradient of the averaged
    activation with respect to the pixels, its L2 norm over the colours, divided by its root mean square over the
    image and blurred (sigma 30 pixels at 128); above 1 is the object. ActivMap: every filter's map, bilinear at the
    size of the image, where it reaches the value that the highest 30 % of the filter's activations reach; scored on the
    images of the class that it hits most often (IoU > 0.3). CAM: the head's weights of the labelled class times the
    maps; the 30 % highest pixels of each map, cut down to whole ones. Grad-CAM, and maps of captum's methods: likewise.
    Pixels that tie with the last of the 30 % are in the region, those at the map's lowest value never are: of a
    Grad-CAM with fewer positive pixels the region is what is positive, and a map that is the same everywhere, or holds
    values that are not finite, has an empty region, IoU 0. Where a network's head does not act on averaged maps there
    is no CAM, and Grad-CAM stands in.

    `avg_iou` is the mean IoU of these regions with the objects; `ap20` and `ap30` the share of images with more than
    0.2 and 0.3 (for GradMap of the mean over the 30 filters, at least that). The total of ActivMap averages filters,
    all others images. From the map scaled to [0, 1], as in Choe et al. (CVPR 2020): `max_box_acc`, the share of images
    where the box of the largest connected region has an IoU of at least 0.5 with an object's, and `max_box_acc_v2`, the
    same of the best box of any connected region, averaged over 0.3, 0.5 and 0.7, both at one threshold for all images;
    `pxap`, average precision of the pixels; analyzers.localize.map_scores says in what the numbers differ from those
    of the evaluator they published. `pointing`: the highest pixel is on an object; `energy`: the share of the
    scaled map's sum on the objects.

    With "heldout", one half of each class's images decides on filters, their classes and all thresholds, and the
    other half is scored; with "paper" both is done on all images, as the authors' scripts do, which flatters the
    methods. Two more things "paper" does as they do: filters that tie between classes go to the first of them instead
    of the one with the higher mean IoU, and GradMap's gradient is with respect to the network's normalised input. Two
    differences are left: of a CAM whose lowest value fills 70 % of the image the scripts take the whole image; and
    where a pixel's value, or an IoU of exactly 0.3, lies on its threshold, their rounding in float32 may decide
    otherwise. The baselines are the whole image, a centred disk and smooth noise, cut as CAM is.

    Intervals: percentile bootstrap over images, those cut from one picture drawn together.
    """
    rates = _numbers_in(deltas)
    _check_counts(gradmap_filters=gradmap_filters, levels=levels, bootstrap=bootstrap)
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


def chosen_methods(text: str, feature_maps: FeatureMaps) -> tuple[list[str], list[str]]:
    """The methods that `text` names and this network can have, and what has to be said about that.

    Raises UsageError for an unknown method, NotAvailable where the network can have none of them.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if names == ["auto"]:
        names = ["gradmap", "activmap"]
        if feature_maps.weight is not None:
            return [*names, "cam"], []
        if feature_maps.featureless:
            return names, [f"no CAM, and no Grad-CAM instead: {feature_maps.no_cam}."]
        return [*names, "gradcam"], [f"no CAM, Grad-CAM instead: {feature_maps.no_cam}."]
    if not names:
        raise UsageError("--methods names no method; leave it at auto, or give e.g. gradmap,activmap,cam.")
    for name in names:
        if name not in METHODS and not name.startswith("captum:"):
            raise unknown("method", name, (*METHODS, "captum:IntegratedGradients"))
    if "cam" in names and feature_maps.weight is None:
        names.remove("cam")
        if not names:
            instead = "" if feature_maps.featureless else "; ask for gradcam"
            raise NotAvailable(f"no class activation maps: {feature_maps.no_cam}{instead}")
        instead = "" if feature_maps.featureless else "; --methods gradcam is possible"
        return names, [f"no CAM: {feature_maps.no_cam}{instead}."]
    return names, []


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


def _numbers_in(deltas: str) -> tuple[float, ...]:
    try:
        found = tuple(dict.fromkeys(float(part) for part in deltas.split(",") if part.strip()))
    except ValueError:
        found = ()
    if not found or not all(0 < delta < 1 for delta in found):
        raise UsageError(f"--deltas takes numbers between 0 and 1 with commas between, e.g. 0.2,0.3; not {deltas!r}.")
    return found


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise UsageError(f"--{name.replace('_', '-')} must be at least 1, not {count}.")


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
