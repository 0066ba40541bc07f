"""Scores of one map at the image's size against the image's objects, at all thresholds in one pass.

A map is scaled to [0, 1] by its minimum and maximum (a flat map is 0 everywhere), as by Choe et al. (CVPR 2020,
"Evaluating Weakly Supervised Object Localization Methods Right"), and cut at the L thresholds l / L. Regions only grow
as the threshold falls. So pixels are added from the highest down and joined with their eight neighbours, and each
region keeps its box: one pass gives the boxes of all connected regions at all thresholds.

The published evaluator (clovaai/wsolevaluation) uses 1,000 thresholds, and so does `localize`; PxAP is then the same
number. MaxBoxAccV2 differs: the evaluator's boxes reach one pixel further to the right and below (unless the image ends
there). It also rounds maps down to 256 grey values, counts the outline of a hole as a region, and never tries the whole
image, which here is the box at threshold 0. For MaxBoxAcc it measures regions by the area inside a polygon through
their outermost pixels; here their pixels are counted.

Every function lies in this one file because numba's cache on disk does not notice a change in another one.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from csg_analyze.metrics.arrays import BoolArray, FloatArray, IntArray
from csg_analyze.metrics.compiling import compiled


@dataclass(frozen=True)
class MapScores:
    """Scores of F maps per image for n images, against each image's objects.

    iou: (n, F), of the map's region (map >= its threshold) with the objects. pointing: (n, F), share of the map's
    highest pixels that are on an object: the pointing game, ties counted by chance. energy: (n, F), share of the scaled
    map's sum that is on the objects. best_box, largest_box: (n, F, L), IoU with the objects' boxes at every threshold,
    of the best box of a connected region and of the largest region's box. on, off: (n, F, L + 1), number of pixels on
    and off the objects by the highest threshold they reach; the last threshold is 1, the map's highest value.
    """

    iou: FloatArray
    pointing: FloatArray
    energy: FloatArray
    best_box: FloatArray
    largest_box: FloatArray
    on: FloatArray
    off: FloatArray


def score_maps(
    maps: FloatArray, thresholds: FloatArray, region: BoolArray, counted: BoolArray, boxes: FloatArray, n_levels: int
) -> MapScores:
    """Score maps (n, F, H, W) with thresholds (n, F) against regions (n, H, W) and boxes (n, M, 4) of the objects.

    counted: (n, H, W), False for pixels that count nowhere but in boxes.
    """
    n, n_maps = maps.shape[:2]
    shapes = [(n, n_maps)] * 3 + [(n, n_maps, n_levels)] * 2 + [(n, n_maps, n_levels + 1)] * 2
    scores = MapScores(*(np.empty(shape) for shape in shapes))

    def of_image(i: int) -> None:
        for j in range(n_maps):
            scores.iou[i, j], scores.pointing[i, j], scores.energy[i, j] = score_map(
                np.ascontiguousarray(maps[i, j], np.float32),
                thresholds[i, j],
                region[i],
                counted[i],
                np.asarray(boxes[i], np.float64),
                scores.best_box[i, j],
                scores.largest_box[i, j],
                scores.on[i, j],
                scores.off[i, j],
            )

    with ThreadPoolExecutor(min(n, os.cpu_count() or 1) or 1) as pool:
        list(pool.map(of_image, range(n)))
    return scores


@compiled
def score_map(
    values: FloatArray,
    threshold: float,
    region: BoolArray,
    counted: BoolArray,
    boxes: FloatArray,
    best_box: FloatArray,
    largest_box: FloatArray,
    on: FloatArray,
    off: FloatArray,
) -> tuple[float, float, float]:
    """IoU, pointing and energy of one map (H, W); fills the arrays over thresholds, (L,) or (L + 1,) each."""
    levels = scaled_levels(values, len(best_box))
    low, high = values.min(), values.max()
    span = np.float64(high) - np.float64(low)
    highest = -np.inf
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            if counted[y, x] and values[y, x] > highest:
                highest = values[y, x]
    on[:] = 0
    off[:] = 0
    hit = size = objects = tops = tops_on = 0
    energy = energy_on = 0.0
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            if not counted[y, x]:
                continue
            value, inside = values[y, x], region[y, x]
            scaled = (np.float64(value) - low) / span if span > 0 else 1.0
            energy += scaled
            if value >= threshold:
                size += 1
            if value == highest:
                tops += 1
            if inside:
                objects += 1
                energy_on += scaled
                on[levels[y, x]] += 1
                hit += value >= threshold
                tops_on += value == highest
            else:
                off[levels[y, x]] += 1
    fill_boxes(levels, boxes, best_box, largest_box)
    union = size + objects - hit
    return (
        hit / union if union > 0 else np.nan,
        tops_on / tops if tops > 0 else np.nan,
        energy_on / energy if energy > 0 else np.nan,
    )


@compiled
def scaled_levels(values: FloatArray, n_levels: int) -> IntArray:
    """The highest l with l / L <= the scaled value of every pixel; L for the highest pixels only."""
    levels = np.zeros(values.shape, np.int64)
    low, span = np.float64(values.min()), np.float64(values.max()) - np.float64(values.min())
    if not span > 0:
        return levels
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            scaled = (np.float64(values[y, x]) - low) / span
            level = min(int(scaled * n_levels), n_levels)
            # multiplying may round to the other side of a threshold
            while level < n_levels and (level + 1) / n_levels <= scaled:
                level += 1
            while level > 0 and level / n_levels > scaled:
                level -= 1
            levels[y, x] = level
    return levels


@compiled
def fill_boxes(levels: IntArray, boxes: FloatArray, best_box: FloatArray, largest_box: FloatArray) -> None:
    """IoU with the objects' boxes at every threshold, of the best and of the largest connected region's box."""
    height, width = levels.shape
    n_pixels, n_levels = height * width, len(best_box)
    starts = np.zeros(n_levels + 1, np.int64)
    # boxes have no threshold 1: the highest pixels count at the one before
    for y in range(height):
        for x in range(width):
            starts[min(levels[y, x], n_levels - 1) + 1] += 1
    for level in range(n_levels):
        starts[level + 1] += starts[level]
    order, fill = np.empty(n_pixels, np.int64), starts.copy()
    for p in range(n_pixels):
        level = min(levels[p // width, p % width], n_levels - 1)
        order[fill[level]] = p
        fill[level] += 1
    parent = np.full(n_pixels, -1, np.int64)
    area, first = np.ones(n_pixels, np.int64), np.arange(n_pixels)
    corners = np.empty((n_pixels, 4), np.int64)  # x0, y0, x1, y1 of a region, x1 and y1 exclusive
    iou = np.full(n_pixels, -1.0)  # below 0: to be computed anew
    roots, n_roots = np.empty(n_pixels, np.int64), 0
    for level in range(n_levels - 1, -1, -1):
        if starts[level] == starts[level + 1] and level < n_levels - 1:  # no new pixel: the same regions
            best_box[level], largest_box[level] = best_box[level + 1], largest_box[level + 1]
            continue
        for i in range(starts[level], starts[level + 1]):
            p = order[i]
            y, x = p // width, p % width
            parent[p] = p
            corners[p, 0], corners[p, 1], corners[p, 2], corners[p, 3] = x, y, x + 1, y + 1
            for v in range(max(0, y - 1), min(height, y + 2)):
                for u in range(max(0, x - 1), min(width, x + 2)):
                    if parent[v * width + u] >= 0:
                        join(parent, area, first, corners, iou, p, v * width + u)
            roots[n_roots] = p
            n_roots += 1
        # keep those old regions and new pixels that were not joined to another
        n_left = 0
        best, largest, largest_area, largest_first = 0.0, 0.0, 0, n_pixels
        for i in range(n_roots):
            p = roots[i]
            if parent[p] != p:
                continue
            roots[n_left] = p
            n_left += 1
            if iou[p] < 0:
                iou[p] = box_iou(corners[p], boxes)
            best = max(best, iou[p])
            # of equally large regions the first one by row, then by column
            if area[p] > largest_area or (area[p] == largest_area and first[p] < largest_first):
                largest_area, largest_first, largest = area[p], first[p], iou[p]
        n_roots = n_left
        best_box[level], largest_box[level] = best, largest


@compiled
def join(parent: IntArray, area: IntArray, first: IntArray, corners: IntArray, iou: FloatArray, p: int, q: int) -> None:
    """Make the regions of two pixels one."""
    while parent[p] != p:
        parent[p] = parent[parent[p]]
        p = parent[p]
    while parent[q] != q:
        parent[q] = parent[parent[q]]
        q = parent[q]
    if p == q:
        return
    if area[p] < area[q]:
        p, q = q, p
    parent[q] = p
    area[p] += area[q]
    first[p] = min(first[p], first[q])
    corners[p, 0], corners[p, 1] = min(corners[p, 0], corners[q, 0]), min(corners[p, 1], corners[q, 1])
    corners[p, 2], corners[p, 3] = max(corners[p, 2], corners[q, 2]), max(corners[p, 3], corners[q, 3])
    iou[p] = -1.0


@compiled
def box_iou(box: IntArray, boxes: FloatArray) -> float:
    """The highest IoU of a box with any of the boxes (M, 4); boxes of NaN do not count."""
    best = 0.0
    for m in range(len(boxes)):
        x0, y0, x1, y1 = boxes[m]
        across, down = min(x1, box[2]) - max(x0, box[0]), min(y1, box[3]) - max(y0, box[1])
        if across > 0 and down > 0:  # False for NaN
            common = across * down
            both = (x1 - x0) * (y1 - y0) + (box[2] - box[0]) * (box[3] - box[1]) - common
            best = max(best, common / both)
    return best
