"""Table 2: the scores of the methods by class and in total, for all models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from csg_analyze.analyzers.localize.baselines import BASELINES
from csg_analyze.analyzers.localize.task import LocalizationTask
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
KEYS = ("localization", "metric", "model")
CUTS = {
    "gradmap": "GradMap above 1 (its root mean square), {} filters per class",
    "activmap": "ActivMap at the value that the highest 30 % of a filter's activations reach",
    "cam": "CAM at the highest 30 % of the pixels",
    "gradcam": "Grad-CAM at the highest 30 % of the pixels",
}


def caption(
    task: LocalizationTask, protocol: str, class_names: Sequence[str], methods: Sequence[str], n_filters: int
) -> str:
    """The settings behind the numbers, for the reader: protocol, truth, counts, thresholds, images left out."""
    counts = np.bincount(task.labels[task.scored], minlength=len(class_names)).tolist()
    by_class = listed([f"{name} {count}" for name, count in zip(class_names, counts, strict=True)], most=12)
    height, width = task.objects.size
    scored = f"{len(task.scored)} images of {width}x{height} pixels ({by_class})"
    if protocol == "heldout":
        selection = (
            f"Held-out protocol: filters, their classes and thresholds chosen on {len(task.chosen)} images, "
            f"scored on {scored}. Thresholds of MaxBoxAcc and MaxBoxAccV2 are the best on the former images."
        )
    else:
        selection = (
            f"The authors' protocol: filters, their classes and thresholds chosen on the images that are scored, "
            f"{scored}. Thresholds of MaxBoxAcc and MaxBoxAccV2 are oracles: the best on these same images."
        )
    truth = {"masks": "masks of the objects", "boxes": "the objects' boxes, filled"}[task.objects.kind]
    cuts = [CUTS[name].format(n_filters) for name in methods if name in CUTS]
    others = "the highest 30 % of the pixels of " + " and ".join(
        ["the baselines", *(name for name in methods if name not in CUTS)]
    )
    left_out = "; ".join(task.objects.left_out) or "nothing"
    return (
        f"{selection} Compared with {truth}. Regions: {'; '.join([*cuts, others])}. Left out: {left_out}. low, high: "
        "95 % bootstrap interval of the total over images."
    )


def table_2(results: Mapping[str, Result], *, title: str) -> Table:
    """Every method and metric, one row per model, the best of each column in bold; baselines have one row.

    title: of one of the two tables of numbers.
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
        if method in BASELINES:  # they do not depend on the model
            block = {"–": next(iter(block.values()))}
        best = pd.DataFrame(block).drop(index=["low", "high"]).max(axis=1)
        for model, row in block.items():
            head = {"localization": NAMES.get(method, method), "metric": METRICS.get(metric, metric.upper())}
            rows.append({**head, "model": model, **row})
            is_best = {name: len(block) > 1 and name in best and bool(row[name] == best[name]) for name in columns}
            bold.append({**dict.fromkeys((*head, "model"), False), **is_best})
    captions = {model: result.tables[title].caption for model, result in results.items()}
    if len(set(captions.values())) == 1:
        shared = next(iter(captions.values()))
    else:
        shared = " ".join(f"{model}: {text}" for model, text in captions.items())
    caption = f"The best model of each row and class is bold. {shared}"
    tidy = {model: result.tables[title].tidy for model, result in results.items()}
    return Table(pd.DataFrame(rows), caption, best=pd.DataFrame(bold), tidy=_class_by_class(tidy))


def _class_by_class(frames: Mapping[str, pd.DataFrame | None]) -> pd.DataFrame | None:
    """The numbers of Table 2 with one class, or the total, per row; baselines once."""
    parts: list[pd.DataFrame] = []
    for model, frame in frames.items():
        if frame is None:
            return None
        baselines = frame["method"].isin(BASELINES)
        part = frame.assign(model=model)[~baselines]
        parts += [part] if parts else [frame.assign(model="–")[baselines], part]
    rows = pd.concat(parts, ignore_index=True)
    rows.insert(0, "localization", [NAMES.get(name, name) for name in rows.pop("method")])
    rows["metric"] = [METRICS.get(name, name.upper()) for name in rows["metric"]]
    return rows[[*KEYS, *(name for name in rows.columns if name not in KEYS)]]


def compare_localization(first: Result, second: Result, *, n: int, seed: int) -> Table:
    """Mean difference over images, second model minus first, with its 95 % interval from paired resamples.

    Also ActivMap is averaged over images here; its totals in Table 2 are averages over filters.
    """
    assert first.samples is not None  # localize always has them
    assert second.samples is not None
    both = first.samples.merge(second.samples, on="sample_id", suffixes=("", " (second)"))
    draws = resampled_groups(both["picture"].to_numpy(), resamples=n, seed=seed)
    rows = []
    for column in (name for name in first.samples.columns[3:] if f"{name} (second)" in both):
        change = (both[f"{column} (second)"].astype(float) - both[column].astype(float)).to_numpy()
        defined = ~np.isnan(change)
        counts = draws[:, defined]
        with np.errstate(invalid="ignore", divide="ignore"):
            means = (counts @ change[defined]) / counts.sum(axis=1)
        low, high = intervals(means[:, None])
        method, _, metric = column.rpartition("_")
        rows.append(
            {
                "localization": NAMES.get(method, method),
                "metric": "mean IoU" if metric == "iou" else metric.upper(),
                "difference": change[defined].mean() if defined.any() else np.nan,
                "low": low[0],
                "high": high[0],
                "n": int(defined.sum()),
            }
        )
    return Table(
        pd.DataFrame(rows),
        "Paired: both models on the same images; images cut from one picture are resampled together. An interval "
        "without 0 means that the models differ on images like these. It says nothing about other training runs.",
    )
