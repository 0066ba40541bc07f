"""Shares with honest intervals."""

from __future__ import annotations

from scipy.stats import binomtest


def share_with_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float, float]:
    """(share, low, high) with the Wilson score interval; NaN where n is 0: of nothing there is no share."""
    if n == 0:
        return float("nan"), float("nan"), float("nan")
    interval = binomtest(int(successes), int(n)).proportion_ci(confidence, method="wilson")
    return successes / n, float(interval.low), float(interval.high)
