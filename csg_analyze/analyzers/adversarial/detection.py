"""How well scores separate adversarial samples from others: splits, error, ROC, intervals over sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, logit
from scipy.stats import t

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.statistics import CONFIDENCE, largest_unseen

SplitProtocol = Literal["paired", "disjoint", "random", "paper"]
Negatives = Literal["clean", "clean+noise"]
FALSE_ALARMS = 0.05
"""Share of false alarms at which the share of detected adversarial samples is reported."""


@dataclass(frozen=True)
class Split:
    """Training and test images, as places among n sources.

    A place in `*_clean` stands for the clean image of the source, one in `*_adversarial` for the attacked image.
    """

    train_clean: IntArray
    train_adversarial: IntArray
    test_clean: IntArray
    test_adversarial: IntArray


def sources_needed(protocol: SplitProtocol, train_size: int, test_size: int) -> int:
    """Number of attacked sources that a split needs: a source gives two images, with `disjoint` only one."""
    pairs = train_size // 2 + test_size // 2
    return 2 * pairs if protocol == "disjoint" else pairs


def split(protocol: SplitProtocol, keys: FloatArray, *, train_size: int, test_size: int) -> Split:
    """Divide n attacked sources into training and test images, half of them clean, half adversarial on either side.

    keys: two independent random numbers per source, (2, n); the sources with the lowest numbers are tested, the next
    ones train. So a smaller training set is part of a larger one, the test set is the same for all sizes, and attacks
    or models that share sources and keys share the sides.

    paired: both images of a source are on one side. disjoint: every source gives only one image. random: images are
    split without regard to their sources, so that a clean image may train and its adversarial copy be tested. paper:
    the same, since the paper says no more. Raises ValueError if n is too small.
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
    protocol: SplitProtocol, n: int, *, train_sizes: Sequence[int], test_size: int
) -> tuple[tuple[int, ...], int]:
    """The training sizes and the test size that n sources allow, all even: the requested ones if n suffices.

    Otherwise the test set is at most a third of all images, and training sets have at most the rest.
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
    """The rates of scores (n,) under M weightings of the images, (M, n); by default all weigh 1 (M = 1).

    error: share of images on the wrong side of 0.5 (0.5 itself counts as clean, as in scikit-learn). auroc: ties count
    half. tpr: highest share of adversarial samples detected at a threshold with at most 5 % false alarms. NaN for a
    weighting without images of one kind.
    """
    weights = np.ones((1, len(scores))) if weights is None else weights
    wrong = (scores > 0.5) != adversarial
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf))  # first place of every distinct score
    ordered = weights[:, order]
    with np.errstate(invalid="ignore", divide="ignore"):
        error = weights @ wrong / weights.sum(axis=1)
        detected = _cumulated(ordered * adversarial[order], starts)
        alarms = _cumulated(ordered * ~adversarial[order], starts)
        auroc = (np.diff(alarms, axis=1) * (detected[:, 1:] + detected[:, :-1]) / 2).sum(axis=1)
        tpr = np.where(alarms <= FALSE_ALARMS + 1e-12, detected, 0).max(axis=1)
    undefined = np.isnan(detected[:, -1] + alarms[:, -1])
    return Rates(error, np.where(undefined, np.nan, auroc), np.where(undefined, np.nan, tpr))


def _cumulated(weights: FloatArray, starts: IntArray) -> FloatArray:
    """Shares above the threshold of every distinct score, highest first, beginning with 0: (M, distinct + 1)."""
    sums = np.cumsum(np.add.reduceat(weights, starts, axis=1), axis=1)
    padded: FloatArray = np.pad(sums / sums[:, -1:], ((0, 0), (1, 0)))
    return padded


def roc(scores: FloatArray, adversarial: BoolArray, at: FloatArray) -> FloatArray:
    """Share of adversarial samples detected at the shares `at` of false alarms, (len(at),), steps joined by lines."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    detected = _cumulated(adversarial[order][None].astype(float), starts)[0]
    alarms = _cumulated((~adversarial[order])[None].astype(float), starts)[0]
    # the curve may be vertical at a share of false alarms: its highest point counts
    last = np.flatnonzero(np.diff(alarms, append=np.inf))
    curve: FloatArray = np.interp(at, alarms[last], detected[last])
    return curve


def auroc_interval(auroc: float, resamples: FloatArray, n: int) -> tuple[float, float]:
    """95 % interval of an AUROC over n sources from its bootstrap values: symmetric on the scale of log odds.

    With few sources or an AUROC near 1, bootstrap values are skewed and their percentiles cover too little. Log odds
    are not skewed. Their variance is that of the bootstrap plus the squared weight of one pair, divided by (A (1 -
    A))^2; their interval is Student's t for n - 1 degrees of freedom. An AUROC of 1 (or 0) saw no pair in the wrong
    order: `largest_unseen` then bounds the share of misplaced sources, twice, because an image of either kind may be
    misplaced.
    """
    values = resamples[np.isfinite(resamples)]
    if np.isnan(auroc) or not len(values) or n < 2:
        return float("nan"), float("nan")
    if auroc in (0, 1):
        unseen = min(1.0, 2 * largest_unseen(n))
        return (0.0, unseen) if auroc == 0 else (1 - unseen, 1.0)
    spread = auroc * (1 - auroc)
    # with few misplaced sources, resamples miss the next one; without this term, coverage in simulations is too low
    variance = float(values.var()) * n / (n - 1) + spread / n**2
    half = float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * variance**0.5 / spread
    return float(expit(logit(auroc) - half)), float(expit(logit(auroc) + half))
