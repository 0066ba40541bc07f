"""Maps scored image by image: what all methods of Table 2 share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from csg_analyze.analyzers.localize.gathering import gather
from csg_analyze.analyzers.localize.map_scores import MapScores, score_maps
from csg_analyze.analyzers.localize.scores import ImageScores
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.objects import Objects
from csg_analyze.metrics.resizing import upsampled

PIXELS_AT_ONCE = 2**24
"""Pixels of maps at the image's size in memory at once, 64 MB."""

PREVIEW_SIDE = 48
"""Largest height and width of previews of maps."""


@dataclass(frozen=True)
class Cut:
    """Maps (m, F, H, W) of images (m,) and where they are cut, (m, F). ious: (m, F), if computed already.

    odd: oddity -> which maps have it, (m, F).
    """

    images: IntArray
    maps: FloatArray
    thresholds: FloatArray
    ious: FloatArray | None = None
    odd: Mapping[str, BoolArray] = field(default_factory=dict)


@dataclass(frozen=True)
class Scored:
    """The scores of N images by one method, and previews of their maps, (N, h, w), NaN for an image without maps.

    n_maps: number of maps of every image, (N,). odd: oddity -> number of maps that have it, (N,).
    """

    scores: ImageScores
    previews: FloatArray
    n_maps: IntArray
    odd: Mapping[str, IntArray]


@dataclass(frozen=True)
class LocalizationTask:
    """N images with objects and labels (N,), and the settings that all methods share.

    chosen, scored: indices of the usable images that filters and thresholds are chosen on, and of those that are
    scored; the same images under the authors' protocol, two halves otherwise. deltas: IoU of the rates. n_levels:
    number of thresholds of scaled maps. as_authors: ties between classes, and GradMap's gradients, as in the authors'
    scripts.
    """

    objects: Objects
    labels: IntArray
    n_classes: int
    chosen: IntArray
    scored: IntArray
    deltas: tuple[float, ...]
    n_levels: int
    as_authors: bool = False

    @property
    def images(self) -> IntArray:
        """All images that need maps, ascending."""
        return np.union1d(self.chosen, self.scored)

    def at_once(self, maps_per_image: int) -> int:
        """Number of images whose maps are in memory together."""
        height, width = self.objects.size
        # the scores of a map at one threshold are four float64, as large as eight pixels
        return max(1, PIXELS_AT_ONCE // (max(height * width, 8 * self.n_levels) * max(1, maps_per_image)))

    def run(self, cuts: Iterator[Cut], **options: Any) -> Scored:
        """Score maps piece by piece; options: of `gathering.gather`."""
        n_images = len(self.labels)
        height, width = (min(PREVIEW_SIDE, side) for side in self.objects.size)
        previews: FloatArray = np.full((n_images, height, width), np.nan, np.float16)
        n_maps: IntArray = np.zeros(n_images, np.int64)
        odd: dict[str, IntArray] = {}

        def scored() -> Iterator[tuple[IntArray, MapScores]]:
            for cut in cuts:
                region, counted = self.objects.regions(cut.images)
                boxes = self.objects.boxes[cut.images]
                scores = score_maps(cut.maps, cut.thresholds, region, counted, boxes, self.n_levels)
                previews[cut.images] = preview(cut.maps)
                n_maps[cut.images] = cut.maps.shape[1]
                for oddity, mask in cut.odd.items():
                    odd.setdefault(oddity, np.zeros(n_images, np.int64))[cut.images] = mask.sum(axis=1)
                yield cut.images, scores if cut.ious is None else replace(scores, iou=cut.ious)

        gathered = gather(n_images, self.n_levels, self.deltas, scored(), **options)
        return Scored(gathered, previews, n_maps, odd)


def preview(maps: FloatArray) -> FloatArray:
    """The mean of the maps of an image, each scaled to [0, 1]: (m, F, H, W) -> (m, h, w), small enough to keep."""
    low, high = maps.min(axis=(2, 3), keepdims=True), maps.max(axis=(2, 3), keepdims=True)
    mean = ((maps - low) / np.where(high > low, high - low, 1)).mean(axis=1)
    return upsampled(mean, *(min(PREVIEW_SIDE, side) for side in maps.shape[2:]))


def in_pieces(images: IntArray, size: int) -> Sequence[IntArray]:
    """The images in pieces of at most `size`."""
    return [images[start : start + size] for start in range(0, len(images), size)]
