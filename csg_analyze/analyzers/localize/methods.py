"""The methods of Table 2: which maps an image has, and where they are cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from csg_analyze.analyzers.localize.baselines import baseline_maps
from csg_analyze.analyzers.localize.filter_regions import filter_ious
from csg_analyze.analyzers.localize.gathering import gather
from csg_analyze.analyzers.localize.gradients import THRESHOLD, smooth_gradients
from csg_analyze.analyzers.localize.map_scores import MapScores, score_maps
from csg_analyze.analyzers.localize.scores import ImageScores
from csg_analyze.analyzers.localize.selection import classes_of_filters, most_active_filters
from csg_analyze.analyzers.localize.thresholds import (
    activation_thresholds,
    n_highest,
    top_pixels,
    without_differences,
)
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.attribution import Attribution, FeatureMaps
from csg_analyze.metrics.objects import Objects
from csg_analyze.metrics.resizing import upsampled

PIXELS = 2**24
"""Pixels of maps at the image's size held at once, 64 MB."""

PREVIEW = 48
"""Height and width, at most, of the maps kept to be looked at."""

FILTER_DELTA = 0.3
"""A filter belongs to the class on whose images its IoU exceeds this most often."""

NOT_FINITE, FLAT, FEW, TIED = "not finite", "flat", "few", "tied"
"""What may be odd about a map: NaN or infinite values, so that it has no region; the same everywhere, so that it has
none either; too few pixels above its lowest value for a region of 30 %; equal values at the cut, so many that the
region is more than a third of the image."""

TIED_SHARE = 1 / 3
""""Tied": a region of more pixels than this share; the few that every bilinear map has twice at its edges are not."""

Pieces = Iterator[tuple[IntArray, FloatArray]]
"""Images (m,) and their maps (m, h, w), piece by piece."""


@dataclass(frozen=True)
class Cut:
    """Maps (m, F, H, W) of images (m,) and where they are cut, (m, F). ious: (m, F) where they are known already.

    odd: which maps are odd in what way, (m, F) each.
    """

    images: IntArray
    maps: FloatArray
    thresholds: FloatArray
    ious: FloatArray | None = None
    odd: Mapping[str, BoolArray] = field(default_factory=dict)


@dataclass(frozen=True)
class Scored:
    """What N images score by one method, and small maps (N, h, w) to look at, NaN where there are none.

    n_maps: how many maps every image has, (N,). odd: how many of them are odd, and in what way, (N,) each.
    """

    scores: ImageScores
    previews: FloatArray
    n_maps: IntArray
    odd: Mapping[str, IntArray]


