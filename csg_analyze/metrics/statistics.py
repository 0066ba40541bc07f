"""Intervals of shares, means and differences over few images, sources or seeds, and the bootstrap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest, t

from csg_analyze.metrics.arrays import Arguments, FloatArray

CONFIDENCE = 0.95
RESAMPLES = 2000
"""Default number of bootstrap resamples."""


def share_with_interval(successes: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """(share, low, high) with the Wilson score interval; NaN for n = 0.

    >>> "{:.2f} [{:.2f}, {:.2f}]".format(*share_with_interval(45, 50))
    '0.90 [0.79, 0.96]'
    """
    if n == 0:
        return float("nan"), float("nan"), float("nan")
    wilson = binomtest(int(successes), int(n)).proportion_ci(confidence, method="wilson")
    return successes / n, float(wilson.low), float(wilson.high)


def largest_unseen(n: int, confidence: float = CONFIDENCE) -> float:
    """The upper end of the exact interval (Clopper and Pearson) of a share of 0 of n; NaN for n = 0.

    A bootstrap has nothing to resample there, and its interval would be 0 only.
    """
    return float("nan") if n == 0 else float(binomtest(0, int(n)).proportion_ci(confidence, method="exact").high)


class Mean(NamedTuple):
    """A mean over n values, their standard deviation (n - 1 in the denominator), and the mean's interval."""

    n: int
    mean: float
    sd: float
    low: float
    high: float


def mean_with_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> Mean:
    """The mean of values (n,), with Student's t interval for the mean of their population; NaN for too few values.

    >>> "{1:.2f} [{3:.2f}, {4:.2f}]".format(*mean_with_interval([0.21, 0.22, 0.23]))
    '0.22 [0.20, 0.24]'
    """
    values = Arguments().numbers("values", values, "n")
    n = len(values)
    if n == 0:
        return Mean(0, *(float("nan"),) * 4)
    mean = float(np.mean(values))
    if n == 1:
        return Mean(1, mean, *(float("nan"),) * 3)
    sd = float(np.std(values, ddof=1))
    half = float(t.ppf((1 + confidence) / 2, n - 1)) * sd / n**0.5
    return Mean(n, mean, sd, mean - half, mean + half)


def resampled(n: int, *, resamples: int, seed: int) -> FloatArray:
    """How often each of n images, sources or groups occurs in every bootstrap resample, (resamples, n)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64) if n else np.ones((resamples, 0))


def resampled_groups(groups: ArrayLike, *, resamples: int, seed: int) -> FloatArray:
    """How often each of N images occurs in every resample of whole groups, (resamples, N).

    groups: (N,), the same number for all images of a group.
    """
    groups = Arguments().integers("groups", groups, "N")
    numbers, group = np.unique(groups, return_inverse=True)
    draws: FloatArray = resampled(len(numbers), resamples=resamples, seed=seed)[:, group]
    return draws


def intervals(values: ArrayLike, confidence: float = CONFIDENCE) -> tuple[FloatArray, FloatArray]:
    """(low, high), (...) each: percentile intervals of bootstrap values (resamples, ...).

    Values that are not finite do not count; NaN if none is finite.
    """
    values = Arguments().numbers("values", values, "resamples ...")
    finite = np.isfinite(values)
    defined = np.asarray(finite.any(axis=0))
    if not defined.any():
        undefined = np.full(defined.shape, np.nan)
        return undefined, undefined.copy()
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(np.where(defined, np.where(finite, values, np.nan), 0.0), [tail, 1 - tail], axis=0)
    return np.where(defined, low, np.nan), np.where(defined, high, np.nan)


def interval(values: ArrayLike, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """`intervals` of the bootstrap values of one number, (resamples,)."""
    low, high = intervals(Arguments().numbers("values", values, "resamples"), confidence)
    return float(low), float(high)


def bootstrap_interval_of_share(share: float, resampled_shares: ArrayLike, n: int) -> tuple[float, float]:
    """95 % interval of a share of n sources from its bootstrap values; the exact one if these are all 0 or all 1."""
    low, high = interval(Arguments().numbers("resampled_shares", resampled_shares, "resamples"))
    if low == high == share and share in (0, 1):
        unseen = largest_unseen(n)
        return (0.0, unseen) if share == 0 else (1 - unseen, 1.0)
    return low, high


def paired_difference(
    first: ArrayLike, second: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float, float]:
    """(difference, low, high): mean of first - second over n images, with the 95 % paired bootstrap interval.

    first, second: (n,), one value per image. If the values are 0 or 1 and no image differs, the interval is the exact
    one for the share of images that may differ. NaN without images.
    """
    given = Arguments()
    first, second = given.numbers("first", first, "n"), given.numbers("second", second, "n")
    if not len(first):
        return float("nan"), float("nan"), float("nan")
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    draws = resampled(len(differences), resamples=resamples, seed=seed)
    if not differences.any() and np.isin(first, (0, 1)).all():
        unseen = largest_unseen(len(differences))
        return 0.0, -unseen, unseen
    return float(differences.mean()), *interval(draws @ differences / len(differences))


def paired_difference_of_rates(
    first: ArrayLike, second: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float, float]:
    """(difference, low, high): error rate of first minus that of second, with the 95 % paired bootstrap interval.

    first, second: (n, 2), how often each of n images was judged wrongly, and how often it was judged, possibly never.
    Both share the resamples of images. If neither was ever wrong, the interval is the exact one for the share of images
    that may differ. NaN if one of them judged no image.
    """
    given = Arguments()
    first, second = given.numbers("first", first, "n 2"), given.numbers("second", second, "n 2")
    draws = np.concatenate([np.ones((1, len(first))), resampled(len(first), resamples=resamples, seed=seed)])
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = [(draws @ judgements[:, 0]) / (draws @ judgements[:, 1]) for judgements in (first, second)]
    differences = rates[0] - rates[1]
    if not first[:, 0].any() and not second[:, 0].any() and differences[0] == 0:
        unseen = largest_unseen(len(first))
        return 0.0, -unseen, unseen
    return float(differences[0]), *interval(differences[1:])


def mcnemar(first: ArrayLike, second: ArrayLike) -> float:
    """The exact two-sided p-value of McNemar's test: are both models right on the same share of images? (n,) each.

    >>> mcnemar([True] * 9 + [False], [True, False] * 5)
    0.125
    """
    given = Arguments()
    first, second = given.truths("first", first, "n"), given.truths("second", second, "n")
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    discordant = only_first + only_second
    return float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0
