"""From the scores of maps to the scores of images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from csg_analyze.analyzers.localize.map_scores import MapScores
from csg_analyze.analyzers.localize.scores import BOX_DELTAS, ImageScores
from csg_analyze.metrics.arrays import FloatArray, IntArray
from csg_analyze.metrics.keeping import Arrays

CURVE_THRESHOLDS = 100
"""Largest number of thresholds at which the IoU of the scaled map's region is kept."""


def curve_levels(n_levels: int) -> IntArray:
    """The thresholds among 0 to L - 1 that a curve over them has: evenly spaced, beginning with 0."""
    levels: IntArray = np.arange(0, n_levels, -(-n_levels // CURVE_THRESHOLDS))
    return levels


def gather(
    n: int,
    n_levels: int,
    deltas: Sequence[float],
    scored: Iterable[tuple[IntArray, MapScores]],
    *,
    rate_of_mean: bool = False,
    class_weights: FloatArray | None = None,
) -> ImageScores:
    """The scores of N images from those of their maps: pieces of (images (m,), scores of their F maps each).

    Images in no piece are NaN. rate_of_mean: see `of_images`.
    """
    pieces = ((images, of_images(maps, n_levels, deltas, rate_of_mean=rate_of_mean)) for images, maps in scored)
    return assembled(n, n_levels, deltas, pieces, class_weights=class_weights)


def of_images(maps: MapScores, n_levels: int, deltas: Sequence[float], *, rate_of_mean: bool = False) -> Arrays:
    """The scores of m images from those of their F maps each: by the names of `ImageScores`, "rate 0.2" for a rate.

    A rate is the share of an image's maps with IoU > delta. With rate_of_mean it is 1 if the mean IoU of the maps is
    >= delta, else 0, as in the authors' scripts for GradMap.
    """
    iou = maps.iou.mean(axis=1)
    box_hits = np.stack([(maps.best_box >= delta).mean(axis=1) for delta in BOX_DELTAS], axis=1)
    # float32, because with a thousand thresholds these take most of the memory
    by_level = {
        "curve": region_ious(maps.on, maps.off)[..., curve_levels(n_levels)].mean(axis=1),
        "largest_hits": (maps.largest_box >= 0.5).mean(axis=1),
        "on": maps.on.mean(axis=1),
        "off": maps.off.mean(axis=1),
        "box_hits": box_hits,
    }
    return {
        "iou": iou,
        "pointing": maps.pointing.mean(axis=1),
        "energy": maps.energy.mean(axis=1),
        **{f"rate {delta}": iou >= delta if rate_of_mean else (maps.iou > delta).mean(axis=1) for delta in deltas},
        **{name: values.astype(np.float32) for name, values in by_level.items()},
    }


def assembled(
    n: int,
    n_levels: int,
    deltas: Sequence[float],
    pieces: Iterable[tuple[IntArray, Mapping[str, FloatArray]]],
    *,
    class_weights: FloatArray | None = None,
) -> ImageScores:
    """The scores of N images from pieces of (images (m,), their scores as by `of_images`); NaN in no piece."""
    single = {name: np.full(n, np.nan) for name in ("iou", "pointing", "energy")}
    rates = {delta: np.full(n, np.nan) for delta in deltas}
    widths = {"curve": len(curve_levels(n_levels)), "largest_hits": n_levels, "on": n_levels + 1, "off": n_levels + 1}
    by_level = {name: np.full((n, width), np.nan, np.float32) for name, width in widths.items()}
    box_hits = np.full((n, len(BOX_DELTAS), n_levels), np.nan, np.float32)
    for images, scores in pieces:
        for name, values in {**single, **by_level, "box_hits": box_hits}.items():
            values[images] = scores[name]
        for delta, rate in rates.items():
            rate[images] = scores[f"rate {delta}"]
    return ImageScores(rates=rates, box_hits=box_hits, class_weights=class_weights, **single, **by_level)


def region_ious(on: FloatArray, off: FloatArray) -> FloatArray:
    """IoU of the region at every threshold with the objects, (..., L).

    on, off: (..., L + 1), pixels on and off the objects by the highest threshold they reach.
    """
    reached_on, reached_off = (np.flip(np.cumsum(np.flip(part, -1), -1), -1) for part in (on, off))
    result: FloatArray = reached_on / (reached_off + reached_on[..., :1])
    return result
