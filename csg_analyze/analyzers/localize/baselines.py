"""Maps that ignore the image: the baselines of every method."""

from __future__ import annotations

import numpy as np

from csg_analyze.analyzers.localize.gradients import blur_weights
from csg_analyze.metrics.arrays import FloatArray

NOISE_CELLS = 8
"""Number of cells along the shorter side over which smooth noise varies."""

BASELINES = ("all-ones", "centred-disk", "smooth-noise")


def all_ones(height: int, width: int) -> FloatArray:
    """The whole image, (H, W)."""
    return np.ones((height, width), np.float32)


def centred_disk(height: int, width: int) -> FloatArray:
    """(H, W), falling with the distance from the centre, so that the highest 30 % of its pixels are a disk."""
    rows, columns = np.arange(height) + 0.5 - height / 2, np.arange(width) + 0.5 - width / 2
    nearness: FloatArray = -np.hypot(rows[:, None], columns[None]).astype(np.float32)
    return nearness


def smooth_noise(height: int, width: int, seed: int, image: int) -> FloatArray:
    """(H, W), white noise blurred by a Gaussian; it depends on the seed and the image only."""
    noise = np.random.default_rng([seed, image]).standard_normal((height, width), np.float32)
    sigma = min(height, width) / NOISE_CELLS
    rows, columns = (blur_weights(n, sigma, max(1, min(n - 1, round(3 * sigma)))) for n in (height, width))
    smooth: FloatArray = rows @ noise @ columns.T
    return smooth


def baseline_maps(name: str, images: np.ndarray, height: int, width: int, seed: int) -> FloatArray:
    """A baseline's maps of some images (n,), float32 (n, H, W)."""
    if name == "smooth-noise":
        return np.stack([smooth_noise(height, width, seed, int(i)) for i in images])
    one = all_ones(height, width) if name == "all-ones" else centred_disk(height, width)
    return np.broadcast_to(one, (len(images), height, width))
