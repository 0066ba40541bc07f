"""PxAP and MaxBoxAccV2 beside the evaluator of Choe et al. (2020), derived once more: 1,000 thresholds, OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from csg_analyze.analyzers.localize.baselines import smooth_noise
from csg_analyze.analyzers.localize.gathering import gather
from csg_analyze.analyzers.localize.map_scores import score_maps
from csg_analyze.analyzers.localize.scores import BOX_DELTAS, evaluate, metric_names
from csg_analyze.metrics.objects import inside_boxes

N, SIDE, LEVELS = 20, 48, 1000
THRESHOLDS = np.arange(LEVELS) / LEVELS


@pytest.fixture(scope="module")
def boxes() -> np.ndarray:
    rng = np.random.default_rng(1)
    first = rng.integers(0, 20, (N, 2))
    return np.concatenate([first, first + rng.integers(12, 28, (N, 2))], axis=1)[:, None].astype(float)


@pytest.fixture(scope="module")
def maps(boxes: np.ndarray) -> np.ndarray:
    """In [0, 1], both reached, as the evaluator asks; of 256 grey values, which it rounds down to.

    Hills near the objects, uneven, so that there are several regions at most thresholds.
    """
    rows, columns = np.indices((SIDE, SIDE)) + 0.5
    maps_in_grey = []
    for i, (x0, y0, x1, y1) in enumerate(boxes[:, 0]):
        noise = smooth_noise(SIDE, SIDE, 0, i)
        hill = np.hypot((rows - (y0 + y1) / 2) / (y1 - y0), (columns - (x0 + x1) / 2) / (x1 - x0))
        values = 0.3 * noise / noise.std() - hill
        grey = np.round(255 * (values - values.min()) / (values.max() - values.min()))
        maps_in_grey.append(grey / 255)
    return np.array(maps_in_grey, np.float32)


def metrics(maps: np.ndarray, boxes: np.ndarray) -> dict[str, float]:
    region = inside_boxes(boxes, SIDE, SIDE)
    by_map = score_maps(maps[:, None], np.full((N, 1), 0.5), region, np.ones_like(region), boxes, LEVELS)
    scores = gather(N, LEVELS, (), [(np.arange(N), by_map)])
    total = evaluate(scores, np.zeros(N, int), np.arange(N), 1)[:, -1]
    return dict(zip(metric_names(()), total.tolist(), strict=True))


def published_pxap(maps: np.ndarray, regions: np.ndarray) -> float:
    edges = np.append(THRESHOLDS, [1.0, 2.0, 3.0])
    on, off = (np.histogram(maps[part], edges)[0][::-1].cumsum() for part in (regions, ~regions))
    there = on + off > 0
    precision, recall = on[there] / (on + off)[there], on[there] / on[-1]
    return float(np.sum(precision * np.diff(recall, prepend=0)))


def published_max_box_acc_v2(maps: np.ndarray, boxes: np.ndarray, extra: int) -> float:
    """extra: pixels by which the evaluator's boxes are longer than their region, 1 in the evaluator as it is."""
    correct = np.zeros((len(BOX_DELTAS), LEVELS))
    for map_, ((x0, y0, x1, y1),) in zip(maps, boxes, strict=True):
        grey = (map_ * 255 + 1e-3).astype(np.uint8)
        for level, threshold in enumerate(THRESHOLDS):
            _, mask = cv2.threshold(grey, int(threshold * grey.max()), 255, cv2.THRESH_BINARY)
            contours, _ = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
            best = 0.0
            for x, y, w, h in map(cv2.boundingRect, contours):
                right, below = min(x + w + extra, SIDE), min(y + h + extra, SIDE)
                across, down = max(0, min(x1, right) - max(x0, x)), max(0, min(y1, below) - max(y0, y))
                union = (x1 - x0) * (y1 - y0) + (right - x) * (below - y) - across * down
                best = max(best, across * down / union)
            correct[:, level] += [best >= delta for delta in BOX_DELTAS]
    return float((correct / len(maps)).max(axis=1).mean())


def test_pxap_is_the_evaluators(maps: np.ndarray, boxes: np.ndarray) -> None:
    expected = published_pxap(maps, inside_boxes(boxes, SIDE, SIDE))
    assert metrics(maps, boxes)["pxap"] == pytest.approx(expected, abs=1e-9)


def test_max_box_acc_v2_is_the_evaluators_up_to_its_boxes_extra_pixel(maps: np.ndarray, boxes: np.ndarray) -> None:
    accuracy = metrics(maps, boxes)["max_box_acc_v2"]
    assert 0.3 < accuracy < 0.95
    assert accuracy == pytest.approx(published_max_box_acc_v2(maps, boxes, extra=0), abs=1e-6)
    assert accuracy == pytest.approx(published_max_box_acc_v2(maps, boxes, extra=1), abs=0.1)
