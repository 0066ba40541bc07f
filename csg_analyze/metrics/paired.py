"""Two models on the same images: intervals of differences, and McNemar's test."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest

from csg_analyze.analyzers.adversarial.detection import interval, resampled
from csg_analyze.metrics.arrays import BoolArray, FloatArray
from csg_analyze.metrics.proportions import largest_unseen


def paired_difference(
    first: FloatArray, second: FloatArray, *, resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """(difference, low, high): mean of first - second over n images, with the 95 % paired bootstrap interval.

    first, second: (n,), a value an image. Where these are yes or no and no image differs, the interval is the exact one
    for the share of images that may. NaN where there is no image.
    """
    if not len(first):
        return float("nan"), float("nan"), float("nan")
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    weights = resampled(len(differences), resamples=resamples, seed=seed)
    if not differences.any() and np.isin(first, (0, 1)).all():
        unseen = largest_unseen(len(differences))
        return 0.0, -unseen, unseen
    return float(differences.mean()), *interval(weights @ differences / len(differences))


def paired_difference_of_rates(
    first: FloatArray, second: FloatArray, *, resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """(difference, low, high): the share of wrong judgements of first minus that of second, with the 95 % interval.

    first, second: (n, 2), how often each of n images was judged wrongly, and how often at all, which may be never in
    one of them. Whoever is drawn in a bootstrap resample is drawn for both. Where neither was ever wrong, the interval
    is the exact one for the share of images that may differ. NaN where one of them judged no image.
    """
    weights = np.concatenate([np.ones((1, len(first))), resampled(len(first), resamples=resamples, seed=seed)])
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = [(weights @ each[:, 0]) / (weights @ each[:, 1]) for each in (first, second)]
    differences = shares[0] - shares[1]
    if not first[:, 0].any() and not second[:, 0].any() and differences[0] == 0:
        unseen = largest_unseen(len(first))
        return 0.0, -unseen, unseen
    return float(differences[0]), *interval(differences[1:])


def mcnemar(first: BoolArray, second: BoolArray) -> float:
    """The exact two-sided p-value of McNemar's test: are the models right on the same share of images? (n,) each."""
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    discordant = only_first + only_second
    return float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0
