"""IoU of every filter's region with every image's object, without enlarging maps to the image's size.

A filter's map, bilinear at the size of the image, is compared with the filter's threshold. Consider the cell of pixels
between four neighbouring positions of the map. If all four reach the threshold, all pixels of the cell do; if none
does, no pixel does. In both cases the pixels are counted with integral images of the object. In all other cells, each
row of pixels crosses the threshold at most once, at a place that can be computed. All computations are in float64, so
that each pixel is decided as if it were interpolated by itself.

Every function lies in this one file because numba's cache on disk does not notice a change in another one.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.compiling import compiled


def filter_ious(maps: FloatArray, thresholds: FloatArray, region: BoolArray, counted: BoolArray) -> FloatArray:
    """IoU of every filter's region, `map >= threshold` bilinear at the image's size, with the object: float64 (n, K).

    maps: (n, K, h, w). thresholds: (K,). region, counted: (n, H, W), as `Objects.regions` gives them; pixels that do
    not count are in no region. NaN if both regions are empty.
    """
    n, n_filters = maps.shape[:2]
    height, width = region.shape[1:]
    ious: FloatArray = np.empty((n, n_filters))
    rows, columns = _cells(maps.shape[2], height), _cells(maps.shape[3], width)
    limits = np.asarray(thresholds, np.float64)

    def of_image(i: int) -> None:
        on = integral(region[i] & counted[i])
        both = integral(counted[i])
        own = np.ascontiguousarray(maps[i], np.float32)
        ious_of_image(own, limits, on, both, bool(counted[i].all()), *rows, *columns, ious[i])

    with ThreadPoolExecutor(min(n, os.cpu_count() or 1) or 1) as pool:
        list(pool.map(of_image, range(n)))
    return ious


def integral(mask: BoolArray) -> IntArray:
    """(H, W) -> int32 (H + 1, W + 1): the number of True above and to the left of every corner of the pixels."""
    sums: IntArray = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), np.int32)
    sums[1:, 1:] = mask.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32)
    return sums


def _cells(old: int, new: int) -> tuple[IntArray, FloatArray]:
    """The first pixel of the cell after each position, (old + 1,); every pixel's place in its cell, (new,)."""
    place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, None)
    lower = np.minimum(place.astype(np.int64), old - 1)
    share: FloatArray = np.where(lower < old - 1, place - lower, 0.0)
    return np.searchsorted(lower, np.arange(old + 1)).astype(np.int64), share


@compiled
def ious_of_image(
    maps: FloatArray,
    thresholds: FloatArray,
    on: IntArray,
    counted: IntArray,
    all_count: bool,
    row_starts: IntArray,
    row_shares: FloatArray,
    column_starts: IntArray,
    column_shares: FloatArray,
    ious: FloatArray,
) -> None:
    """Fill `ious` (K,) for one image: maps (K, h, w); integral images `on` and `counted` (H + 1, W + 1)."""
    n_filters, h, w = maps.shape
    pitch = (on.shape[1] - 1) / w
    size_on = on[-1, -1]
    for k in range(n_filters):
        limit = thresholds[k]
        hit = size = 0
        for r in range(h):
            top, bottom, below = row_starts[r], row_starts[r + 1], min(r + 1, h - 1)
            for c in range(w):
                left, right, beside = column_starts[c], column_starts[c + 1], min(c + 1, w - 1)
                a, b = np.float64(maps[k, r, c]), np.float64(maps[k, r, beside])
                d, e = np.float64(maps[k, below, c]), np.float64(maps[k, below, beside])
                reached = (a >= limit) + (b >= limit) + (d >= limit) + (e >= limit)
                if reached == 0 or top == bottom or left == right:
                    continue
                if reached == 4:
                    hit += within(on, top, bottom, left, right)
                    size += within(counted, top, bottom, left, right)
                    continue
                for y in range(top, bottom):
                    s = row_shares[y]
                    start, end = (1 - s) * a + s * d, (1 - s) * b + s * e
                    first, last = left, right
                    if start >= limit:
                        if end < limit:
                            last = crossing(start, end, limit, column_shares, c, pitch, left, right)
                    elif end >= limit:
                        first = crossing(start, end, limit, column_shares, c, pitch, left, right)
                    else:
                        continue
                    hit += on[y + 1, last] - on[y, last] - on[y + 1, first] + on[y, first]
                    if all_count:
                        size += last - first
                    else:
                        size += within(counted, y, y + 1, first, last)
        union = size + size_on - hit
        ious[k] = hit / union if union > 0 else np.nan


@compiled
def within(sums: IntArray, top: int, bottom: int, left: int, right: int) -> int:
    """The count in a rectangle of an integral image."""
    count: int = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return count


@compiled
def crossing(
    start: float, end: float, limit: float, shares: FloatArray, cell: int, pitch: float, left: int, right: int
) -> int:
    """The first pixel from `left` to `right` in a row that is not on the same side of the limit as `start`.

    A pixel's share says how far its value is from start to end, exactly one of which reaches the limit. Cells are
    `pitch` pixels apart.
    """
    place = (limit - start) / (end - start)
    x = min(max(int(np.ceil((place + cell + 0.5) * pitch - 0.5)), left), right)
    # rounding may put the place one pixel off
    reached = start >= limit
    while x > left and ((1 - shares[x - 1]) * start + shares[x - 1] * end >= limit) != reached:
        x -= 1
    while x < right and ((1 - shares[x]) * start + shares[x] * end >= limit) == reached:
        x += 1
    return x
