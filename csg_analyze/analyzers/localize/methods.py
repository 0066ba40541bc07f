"""The methods of Table 2: the maps of an image, and where each is cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from csg_analyze.analyzers.localize.baselines import baseline_maps
from csg_analyze.analyzers.localize.filter_regions import filter_ious
from csg_analyze.analyzers.localize.gradients import THRESHOLD, smooth_gradients
from csg_analyze.analyzers.localize.selection import classes_of_filters, most_active_filters
from csg_analyze.analyzers.localize.task import Cut, LocalizationTask, Part, Scored, in_pieces
from csg_analyze.analyzers.localize.thresholds import (
    activation_thresholds,
    n_highest,
    top_pixels,
    without_differences,
)
from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.attribution import Attribution, FeatureMaps
from csg_analyze.metrics.keeping import Arrays
from csg_analyze.metrics.resizing import upsampled

FILTER_DELTA = 0.3
"""A filter belongs to the class on whose images its IoU exceeds this most often."""

NOT_FINITE, FLAT, FEW, TIED = "not finite", "flat", "few", "tied"
"""Oddities of maps.

not finite: the map has NaN or infinite values, and no region. flat: it is the same everywhere, and has no region. few:
too few pixels lie above its lowest value for a region of 30 %. tied: equal values at the cut make the region larger
than TIED_SHARE of the image; the few pixels that every bilinear map has twice at its edges do not.
"""

TIED_SHARE = 1 / 3

Maps = Iterable[tuple[IntArray, FloatArray]]
"""Images (m,) and their maps (m, ...), block by block."""


@dataclass(frozen=True)
class Piece:
    """Images (m,) whose maps are made on request. depends: all that determines the maps."""

    images: IntArray
    maps: Callable[[], Maps]
    depends: Sequence[object]


def score_class_maps(task: LocalizationTask, pieces: Iterable[Piece]) -> Scored:
    """Score one map per image, (m, h, w) of any size: its region is the highest 30 % of the pixels at the image's size.

    A map with a value that is not finite counts as flat.
    """

    def cuts(made: Maps) -> Iterator[Cut]:
        for images, maps in made:
            finite: BoolArray = np.asarray(np.isfinite(maps).all(axis=(1, 2)))
            large = upsampled(np.where(finite[:, None, None], maps, 0), *task.objects.size)[:, None]
            thresholds = top_pixels(large)
            yield Cut(images, large, thresholds, odd=_oddities(large, thresholds, finite[:, None]))

    return task.run(_parts("class map", pieces, cuts))


def _parts(kind: str, pieces: Iterable[Piece], cuts: Callable[[Maps], Iterator[Cut]]) -> Iterator[Part]:
    for piece in pieces:
        yield Part(piece.images, partial(_cuts_of, piece, cuts), (kind, *piece.depends))


def _cuts_of(piece: Piece, cuts: Callable[[Maps], Iterator[Cut]]) -> Iterator[Cut]:
    return cuts(piece.maps())


def _oddities(maps: FloatArray, thresholds: FloatArray, finite: BoolArray) -> dict[str, BoolArray]:
    sizes = (maps >= thresholds[..., None, None]).sum(axis=(2, 3))
    flat, n_pixels = without_differences(maps), maps.shape[2] * maps.shape[3]
    few = ~flat & (sizes < n_highest(n_pixels))
    return {NOT_FINITE: ~finite, FLAT: flat & finite, FEW: few, TIED: sizes > n_highest(n_pixels, TIED_SHARE)}


def class_activation_maps(task: LocalizationTask, features: FeatureMaps) -> Iterator[Piece]:
    """CAM of the labelled class, from the maps of the feature layer."""
    at_once = min(task.at_once(1), task.at_once(features.maps.shape[1]) * 16)
    for images in in_pieces(task.images, at_once):
        maps = features.class_activation(images, task.labels[images])
        yield Piece(images, partial(iter, [(images, maps)]), (maps,))


def score_baseline(task: LocalizationTask, name: str, seed: int) -> Scored:
    """Score a baseline: the whole image, or the highest 30 % of the pixels, as for class maps."""

    def cuts(images: IntArray) -> Iterator[Cut]:
        maps = baseline_maps(name, images, *task.objects.size, seed)[:, None]
        everything = np.full(maps.shape[:2], -np.inf, np.float32)
        yield Cut(images, maps, everything if name == "all-ones" else top_pixels(maps))

    return task.run(
        Part(images, partial(cuts, images), (name, seed, images)) for images in in_pieces(task.images, task.at_once(1))
    )


@dataclass(frozen=True)
class FilterChoice:
    """ActivMap's filters: threshold (K,), class (K,), IoU with the object of every image (N, K), NaN if unusable.

    everywhere: (K,), whether no activation lies below the threshold. Such a filter is silent so often that silence
    reaches its threshold, and its region is the whole of every image.
    """

    thresholds: FloatArray
    classes: IntArray
    ious: FloatArray
    everywhere: BoolArray


def choose_filters(task: LocalizationTask, features: FeatureMaps) -> FilterChoice:
    """Choose every filter's threshold and class on `task.chosen`, and compute its IoU on all images."""
    maps = features.maps
    thresholds = activation_thresholds(maps, task.chosen)
    ious: FloatArray = np.full((len(task.labels), maps.shape[1]), np.nan)
    lowest: FloatArray = np.full(maps.shape[1], np.inf)
    for images in in_pieces(task.images, task.at_once(1)):
        region, counted = task.objects.regions(images)
        ious[images] = task.keep.of(_filter_ious, maps[images], thresholds, region, counted)["ious"]
        lowest = np.minimum(lowest, maps[images].min(axis=(0, 2, 3)))
    chosen = task.chosen
    classes = classes_of_filters(
        ious[chosen], task.labels[chosen], task.n_classes, FILTER_DELTA, first_of_ties=task.as_authors
    )
    return FilterChoice(thresholds, classes, ious, np.asarray(thresholds <= lowest))


