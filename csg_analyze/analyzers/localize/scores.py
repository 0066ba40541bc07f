"""From the scores of images to the numbers of a table: by class and in total, with intervals.

Every number is a function of means over images, and a total mean is a weighted mean of the classes' means. So
resampling images is a matrix product: (resamples, images) times (images, scores).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from csg_analyze.metrics.arrays import FloatArray, IntArray

BOX_DELTAS = (0.3, 0.5, 0.7)
"""IoU of boxes from which they count in MaxBoxAccV2; in MaxBoxAcc it is 0.5."""

MEANS_AT_ONCE = 2**22
"""Resampled means in memory at once, 32 MB; several such arrays exist."""

IMAGES_IN_FLOAT64 = 2**12
"""Images whose scores at every threshold are in float64 at once."""


@dataclass(frozen=True)
class ImageScores:
    """The scores of one method on N images, means over the maps of each image; NaN for an image without maps.

    iou, pointing, energy: (N,). rates: delta -> (N,), share of the image's maps with an IoU above it. curve: (N, at
    most 100), IoU of the scaled map's region at evenly spaced thresholds. box_hits: (N, 3, L), share of the maps whose
    best box of a connected region has an IoU of at least BOX_DELTAS. largest_hits: (N, L), share whose largest region's
    box has an IoU of at least 0.5. on, off: (N, L + 1), pixels on and off the objects by the highest threshold they
    reach, the last threshold being 1. class_weights: (C,), weight of every class in the total; None: all images weigh
    the same.
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

    @property
    def contents(self) -> dict[str, object]:
        """All arrays and values by name."""
        rates = [part for delta, rate in self.rates.items() for part in (delta, rate)]
        return {**vars(self), "rates": rates}

    def without_thresholds(self) -> ImageScores:
        """The same without the large arrays over thresholds, which only `evaluate` needs."""
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

    images: the scored ones. levels: thresholds of MaxBoxAcc and of MaxBoxAccV2 for each of BOX_DELTAS, (4,), chosen on
    other images; None: the thresholds with the highest total on the scored images (the oracle of the literature).
    multiplicities: (B, n), how often every scored image is in each resample. A class without images is NaN.
    """
    usable = ~np.isnan(scores.iou[images])
    images = images[usable]
    own = labels[images]
    once = multiplicities is None
    counts = np.ones((1, len(images))) if multiplicities is None else multiplicities[:, usable]
    at_once = max(1, MEANS_AT_ONCE // max(1, len(images), 4 * scores.largest_hits.shape[1]))
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
    metrics = np.concatenate(parts)
    return metrics[0] if once else metrics


def best_levels(scores: ImageScores, labels: IntArray, images: IntArray, n_classes: int) -> IntArray:
    """The thresholds (4,) with the highest totals on some images: of MaxBoxAcc, and of MaxBoxAccV2 by BOX_DELTAS."""
    images = images[~np.isnan(scores.iou[images])]
    total = _total_weights(labels[images], np.ones((1, len(images))), n_classes, scores.class_weights)
    levels: IntArray = _best(scores, images, total)[0]
    return levels


def _shares(counts: FloatArray) -> FloatArray:
    """The weight of every image in the mean of each resample, (B, n): they sum to 1; NaN for an empty resample."""
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: FloatArray = counts / counts.sum(axis=1, keepdims=True)
    return shares


def _total_weights(labels: IntArray, counts: FloatArray, n_classes: int, weights: FloatArray | None) -> FloatArray:
    """The weight of every image in the total of each resample, (B, n): its multiplicity, or by its class's weight."""
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
    """Four arrays (N, L): of the largest region's box, and of the best box for each of BOX_DELTAS."""
    return scores.largest_hits, *np.moveaxis(scores.box_hits, 1, 0)


def _best(scores: ImageScores, images: IntArray, weights: FloatArray) -> IntArray:
    """The thresholds with the highest weighted mean of each resample, (B, 4)."""
    means = (_mean(weights, hits, images) for hits in _box_hits(scores))
    levels: IntArray = np.stack([np.nan_to_num(curve).argmax(axis=1) for curve in means], axis=1)
    return levels


def _mean(weights: FloatArray, values: FloatArray, images: IntArray) -> FloatArray:
    """Weighted means over images, (B, n) and (N, L) -> (B, L), in float64 without a copy of all values."""
    means: FloatArray = np.zeros((len(weights), values.shape[1]))
    for start in range(0, len(images), IMAGES_IN_FLOAT64):
        part = slice(start, start + IMAGES_IN_FLOAT64)
        means += weights[:, part] @ values[images[part]].astype(np.float64)
    return means


def pixel_average_precision(on: FloatArray, off: FloatArray) -> FloatArray:
    """PxAP: sum over thresholds of precision times the gain in recall, from the highest threshold down.

    on, off: (..., thresholds), pixels on and off the objects by the highest threshold they reach. NaN if no pixel is
    on an object.
    """
    reached_on, reached_off = (np.flip(np.cumsum(np.flip(part, -1), -1), -1) for part in (on, off))
    total = reached_on[..., :1]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = reached_on / (reached_on + reached_off)
        value: FloatArray = np.where(on > 0, precision * on, 0.0).sum(axis=-1) / total[..., 0]
    return value
