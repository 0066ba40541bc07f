"""Table 2: what methods score by class and in total, one model beside the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from csg_analyze.analyzers.localize.baselines import BASELINES
from csg_analyze.analyzers.localize.methods import Setting
from csg_analyze.metrics.statistics import intervals, resampled_groups
from csg_analyze.result import Result, Table
from csg_analyze.wording import listed

NAMES = {
    "gradmap": "GradMap for one filter",
    "activmap": "ActivMap for one filter",
    "cam": "CAM for all filters",
    "gradcam": "Grad-CAM for all filters",
    "all-ones": "baseline: the whole image",
    "centred-disk": "baseline: centred disk",
    "smooth-noise": "baseline: smooth noise",
}
METRICS = {
    "avg_iou": "Avg-IoU",
    "max_box_acc": "MaxBoxAcc",
    "max_box_acc_v2": "MaxBoxAccV2",
    "pxap": "PxAP",
    "pointing": "pointing game",
    "energy": "energy in the object",
}
CUTS = {
    "gradmap": "GradMap above 1 (its root mean square), {} filters a class",
    "activmap": "ActivMap at the value that the highest 30 % of a filter's activations reach",
    "cam": "CAM at the highest 30 % of the pixels",
    "gradcam": "Grad-CAM at the highest 30 % of the pixels",
}


def caption(setting: Setting, protocol: str, class_names: Sequence[str], methods: Sequence[str], n_filters: int) -> str:
    """What a reader must know to make sense of the numbers: protocol, truth, counts, thresholds, what was left out."""
    counts = np.bincount(setting.labels[setting.scored], minlength=len(class_names)).tolist()
    by_class = listed([f"{name} {count}" for name, count in zip(class_names, counts, strict=True)], most=12)
    height, width = setting.objects.size
    scored = f"{len(setting.scored)} images of {width}x{height} pixels ({by_class})"
    if protocol == "heldout":
        how = (
            f"Held-out protocol: filters, their classes and thresholds chosen on {len(setting.chosen)} images, scored "
            f"on {scored}. Thresholds of MaxBoxAcc and MaxBoxAccV2 are those best on the former."
        )
    else:
        how = (
            f"The authors' protocol: filters, their classes and thresholds chosen on the images that are scored, "
            f"{scored}. Thresholds of MaxBoxAcc and MaxBoxAccV2 are oracles: those best on these images."
        )
    truth = {"masks": "masks of the objects", "boxes": "the objects' boxes, filled"}[setting.objects.kind]
    cuts = [CUTS[name].format(n_filters) for name in methods if name in CUTS]
    others = "the highest 30 % of the pixels of " + " and ".join(
        ["the baselines", *(name for name in methods if name not in CUTS)]
    )
    left_out = "; ".join(setting.objects.left_out) or "nothing"
    return (
        f"{how} Compared with {truth}. Regions: {'; '.join([*cuts, others])}. Left out: {left_out}. low, high: 95 % "
        "bootstrap interval of the total over images."
    )


def table_2(results: Mapping[str, Result], *, title: str) -> Table:
    """Every method and metric, one model below the other, the best of each column in bold; the baselines once.

    title: which of the two tables of numbers.
    """
    frames = {model: result.frame(title) for model, result in results.items()}
    columns = list(dict.fromkeys(name for frame in frames.values() for name in frame.columns[2:]))
    indexed = {model: frame.set_index(["method", "metric"]).reindex(columns=columns) for model, frame in frames.items()}
    keys = dict.fromkeys(key for frame in indexed.values() for key in frame.index)
    rows: list[dict[str, object]] = []
    bold: list[dict[str, bool]] = []
    for key in sorted(keys, key=lambda key: key[0] in BASELINES):
        method, metric = key
        block = {model: frame.loc[key] for model, frame in indexed.items() if key in frame.index}
        if method in BASELINES:  # they know no model
            block = {"–": next(iter(block.values()))}
        best = pd.DataFrame(block).drop(index=["low", "high"]).max(axis=1)
        for model, row in block.items():
            head = {"localization": NAMES.get(method, method), "metric": METRICS.get(metric, metric.upper())}
            rows.append({**head, "model": model, **row})
            heavy = {name: len(block) > 1 and name in best and bool(row[name] == best[name]) for name in columns}
            bold.append({**dict.fromkeys((*head, "model"), False), **heavy})
    captions = {model: result.tables[title].caption for model, result in results.items()}
    if len(set(captions.values())) == 1:
        shared = next(iter(captions.values()))
    else:
        shared = " ".join(f"{model}: {text}" for model, text in captions.items())
    caption = f"The best model of each row and class is bold. {shared}"
    return Table(pd.DataFrame(rows), caption, best=pd.DataFrame(bold))


def differences(first: Result, second: Result, *, n: int, seed: int) -> Table:
    """The second model minus the first, image by image: mean difference, its 95 % interval from paired resamples.

    Means are over images for every method, also for ActivMap, whose totals in Table 2 are over filters.
    """
    assert first.samples is not None  # localize always has them
    assert second.samples is not None
    both = first.samples.merge(second.samples, on="sample_id", suffixes=("", " (second)"))
    draws = resampled_groups(both["picture"].to_numpy(), resamples=n, seed=seed)
    rows = []
    for column in (name for name in first.samples.columns[3:] if f"{name} (second)" in both):
        change = (both[f"{column} (second)"].astype(float) - both[column].astype(float)).to_numpy()
        there = ~np.isnan(change)
        counts = draws[:, there]
        with np.errstate(invalid="ignore", divide="ignore"):
            means = (counts @ change[there]) / counts.sum(axis=1)
        low, high = intervals(means[:, None])
        method, _, metric = column.rpartition("_")
        rows.append(
            {
                "localization": NAMES.get(method, method),
                "metric": "mean IoU" if metric == "iou" else metric.upper(),
                "difference": change[there].mean() if there.any() else np.nan,
                "low": low[0],
                "high": high[0],
                "n": int(there.sum()),
            }
        )
    return Table(
        pd.DataFrame(rows),
        "Paired: both models on the same images, those cut from one picture resampled together. An interval without 0 "
        "says that the models differ on images like these; of training runs it says nothing.",
    )
