from __future__ import annotations

import numpy as np
import pytest

from csg_analyze.metrics.gates import assigned, density_interval, l1_density


def test_the_interval_of_table_1() -> None:
    assert density_interval(10, 64, 64) == pytest.approx((0.1, 0.1))  # CIFAR-10, g = K
    assert density_interval(1000, 512, 0.1 * 1000 * 512) == pytest.approx((0.001, 0.1))  # ImageNet
    assert density_interval(6, 2048, 0.2 * 6 * 2048) == pytest.approx((1 / 6, 0.2))  # VOC


def test_density_and_owners_by_plain_loops() -> None:
    gate = np.random.default_rng(0).random((4, 7))
    assert l1_density(gate) == pytest.approx(sum(abs(gate[c, k]) for c in range(4) for k in range(7)) / 28)
    for c in range(4):
        for k in range(7):
            assert assigned(gate, 0.7)[c, k] == (gate[c, k] > 0.7)
    assert not assigned(np.full((1, 1), 0.5)).any()  # above, not at, the threshold