@dataclass(frozen=True)
class Setting:
    """What all methods share: N images with objects and labels (N,); which of them things are chosen on and scored.

    chosen, scored: indices, of usable images only: the same under the authors' protocol, two halves otherwise.
    deltas: IoU of the rates. n_levels: thresholds of scaled maps. as_authors: filters that tie between classes, and
    GradMap's gradients, as the authors' scripts have them.
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
        """All images that maps are needed of, ascending."""
        return np.union1d(self.chosen, self.scored)

    def at_once(self, maps_an_image: int) -> int:
        """How many images' maps are held together."""
        height, width = self.objects.size
        # what a map scores at every threshold: four numbers in float64, as large as eight pixels
        return max(1, PIXELS // (max(height * width, 8 * self.n_levels) * max(1, maps_an_image)))

    def run(self, cuts: Iterator[Cut], **how: Any) -> Scored:
        """Score maps piece by piece; how: see `gathering.gather`."""
        n_images = len(self.labels)
        height, width = (min(PREVIEW, side) for side in self.objects.size)
        shown: FloatArray = np.full((n_images, height, width), np.nan, np.float16)
        n_maps: IntArray = np.zeros(n_images, np.int64)
        odd: dict[str, IntArray] = {}

        def scored() -> Iterator[tuple[IntArray, MapScores]]:
            for cut in cuts:
                region, counted = self.objects.regions(cut.images)
                boxes = self.objects.boxes[cut.images]
                found = score_maps(cut.maps, cut.thresholds, region, counted, boxes, self.n_levels)
                shown[cut.images] = preview(cut.maps)
                n_maps[cut.images] = cut.maps.shape[1]
                for name, which in cut.odd.items():
                    odd.setdefault(name, np.zeros(n_images, np.int64))[cut.images] = which.sum(axis=1)
                yield cut.images, found if cut.ious is None else replace(found, iou=cut.ious)

        scores = gather(n_images, self.n_levels, self.deltas, scored(), **how)
        return Scored(scores, shown, n_maps, odd)


def preview(maps: FloatArray) -> FloatArray:
    """The mean of an image's maps (m, F, H, W), each scaled to [0, 1] first, for people to look at: (m, h, w)."""
    low, high = maps.min(axis=(2, 3), keepdims=True), maps.max(axis=(2, 3), keepdims=True)
    mean = ((maps - low) / np.where(high > low, high - low, 1)).mean(axis=1)
    return upsampled(mean, *(min(PREVIEW, side) for side in maps.shape[2:]))


def score_class_maps(setting: Setting, pieces: Pieces) -> Scored:
    """One map an image, (m, h, w) of any size: the highest 30 % of its pixels, bilinear at the image's size.

    A map with a value that is not finite counts as one that is the same everywhere.
    """

    def cuts() -> Iterator[Cut]:
        for images, maps in pieces:
            finite: BoolArray = np.asarray(np.isfinite(maps).all(axis=(1, 2)))
            large = upsampled(np.where(finite[:, None, None], maps, 0), *setting.objects.size)[:, None]
            thresholds = top_pixels(large)
            yield Cut(images, large, thresholds, odd=_oddities(large, thresholds, finite[:, None]))

    return setting.run(cuts())


def _oddities(maps: FloatArray, thresholds: FloatArray, finite: BoolArray) -> dict[str, BoolArray]:
    sizes = (maps >= thresholds[..., None, None]).sum(axis=(2, 3))
    flat, n_pixels = without_differences(maps), maps.shape[2] * maps.shape[3]
    few = ~flat & (sizes < n_highest(n_pixels))
    return {NOT_FINITE: ~finite, FLAT: flat & finite, FEW: few, TIED: sizes > n_highest(n_pixels, TIED_SHARE)}


def class_activation_maps(setting: Setting, features: FeatureMaps) -> Pieces:
    """CAM of the labelled class, from the maps of the feature layer."""
    for images in in_pieces(setting.images, min(setting.at_once(1), setting.at_once(features.maps.shape[1]) * 16)):
        yield images, features.class_activation(images, setting.labels[images])


def score_baseline(setting: Setting, name: str, seed: int) -> Scored:
    """A baseline's maps, which know nothing of the image: the whole image, or their highest 30 %, as of class maps."""

    def cuts() -> Iterator[Cut]:
        for images in in_pieces(setting.images, setting.at_once(1)):
            maps = baseline_maps(name, images, *setting.objects.size, seed)[:, None]
            whole = np.full(maps.shape[:2], -np.inf, np.float32)
            yield Cut(images, maps, whole if name == "all-ones" else top_pixels(maps))

    return setting.run(cuts())


@dataclass(frozen=True)
class FilterChoice:
    """ActivMap's filters: threshold (K,), class (K,), IoU with the object of every image (N, K), NaN if unusable.

    everywhere: (K,), whether no activation lies below the threshold: the filter is so often silent that silence itself
    reaches it, and its region is the whole of every image.
    """

    thresholds: FloatArray
    classes: IntArray
    ious: FloatArray
    everywhere: BoolArray


def choose_filters(setting: Setting, features: FeatureMaps) -> FilterChoice:
    """Every filter's threshold and class from the images to choose on, its IoU on all."""
    maps = features.maps
    thresholds = activation_thresholds(maps, setting.chosen)
    ious: FloatArray = np.full((len(setting.labels), maps.shape[1]), np.nan)
    lowest: FloatArray = np.full(maps.shape[1], np.inf)
    for images in in_pieces(setting.images, setting.at_once(1)):
        region, counted = setting.objects.regions(images)
        ious[images] = filter_ious(maps[images], thresholds, region, counted)
        lowest = np.minimum(lowest, maps[images].min(axis=(0, 2, 3)))
    chosen = setting.chosen
    classes = classes_of_filters(
        ious[chosen], setting.labels[chosen], setting.n_classes, FILTER_DELTA, first_of_ties=setting.as_authors
    )
    return FilterChoice(thresholds, classes, ious, np.asarray(thresholds <= lowest))


def score_activation_maps(setting: Setting, features: FeatureMaps, choice: FilterChoice) -> Scored:
    """ActivMap: on the images of its class, every filter's map where it reaches the filter's threshold.

    A class's numbers are averages over its filters, the total is one over all filters. Images of a class that no
    filter belongs to have no maps.
    """

    def cuts() -> Iterator[Cut]:
        for c in np.unique(choice.classes):
            filters = np.flatnonzero(choice.classes == c)
            members = setting.images[setting.labels[setting.images] == c]
            for images in in_pieces(members, setting.at_once(len(filters))):
                large = upsampled(features.maps[images][:, filters], *setting.objects.size)
                limits = np.broadcast_to(choice.thresholds[filters], large.shape[:2])
                yield Cut(images, large, limits, choice.ious[np.ix_(images, filters)])

    weights = np.bincount(choice.classes, minlength=setting.n_classes).astype(np.float64)
    return setting.run(cuts(), class_weights=weights)


def gradient_filters(setting: Setting, activations: FloatArray, n_filters: int) -> IntArray:
    """For every class the filters with the highest mean activation on its images to choose on, (C, F)."""
    n = min(n_filters, activations.shape[1])
    return most_active_filters(activations, setting.labels, setting.chosen, setting.n_classes, n)


def gradient_images(setting: Setting, filters: IntArray) -> IntArray:
    """The images whose class has filters, class by class."""
    images: IntArray = setting.images[filters[setting.labels[setting.images], 0] >= 0]
    ordered: IntArray = images[np.argsort(setting.labels[images], kind="stable")]
    return ordered


def gradient_maps(setting: Setting, attribution: Attribution, filters: IntArray) -> Pieces:
    """GradMaps of the filters (C, F) of each image's class: (m, F, H, W), normalised and blurred."""
    images = gradient_images(setting, filters)
    own = filters[setting.labels[images]]
    for places, magnitudes in attribution.gradients(images, own, normalized=setting.as_authors):
        yield images[places], smooth_gradients(magnitudes)


def score_gradient_maps(setting: Setting, pieces: Pieces) -> Scored:
    """GradMap: pixels above 1. An image's IoU is the mean over its filters; its rate asks for that to be >= delta."""
    above = np.nextafter(np.float32(THRESHOLD), np.float32(np.inf))

    def cuts() -> Iterator[Cut]:
        for images, maps in pieces:
            blank: BoolArray = np.asarray(~maps.any(axis=(2, 3)))
            yield Cut(images, maps, np.full(maps.shape[:2], above), odd={FLAT: blank})

    return setting.run(cuts(), rate_of_mean=True)


def in_pieces(images: IntArray, size: int) -> Sequence[IntArray]:
    """The images, at most so many at once."""
    return [images[start : start + size] for start in range(0, len(images), size)]
