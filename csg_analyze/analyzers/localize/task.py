"""Maps scored image by image: what all methods of Table 2 share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from csg_analyze.analyzers.localize.gathering import assembled, of_images
from csg_analyze.analyzers.localize.map_scores import score_maps
from csg_analyze.analyzers.localize.scores import ImageScores
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.keeping import NOTHING_KEPT, Arrays, Keep
from csg_analyze.metrics.objects import Objects
from csg_analyze.metrics.resizing import upsampled

PIXELS_AT_ONCE = 2**24
"""Pixels of maps at the image's size in memory at once, 64 MB."""

ODD = "odd/"
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
class Part:
    """Images (m,) that are scored together, and kept. cuts: makes their maps. depends: all that determines these."""

    images: IntArray
    cuts: Callable[[], Iterable[Cut]]
    depends: Sequence[object]


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
    scripts. keep: finished parts.
    """

    objects: Objects
    labels: IntArray
    n_classes: int
    chosen: IntArray
    scored: IntArray
    deltas: tuple[float, ...]
    n_levels: int
    as_authors: bool = False
    keep: Keep = NOTHING_KEPT

    @property
    def images(self) -> IntArray:
        """All images that need maps, ascending."""
        return np.union1d(self.chosen, self.scored)

    def at_once(self, maps_per_image: int) -> int:
        """Number of images whose maps are in memory together."""
        height, width = self.objects.size
        # the scores of a map at one threshold are four float64, as large as eight pixels
        return max(1, PIXELS_AT_ONCE // (max(height * width, 8 * self.n_levels) * max(1, maps_per_image)))

    def run(
        self, parts: Iterable[Part], *, rate_of_mean: bool = False, class_weights: FloatArray | None = None
    ) -> Scored:
        """Score maps part by part; rate_of_mean, class_weights: as in `gathering`."""
        n_images = len(self.labels)
        height, width = (min(PREVIEW_SIDE, side) for side in self.objects.size)
        previews: FloatArray = np.full((n_images, height, width), np.nan, np.float16)
        n_maps: IntArray = np.zeros(n_images, np.int64)
        odd: dict[str, IntArray] = {}

        def scored() -> Iterator[tuple[IntArray, Arrays]]:
            for part in parts:
                region, counted = self.objects.regions(part.images)
                truth = (region, counted, self.objects.boxes[part.images])
                settings = (self.n_levels, self.deltas, rate_of_mean)
                compute = partial(self._scores, part, rate_of_mean)
                arrays = self.keep.under("localize", (part.depends, truth, settings), compute)
                previews[part.images], n_maps[part.images] = arrays["previews"], arrays["n_maps"]
                for name in arrays:
                    if name.startswith(ODD):
                        counts = odd.setdefault(name.removeprefix(ODD), np.zeros(n_images, np.int64))
                        counts[part.images] = arrays[name]
                yield part.images, arrays

        gathered = assembled(n_images, self.n_levels, self.deltas, scored(), class_weights=class_weights)
        return Scored(gathered, previews, n_maps, odd)

    def _scores(self, part: Part, rate_of_mean: bool) -> Arrays:
        """The scores of a part's images, see `gathering.of_images`, with previews, n_maps, and oddities."""
        pieces = [self._scores_of(cut, rate_of_mean) for cut in part.cuts()]
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

    def _scores_of(self, cut: Cut, rate_of_mean: bool) -> Arrays:
        region, counted = self.objects.regions(cut.images)
        boxes = self.objects.boxes[cut.images]
        scores = score_maps(cut.maps, cut.thresholds, region, counted, boxes, self.n_levels)
        scores = scores if cut.ious is None else replace(scores, iou=cut.ious)
        return {
            **of_images(scores, self.n_levels, self.deltas, rate_of_mean=rate_of_mean),
            "previews": preview(cut.maps).astype(np.float16),
            "n_maps": np.full(len(cut.images), cut.maps.shape[1]),
            **{f"{ODD}{oddity}": mask.sum(axis=1) for oddity, mask in cut.odd.items()},
        }


def preview(maps: FloatArray) -> FloatArray:
    """The mean of the maps of an image, each scaled to [0, 1]: (m, F, H, W) -> (m, h, w), small enough to keep."""
    low, high = maps.min(axis=(2, 3), keepdims=True), maps.max(axis=(2, 3), keepdims=True)
    mean = ((maps - low) / np.where(high > low, high - low, 1)).mean(axis=1)
    return upsampled(mean, *(min(PREVIEW_SIDE, side) for side in maps.shape[2:]))


def in_pieces(images: IntArray, size: int) -> Sequence[IntArray]:
    """The images in pieces of at most `size`."""
    return [images[start : start + size] for start in range(0, len(images), size)]
