"""Maps drawn over their images, with the outline of the objects."""

from __future__ import annotations

import numpy as np

from csg_analyze.metrics.arrays import BoolArray, FloatArray
from csg_analyze.metrics.resizing import upsampled
from csg_analyze.plots.style import colour_map

LEAST_SIDE = 96
"""Pixels that the longer side of a picture has at least: smaller images are enlarged by a whole number."""

COLOURS = "magma"
OUTLINE = (0, 255, 200)
OPACITY = 0.75
"""How much of the image a map hides where it is highest."""


def overlays(images: np.ndarray, maps: FloatArray | None, regions: BoolArray) -> np.ndarray:
    """Images uint8 (n, H, W, 3) with their maps (n, h, w) over them and their objects (n, H, W) outlined.

    maps: None draws the images alone. A map of NaN, where there is none, leaves the image grey. The map is scaled to
    its own minimum and maximum: bright is highest. uint8 (n, T, S, 3), enlarged by a whole number.
    """
    times = max(1, -(-LEAST_SIDE // max(images.shape[1:3])))
    drawn = []
    for i, image in enumerate(images):
        large = image.repeat(times, axis=0).repeat(times, axis=1)
        if maps is not None:
            large = _heat(large, maps[i])
        region = regions[i].repeat(times, axis=0).repeat(times, axis=1)
        large[_border(region)] = OUTLINE
        drawn.append(large)
    return np.stack(drawn)


def _heat(image: np.ndarray, values: FloatArray) -> np.ndarray:
    grey = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    paper = np.repeat(grey[..., None], 3, axis=2)
    if np.isnan(values).all():
        return paper.astype(np.uint8)
    height, width = image.shape[:2]
    large = upsampled(values, height, width)
    low, high = float(large.min()), float(large.max())
    scaled = (large - low) / (high - low) if high > low else np.zeros_like(large)
    colours = np.asarray(colour_map(COLOURS)(scaled))[..., :3] * 255
    # low values are shown as well, faintly: what is left grey would look as if nothing was measured there
    weight = (0.25 + (OPACITY - 0.25) * scaled)[..., None]
    mixed: FloatArray = paper * (1 - weight) + colours * weight
    return np.asarray(np.rint(mixed).clip(0, 255), np.uint8)


def _border(region: BoolArray) -> BoolArray:
    """Pixels of the region beside one that is not; at the edge of the image it goes on."""
    padded = np.pad(region, 1, mode="edge")
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    border: BoolArray = region & ~inside
    return border
