from __future__ import annotations

import numpy as np

from csg_analyze.metrics.objects import inside_boxes


def test_filled_boxes_hold_the_pixels_whose_centre_they_hold() -> None:
    boxes = np.array([[[1, 0, 3, 2], [2.6, 1.4, 9, 9]], [[0, 0, 0.4, 9], [np.nan] * 4]])
    region = inside_boxes(boxes, 4, 5)
    for i in range(2):
        for y in range(4):
            for x in range(5):
                inside = any(b[0] <= x + 0.5 < b[2] and b[1] <= y + 0.5 < b[3] for b in boxes[i])
                assert region[i, y, x] == inside
