"""IoU of ActivMap's regions: every filter with every image, against interpolating and scoring one pair at a time."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

from csg_analyze.analyzers.localize.filter_regions import filter_ious
from csg_analyze.analyzers.localize.thresholds import activation_thresholds
from csg_analyze.metrics.arrays import BoolArray, FloatArray

IMAGES, FILTERS, MAP, SIDE = 200, 512, 4, 128
FEW = 20
"""Images of the loop, whose time is scaled up: it would take a minute."""


def made_up(n: int, n_filters: int, size: int, side: int) -> tuple[FloatArray, BoolArray]:
    """Maps after a ReLU, and one ellipse an image."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((n, n_filters, size, size), np.float32)
    maps = np.maximum(noise if size < 6 else gaussian_filter(noise, (0, 0, 1, 1)), 0)
    rows, columns = np.indices((side, side))
    regions = []
    for _ in range(n):
        y, x = rng.uniform(side / 4, 3 * side / 4, 2)
        height, width = rng.uniform(side / 8, side / 3, 2)
        regions.append(((rows - y) / height) ** 2 + ((columns - x) / width) ** 2 < 1)
    return maps, np.stack(regions)


def one_at_a_time(maps: FloatArray, thresholds: FloatArray, region: BoolArray, dtype: torch.dtype) -> FloatArray:
    """Interpolate, cut and compare one (image, filter) after the other."""
    found = np.empty(maps.shape[:2])
    all_maps, objects = torch.from_numpy(maps).to(dtype), torch.from_numpy(region)
    for i in range(len(maps)):
        for k in range(maps.shape[1]):
            large = F.interpolate(all_maps[i, k][None, None], region.shape[1:], mode="bilinear", align_corners=False)
            mine = large[0, 0] >= thresholds[k]
            union = (mine | objects[i]).sum().item()
            found[i, k] = (mine & objects[i]).sum().item() / union if union else np.nan
    return found


def seconds_of(maps: FloatArray, thresholds: FloatArray, region: BoolArray) -> tuple[float, FloatArray]:
    start = time.perf_counter()
    found = filter_ious(maps, thresholds, region, np.ones_like(region))
    return time.perf_counter() - start, found


def main() -> None:
    threads = torch.get_num_threads()
    print(f"ActivMap, {IMAGES} images of {SIDE}x{SIDE}, K={FILTERS}, maps of {MAP}x{MAP}, {threads} threads")
    maps, region = made_up(IMAGES, FILTERS, MAP, SIDE)
    thresholds = activation_thresholds(maps, np.arange(IMAGES))
    seconds_of(maps[:1], thresholds, region[:1])  # compiled by now
    took, found = min((seconds_of(maps, thresholds, region) for _ in range(3)), key=lambda run: run[0])
    start = time.perf_counter()
    loop = one_at_a_time(maps[:FEW], thresholds, region[:FEW], torch.float32)
    loop_took = (time.perf_counter() - start) * IMAGES / FEW
    exact = one_at_a_time(maps[:FEW], thresholds, region[:FEW], torch.float64)
    apart, rounded = (np.abs(found[:FEW] - other) for other in (exact, loop))
    print(f"  all pairs together           {took:8.3f} s")
    print(f"  one pair at a time           {loop_took:8.2f} s (scaled from {FEW} images)")
    print(f"  ratio                        {loop_took / took:8.0f}   (target 20)")
    print(f"  largest difference           {np.nanmax(apart):8.0e}   from the loop in float64 (target 1e-6)")
    print(f"  mean difference              {np.nanmean(rounded):8.0e}   from the loop in float32, whose rounding moves")
    print(f"                                          a pixel of {(rounded > 1e-6).sum()} of {apart.size:,} pairs")
    large()


def large() -> None:
    """Memory where maps and images are large: nothing of the images' size is kept for a filter."""
    maps, region = made_up(32, 2048, 7, 224)
    thresholds = activation_thresholds(maps, np.arange(len(maps)))
    tracemalloc.start()
    took, _ = seconds_of(maps, thresholds, region)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    drawn = 2048 * 224 * 224 * 4 / 2**20
    print(f"  K=2048, 224x224, 32 images   {took:8.3f} s, {peak:.0f} MB beyond the maps")
    print(f"                                          (one image's maps, drawn: {drawn:.0f} MB)")


if __name__ == "__main__":
    main()
