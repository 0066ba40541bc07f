"""From what every image scores to the numbers of a table: by class and in total, with intervals.

Every number is a function of means over images, and total means are means of the classes' means, weighted. So
resampling images is a matrix product: resamples by images, times images by what they score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from csg_analyze.metrics.arrays import FloatArray, IntArray

BOX_DELTAS = (0.3, 0.5, 0.7)
"""IoU of boxes that MaxBoxAccV2 asks for; MaxBoxAcc asks for 0.5."""

CELLS = 2**22
"""Numbers of resampled means held at once, 32 MB; there are some such arrays."""

IMAGES = 2**12
"""Images whose scores at every threshold are held in float64 at once."""


@dataclass(frozen=True)
class ImageScores:
    """What one method scores on each of N images, NaN where it has no map: means over the image's maps.

    iou, pointing, energy: (N,). rates: delta -> (N,), whether (for several maps: how often) the IoU is above it.
    curve: (N, at most 100), IoU of the region of the scaled map at thresholds evenly spaced. box_hits: (N, 3, L), how
    often the best box of a connected region has IoU of at least BOX_DELTAS; largest_hits: (N, L), that of the largest
    region, 0.5. on, off: (N, L + 1), pixels on and off the objects by the highest threshold they reach, the last one
    being 1. class_weights: (C,), the weight of every class in the total; None: each image has the same.
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

    def without_thresholds(self) -> ImageScores:
        """Without what there is for every threshold, which is large, and done with once `evaluate` has the numbers."""
        none: FloatArray = np.empty((len(self.iou), 0), np.float32)
        return replace(self, box_hits=none, largest_hits=none, on=none, off=none)


def metric_names(deltas: Sequence[float]) -> tuple[str, ...]:
    """The numbers of a method, in the order of the tables: avg_iou, ap20 ..., max_box_acc, ..., energy."""
    rates = (f"ap{round(100 * delta):02d}" for delta in deltas)
    return ("avg_iou", *rates, "max_box_acc", "max_box_acc_v2", "pxap", "pointing", "energy")


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
    own = labels[images]
    once = multiplicities is None
    counts = np.ones((1, len(images))) if multiplicities is None else multiplicities[:, usable]
    at_once = max(1, CELLS // max(1, len(images), 4 * scores.largest_hits.shape[1]))
    parts = []
    for start in range(0, len(counts), at_once):
        drawn = counts[start : start + at_once]
        total = _total_weights(own, drawn, n_classes, scores.class_weights)
        # one threshold for all classes; a resample chooses its own
        chosen = _best(scores, images, total) if levels is None else np.broadcast_to(levels, (len(drawn), len(levels)))
        columns = []
        for c in range(n_classes):
            members = own == c
            columns.append(_numbers(scores, images[members], _shares(drawn[:, members]), chosen))
        columns.append(_numbers(scores, images, total, chosen))
        parts.append(np.stack(columns, axis=-1))
    found = np.concatenate(parts)
    return found[0] if once else found


def best_levels(scores: ImageScores, labels: IntArray, images: IntArray, n_classes: int) -> IntArray:
    """The thresholds (4,) with the highest total MaxBoxAcc, and the highest for each of BOX_DELTAS, on some images."""
    images = images[~np.isnan(scores.iou[images])]
    total = _total_weights(labels[images], np.ones((1, len(images))), n_classes, scores.class_weights)
    levels: IntArray = _best(scores, images, total)[0]
    return levels


def _shares(counts: FloatArray) -> FloatArray:
    """What every image weighs in the mean of each resample, (B, n): 1 together, NaN where a resample has none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: FloatArray = counts / counts.sum(axis=1, keepdims=True)
    return shares


def _total_weights(labels: IntArray, counts: FloatArray, n_classes: int, weights: FloatArray | None) -> FloatArray:
    """What every image weighs in each resample's total, (B, n): as often as it is drawn, or by its class's weight."""
    if weights is None:
        return _shares(counts)
    sizes = np.stack([counts[:, labels == c].sum(axis=1) for c in range(n_classes)], axis=1)  # (B, C)
    with np.errstate(invalid="ignore", divide="ignore"):
        of_classes = _shares(np.where(sizes > 0, weights, 0.0)) / sizes
        return np.where(counts > 0, counts * of_classes[:, labels], 0.0)


def _numbers(scores: ImageScores, images: IntArray, weights: FloatArray, chosen: IntArray) -> FloatArray:
    """The metrics of some images, weighted (B, n), with boxes at the chosen thresholds (B, 4): (B, M)."""
    if not len(images):
        return np.full((len(weights), len(scores.rates) + 6), np.nan)
    single = [scores.iou, *scores.rates.values(), scores.pointing, scores.energy]
    means = weights @ np.stack([values[images] for values in single], axis=1)
    boxes = np.stack(
        [
            np.einsum("bn,nb->b", weights, hits[images[:, None], chosen[:, row]])
            for row, hits in enumerate(_box_hits(scores))
        ],
        axis=1,
    )
    on, off = _mean(weights, scores.on, images), _mean(weights, scores.off, images)
    numbers = [means[:, :-2], boxes[:, :1], boxes[:, 1:].mean(axis=1, keepdims=True)]
    return np.concatenate([*numbers, pixel_average_precision(on, off)[:, None], means[:, -2:]], axis=1)


def _box_hits(scores: ImageScores) -> tuple[FloatArray, ...]:
    """(N, L) four times: of the largest region's box, of the best box at each of BOX_DELTAS."""
    return scores.largest_hits, *np.moveaxis(scores.box_hits, 1, 0)


def _best(scores: ImageScores, images: IntArray, weights: FloatArray) -> IntArray:
    """Of each resample the thresholds with the highest weighted mean, (B, 4)."""
    means = (_mean(weights, hits, images) for hits in _box_hits(scores))
    levels: IntArray = np.stack([np.nan_to_num(curve).argmax(axis=1) for curve in means], axis=1)
    return levels


def _mean(weights: FloatArray, values: FloatArray, images: IntArray) -> FloatArray:
    """Weighted means over images, (B, n) and (N, L) -> (B, L), in float64 without a copy of all values."""
    found: FloatArray = np.zeros((len(weights), values.shape[1]))
    for start in range(0, len(images), IMAGES):
        part = slice(start, start + IMAGES)
        found += weights[:, part] @ values[images[part]].astype(np.float64)
    return found


def pixel_average_precision(on: FloatArray, off: FloatArray) -> FloatArray:
    """PxAP: sum over thresholds of precision times the gain in recall, from the highest threshold down.

    on, off: (..., thresholds), pixels on and off the objects whose highest is each. NaN where no pixel is on one.
    """
    reached_on, reached_off = (np.flip(np.cumsum(np.flip(part, -1), -1), -1) for part in (on, off))
    total = reached_on[..., :1]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = reached_on / (reached_on + reached_off)
        value: FloatArray = np.where(on > 0, precision * on, 0.0).sum(axis=-1) / total[..., 0]
    return value
