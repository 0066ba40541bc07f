from __future__ import annotations

import numpy as np
import pytest

from csg_analyze.metrics.arrays import FloatArray
from csg_analyze.metrics.groups import (
    divided,
    fixed_sizes,
    members_of,
    most_activated,
    owners,
    recorded_sizes,
    undivided,
)


def fixed(n_classes: int, owned: int, shared: int) -> FloatArray:
    gate = np.zeros((n_classes, n_classes * owned + shared))
    for c in range(n_classes):
        gate[c, c * owned : (c + 1) * owned] = 1
    gate[:, n_classes * owned :] = 1
    return gate


def test_a_filter_belongs_to_the_class_it_is_strongest_for() -> None:
    strength = np.array([[0.2, 1.0, 1.0, 0.0, -0.1], [1.0, 0.0, 1.0, 0.0, -0.5], [0.3, 0.9, 0.2, 0.0, -0.2]])
    owner = owners(strength)
    assert owner.tolist() == [1, 0, 3, 4, 0]  # 3: shared by two classes, 4: of none
    expected = [[owner[k] == c for k in range(5)] for c in range(3)]
    np.testing.assert_array_equal(members_of(owner, 3), expected)


def test_absent_classes_own_nothing() -> None:
    assert owners(np.array([[np.nan, np.nan], [0.2, 0.0], [0.1, 0.4]])).tolist() == [1, 2]


def test_the_most_activated_filters_by_sorting() -> None:
    means = np.random.default_rng(0).normal(size=(4, 9))
    means[2] = np.nan
    found = most_activated(means, 3)
    for c in range(4):
        ranked = sorted(range(9), key=lambda k: -means[c, k])[:3] if c != 2 else []
        assert np.flatnonzero(found[c]).tolist() == sorted(ranked)


def test_ties_prefer_the_earlier_filter() -> None:
    assert most_activated(np.array([[1.0, 2.0, 1.0, 1.0]]), 2).tolist() == [[True, True, False, False]]


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


def test_the_gate_divides_the_filters_else_the_activations_else_nothing() -> None:
    gate = fixed(3, 2, 1)
    means = np.random.default_rng(0).random((3, 7))
    by_gate, by_activation, none = divided(means, gate, 2), divided(means, None, 2), undivided(7)
    assert (by_gate.by, by_activation.by, none.by) == ("gate", "activation", None)
    assert by_gate.owner.tolist() == [0, 0, 1, 1, 2, 2, 3]
    np.testing.assert_array_equal(by_activation.owner, means.argmax(axis=0))
    np.testing.assert_array_equal(by_gate.most_active, by_activation.most_active)
    assert by_gate.most_active.sum(axis=1).tolist() == [2, 2, 2]
    assert by_gate.own.sum(axis=1).tolist() == [2, 2, 2]
    assert none.owner.tolist() == [0] * 7
    assert len(none.own) == len(none.most_active) == 0
