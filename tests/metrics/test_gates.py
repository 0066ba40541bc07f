from __future__ import annotations

import numpy as np
import pytest

from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.metrics.filters import assigned
from csg_analyze.metrics.gates import density_interval, fixed_sizes, l1_density, recorded_sizes


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


def fixed(n_classes: int, owned: int, shared: int) -> FloatArray:
    gate = np.zeros((n_classes, n_classes * owned + shared))
    for c in range(n_classes):
        gate[c, c * owned : (c + 1) * owned] = 1
    gate[:, n_classes * owned :] = 1
    return gate


@pytest.mark.parametrize(("n_classes", "owned", "shared"), [(10, 6, 4), (10, 25, 6), (3, 1, 0), (2, 2, 1)])
def test_a_fixed_gate_is_recognised_however_its_filters_are_ordered(n_classes: int, owned: int, shared: int) -> None:
    gate = fixed(n_classes, owned, shared)
    assert fixed_sizes(gate) == (owned, shared)
    assert fixed_sizes(gate[:, np.random.default_rng(0).permutation(gate.shape[1])]) == (owned, shared)


def test_other_gates_are_not_fixed() -> None:
    almost = fixed(4, 3, 2)
    for cell, value in (((0, 0), 0.5), ((0, 0), 0), ((1, 0), 1), ((0, 12), 0)):
        changed = almost.copy()
        changed[cell] = value
        assert fixed_sizes(changed) is None, (cell, value)
    assert fixed_sizes(np.ones((4, 6))) is None  # everything shared: no class has filters of its own


@pytest.mark.parametrize("value", [None, "6,4", (6,), (6, 4, 0), (6.0, 4), (True, 54), (6, 5), (0, 64), (7, -6), 6])
def test_a_record_is_believed_only_if_it_fits(value: object) -> None:
    assert recorded_sizes(value, 10, 64) is None
    assert recorded_sizes((6, 4), 10, 64) == recorded_sizes([6, 4], 10, 64) == (6, 4)