def _filter_ious(maps: FloatArray, thresholds: FloatArray, region: BoolArray, counted: BoolArray) -> Arrays:
    return {"ious": filter_ious(maps, thresholds, region, counted)}


def score_activation_maps(task: LocalizationTask, features: FeatureMaps, choice: FilterChoice) -> Scored:
    """ActivMap: every filter's region, where its map reaches its threshold, on the images of its class.

    The numbers of a class are averages over its filters, the total is the average over all filters. Images of a class
    without filters have no maps.
    """

    def part(images: IntArray, filters: IntArray) -> Part:
        maps, thresholds = features.maps[images][:, filters], choice.thresholds[filters]
        ious = choice.ious[np.ix_(images, filters)]

        def cuts() -> Iterator[Cut]:
            large = upsampled(maps, *task.objects.size)
            yield Cut(images, large, np.broadcast_to(thresholds, large.shape[:2]), ious)

        return Part(images, cuts, ("activmap", maps, thresholds, ious))

    def parts() -> Iterator[Part]:
        for c in np.unique(choice.classes):
            filters = np.flatnonzero(choice.classes == c)
            members = task.images[task.labels[task.images] == c]
            for images in in_pieces(members, task.at_once(len(filters))):
                yield part(images, filters)

    weights = np.bincount(choice.classes, minlength=task.n_classes).astype(np.float64)
    return task.run(parts(), class_weights=weights)


def gradient_filters(task: LocalizationTask, activations: FloatArray, n_filters: int) -> IntArray:
    """The filters of every class with the highest mean activation on its images in `task.chosen`, (C, F)."""
    n = min(n_filters, activations.shape[1])
    return most_active_filters(activations, task.labels, task.chosen, task.n_classes, n)


def gradient_images(task: LocalizationTask, filters: IntArray) -> IntArray:
    """The images whose class has filters, class by class."""
    images: IntArray = task.images[filters[task.labels[task.images], 0] >= 0]
    ordered: IntArray = images[np.argsort(task.labels[images], kind="stable")]
    return ordered


def gradient_maps(task: LocalizationTask, attribution: Attribution, filters: IntArray) -> Iterator[Piece]:
    """GradMaps of the filters (C, F) of each image's class: (m, F, H, W), normalised and blurred."""
    everything = gradient_images(task, filters)

    def piece(images: IntArray) -> Piece:
        own = filters[task.labels[images]]

        def maps() -> Maps:
            for places, magnitudes in attribution.gradients(images, own, normalized=task.as_authors):
                yield images[places], smooth_gradients(magnitudes)

        return Piece(images, maps, (attribution.identity, images, own, task.as_authors))

    words = f"gradients of {filters.shape[1]} filters on {len(everything)} images"
    for places in attribution.pieces(len(everything), words):
        yield piece(everything[places])


def attributed_maps(task: LocalizationTask, attribution: Attribution, method: str) -> Iterator[Piece]:
    """Maps of the labelled classes, (m, h, w), by captum's method of that name."""

    def piece(images: IntArray) -> Piece:
        def maps() -> Maps:
            for places, made in attribution.of_class(method, images, task.labels[images]):
                yield images[places], made

        return Piece(images, maps, (method, attribution.identity, images, task.labels[images]))

    for places in attribution.pieces(len(task.images), f"{method} on {len(task.images)} images"):
        yield piece(task.images[places])


def score_gradient_maps(task: LocalizationTask, pieces: Iterable[Piece]) -> Scored:
    """GradMap: the region is where the map exceeds 1. IoU is a mean over an image's filters, its rate IoU >= delta."""
    above = np.nextafter(np.float32(THRESHOLD), np.float32(np.inf))

    def cuts(made: Maps) -> Iterator[Cut]:
        for images, maps in made:
            blank: BoolArray = np.asarray(~maps.any(axis=(2, 3)))
            yield Cut(images, maps, np.full(maps.shape[:2], above), odd={FLAT: blank})

    return task.run(_parts("gradmap", pieces, cuts), rate_of_mean=True)
