"""The methods of Table 2: which maps an image has, and where they are cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.localization.attribution import Attribution, FeatureMaps
from csg_analyze.metrics.localization.baselines import baseline_maps
from csg_analyze.metrics.localization.filter_regions import filter_ious
from csg_analyze.metrics.localization.gathering import gather
from csg_analyze.metrics.localization.gradients import THRESHOLD, smooth_gradients
from csg_analyze.metrics.localization.map_scores import MapScores, score_maps
from csg_analyze.metrics.localization.objects import Objects
from csg_analyze.metrics.localization.scores import ImageScores
from csg_analyze.metrics.localization.selection import classes_of_filters, most_active_filters
from csg_analyze.metrics.localization.thresholds import activation_thresholds, top_pixels
from csg_analyze.metrics.localization.upsampling import upsampled

PIXELS = 2**24
"""Pixels of maps at the image's size held at once, 64 MB."""

PREVIEW = 48
"""Height and width, at most, of the maps kept to be looked at."""

FILTER_DELTA = 0.3
"""A filter belongs to the class on whose images its IoU exceeds this most often."""

Pieces = Iterator[tuple[IntArray, FloatArray]]
"""Images (m,) and their maps (m, h, w), piece by piece."""


@dataclass(frozen=True)
class Cut:
    """Maps (m, F, H, W) of images (m,) and where they are cut, (m, F). ious: (m, F) where they are known already."""

    images: IntArray
    maps: FloatArray
    thresholds: FloatArray
    ious: FloatArray | None = None


@dataclass(frozen=True)
class Scored:
    """What N images score by one method, and small maps (N, h, w) to look at, NaN where there are none."""

    scores: ImageScores
    previews: FloatArray


@dataclass(frozen=True)
class Setting:
    """What all methods share: N images with objects and labels (N,); which of them things are chosen on and scored.

    chosen, scored: indices, of usable images only: the same under the authors' protocol, two halves otherwise.
    deltas: IoU of the rates. n_levels: thresholds of scaled maps.
    """

    objects: Objects
    labels: IntArray
    n_classes: int
    chosen: IntArray
    scored: IntArray
    deltas: tuple[float, ...]
    n_levels: int

    @property
    def images(self) -> IntArray:
        """All images that maps are needed of, ascending."""
        return np.union1d(self.chosen, self.scored)

    def at_once(self, maps_an_image: int) -> int:
        """How many images' maps are held together."""
        height, width = self.objects.size
        return max(1, PIXELS // (height * width * max(1, maps_an_image)))

    def run(self, cuts: Iterator[Cut], **how: Any) -> Scored:
        """Score maps piece by piece; how: see `gathering.gather`."""
        previews: list[tuple[IntArray, FloatArray]] = []

        def scored() -> Iterator[tuple[IntArray, MapScores]]:
            for cut in cuts:
                region, counted = self.objects.regions(cut.images)
                boxes = self.objects.boxes[cut.images]
                found = score_maps(cut.maps, cut.thresholds, region, counted, boxes, self.n_levels)
                previews.append((cut.images, preview(cut.maps)))
                yield cut.images, found if cut.ious is None else replace(found, iou=cut.ious)

        scores = gather(len(self.labels), self.n_levels, self.deltas, scored(), **how)
        height, width = (min(PREVIEW, side) for side in self.objects.size)
        shown: FloatArray = np.full((len(self.labels), height, width), np.nan, np.float16)
        for images, maps in previews:
            shown[images] = maps
        return Scored(scores, shown)


def preview(maps: FloatArray) -> FloatArray:
    """The mean of an image's maps (m, F, H, W), each scaled to [0, 1] first, for people to look at: (m, h, w)."""
    low, high = maps.min(axis=(2, 3), keepdims=True), maps.max(axis=(2, 3), keepdims=True)
    mean = ((maps - low) / np.where(high > low, high - low, 1)).mean(axis=1)
    return upsampled(mean, *(min(PREVIEW, side) for side in maps.shape[2:]))


def score_class_maps(setting: Setting, pieces: Pieces) -> Scored:
    """One map an image, (m, h, w) of any size: the highest 30 % of its pixels, bilinear at the image's size."""

    def cuts() -> Iterator[Cut]:
        for images, maps in pieces:
            large = upsampled(maps, *setting.objects.size)[:, None]
            yield Cut(images, large, top_pixels(large))

    return setting.run(cuts())


def class_activation_maps(setting: Setting, features: FeatureMaps) -> Pieces:
    """CAM of the labelled class, from the maps of the feature layer."""
    for images in in_pieces(setting.images, min(setting.at_once(1), setting.at_once(features.maps.shape[1]) * 16)):
        yield images, features.class_activation(images, setting.labels[images])


def blind_maps(setting: Setting, name: str, seed: int) -> Pieces:
    """A baseline's maps, which know nothing of the image."""
    for images in in_pieces(setting.images, setting.at_once(1)):
        yield images, baseline_maps(name, images, *setting.objects.size, seed)


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
    classes = classes_of_filters(ious[chosen], setting.labels[chosen], setting.n_classes, FILTER_DELTA)
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
    for places, magnitudes in attribution.gradients(images, filters[setting.labels[images]]):
        yield images[places], smooth_gradients(magnitudes)


def score_gradient_maps(setting: Setting, pieces: Pieces) -> Scored:
    """GradMap: pixels above 1. An image's IoU is the mean over its filters; its rate asks for that to be >= delta."""
    above = np.nextafter(np.float32(THRESHOLD), np.float32(np.inf))
    cuts = (Cut(images, maps, np.full(maps.shape[:2], above)) for images, maps in pieces)
    return setting.run(cuts, rate_of_mean=True)


def in_pieces(images: IntArray, size: int) -> Sequence[IntArray]:
    """The images, at most so many at once."""
    return [images[start : start + size] for start in range(0, len(images), size)]
