"""How well scores tell adversarial samples from others: protocols of splitting, error, ROC, intervals over sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, logit
from scipy.stats import t

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.statistics import CONFIDENCE, largest_unseen

Protocol = Literal["paired", "disjoint", "random", "paper"]
Negatives = Literal["clean", "clean+noise"]
FALSE_ALARMS = 0.05
"""The share of false alarms at which the share of found adversarial samples is reported."""


@dataclass(frozen=True)
class Split:
    """Which of n sources give which image to which side: places among the sources.

    Every place in `*_clean` gives its clean image, every place in `*_adversarial` its attacked one.
    """

    train_clean: IntArray
    train_adversarial: IntArray
    test_clean: IntArray
    test_adversarial: IntArray


def sources_needed(protocol: Protocol, train_size: int, test_size: int) -> int:
    """How many attacked sources a split takes: each gives two images, with `disjoint` one."""
    pairs = train_size // 2 + test_size // 2
    return 2 * pairs if protocol == "disjoint" else pairs


def split(protocol: Protocol, keys: FloatArray, *, train_size: int, test_size: int) -> Split:
    """Divide n attacked sources into training and test images, half of them clean, half adversarial on either side.

    keys: two independent random numbers a source, (2, n); the sources with the lowest ones test, the next ones train.
    So a smaller training set is part of a larger one, the test set is the same for all sizes, and attacks or models
    that share sources with their keys share the sides.

    paired: every source gives both its images, and both to the same side. disjoint: every source gives one image only,
    so that no source is seen twice at all. random: images are dealt without a look at their sources, so that a clean
    image may train and its adversarial copy test. paper: the same, since the paper says no more.
    Raises ValueError where n is too small.
    """
    n, train, test = keys.shape[1], train_size // 2, test_size // 2
    if n < sources_needed(protocol, train_size, test_size):
        raise ValueError(f"{n} sources are too few for {train_size} training and {test_size} test images")
    clean = adversarial = np.argsort(keys[0], kind="stable")
    if protocol == "disjoint":
        clean, adversarial = clean[::2], clean[1::2]
    elif protocol != "paired":
        adversarial = np.argsort(keys[1], kind="stable")
    return Split(clean[test : test + train], adversarial[test : test + train], clean[:test], adversarial[:test])


def fitting_sizes(
    protocol: Protocol, n: int, *, train_sizes: Sequence[int], test_size: int
) -> tuple[tuple[int, ...], int]:
    """The sizes that n sources allow: as asked where they suffice; else the test set is at most a third of all images
    there are, and training sets have at most the rest. All even.
    """
    images = n * (1 if protocol == "disjoint" else 2) // 4 * 4
    if images < max(train_sizes) + test_size:
        test_size = min(test_size, images // 3)
    test_size -= test_size % 2
    return tuple(min(size, images - test_size) // 2 * 2 for size in train_sizes), test_size


@dataclass(frozen=True)
class Rates:
    """Error, AUROC and true positive rate at 5 % false alarms; floats, or arrays over resamples."""

    error: FloatArray
    auroc: FloatArray
    tpr: FloatArray


def rates(scores: FloatArray, adversarial: BoolArray, weights: FloatArray | None = None) -> Rates:
    """The rates of scores (n,) under M weightings of the images, weights (M, n); by default all once (M = 1).

    error: share of images on the wrong side of 0.5 (0.5 itself counts as clean, as scikit-learn has it). auroc: ties
    count half. tpr: the highest share of adversarial samples found at any threshold with at most 5 % false alarms.
    NaN where a weighting leaves no image of one kind.
    """
    weights = np.ones((1, len(scores))) if weights is None else weights
    wrong = (scores > 0.5) != adversarial
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf))  # where a new, lower score begins
    ordered = weights[:, order]
    with np.errstate(invalid="ignore", divide="ignore"):
        error = weights @ wrong / weights.sum(axis=1)
        found = _cumulated(ordered * adversarial[order], starts)
        alarms = _cumulated(ordered * ~adversarial[order], starts)
        auroc = (np.diff(alarms, axis=1) * (found[:, 1:] + found[:, :-1]) / 2).sum(axis=1)
        tpr = np.where(alarms <= FALSE_ALARMS + 1e-12, found, 0).max(axis=1)
    undefined = np.isnan(found[:, -1] + alarms[:, -1])
    return Rates(error, np.where(undefined, np.nan, auroc), np.where(undefined, np.nan, tpr))


def _cumulated(weights: FloatArray, starts: IntArray) -> FloatArray:
    """Shares found at the threshold of every distinct score, highest first, beginning with 0: (M, distinct + 1)."""
    sums = np.cumsum(np.add.reduceat(weights, starts, axis=1), axis=1)
    padded: FloatArray = np.pad(sums / sums[:, -1:], ((0, 0), (1, 0)))
    return padded


def roc(scores: FloatArray, adversarial: BoolArray, at: FloatArray) -> FloatArray:
    """The share of adversarial samples found at given shares of false alarms, (len(at),), steps joined by lines."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    found = _cumulated(adversarial[order][None].astype(float), starts)[0]
    alarms = _cumulated((~adversarial[order])[None].astype(float), starts)[0]
    # at one share of false alarms the curve may go straight up: the highest point counts
    last = np.flatnonzero(np.diff(alarms, append=np.inf))
    curve: FloatArray = np.interp(at, alarms[last], found[last])
    return curve


def auroc_interval(auroc: float, resamples: FloatArray, n: int) -> tuple[float, float]:
    """95 % interval of an AUROC over n sources from its bootstrap values: symmetric on the scale of log odds.

    Percentiles of the bootstrap cover too little where sources are few or the AUROC is near 1, since its values are
    skewed there. The log odds are not; their standard error is the bootstrap's over A (1 - A), the squared weight of
    one pair added, with Student's t for n - 1 degrees of freedom. An AUROC of 1 (or 0) saw no pair in the wrong order:
    `largest_unseen` bounds the share of sources that may be misplaced, an image of either kind, hence twice.
    """
    values = resamples[np.isfinite(resamples)]
    if np.isnan(auroc) or not len(values) or n < 2:
        return float("nan"), float("nan")
    if auroc in (0, 1):
        unseen = min(1.0, 2 * largest_unseen(n))
        return (0.0, unseen) if auroc == 0 else (1 - unseen, 1.0)
    spread = auroc * (1 - auroc)
    # where hardly a source is misplaced, resamples lack what the next one would add: simulated coverage asks for it
    variance = float(values.var()) * n / (n - 1) + spread / n**2
    half = float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * variance**0.5 / spread
    return float(expit(logit(auroc) - half)), float(expit(logit(auroc) + half))
