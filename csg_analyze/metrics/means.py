"""Means over seeds with honest intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import t

from csg_analyze.metrics.arrays import FloatArray


class Mean(NamedTuple):
    """A mean over n values, their standard deviation (n - 1 in the denominator), and the mean's interval."""

    n: int
    mean: float
    sd: float
    low: float
    high: float


def mean_with_interval(values: FloatArray, confidence: float = 0.95) -> Mean:
    """Of values (n,), with Student's t interval for the mean of their population; NaN where there are too few.

    Three seeds give a wide interval: what three seeds cannot tell, it does not claim.
    """
    n = len(values)
    if n == 0:
        return Mean(0, *(float("nan"),) * 4)
    mean = float(np.mean(values))
    if n == 1:
        return Mean(1, mean, *(float("nan"),) * 3)
    sd = float(np.std(values, ddof=1))
    half = float(t.ppf((1 + confidence) / 2, n - 1)) * sd / n**0.5
    return Mean(n, mean, sd, mean - half, mean + half)
