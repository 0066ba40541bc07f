"""GradMap: from the gradient of a filter's activation with respect to the input to a map of places."""

from __future__ import annotations

import numpy as np

from csg_analyze.metrics.arrays import FloatArray

SIGMA, RADIUS = 30 / 128, 30 / 128
"""Gaussian blur, as shares of the image's shorter side: sigma 30 and a kernel of 61 pixels for 128 pixels."""

THRESHOLD = 1.0
"""The region is where the blurred map exceeds this, the root mean square before blurring."""


def smooth_gradients(magnitudes: FloatArray) -> FloatArray:
    """Divide gradient magnitudes (..., H, W), L2 over the colours, by their root mean square, and blur them.

    A map of zeros stays one, and a map with values that are not finite becomes one: both mark nothing.
    """
    height, width = magnitudes.shape[-2:]
    rms = np.sqrt(np.mean(np.square(magnitudes, dtype=np.float64), axis=(-2, -1), keepdims=True))
    scaled = np.divide(magnitudes, rms, out=np.zeros_like(magnitudes), where=(rms > 0) & np.isfinite(rms))
    shorter = min(height, width)
    rows, columns = (blur_weights(n, SIGMA * shorter, max(1, round(RADIUS * shorter))) for n in (height, width))
    blurred: FloatArray = rows @ (scaled @ columns.T)
    return blurred


def blur_weights(n: int, sigma: float, radius: int) -> FloatArray:
    """(n, n) float32: a Gaussian of 2 radius + 1 taps that sum to 1, reflected at the ends without repeating them."""
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    taps /= taps.sum()
    period = max(1, 2 * (n - 1))
    weights = np.zeros((n, n))
    for offset, tap in zip(range(-radius, radius + 1), taps, strict=True):
        place = np.abs(np.arange(n) + offset) % period
        np.add.at(weights, (np.arange(n), np.where(place < n, place, period - place)), tap)
    return weights.astype(np.float32)
