"""From what every image scores to the numbers of a table: by class and in total, with intervals.

Every number is a function of means over images, and total means are means of the classes' means, weighted. So
resampling images is one matrix product for all numbers of a method.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray

BOX_DELTAS = (0.3, 0.5, 0.7)
"""IoU of boxes that MaxBoxAccV2 asks for; MaxBoxAcc asks for 0.5."""

CELLS = 2**24
"""Numbers of resampled means held at once, 128 MB."""


@dataclass(frozen=True)
class ImageScores:
    """What one method scores on each of N images, NaN where it has no map: means over the image's maps.

    iou, pointing, energy: (N,). rates: delta -> (N,), whether (for several maps: how often) the IoU is above it.
    curve: (N, L), IoU of the region of the scaled map at every threshold. box_hits: (N, 3, L), how often the best box
    of a connected region has IoU of at least BOX_DELTAS; largest_hits: (N, L), that of the largest region, 0.5.
    on, off: (N, L), pixels on and off the objects by the highest threshold they reach.
    class_weights: (C,), the weight of every class in the total; None: each image has the same.
    """

    iou: FloatArray
    rates: Mapping[float, FloatArray]
    pointing: FloatArray
    energy: FloatArray
    curve: FloatArray
    box_hits: FloatArray
    largest_hits: FloatArray
    on: FloatArray
    off: FloatArray
    class_weights: FloatArray | None = None


def metric_names(deltas: Sequence[float]) -> tuple[str, ...]:
    """The numbers of a method, in the order of the tables: avg_iou, ap20 ..., max_box_acc, ..., energy."""
    rates = (f"ap{round(100 * delta):02d}" for delta in deltas)
    return ("avg_iou", *rates, "max_box_acc", "max_box_acc_v2", "pxap", "pointing", "energy")


def columns_of(scores: ImageScores, images: IntArray) -> FloatArray:
    """Everything the images score, side by side, float64 (n, S): see `_numbers` for the order."""
    blocks = [scores.iou, *scores.rates.values(), scores.pointing, scores.energy]
    blocks += [scores.largest_hits, scores.box_hits.reshape(len(scores.iou), -1), scores.on, scores.off]
    return np.concatenate([block[images].reshape(len(images), -1).astype(np.float64) for block in blocks], axis=1)


def evaluate(
    scores: ImageScores,
    labels: IntArray,
    images: IntArray,
    n_classes: int,
    *,
    levels: IntArray | None = None,
    multiplicities: FloatArray | None = None,
) -> FloatArray:
    """The metrics (`metric_names`) by class and in total, (M, C + 1); of every resample, (B, M, C + 1).

    images: those scored. levels: thresholds of MaxBoxAcc and, one for each of BOX_DELTAS, of MaxBoxAccV2, (4,), chosen
    elsewhere; None: those with the highest total on the scored images themselves (the oracle of the literature).
    multiplicities: (B, n), how often every scored image is in each resample. A class without images is NaN.
    """
    usable = ~np.isnan(scores.iou[images])
    images = images[usable]
    columns, own = columns_of(scores, images), labels[images]
    once = multiplicities is None
    counts = np.ones((1, len(images))) if multiplicities is None else multiplicities[:, usable]
    n_columns = columns.shape[1]
    at_once = max(1, CELLS // max(1, (n_classes + 1) * n_columns))
    parts = []
    for start in range(0, len(counts), at_once):
        means = _means(columns, own, counts[start : start + at_once], n_classes, scores.class_weights)
        parts.append(_numbers(means, len(scores.rates), scores.on.shape[1], levels))
    found = np.concatenate(parts)
    return found[0] if once else found


def best_levels(scores: ImageScores, labels: IntArray, images: IntArray, n_classes: int) -> IntArray:
    """The thresholds (4,) with the highest total MaxBoxAcc, and the highest for each of BOX_DELTAS, on some images."""
    images = images[~np.isnan(scores.iou[images])]
    means = _means(
        columns_of(scores, images), labels[images], np.ones((1, len(images))), n_classes, scores.class_weights
    )
    curves = _curves(means, len(scores.rates), scores.on.shape[1])
    levels: IntArray = curves[0, -1].argmax(axis=-1)
    return levels


def resamples(groups: IntArray, n: int, seed: int) -> FloatArray:
    """How often every image is in each of n bootstrap resamples, (n, N): whole groups are drawn, with replacement."""
    _, group = np.unique(groups, return_inverse=True)
    n_groups = int(group.max(initial=-1)) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n)
    found: FloatArray = drawn[:, group].astype(np.float64)
    return found


def interval(values: FloatArray, confidence: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Percentile bootstrap interval over the first axis; NaN where all resamples are."""
    tail = (1 - confidence) / 2
    known: BoolArray = np.asarray(~np.isnan(values).all(axis=0))
    filled = np.where(known, values, 0.0)
    low, high = np.nanquantile(filled, [tail, 1 - tail], axis=0)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def _means(
    columns: FloatArray, labels: IntArray, counts: FloatArray, n_classes: int, weights: FloatArray | None
) -> FloatArray:
    """Weighted means of the columns by class and, last, in total: (B, C + 1, S)."""
    found = np.full((len(counts), n_classes + 1, columns.shape[1]), np.nan)
    sizes = np.zeros((len(counts), n_classes))
    for c in range(n_classes):
        members = labels == c
        sizes[:, c] = counts[:, members].sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            found[:, c] = (counts[:, members] @ columns[members]) / sizes[:, c, None]
    shares = sizes if weights is None else np.where(sizes > 0, weights, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = shares / shares.sum(axis=1, keepdims=True)
        found[:, -1] = np.einsum("bc,bcs->bs", shares, np.where(shares[..., None] > 0, found[:, :-1], 0.0))
    return found


def _curves(means: FloatArray, n_rates: int, n_levels: int) -> FloatArray:
    """Box accuracy at every threshold, of the largest region and at each of BOX_DELTAS: (B, C + 1, 4, L)."""
    start = 3 + n_rates
    return means[..., start : start + 4 * n_levels].reshape(*means.shape[:-1], 4, n_levels)


def _numbers(means: FloatArray, n_rates: int, n_levels: int, levels: IntArray | None) -> FloatArray:
    """(B, C + 1, S) -> (B, M, C + 1)."""
    curves = _curves(means, n_rates, n_levels)
    if levels is None:
        # one threshold for all classes; a resample chooses its own
        chosen = np.nan_to_num(curves[:, -1]).argmax(axis=-1)[:, None, :, None]
    else:
        chosen = np.broadcast_to(levels[None, None, :, None], (*curves.shape[:3], 1))
    accuracy = np.take_along_axis(curves, np.broadcast_to(chosen, (*curves.shape[:3], 1)), axis=-1)[..., 0]
    on, off = means[..., -2 * n_levels : -n_levels], means[..., -n_levels:]
    numbers = [means[..., : 1 + n_rates], accuracy[..., :1], accuracy[..., 1:].mean(axis=-1, keepdims=True)]
    numbers += [pixel_average_precision(on, off)[..., None], means[..., 1 + n_rates : 3 + n_rates]]
    return np.concatenate(numbers, axis=-1).swapaxes(-1, -2)


def pixel_average_precision(on: FloatArray, off: FloatArray) -> FloatArray:
    """PxAP: sum over thresholds of precision times the gain in recall, from the highest threshold down.

    on, off: (..., L), pixels on and off the objects whose highest threshold is each. NaN where no pixel is on one.
    """
    reached_on, reached_off = (np.flip(np.cumsum(np.flip(part, -1), -1), -1) for part in (on, off))
    total = reached_on[..., :1]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = reached_on / (reached_on + reached_off)
        value: FloatArray = np.where(on > 0, precision * on, 0.0).sum(axis=-1) / total[..., 0]
    return value
