"""Two models on the same images: intervals of differences, and McNemar's test."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest

from csg_analyze.metrics.arrays import BoolArray, FloatArray
from csg_analyze.metrics.detection import interval, resampled


def paired_difference(
    first: FloatArray, second: FloatArray, *, resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """(difference, low, high): mean of first - second over n images, with the 95 % paired bootstrap interval.

    first, second: (n,), a value an image. NaN where there is no image.
    """
    if not len(first):
        return float("nan"), float("nan"), float("nan")
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    weights = resampled(len(differences), resamples=resamples, seed=seed)
    return float(differences.mean()), *interval(weights @ differences / len(differences))


def mcnemar(first: BoolArray, second: BoolArray) -> float:
    """The exact two-sided p-value of McNemar's test: are the models right on the same share of images? (n,) each."""
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    discordant = only_first + only_second
    return float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0
