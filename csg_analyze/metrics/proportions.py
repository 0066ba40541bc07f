"""Shares with honest intervals."""

from __future__ import annotations

from scipy.stats import binomtest


def share_with_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float, float]:
    """(share, low, high) with the Wilson score interval; NaN where n is 0: of nothing there is no share."""
    if n == 0:
        return float("nan"), float("nan"), float("nan")
    interval = binomtest(int(successes), int(n)).proportion_ci(confidence, method="wilson")
    return successes / n, float(interval.low), float(interval.high)


def largest_unseen(n: int, confidence: float = 0.95) -> float:
    """The upper end of the exact interval (Clopper and Pearson) of a share that was seen in none of n; NaN for n = 0.

    A bootstrap has nothing to resample there and would say 0 for sure.
    """
    return float("nan") if n == 0 else float(binomtest(0, int(n)).proportion_ci(confidence, method="exact").high)
